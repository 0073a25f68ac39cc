"""PyTorch's side of the training benchmark: one process, orders on stdin, answers on stdout.

An order is a line of JSON; an answer is a line that starts with "@ " followed by JSON.
  {"do": "make", "folder", "config", "seed", "adapter"?, "rank"}
                                              writes a checkpoint of random weights; an adapter too
  {"do": "open", "folder", "adapter"?, "batch": {inputIds, labels}, "settings", "threads", "device",
   "compile"}
  {"do": "steps", "count"}                    whole training steps: seconds of each
  {"do": "product", "size"}                   a plain product of square matrices: GFLOP/s
  {"do": "close"}
"""

import json
import sys
import time

import torch
import transformers


def peak_bytes():
    try:
        with open("/proc/self/status") as status:
            for line in status:
                if line.startswith("VmHWM"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    return None


def make(order):
    torch.manual_seed(order["seed"])
    config = transformers.AutoConfig.for_model(**order["config"])
    model = transformers.AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    model.save_pretrained(order["folder"], max_shard_size="50GB")
    parameters = sum(p.numel() for p in model.parameters())
    if order.get("adapter"):
        import peft
        settings = peft.LoraConfig(
            r=order["rank"], lora_alpha=16, target_modules="all-linear", task_type="CAUSAL_LM")
        peft.get_peft_model(model, settings).save_pretrained(order["adapter"])
    return {"parameters": parameters}


class Run:
    def __init__(self, order):
        settings = order["settings"]
        if order["threads"]:
            torch.set_num_threads(order["threads"])
        self.device = torch.device(order["device"])
        self.model = transformers.AutoModelForCausalLM.from_pretrained(
            order["folder"], dtype=torch.float32, attn_implementation="sdpa",
            local_files_only=True).to(self.device).train()
        if order.get("adapter"):
            import peft
            self.model = peft.PeftModel.from_pretrained(
                self.model, order["adapter"], is_trainable=True).to(self.device)
        self.parameters = [p for p in self.model.parameters() if p.requires_grad]
        self.optimizer = torch.optim.AdamW(
            self.parameters, lr=settings["learningRate"],
            betas=(settings["beta1"], settings["beta2"]), eps=settings["epsilon"],
            weight_decay=settings["weightDecay"], fused=True)
        self.schedule = transformers.get_cosine_schedule_with_warmup(
            self.optimizer, settings["warmupSteps"], settings["totalSteps"])
        self.clip_norm = settings["clipNorm"]
        self.ids = torch.tensor(order["batch"]["inputIds"], device=self.device)
        self.labels = torch.tensor(order["batch"]["labels"], device=self.device)
        self.forward = torch.compile(self.model) if order["compile"] else self.model

    def step(self):
        loss = self.forward(input_ids=self.ids, labels=self.labels, use_cache=False).loss
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(self.parameters, self.clip_norm)
        self.optimizer.step()
        self.schedule.step()
        self.optimizer.zero_grad(set_to_none=True)
        # Read back every step, as a training loop that logs does; on a GPU this waits for it.
        return loss.item(), norm.item()

    def steps(self, count):
        seconds = []
        for _ in range(count):
            start = time.perf_counter()
            loss, norm = self.step()
            seconds.append(time.perf_counter() - start)
        return {"seconds": seconds, "loss": loss, "gradientNorm": norm, "peakBytes": peak_bytes()}


def product(order, device):
    """GFLOP/s of a plain product of square matrices: the median of 5 after one unmeasured."""
    a, b = (torch.rand(order["size"], order["size"], device=device) for _ in range(2))
    rates = []
    for _ in range(6):
        start = time.perf_counter()
        (a @ b)[0].cpu()
        rates.append(2 * order["size"] ** 3 / (time.perf_counter() - start) / 1e9)
    return {"gigaflopsPerSecond": sorted(rates[1:])[2]}


def main():
    transformers.utils.logging.disable_progress_bar()
    run = None
    for line in sys.stdin:
        order = json.loads(line)
        try:
            if order["do"] == "make":
                answer = make(order)
            elif order["do"] == "open":
                run = Run(order)
                answer = {
                    "versions": {"torch": torch.__version__, "transformers": transformers.__version__},
                    "device": torch.cuda.get_device_name() if run.device.type == "cuda" else "cpu",
                    "threads": torch.get_num_threads(),
                }
            elif order["do"] == "steps":
                answer = run.steps(order["count"])
            elif order["do"] == "product":
                answer = product(order, run.device)
            elif order["do"] == "close":
                answer = {}
            else:
                raise ValueError(f"unknown order {order['do']!r}")
        except Exception as error:  # told to the driver, which stops
            answer = {"error": f"{type(error).__name__}: {error}"}
        print("@ " + json.dumps(answer), flush=True)
        if order["do"] == "close":
            return


main()
