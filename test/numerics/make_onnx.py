"""Makes the tiny ONNX models of fixtures/onnx.

    python make_onnx.py plain [folder]    needs optimum-onnx (transformers 4.57), onnxruntime
    python make_onnx.py fused [folder]    needs onnxruntime-genai, transformers 5, onnxruntime

The two exporters want different versions of transformers, so each has an environment of its own.
`plain` is a graph of ONNX's own operators (fixtures/models/qwen2 as fp32, fp16, q8). `fused` is one
with onnxruntime's GroupQueryAttention, whose heads are 16 wide at least: a llama of its own, beside
its safetensors, as fp32 with the weights in a second file and as q4. Both have the layout of models
on the hub. The tokenizer has 94 words; all else is unknown to it.
"""

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import onnx

HERE = Path(__file__).resolve().parent / "fixtures"
WORDS = (
    "The following are multiple choice questions about . Please the correct answer Question : "
    "Answer A B C D E , ? ( ) ' USER ASSISTANT chat between curious user and an artificial "
    "intelligence assistant gives helpful detailed polite to s a of in is what which who when where "
    "red green blue white black sun moon sea sky one two three four five six seven eight nine ten "
    "day night water fire year city king war history engineering"
).split()
GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
SPACES = [" ", "\n", " \n\n", "\n\n"]
STARTS = "The Please Question Answer A B C D E USER".split()


def write_tokenizer(folder):
    # A space belongs to the word that it stands before, as in GPT-2.
    words = [*STARTS, *(f" {word}" if word.isalpha() else word for word in dict.fromkeys(WORDS))]
    names = ["<unk>", "<s>", "</s>", *SPACES, *words[: 94 - len(SPACES)]]
    special = [
        dict(id=i, content=names[i], special=True, single_word=False, lstrip=False, rstrip=False,
             normalized=False) for i in range(3)
    ]
    pieces = dict(type="Split", pattern=dict(Regex=GPT2), behavior="Isolated", invert=False)
    (folder / "tokenizer.json").write_text(json.dumps(dict(
        version="1.0", truncation=None, padding=None, added_tokens=special, normalizer=None,
        pre_tokenizer=pieces, post_processor=None, decoder=dict(type="Fuse"),
        model=dict(type="WordLevel", vocab={name: i for i, name in enumerate(names)}, unk_token="<unk>"),
    ), indent=1) + "\n")
    (folder / "tokenizer_config.json").write_text(json.dumps(dict(
        tokenizer_class="PreTrainedTokenizerFast", unk_token="<unk>", bos_token="<s>",
        eos_token="</s>", pad_token="<unk>")) + "\n")


def start(target, config):
    """The model's folder with all but its graphs."""
    shutil.rmtree(target, ignore_errors=True)
    (target / "onnx").mkdir(parents=True)
    (target / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    write_tokenizer(target)


def simplify(source, target):
    """The same graph with its constants folded, in half the bytes."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(target)
    onnxruntime.InferenceSession(str(source), options, providers=["CPUExecutionProvider"])
    model = onnx.load(target)
    model.graph.ClearField("value_info")
    for node in model.graph.node:
        node.ClearField("doc_string")
        node.ClearField("metadata_props")
    onnx.save(model, target)


def plain(root):
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from onnxruntime.transformers.float16 import convert_float_to_float16
    from optimum.exporters.onnx import main_export

    target, checkpoint = root / "qwen2", HERE / "models" / "qwen2"
    config = json.loads((checkpoint / "config.json").read_text())
    start(target, config)
    source, exported = Path(tempfile.mkdtemp()), Path(tempfile.mkdtemp())
    # Releases before 5 read the rotary base from here.
    older = dict(rope_theta=config["rope_parameters"]["rope_theta"])
    (source / "config.json").write_text(json.dumps({**config, **older}))
    shutil.copy(checkpoint / "model.safetensors", source)
    main_export(
        str(source), output=exported, task="text-generation-with-past",
        library_name="transformers", do_validation=False)
    whole = target / "onnx" / "model.onnx"
    simplify(exported / "model.onnx", whole)
    onnx.save(convert_float_to_float16(onnx.load(whole)), target / "onnx" / "model_fp16.onnx")
    quantize_dynamic(
        whole, target / "onnx" / "model_quantized.onnx", per_channel=True,
        weight_type=QuantType.QInt8)


def fused(root):
    from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer

    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(20250)
    model = LlamaForCausalLM(LlamaConfig(
        vocab_size=97, hidden_size=32, intermediate_size=40, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=2, head_dim=16, max_position_embeddings=128, bos_token_id=1,
        eos_token_id=2, pad_token_id=0, rms_norm_eps=1e-5, tie_word_embeddings=False,
        rope_parameters=dict(rope_type="default", rope_theta=10000.0)))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape) * 0.2
            parameter.copy_(1 + noise if "norm" in name else noise)
    target, exported = root / "llama", Path(tempfile.mkdtemp())
    start(target, {})
    model.save_pretrained(target)
    (target / "generation_config.json").unlink()
    config = json.loads((target / "config.json").read_text())
    source = str(target)
    subprocess.run(
        [sys.executable, "-m", "onnxruntime_genai.models.builder", "-m", source, "-i", source,
         "-o", exported, "-p", "fp32", "-e", "cpu", "-c", exported / "cache"], check=True)
    # As models on the hub say it.
    config["transformers.js_config"] = dict(use_external_data_format={"model.onnx": 1})
    (target / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    graph = onnx.load(exported / "model.onnx")
    quantizer = MatMulNBitsQuantizer(graph, block_size=32, is_symmetric=True)
    quantizer.process()
    quantizer.model.save_model_to_file(str(target / "onnx" / "model_q4.onnx"))
    onnx.save(
        onnx.load(exported / "model.onnx"), target / "onnx" / "model.onnx",
        save_as_external_data=True, location="model.onnx_data", size_threshold=0)


if __name__ == "__main__":
    make = dict(plain=plain, fused=fused)[sys.argv[1]]
    make(Path(sys.argv[2]) if len(sys.argv) > 2 else HERE / "onnx")
