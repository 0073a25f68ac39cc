"""Makes tiny adapters of the tiny checkpoints and the numbers that PEFT gives on them.

    python make_lora.py [folder]      (default: fixtures/lora beside this file)

Needs torch, transformers and peft; the versions used stand in every reference.json. The same seeds
give the same files. Each NAME/ holds adapter_config.json + adapter_model.safetensors (what PEFT
saves, B not zero), reference.json (losses, norms, learning rates; the batches are those of the
checkpoint's own reference.json) and reference.safetensors (logits, gradients, the adapter after
training).
"""

import copy
import json
import shutil
import sys
from pathlib import Path

import peft
import torch
import transformers
from make_checkpoints import STEPS, largest_difference, padded, train
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM

HERE = Path(__file__).resolve().parent / "fixtures"
ALL = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
# Alpha is never the rank: a scale left out would show.
ADAPTERS = {
    "llama": dict(r=2, lora_alpha=6, target_modules=ALL),
    "mistral": dict(r=2, lora_alpha=3, target_modules=["gate_proj", "up_proj", "down_proj"]),
    "qwen2": dict(r=3, lora_alpha=4, target_modules=["q_proj", "v_proj"], use_rslora=True),
    "qwen3": dict(r=2, lora_alpha=5, target_modules=["q_proj", "k_proj", "v_proj", "o_proj"]),
}
RUN = dict(schedule="cosine", weightDecay=0.1, learningRate=0.01, warmupSteps=3)
# Rows whose logits are kept.
ROWS = [0, 3]


def trained_tensors(model):
    """What PEFT trains, by the names that it saves under."""
    return {
        name.replace(".default.", "."): p for name, p in model.named_parameters() if p.requires_grad}


def make(name, settings, folder, seed):
    base_folder = HERE / "models" / name
    base = AutoModelForCausalLM.from_pretrained(
        base_folder, dtype=torch.float32, attn_implementation="eager").eval()
    batches = json.loads((base_folder / "reference.json").read_text())["batches"]
    batch = batches[0]
    torch.manual_seed(seed)
    model = peft.get_peft_model(base, peft.LoraConfig(**settings, task_type="CAUSAL_LM")).eval()
    with torch.no_grad():
        for key, parameter in trained_tensors(model).items():
            if "lora_B" in key:
                parameter.copy_(torch.randn(parameter.shape) * 0.2)
    shutil.rmtree(folder, ignore_errors=True)
    model.peft_config["default"].base_model_name_or_path = name
    model.save_pretrained(folder)
    (folder / "README.md").unlink(missing_ok=True)
    # The targets are a set, whose order changes from run to run.
    path = folder / "adapter_config.json"
    config = json.loads(path.read_text())
    config["target_modules"].sort()
    path.write_text(json.dumps(config, indent=2) + "\n")

    tensors = {}
    with torch.no_grad():
        logits = model(**padded(batch, base.config)).logits
        for i in ROWS:
            tensors[f"logits.{i}"] = logits[i, :len(batch["inputIds"][i])].clone()
        merged = copy.deepcopy(model).merge_and_unload()(**padded(batch, base.config)).logits
        assert torch.allclose(merged, logits, atol=1e-4), name
    model.zero_grad()
    loss = model(**padded(batch, base.config)).loss
    loss.backward()
    for key, parameter in trained_tensors(model).items():
        tensors[f"gradient.{key}"] = parameter.grad.clone()

    trial = train(copy.deepcopy(model), RUN, batches, float("inf"))
    # Inside the range of the norms: some steps are clipped and some are not.
    clip_norm = round(sorted(trial["gradientNorms"])[STEPS // 2], 1)
    exact = copy.deepcopy(model).double()
    result = train(model, RUN, batches, clip_norm)
    train(exact, RUN, batches, clip_norm)
    rounding = largest_difference(model, exact)
    assert rounding < 2e-4, (name, rounding)
    for key, parameter in trained_tensors(model).items():
        tensors[f"trained.{key}"] = parameter.detach()
    reference = dict(
        versions=dict(
            torch=torch.__version__, transformers=transformers.__version__, peft=peft.__version__),
        seed=seed, loss=loss.item(),
        run=dict(
            **RUN, clipNorm=clip_norm, steps=STEPS, beta1=0.9, beta2=0.999, epsilon=1e-8,
            rounding=rounding, **result))
    save_file({k: v.contiguous() for k, v in tensors.items()}, folder / "reference.safetensors")
    (folder / "reference.json").write_text(json.dumps(reference) + "\n")
    print(f"{name}: loss {result['losses'][0]:.3f} -> {result['losses'][-1]:.3f}, clip at "
          f"{clip_norm}, float32 off by {rounding:.1e}")


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "lora"
    for index, (name, settings) in enumerate(ADAPTERS.items()):
        make(name, settings, target / name, seed=70 + index)
    size = sum(file.stat().st_size for file in target.rglob("*") if file.is_file())
    print(f"{size / 1e3:.0f} kB in {target}")
