"""Writes fixtures/gguf: blocks.json, random blocks of each quantization with the numbers that the
`gguf` package makes of them, and small models in GGUF files made of fixtures/models.

Needs gguf, numpy and safetensors: python test/numerics/make_gguf.py
"""

import base64
import json
import pathlib

import gguf
import numpy as np
from gguf import GGMLQuantizationType as Type
from safetensors.numpy import load_file

fixtures = pathlib.Path(__file__).parent / "fixtures"
folder = fixtures / "gguf"
folder.mkdir(exist_ok=True)
random = np.random.default_rng(1)

# Bytes of a block that hold half-precision numbers: any other byte may be anything.
HALVES = {
    Type.Q4_0: [0], Type.Q4_1: [0, 2], Type.Q5_0: [0], Type.Q5_1: [0, 2], Type.Q8_0: [0],
    Type.Q4_K: [0, 2], Type.Q5_K: [0, 2], Type.Q6_K: [208],
}
BLOCKS = 12
result = {}
for kind in [Type.F32, Type.F16, Type.BF16, *HALVES]:
    size, width = gguf.GGML_QUANT_SIZES[kind]
    if kind in HALVES:
        blocks = random.integers(0, 256, (BLOCKS, width), dtype=np.uint8)
        for at in HALVES[kind]:
            halves = (random.normal(size=BLOCKS) * 10.0 ** random.integers(-5, 3, BLOCKS)).astype(np.float16)
            halves[:3] = [0, 6e-8, -65504]  # zero, the smallest, the largest
            blocks[:, at:at + 2] = halves.view(np.uint8).reshape(BLOCKS, 2)
        data = blocks.reshape(1, -1)
    else:
        values = (random.normal(size=48) * 10.0 ** random.integers(-6, 4, 48)).astype(np.float32)
        values[:4] = [0, -0.0, np.inf, -np.inf]
        data = gguf.quants.quantize(values.reshape(1, -1), kind).view(np.uint8)
    numbers = gguf.quants.dequantize(data if kind in HALVES else data.view(
        {Type.F32: np.float32, Type.F16: np.float16}.get(kind, np.uint8)), kind)
    result[kind.name] = {
        "bytes": base64.b64encode(data.tobytes()).decode(),
        "bits": base64.b64encode(numbers.astype(np.float32).tobytes()).decode(),
    }
(folder / "blocks.json").write_text(json.dumps(result) + "\n")

NAMES = {
    "model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output",
    "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm",
    "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output", "self_attn.q_norm": "attn_q_norm",
    "self_attn.k_norm": "attn_k_norm", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}


def gguf_name(name):
    stem, kind = name.rsplit(".", 1)
    if stem in NAMES:
        return f"{NAMES[stem]}.{kind}"
    _, _, layer, part = stem.split(".", 3)
    return f"blk.{layer}.{NAMES[part]}.{kind}"


def neighbours(rows, heads):
    """llama.cpp's order: row i of a half beside row i of the other half."""
    head = rows.reshape(heads, 2, len(rows) // heads // 2, *rows.shape[1:])
    return head.swapaxes(1, 2).reshape(rows.shape)


for model, arch in [("llama", "llama"), ("llama-bias", "llama"), ("qwen2", "qwen2"), ("qwen3", "qwen3")]:
    config = json.loads((fixtures / "models" / model / "config.json").read_text())
    writer = gguf.GGUFWriter(folder / f"{model}.gguf", arch)
    heads, kv_heads = config["num_attention_heads"], config["num_key_value_heads"]
    head = config.get("head_dim") or config["hidden_size"] // heads
    writer.add_vocab_size(config["vocab_size"])
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(heads)
    writer.add_head_count_kv(kv_heads)
    writer.add_key_length(head)
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_rope_freq_base(config["rope_parameters"]["rope_theta"])
    writer.add_rope_dimension_count(head)
    if config["rope_parameters"]["rope_type"] == "linear":
        writer.add_rope_scaling_type(gguf.RopeScalingType.LINEAR)
        writer.add_rope_scaling_factor(config["rope_parameters"]["factor"])
    writer.add_bos_token_id(config["bos_token_id"])
    writer.add_eos_token_id(config["eos_token_id"])
    writer.add_pad_token_id(config["pad_token_id"])
    for name, tensor in load_file(fixtures / "models" / model / "model.safetensors").items():
        if arch == "llama" and (".q_proj." in name or ".k_proj." in name):
            tensor = neighbours(tensor, heads if ".q_proj." in name else kv_heads)
        writer.add_tensor(gguf_name(name), np.ascontiguousarray(tensor))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
