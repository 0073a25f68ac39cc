"""Logits that transformers gives on a folder.

    echo '{"folder": ..., "inputIds": [[...]], "output": FILE}' | python transformers_logits.py

Each row runs alone (no padding); FILE becomes a safetensors file of logits.0, logits.1, ...
"""

import json
import sys

import torch
import transformers
from safetensors.torch import save_file

transformers.utils.logging.disable_progress_bar()
request = json.load(sys.stdin)
torch.set_num_threads(1)
model, loading = transformers.AutoModelForCausalLM.from_pretrained(
    request["folder"], dtype=torch.float32, local_files_only=True, output_loading_info=True)
with torch.no_grad():
    logits = {f"logits.{i}": model(torch.tensor([row])).logits[0].contiguous()
              for i, row in enumerate(request["inputIds"])}
save_file(logits, request["output"])
print(json.dumps({
    "transformers": transformers.__version__,
    "missing": sorted(loading["missing_keys"]),
    "unexpected": sorted(loading["unexpected_keys"]),
}))
