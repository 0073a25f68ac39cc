"""llama-cpp-python in its own process: orders on stdin, answers on stdout.

An order is a line of JSON; an answer is a line that starts with "@ " followed by JSON.
  {"do": "open", "file", "threads"}   a GGUF file, as its server opens it
  {"do": "ask", "prompts": [text]}    one token after each, with 20 log-probabilities
  {"do": "close"}
"""

import json
import sys
import time

from llama_cpp import Llama


def main():
    model = None
    for line in sys.stdin:
        order = json.loads(line)
        answer = {}
        if order["do"] == "open":
            threads = order["threads"]
            model = Llama(order["file"], n_ctx=2048, logits_all=True, verbose=False, type_k=0, type_v=0,
                          n_threads=threads, n_threads_batch=threads)
        elif order["do"] == "ask":
            started = time.perf_counter()
            for prompt in order["prompts"]:
                model.create_completion(prompt, max_tokens=1, temperature=0, logprobs=20)
            answer["seconds"] = time.perf_counter() - started
        print("@ " + json.dumps(answer), flush=True)
        if order["do"] == "close":
            return


main()
