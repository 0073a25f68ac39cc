"""Fine-tunes the base model on one exported group with TRL, as the study does: its tokens, batches and recipe.

    python train_trl.py --group=${group} --output=tuned/inc              all weights, one GPU or a processor
    accelerate launch --config_file fsdp.yaml train_trl.py --group=...   all weights, several GPUs
    python train_trl.py --group=... --output=... --lora                  low-rank adapters

Needs trl (tried: 1.16), and peft for --lora. The folder that it writes holds the group's manifest, by which the
study knows it: deno task reproduce ... --tuned=FOLDER.
"""

import argparse
import hashlib
import json
import math
import os
import sys
from pathlib import Path

import torch
import trl
from datasets import Dataset
from huggingface_hub import snapshot_download
from torch.utils.data import Sampler
from transformers import AutoModelForCausalLM, AutoTokenizer, set_seed

HERE = Path(__file__).resolve().parent
MANIFEST = "self-aligning.json"
IS_FIRST = int(os.environ.get("RANK", "0")) == 0


def refuse(action, expected, found, mend):
    sys.exit(f"Cannot {action}: expected {expected}; found {found}; {mend}")


def sha256_of(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_group(name):
    """A group's manifest and rows; ends the process where they are not what was exported."""
    manifest_path, rows_path = (HERE / f"{name}{ending}" for ending in (".json", ".jsonl"))
    for path in (manifest_path, rows_path):
        if not path.is_file():
            refuse(f"train on {name}", f"a file {path}", "none", "name it as DOMAIN/GROUP@SEED")
    manifest = json.loads(manifest_path.read_text("utf-8"))
    digest = sha256_of(rows_path)
    if digest != manifest["rows"]:
        refuse(f"train on {name}", f"rows of SHA-256 {manifest['rows']}", digest, "copy the export again, whole")
    # Not splitlines(): a text may hold other ends of lines than \n.
    rows = [json.loads(line) for line in rows_path.read_text("utf-8").split("\n") if line]
    return manifest, rows


def base_folder(base, given):
    """The folder of the base's files, whose weights, where known, are those that the groups were made from."""
    where = given or base["model"]
    folder = next((path for path in (Path(where), HERE / where) if path.is_dir()), None)
    if folder is None:
        patterns = ["*.safetensors", "*.json", "*.model", "*.txt", "*.jinja"]
        revision = None if given else base.get("revision")
        folder = Path(snapshot_download(where, revision=revision, allow_patterns=patterns))
    expected = base.get("weights")  # unknown of a model that was asked behind a server
    if IS_FIRST and expected is not None and expected != (found := weights_digest(folder)):
        refuse(f"train {where}", f"weights of SHA-256 {expected}", found, "give the base by --base=FOLDER")
    return folder


def weights_digest(folder):
    """SHA-256 of the weights; of several files that of the lines `name digest`."""
    if (folder / "model.safetensors").is_file():
        return sha256_of(folder / "model.safetensors")
    index = json.loads((folder / "model.safetensors.index.json").read_text("utf-8"))
    lines = [f"{name} {sha256_of(folder / name)}\n" for name in sorted(set(index["weight_map"].values()))]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


class EpochOrders(Sampler):
    """The places of the rows in the study's own order, another one each epoch."""

    def __init__(self, orders):
        self.orders, self.epoch = orders, 0

    def set_epoch(self, epoch):
        self.epoch = epoch

    def __len__(self):
        return len(self.orders[0])

    def __iter__(self):
        return iter(self.orders[self.epoch])


class Trainer(trl.SFTTrainer):
    def __init__(self, *args, orders, **options):
        self.orders = orders
        super().__init__(*args, **options)

    def _get_train_sampler(self, *_):
        return EpochOrders(self.orders)


def batch_sizes(batch, most):
    """Rows a device reads at once, and how often before a step."""
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if batch % world:
        refuse("train", f"a number of processes that divides the batch of {batch}", world, "start fewer")
    share = batch // world
    rows = max(n for n in range(1, min(most, share) + 1) if share % n == 0)
    return rows, share // rows


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--group", required=True, help="such as ${group}")
    parser.add_argument("--output", required=True, help="the folder to write")
    parser.add_argument("--base", help="folder or hub id of the base model (default: as it was exported)")
    parser.add_argument("--lora", action="store_true", help="train low-rank adapters")
    parser.add_argument("--device-batch", type=int, default=8, help="rows a device reads at once, at most")
    arguments = parser.parse_args()

    manifest, rows = read_group(arguments.group)
    recipe = {**manifest["recipe"], **(manifest["lora"] if arguments.lora else {})}
    folder = base_folder(manifest["base"], arguments.base)
    set_seed(manifest["seed"])
    on_card = torch.cuda.is_available()
    # Frozen weights may be rounded; those that are trained are kept whole, and only multiplied in bfloat16.
    dtype = torch.bfloat16 if on_card and arguments.lora else torch.float32
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.unk_token or tokenizer.eos_token
    adapter = None
    if arguments.lora:
        from peft import LoraConfig

        adapter = LoraConfig(
            r=recipe["rank"],
            lora_alpha=recipe["alpha"],
            target_modules=recipe["targets"],
            use_rslora=recipe["rankStabilized"],
            lora_dropout=0.0,
            task_type="CAUSAL_LM",
        )
    rows_at_once, accumulation = batch_sizes(recipe["batchSize"], arguments.device_batch)
    steps = math.ceil(len(rows) / recipe["batchSize"]) * recipe["epochs"]
    schedule = recipe["schedule"]
    options = trl.SFTConfig(
        output_dir=arguments.output,
        num_train_epochs=recipe["epochs"],
        per_device_train_batch_size=rows_at_once,
        gradient_accumulation_steps=accumulation,
        learning_rate=recipe["learningRate"],
        lr_scheduler_type="constant_with_warmup" if schedule == "constant" else schedule,
        warmup_steps=math.ceil(recipe["warmupRatio"] * steps),
        weight_decay=recipe["weightDecay"],
        adam_beta1=recipe["beta1"],
        adam_beta2=recipe["beta2"],
        adam_epsilon=recipe["epsilon"],
        max_grad_norm=recipe["clipNorm"],
        max_length=recipe["maxTokens"],
        optim="adamw_torch",
        bf16=on_card,
        use_cpu=not on_card,
        gradient_checkpointing=on_card,
        seed=manifest["seed"],
        logging_steps=1,
        save_strategy="no",
        report_to="none",
    )
    trainer = Trainer(
        model=model,
        args=options,
        train_dataset=Dataset.from_list([{key: row[key] for key in ("input_ids", "labels")} for row in rows]),
        processing_class=tokenizer,
        peft_config=adapter,
        orders=manifest["orders"],
    )
    trainer.train()
    trainer.save_model(arguments.output)
    if IS_FIRST:
        losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
        facts = {key: value for key, value in manifest.items() if key != "orders"}
        facts.update(trainer=f"trl {trl.__version__}", adapter=arguments.lora, losses=losses)
        Path(arguments.output, MANIFEST).write_text(json.dumps(facts, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
