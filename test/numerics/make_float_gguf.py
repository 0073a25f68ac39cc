"""Writes a GGUF file's tensors in float32: make_float_gguf.py FROM TO [--bos: its start token is put before texts]."""

import sys

from gguf import GGMLQuantizationType, GGUFReader, GGUFValueType, GGUFWriter
from gguf.quants import dequantize

source, target, *flags = sys.argv[1:]
BOS = "tokenizer.ggml.add_bos_token"
reader = GGUFReader(source)
architecture = reader.fields["general.architecture"].contents()
writer = GGUFWriter(target, architecture)
for name, field in reader.fields.items():
    if name.startswith("GGUF.") or name in ("general.architecture", "general.file_type", BOS):
        continue
    kind, *of = field.types
    writer.add_key_value(name, field.contents(), kind, of[-1] if kind == GGUFValueType.ARRAY else None)
writer.add_bool(BOS, "--bos" in flags)
for tensor in reader.tensors:
    values = dequantize(tensor.data, tensor.tensor_type).reshape(tuple(reversed(tensor.shape.tolist())))
    writer.add_tensor(tensor.name, values.astype("float32"), raw_dtype=GGMLQuantizationType.F32)
writer.write_header_to_file()
writer.write_kv_data_to_file()
writer.write_tensors_to_file()
writer.close()
