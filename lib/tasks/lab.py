# JupyterLab leaves its kernels behind unless it is ended by SIGTERM or, in a terminal, by Ctrl-C: also when the
# terminal is closed, and when who started it is gone. What nohup ignores stays ignored.
import os, signal, threading, time
def end(*_):
    os.kill(os.getpid(), signal.SIGTERM)
def watch(parent):
    while os.getppid() == parent:
        time.sleep(2)
    end()
for name in ("SIGHUP", "SIGINT"):
    number = getattr(signal, name, None)
    if number and signal.getsignal(number) != signal.SIG_IGN:
        signal.signal(number, end)
threading.Thread(target=watch, args=[os.getppid()], daemon=True).start()
from jupyterlab.labapp import main
main()
