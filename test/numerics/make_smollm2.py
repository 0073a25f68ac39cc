"""Writes fixtures/smollm2.json: a SHA-256 over all numbers that transformers' GGUF loader reads from
SmolLM2-135M-Instruct.Q4_1.gguf (tensors in the order of their names, float32), and the Rust
library's token ids of the hard texts with the tokenizer in that file.

Needs torch, transformers, accelerate and gguf: python test/numerics/make_smollm2.py FILE.gguf
"""

import hashlib
import json
import pathlib
import sys

import torch
from gguf import GGUFReader
from tokenizers import AddedToken, Tokenizer, decoders, models
from tokenizers import pre_tokenizers as pre
from transformers import AutoModelForCausalLM

fixtures = pathlib.Path(__file__).parent / "fixtures"
path = pathlib.Path(sys.argv[1])

model = AutoModelForCausalLM.from_pretrained(path.parent, gguf_file=path.name, dtype=torch.float32)
digest = hashlib.sha256()
for name, tensor in sorted(model.state_dict().items()):
    if name != "lm_head.weight":  # tied
        digest.update(tensor.contiguous().numpy().tobytes())

fields = GGUFReader(path).fields
tokens = fields["tokenizer.ggml.tokens"].contents()
types = fields["tokenizer.ggml.token_type"].contents()
merges = [tuple(merge.split(" ")) for merge in fields["tokenizer.ggml.merges"].contents()]
tokenizer = Tokenizer(models.BPE(vocab={t: i for i, t in enumerate(tokens)}, merges=merges))
tokenizer.pre_tokenizer = pre.Sequence([pre.Digits(True), pre.ByteLevel(add_prefix_space=False)])
tokenizer.decoder = decoders.ByteLevel()
tokenizer.add_special_tokens(
    [AddedToken(t, special=True, normalized=False) for t, kind in zip(tokens, types) if kind == 3])
texts = json.loads((fixtures / "tokenizers" / "smollm.json").read_text())["texts"]
texts += ["<|im_start|>user\nWhich one is right?\n A. 1789 B. 1790<|im_end|>\n<|im_start|>assistant\n"]
(fixtures / "smollm2.json").write_text(json.dumps({
    "digest": digest.hexdigest(),
    "texts": texts,
    "encoded": [tokenizer.encode(text, add_special_tokens=False).ids for text in texts],
}, separators=(",", ":")) + "\n")
