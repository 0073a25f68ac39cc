"""Writes fixtures/types.safetensors and the numbers in it as float32 (as bits), by the crate itself.

Needs torch and safetensors: python test/numerics/make_safetensors.py
"""

import json
import pathlib

import torch
from safetensors.torch import save_file

folder = pathlib.Path(__file__).parent / "fixtures"
generator = torch.Generator().manual_seed(1)
values = torch.cat([
    torch.randn(120, generator=generator) * 10 ** torch.randint(-6, 5, (120,), generator=generator),
    torch.tensor([0.0, -0.0, float("inf"), -float("inf"), 1.00390625, 1.01171875, 6e-8, 65504.0]),
])
tensors = {
    f"{name}.{i}": values.reshape(8, 16)[:, : 16 - i].contiguous().to(dtype)
    for i, (name, dtype) in enumerate([
        ("f32", torch.float32), ("f16", torch.float16), ("bf16", torch.bfloat16), ("f64", torch.float64),
    ])
}
tensors["scalar"] = torch.tensor(3.5)
tensors["empty"] = torch.zeros(0, 4)
tensors["counts"] = torch.arange(3)
save_file(tensors, folder / "types.safetensors", metadata={"format": "pt", "note": "é"})
expected = {
    name: {"shape": list(t.shape), "bits": t.float().flatten().view(torch.int32).tolist()}
    for name, t in tensors.items() if t.is_floating_point()
}
# What rounding to bfloat16 gives, for the writer.
expected["rounded"] = {
    "shape": [values.numel()],
    "bits": values.to(torch.bfloat16).float().view(torch.int32).tolist(),
}
expected["values"] = {"shape": [values.numel()], "bits": values.view(torch.int32).tolist()}
(folder / "types.safetensors.json").write_text(json.dumps(expected) + "\n")

# What the crate says of the same file with bits flipped: [byte, bit, accepted].
from safetensors import SafetensorError, safe_open  # noqa: E402

whole = (folder / "types.safetensors").read_bytes()
header_end = 8 + int.from_bytes(whole[:8], "little")
verdicts = []
damaged_path = folder / "damaged.safetensors"
for byte in range(header_end):
    for bit in range(8):
        damaged = bytearray(whole)
        damaged[byte] ^= 1 << bit
        damaged_path.write_bytes(damaged)
        try:
            with safe_open(damaged_path, "np"):
                verdicts.append([byte, bit])
        except SafetensorError:
            pass
damaged_path.unlink()
(folder / "types.safetensors.flips.json").write_text(
    json.dumps({"header_end": header_end, "accepted": verdicts}, separators=(",", ":")) + "\n"
)
