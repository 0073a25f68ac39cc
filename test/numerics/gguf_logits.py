"""Logits after each row that transformers gives on a GGUF file, read by its own loader.

    echo '{"file": FILE.gguf, "inputIds": [[...]], "output": FILE}' | python gguf_logits.py

Each row runs alone (no padding); FILE becomes a safetensors file of logits.0, logits.1, ...
"""

import json
import os
import sys

import torch
import transformers
from safetensors.torch import save_file

transformers.utils.logging.disable_progress_bar()
request = json.load(sys.stdin)
folder, name = os.path.split(request["file"])
model = transformers.AutoModelForCausalLM.from_pretrained(
    folder, gguf_file=name, dtype=torch.float32, local_files_only=True).eval()
with torch.inference_mode():
    logits = {f"logits.{i}": model(torch.tensor([row]), logits_to_keep=1).logits[0, 0].clone()
              for i, row in enumerate(request["inputIds"])}
save_file(logits, request["output"])
print(json.dumps({"transformers": transformers.__version__}))
