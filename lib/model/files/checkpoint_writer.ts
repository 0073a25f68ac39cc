/** Safetensors files, written tensor by tensor. */

export interface FormatOptions {
  /** Notes kept in the file; default { format: "pt" }, which transformers asks for. */
  metadata?: Record<string, string>;
  /** How the numbers are written; default "F32". */
  dtype?: "F32" | "BF16";
}

/** A tensor to write; a `tf.Variable` is one. */
interface TensorSource {
  shape: number[];
  /** Its numbers (float32), asked for when their turn has come. */
  data(): Promise<ArrayLike<number>>;
}

/** A safetensors file piece by piece, so that a model needn't be in memory twice; each name stands once. */
export async function* safetensorsPieces(
  tensors: Iterable<[string, TensorSource]>,
  options: FormatOptions = {},
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  const sorted = [...tensors].sort(([a], [b]) => a < b ? -1 : 1);
  yield formatHeader(sorted, options);
  for (const [, tensor] of sorted) {
    const data = await tensor.data() as Float32Array;
    const { buffer, byteOffset, byteLength } = options.dtype === "BF16"
      ? bfloat16FromFloats(data)
      : data;
    yield new Uint8Array(buffer as ArrayBuffer, byteOffset, byteLength);
  }
}

function formatHeader(
  sorted: [string, { shape: number[] }][],
  { metadata = { format: "pt" }, dtype = "F32" }: FormatOptions,
): Uint8Array<ArrayBuffer> {
  const entries: [string, unknown][] = [["__metadata__", metadata]];
  let begin = 0;
  for (const [name, { shape }] of sorted) {
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
