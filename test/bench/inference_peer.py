"""PyTorch's side of the benchmarks of a real model: one process, orders on stdin, answers on stdout.

An order is a line of JSON; an answer is a line that starts with "@ " followed by JSON.
  {"do": "open", "tool", "folder", "threads", "batch"}   tool: "lm-eval" or "transformers"
  {"do": "score", "prompts": [[id]], "letters": [[id]]}  lm-eval: log-probabilities of single tokens
  {"do": "generate", "prompts": [[id]], "maxNewTokens"}  transformers: greedy, of exactly that many
  {"do": "close"}
"""

import json
import sys
import time

import torch
import transformers


class LmEval:
    """lm-evaluation-harness: its hf model scores the requests that a multiple-choice task makes."""

    def __init__(self, order):
        import importlib.metadata

        from lm_eval.models.huggingface import HFLM

        self.model = HFLM(pretrained=order["folder"], dtype="float32", device="cpu",
                          batch_size=order["batch"])
        self.versions = {"lm_eval": importlib.metadata.version("lm_eval")}

    def score(self, order):
        requests = [(("", ""), prompt, [letter])
                    for prompt, letters in zip(order["prompts"], order["letters"])
                    for letter in letters]
        start = time.perf_counter()
        # The harness's own scoring, batches and ordering; text becomes tokens before it.
        scores = iter(self.model._loglikelihood_tokens(requests, disable_tqdm=True))
        seconds = time.perf_counter() - start
        return {"seconds": seconds,
                "scores": [[next(scores)[0] for _ in letters] for letters in order["letters"]]}


class Transformers:
    def __init__(self, order):
        self.model = transformers.AutoModelForCausalLM.from_pretrained(
            order["folder"], dtype=torch.float32, local_files_only=True).eval()
        self.versions = {}

    def generate(self, order):
        count = order["maxNewTokens"]
        tokens = []
        start = time.perf_counter()
        with torch.inference_mode():
            for prompt in order["prompts"]:
                ids = torch.tensor([prompt])
                output = self.model.generate(
                    ids, attention_mask=torch.ones_like(ids), max_new_tokens=count,
                    do_sample=False, eos_token_id=None, pad_token_id=0)
                tokens.append(output[0, len(prompt):].tolist())
        return {"seconds": time.perf_counter() - start, "tokens": tokens}


def main():
    transformers.utils.logging.disable_progress_bar()
    transformers.utils.logging.set_verbosity_error()
    side = None
    for line in sys.stdin:
        order = json.loads(line)
        try:
            if order["do"] == "open":
                torch.set_num_threads(order["threads"])
                side = {"lm-eval": LmEval, "transformers": Transformers}[order["tool"]](order)
                versions = {**side.versions, "torch": torch.__version__,
                            "transformers": transformers.__version__}
                answer = {"about": ", ".join(f"{name} {text}" for name, text in versions.items()) +
                          f", cpu, float32, {torch.get_num_threads()} threads"}
            elif order["do"] == "close":
                answer = {}
            else:
                answer = getattr(side, order["do"])(order)
        except Exception as error:  # told to the driver, which stops
            answer = {"error": f"{type(error).__name__}: {error}"}
        print("@ " + json.dumps(answer), flush=True)
        if order["do"] == "close":
            return


main()
