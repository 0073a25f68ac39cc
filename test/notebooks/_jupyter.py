"""Runs cells in the kernel `deno` by jupyter_client; one that says so is interrupted after its first output.

Reads the cells as JSON, and writes a JSON line for each: its status, its error, its outputs, and how many
seconds passed from the press of Stop to its end.
"""
import json
import sys
import time

from jupyter_client.manager import start_new_kernel

folder, cells = sys.argv[1], json.loads(sys.argv[2])
manager, client = start_new_kernel(kernel_name="deno", cwd=folder)
language = client.kernel_info(reply=True, timeout=60)["content"]["language_info"]
print(json.dumps({"pid": manager.provisioner.process.pid, "language": language}), flush=True)
for cell in cells:
    pressed, outputs = None, []

    def take(message):
        global pressed
        content = message["content"]
        if message["msg_type"] not in ("stream", "execute_result", "display_data", "update_display_data"):
            return
        outputs.append(content.get("text") or content["data"].get("text/plain"))
        print(json.dumps({"output": outputs[-1]}), flush=True)
        if cell["stop"] and pressed is None:
            pressed = time.time()
            manager.interrupt_kernel()

    reply = client.execute_interactive(cell["code"], output_hook=take, timeout=60)["content"]
    seconds = None if pressed is None else time.time() - pressed
    print(
        json.dumps({
            "status": reply["status"],
            "error": f"{reply.get('ename')}: {reply.get('evalue')}",
            "outputs": outputs,
            "seconds": seconds,
        }),
        flush=True,
    )
client.stop_channels()
manager.shutdown_kernel(now=True)
