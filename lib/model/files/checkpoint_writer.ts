/** Safetensors files, written tensor by tensor. */
import { quote } from "../../platform/runtime/quote.ts";

export interface FormatOptions {
  /** Notes kept in the file; default { format: "pt" }, which transformers asks for. */
  metadata?: Record<string, string>;
  /** How the numbers are written; default "F32". */
  dtype?: "F32" | "BF16";
}

/** A tensor to write; a `tf.Variable` is one. */
interface TensorSource {
  shape: number[];
  /** Its numbers, asked for when their turn has come. */
  data(): Promise<ArrayLike<number>>;
}

/**
 * A safetensors file piece by piece, so that a model needn't be in memory twice.
 * @throws when a shape does not fit its data, or a name is `__metadata__` or given twice
 */
export async function* safetensorsPieces(
  tensors: Iterable<[string, TensorSource]>,
  options: FormatOptions = {},
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  const sorted = [...tensors].sort(([a], [b]) => a < b ? -1 : 1);
  yield formatHeader(sorted, options);
  for (const [name, tensor] of sorted) {
    yield formatNumbers(name, tensor.shape, await tensor.data() as Float32Array, options);
  }
}

function formatHeader(
  sorted: [string, { shape: number[] }][],
  { metadata = { format: "pt" }, dtype = "F32" }: FormatOptions,
): Uint8Array<ArrayBuffer> {
  const entries: [string, unknown][] = [["__metadata__", metadata]];
  let begin = 0;
  for (const [i, [name, { shape }]] of sorted.entries()) {
    if (name === "__metadata__" || name === sorted[i - 1]?.[0]) {
      throw new Error(
        `Cannot write tensor ${quote(name)}: expected a name of its own; found it taken (as ` +
          "__metadata__ is); give each tensor another",
      );
    }
    const end = begin + shape.reduce((a, b) => a * b, 1) * (dtype === "F32" ? 4 : 2);
    entries.push([name, { dtype, shape, data_offsets: [begin, end] }]);
    begin = end;
  }
  const text = JSON.stringify(Object.fromEntries(entries));
  const header = new TextEncoder().encode(text);
  // Spaces up to a multiple of 8, so that the numbers can be viewed where they lie.
  const length = Math.ceil(header.length / 8) * 8;
  const start = new Uint8Array(8 + length).fill(32, 8);
  new DataView(start.buffer).setBigUint64(0, BigInt(length), true);
  start.set(header, 8);
  return start;
}

function formatNumbers(
  name: string,
  shape: number[],
  data: Float32Array,
  { dtype = "F32" }: FormatOptions,
): Uint8Array<ArrayBuffer> {
  if (!(data instanceof Float32Array) || shape.reduce((a, b) => a * b, 1) !== data.length) {
    throw new Error(
      `Cannot write tensor ${quote(name)}: expected data of shape ${quote(shape)} in float32; ` +
        `found ${data.length} numbers`,
    );
  }
  const { buffer, byteOffset, byteLength } = dtype === "F32" ? data : bfloat16FromFloats(data);
  return new Uint8Array(buffer as ArrayBuffer, byteOffset, byteLength);
}

/** Rounds to the nearest bfloat16, to even between two; NaN stays NaN. */
export function bfloat16FromFloats(values: Float32Array): Uint16Array {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const halves = new Uint16Array(values.length);
  for (let i = 0; i < halves.length; i++) {
    const b = bits[i];
    halves[i] = (b & 0x7fffffff) > 0x7f800000
      ? (b >>> 16) | 0x40
      : (b + 0x7fff + ((b >>> 16) & 1)) >>> 16;
  }
  return halves;
}
