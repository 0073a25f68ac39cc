"""Makes the tiny checkpoints and the numbers that PyTorch and transformers give on them.

    python make_checkpoints.py [folder]      (default: fixtures/models beside this file)

Needs torch and transformers; the versions used stand in every reference.json. The same seeds give
the same files. Each NAME/ holds config.json + model.safetensors (what transformers saves),
reference.json (inputs, losses, norms, learning rates) and reference.safetensors (logits,
gradients, parameters after training).
"""

import copy
import json
import shutil
import sys
from pathlib import Path

import torch
import transformers
from safetensors.torch import save_file
from transformers import (
    AutoModelForCausalLM,
    LlamaConfig,
    MistralConfig,
    Qwen2Config,
    Qwen3Config,
    get_constant_schedule_with_warmup,
    get_cosine_schedule_with_warmup,
    get_linear_schedule_with_warmup,
)

transformers.utils.logging.disable_progress_bar()
torch.set_num_threads(1)
torch.use_deterministic_algorithms(True)

IGNORED = -100
PAD = 0
STEPS = 10
SHAPE = dict(
    vocab_size=97, hidden_size=32, intermediate_size=40, num_hidden_layers=2,
    num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=128,
    bos_token_id=1, eos_token_id=2, pad_token_id=PAD, rms_norm_eps=1e-5,
)
# head_dim 8: wavelengths 6, 63, 628, 6283; of 64 original positions each of the scaling's three
# branches (kept, blended, divided) takes at least one.
LLAMA3_ROPE = dict(
    rope_type="llama3", rope_theta=10000.0, factor=4.0, low_freq_factor=1.0,
    high_freq_factor=4.0, original_max_position_embeddings=64,
)


def plain_rope(theta):
    return dict(rope_type="default", rope_theta=theta)


MODELS = {
    "llama": LlamaConfig(**SHAPE, tie_word_embeddings=False, rope_parameters=plain_rope(10000.0)),
    "llama-tied": LlamaConfig(**SHAPE, tie_word_embeddings=True, rope_parameters=plain_rope(100000.0)),
    "llama3-rope": LlamaConfig(**SHAPE, tie_word_embeddings=True, rope_parameters=LLAMA3_ROPE),
    "llama-bias": LlamaConfig(
        **SHAPE, tie_word_embeddings=True, attention_bias=True,
        rope_parameters=dict(rope_type="linear", rope_theta=10000.0, factor=2.0)),
    # A window shorter than the longest rows.
    "mistral": MistralConfig(
        **SHAPE, tie_word_embeddings=False, sliding_window=6, rope_parameters=plain_rope(10000.0)),
    "qwen2": Qwen2Config(**SHAPE, tie_word_embeddings=True, rope_parameters=plain_rope(10000.0)),
    "qwen3": Qwen3Config(
        **{**SHAPE, "hidden_size": 36}, head_dim=12, tie_word_embeddings=True,
        rope_parameters=plain_rope(1000000.0)),
}

# Plain torch.optim.AdamW over all parameters: the decay reaches norms and biases as well.
RUNS = {
    "cosine": dict(schedule="cosine", weightDecay=0.1, learningRate=0.01, warmupSteps=3),
    "linear": dict(schedule="linear", weightDecay=0.0, learningRate=0.01, warmupSteps=2),
    "constant": dict(
        schedule="constant", weightDecay=0.1, learningRate=0.005, warmupSteps=4, clipNorm=1.0),
}
RUNS_OF = {"llama": ["cosine", "linear"], "llama-bias": [], "qwen2": ["cosine", "linear", "constant"]}


def random_model(config, generator):
    """Weights that matter everywhere: norms off 1, biases off 0, so that one left out shows."""
    model = AutoModelForCausalLM.from_config(config, attn_implementation="eager").eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator) * 0.2
            parameter.copy_(1 + noise if "norm" in name else noise)
    return model


def random_batch(generator, lengths, prompts):
    """Rows of different lengths; no label on the prompt, nor (after padding) on the padding."""
    rows = [torch.randint(3, SHAPE["vocab_size"], (n,), generator=generator).tolist() for n in lengths]
    labels = [[IGNORED] * p + row[p:] for row, p in zip(rows, prompts)]
    return dict(inputIds=rows, labels=labels)


def padded(batch, config):
    width = max(len(row) for row in batch["inputIds"])

    def pad(rows, value):
        return torch.tensor([row + [value] * (width - len(row)) for row in rows])

    ids = pad(batch["inputIds"], PAD)
    mask = pad([[1] * len(row) for row in batch["inputIds"]], 0)
    # A padding position whose window holds padding alone has nothing to attend to and turns into
    # NaN; without the mask the real positions, all before the padding, see the same.
    if getattr(config, "sliding_window", None):
        mask = None
    return dict(input_ids=ids, attention_mask=mask, labels=pad(batch["labels"], IGNORED))


def supervised(batch):
    """Labels that count: the first of a row has no logits before it."""
    return sum(label != IGNORED for row in batch["labels"] for label in row[1:])


def gradients_of(model):
    return {name: p.grad.detach().clone() for name, p in model.named_parameters()}


def schedule_of(run, optimizer):
    if run["schedule"] == "cosine":
        return get_cosine_schedule_with_warmup(optimizer, run["warmupSteps"], STEPS)
    if run["schedule"] == "linear":
        return get_linear_schedule_with_warmup(optimizer, run["warmupSteps"], STEPS)
    return get_constant_schedule_with_warmup(optimizer, run["warmupSteps"])


