/** Whole safetensors files in memory; written by a second writer than the one of lib. */
import {
  floatsFromBfloat16,
  parseHeader,
  type SafetensorsHeader,
  type Tensor,
} from "../../lib/model/files/checkpoint.ts";

/** The header of a whole file. */
export function headerOf(bytes: Uint8Array, file = "the file"): SafetensorsHeader {
  const length = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
  return parseHeader(bytes.subarray(8, 8 + length), { file, size: bytes.length });
}

/** Every tensor of a file, as float32. */
export function readTensors(
  bytes: Uint8Array,
  { file }: { file?: string } = {},
): Map<string, Tensor & { dtype: string }> {
  const { tensors, dataStart } = headerOf(bytes, file);
  return new Map([...tensors].map(([name, { dtype, shape, begin, end }]) => {
    const { buffer } = Uint8Array.from(bytes.subarray(dataStart + begin, dataStart + end));
    const data = dtype === "BF16"
      ? floatsFromBfloat16(new Uint16Array(buffer))
      : dtype === "F32"
      ? new Float32Array(buffer)
      : new Float32Array(dtype === "F16" ? new Float16Array(buffer) : new Float64Array(buffer));
    return [name, { shape, dtype, data }];
  }));
}

/** The file of some tensors, in float32. */
export function formatSafetensors(
  tensors: Iterable<[string, Tensor]>,
  { metadata = { format: "pt" } }: { metadata?: Record<string, string> } = {},
): Uint8Array<ArrayBuffer> {
  const all = [...tensors].sort(([a], [b]) => a < b ? -1 : 1);
  const header: Record<string, unknown> = { __metadata__: metadata };
  let end = 0;
  for (const [name, { shape, data }] of all) {
    header[name] = { dtype: "F32", shape, data_offsets: [end, end += data.byteLength] };
  }
  const text = new TextEncoder().encode(JSON.stringify(header));
  const file = new Uint8Array(8 + text.length + end);
  new DataView(file.buffer).setBigUint64(0, BigInt(text.length), true);
  file.set(text, 8);
  end = 8 + text.length;
  for (const [, { data }] of all) {
    file.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), end);
    end += data.byteLength;
  }
  return file;
}
