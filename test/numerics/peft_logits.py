"""Logits of each row by PyPI peft, on adapters and their bases.

    python peft_logits.py '[{"base", "adapter", "inputIds", "output"}, ...]'

Prints, for each, what peft did not find in the adapter and what it warned of; the logits go to `output`.
"""

import json
import sys
import warnings

import peft
import torch
import transformers
from safetensors.torch import save_file


def answer(order):
    base = transformers.AutoModelForCausalLM.from_pretrained(
        order["base"], dtype=torch.float32, attn_implementation="eager")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = peft.PeftModel.from_pretrained(base, order["adapter"]).eval()
    # A tensor that peft did not find stays as it makes new ones: zero.
    missing = [
        name for name, p in model.named_parameters() if ".lora_B." in name and not p.abs().max() > 0]
    with torch.no_grad():
        logits = {
            f"logits.{i}": model(input_ids=torch.tensor([row])).logits[0].contiguous()
            for i, row in enumerate(order["inputIds"])}
    save_file(logits, order["output"])
    told = [str(w.message) for w in caught if issubclass(w.category, UserWarning)]
    return dict(missing=missing, warnings=told)


transformers.utils.logging.disable_progress_bar()
print(json.dumps([answer(order) for order in json.loads(sys.argv[1])]))