def train(model, run, batches, clip_norm):
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(
        parameters, lr=run["learningRate"], betas=(0.9, 0.999), eps=1e-8,
        weight_decay=run["weightDecay"])
    schedule = schedule_of(run, optimizer)
    losses, norms, rates = [], [], []
    for step in range(STEPS):
        optimizer.zero_grad()
        loss = model(**padded(batches[step % len(batches)], model.config)).loss
        loss.backward()
        norms.append(torch.nn.utils.clip_grad_norm_(parameters, clip_norm).item())
        rates.append(schedule.get_last_lr()[0])
        losses.append(loss.item())
        optimizer.step()
        schedule.step()
    return dict(losses=losses, gradientNorms=norms, learningRates=rates)


def largest_difference(ours, theirs):
    """The largest difference of two models' tensors, relative to each tensor's largest number."""
    return max(
        ((a.double() - b.double()).abs().max() / b.abs().max()).item()
        for a, b in zip(ours.parameters(), theirs.parameters()))


def check_accumulation(model, batch, whole):
    """Two micro-batches, each weighted by its share of the supervised labels, are the batch."""
    halves = [{k: v[i:i + 2] for k, v in batch.items()} for i in (0, 2)]
    model.zero_grad()
    losses = []
    for half in halves:
        loss = model(**padded(half, model.config)).loss
        (loss * supervised(half) / supervised(batch)).backward()
        losses.append(loss.item())
    for name, gradient in gradients_of(model).items():
        assert torch.allclose(gradient, whole[name], rtol=0, atol=1e-5 * whole[name].abs().max())
    return dict(losses=losses, supervised=[supervised(half) for half in halves])


def make(name, config, folder, seed):
    generator = torch.Generator().manual_seed(seed)
    model = random_model(config, generator)
    shutil.rmtree(folder, ignore_errors=True)
    model.save_pretrained(folder)
    if name == "llama":
        model.save_pretrained(folder / "sharded", max_shard_size="60KB")
        assert len(list((folder / "sharded").glob("*.safetensors"))) == 2
    (folder / "generation_config.json").unlink(missing_ok=True)
    (folder / "sharded" / "generation_config.json").unlink(missing_ok=True)

    batches = [
        random_batch(generator, lengths=[5, 19, 2, 11], prompts=[2, 7, 1, 9]),
        random_batch(generator, lengths=[8, 3, 14, 14], prompts=[0, 2, 10, 5]),
    ]
    batch = batches[0]
    tensors = {}

    def record_logits(source, prefix):
        with torch.no_grad():
            logits = source(**padded(batch, config)).logits
        for i, row in enumerate(batch["inputIds"]):
            tensors[f"{prefix}.{i}"] = logits[i, :len(row)].clone()

    record_logits(model, "logits")
    model.zero_grad()
    loss = model(**padded(batch, config)).loss
    loss.backward()
    whole = gradients_of(model)
    tensors.update({f"gradient.{key}": value for key, value in whole.items()})
    reference = dict(
        versions=dict(torch=torch.__version__, transformers=transformers.__version__),
        seed=seed, batches=batches, loss=loss.item(),
        accumulation=check_accumulation(model, batch, whole), runs={})

    if name == "qwen2":
        copy.deepcopy(model).to(torch.bfloat16).save_pretrained(folder / "bf16")
        (folder / "bf16" / "generation_config.json").unlink(missing_ok=True)
        # Loaded anew: the conversion above rounds the rotary frequencies as well.
        rounded = AutoModelForCausalLM.from_pretrained(
            folder / "bf16", dtype=torch.float32, attn_implementation="eager")
        record_logits(rounded.eval(), "bf16.logits")

    for run_name in RUNS_OF.get(name, ["cosine"]):
        run = RUNS[run_name]
        # A clip norm inside the range of the norms: some steps are clipped and some are not.
        trial = train(copy.deepcopy(model), run, batches, float("inf"))
        clip_norm = run.get("clipNorm", round(sorted(trial["gradientNorms"])[STEPS // 2], 1))
        trained, exact = copy.deepcopy(model), copy.deepcopy(model).double()
        result = train(trained, run, batches, clip_norm)
        clipped = sum(norm > clip_norm for norm in result["gradientNorms"])
        assert 2 <= clipped <= (STEPS if "clipNorm" in run else STEPS - 1), (name, run_name, result["gradientNorms"])
        # How far float32 itself is from float64 after these steps: the tolerance has to be above.
        train(exact, run, batches, clip_norm)
        rounding = largest_difference(trained, exact)
        assert rounding < 2e-4, (name, run_name, rounding)
        reference["runs"][run_name] = dict(
            **{**run, "clipNorm": clip_norm}, steps=STEPS, beta1=0.9, beta2=0.999, epsilon=1e-8,
            clippedSteps=clipped, rounding=rounding, **result)
        tensors.update(
            {f"trained.{run_name}.{k}": p.detach() for k, p in trained.named_parameters()})

    save_file({k: v.contiguous() for k, v in tensors.items()}, folder / "reference.safetensors")
    (folder / "reference.json").write_text(json.dumps(reference) + "\n")
    for run_name, run in reference["runs"].items():
        norms = " ".join(f"{norm:.2f}" for norm in run["gradientNorms"])
        print(f"{name} {run_name}: loss {run['losses'][0]:.3f} -> {run['losses'][-1]:.3f}, clip at "
              f"{run['clipNorm']}, norms {norms}, float32 off by {run['rounding']:.1e}")


if __name__ == "__main__":
    here = Path(__file__).resolve().parent
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else here / "fixtures" / "models"
    for index, (name, config) in enumerate(MODELS.items()):
        make(name, config, target / name, seed=20240 + index)
    size = sum(file.stat().st_size for file in target.rglob("*") if file.is_file())
    print(f"{size / 1e6:.2f} MB in {target}")
