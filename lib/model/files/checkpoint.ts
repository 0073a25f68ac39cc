/** Safetensors files, guarded as in the crate; no npm package reads a local one's numbers. */
import * as v from "valibot";
import { explainIssue } from "../../platform/runtime/explain.ts";
import { quote } from "../../platform/runtime/quote.ts";
import { parseObject, refuseFile as refuse, words } from "../fields.ts";

/** The types that the format knows and that whole bytes hold, by their size in bytes. */
const typesBySize = {
  1: words("BOOL U8 I8 F8_E4M3 F8_E5M2 F8_E8M0"),
  2: words("I16 U16 F16 BF16"),
  4: words("I32 U32 F32"),
  8: words("I64 U64 F64 C64"),
};
const dtypeBytes = new Map(
  Object.entries(typesBySize).flatMap(([size, names]) => names.map((name) => [name, Number(size)])),
);

/** The types whose numbers can be read. */
export const readableTypes: readonly string[] = ["F32", "F16", "BF16", "F64"];

/** The crate's bound on the header, in bytes. */
const longestHeader = 100_000_000;

export interface Tensor {
  shape: number[];
  /** Row-major. */
  data: Float32Array;
}

/** Where a tensor lies; `begin` and `end` count from the first byte after the header. */
export type TensorInfo = { dtype: string; shape: number[]; begin: number; end: number };

export interface SafetensorsHeader {
  tensors: Map<string, TensorInfo>;
  /** The file's own notes. */
  metadata: Record<string, string>;
  /** The offset in the file of the first byte after the header. */
  dataStart: number;
}

/** Bytes that can be read anywhere: a file, a download, an array. */
export interface RandomAccess {
  /** What errors call it. */
  readonly name: string;
  readonly size: number;
  /** Bytes `offset` to `offset + length`, all of them or an error; the caller's own to keep. */
  read(offset: number, length: number): Promise<Uint8Array>;
}

/** An array of bytes as something that can be read anywhere. */
export function bytesAccess(bytes: Uint8Array, name = "the safetensors data"): RandomAccess {
  return {
    name,
    size: bytes.length,
    // deno-lint-ignore require-await -- as a promise, what it throws too
    read: async (offset, length) => {
      const end = offset + length;
      if (end <= bytes.length) return bytes.slice(offset, end);
      return refuse(name, `${length} bytes at ${offset}`, `an end at ${bytes.length}`);
    },
  };
}

/** Bytes of a tensor; Infinity above 2^53, where products would be rounded. */
function byteSize(shape: number[], dtype: string): number {
  if (shape.includes(0)) return 0;
  let bytes = dtypeBytes.get(dtype)!;
  for (const n of shape) {
    bytes *= n;
    if (bytes > Number.MAX_SAFE_INTEGER) return Infinity;
  }
  return bytes;
}

const count = v.custom<number>(
  (n) => Number.isSafeInteger(n) && Number(n) >= 0,
  "expected a whole number below 2^53",
);
/** Not `v.record`, which passes over names that every object has. */
const texts = v.custom<Record<string, string> | null>((value) =>
  value === null || typeof value === "object" && !Array.isArray(value) &&
    Object.values(value).every((one) => typeof one === "string")
);
const infoSchema = v.object({
  dtype: v.picklist([...dtypeBytes.keys()]),
  shape: v.array(count),
  data_offsets: v.strictTuple([count, count]),
});

function parseInfo(file: string, name: string, value: unknown): TensorInfo {
  const { success, output, issues } = v.safeParse(infoSchema, value);
  if (!success) {
    const [issue] = issues, path = v.getDotPath(issue) ?? "fields";
    const [expected, found] = explainIssue(issue).replace("expected ", "").split("; found ");
    return refuse(file, `${expected} as ${path} of tensor ${quote(name)}`, found);
  }
  const { dtype, shape, data_offsets: [begin, end] } = output;
  const bytes = byteSize(shape, dtype);
  if (begin > end || bytes !== end - begin) {
    const what = `tensor ${quote(name)} (${dtype}, shape ${quote(shape)})`;
    refuse(file, `${bytes} bytes of ${what}`, `data_offsets ${quote([begin, end])}`);
  }
  return { dtype, shape, begin, end };
}

/**
 * Reads a header, what stands behind its length; `size` is the whole file's.
 * @throws where it is no JSON; on unknown types; on tensors that overlap, leave holes, don't match
 * their size, or don't end where the file ends
 */
export function parseHeader(
  header: Uint8Array,
  { file, size }: { file: string; size: number },
): SafetensorsHeader {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(header);
  } catch {
    refuse(file, "a header in UTF-8", "other bytes");
  }
  if (!text.startsWith("{")) refuse(file, "a header that starts with {", quote(text[0]));
  const tensors = new Map<string, TensorInfo>();
  const metadata: Record<string, string> = {};
  for (const [name, value] of Object.entries(parseObject(text, file))) {
    if (name !== "__metadata__") tensors.set(name, parseInfo(file, name, value));
    else if (v.is(texts, value)) Object.assign(metadata, value);
    else refuse(file, "__metadata__ of texts", quote(value));
  }
  let end = 0;
  const inOrder = [...tensors].sort(([, a], [, b]) => a.begin - b.begin || a.end - b.end);
  for (const [name, info] of inOrder) {
    if (info.begin !== end) {
      const found = `${info.begin < end ? "an overlap" : "a hole"}: it begins at ${info.begin}`;
      refuse(file, `tensor ${quote(name)} to begin at ${end}`, found);
    }
    end = info.end;
  }
  const dataStart = 8 + header.length;
  if (dataStart + end !== size) {
    refuse(file, `${dataStart + end} bytes as the header says`, `${size} bytes`);
  }
  return { tensors, metadata, dataStart };
}

/** bfloat16 is the upper half of float32. */
export function floatsFromBfloat16(halves: Uint16Array): Float32Array {
  const bits = new Uint32Array(halves.length);
  for (let i = 0; i < bits.length; i++) bits[i] = halves[i] << 16;
  return new Float32Array(bits.buffer);
}

/** The numbers of one tensor as float32, over `bytes` itself where they are. The format is little-endian, as is every engine's memory. */
function toFloats(bytes: Uint8Array, dtype: string, what: string): Float32Array {
  // A copy where the numbers don't lie on their own boundaries, which views must.
  const size = dtypeBytes.get(dtype)!;
  const own = bytes.byteOffset % size === 0 ? bytes : bytes.slice();
  const { buffer, byteOffset, byteLength } = own;
  const count = byteLength / size;
  switch (dtype) {
    case "F32":
      return new Float32Array(buffer, byteOffset, count);
    case "BF16":
      return floatsFromBfloat16(new Uint16Array(buffer, byteOffset, count));
    case "F16":
      return new Float32Array(new Float16Array(buffer, byteOffset, count));
    case "F64":
      return new Float32Array(new Float64Array(buffer, byteOffset, count));
    default:
      throw new Error(
        `Cannot read ${what}: expected ${readableTypes.join(", ")}; found ${dtype}; ` +
          "take the model in one of these types",
      );
  }
}

/** A safetensors file whose tensors are read one by one. */
export interface SafetensorsFile {
  header: SafetensorsHeader;
  names: string[];
  /** Throws when there is no such tensor, or it isn't of floating-point numbers. */
  read(name: string): Promise<Tensor>;
  /** A tensor's bytes `offset` to `offset + length`, as they lie in the file. */
  bytes(name: string, offset: number, length: number): Promise<Uint8Array>;
}

/** @throws on a header that is too long, or can't be right (see `parseHeader`) */
export async function openSafetensors(access: RandomAccess): Promise<SafetensorsFile> {
  const { name: file, size } = access;
  const start = await access.read(0, Math.min(8, size));
  if (start.length < 8) refuse(file, "a header of at least 8 bytes", `${start.length} bytes`);
  const length = new DataView(start.buffer, start.byteOffset).getBigUint64(0, true);
  const most = Math.min(longestHeader, size - 8);
  if (length > most) {
    refuse(file, `a safetensors header of at most ${most} bytes`, `one of ${length}`);
  }
  const header = parseHeader(await access.read(8, Number(length)), { file, size });
  const infoOf = (name: string) =>
    header.tensors.get(name) ??
      refuse(file, `tensor ${quote(name)}`, `${header.tensors.size} others`);
  const bytes = async (name: string, offset: number, length: number) =>
    await access.read(header.dataStart + infoOf(name).begin + offset, length);
  return {
    header,
    names: [...header.tensors.keys()],
    bytes,
    read: async (name) => {
      const { dtype, shape, begin, end } = infoOf(name);
      const all = await bytes(name, 0, end - begin);
      return { shape, data: toFloats(all, dtype, `tensor ${quote(name)} of ${file}`) };
    },
  };
}

/** Tensor name to file name, of model.safetensors.index.json. @throws on ways out of the folder */
export function parseIndex(
  text: string,
  file = "model.safetensors.index.json",
): Map<string, string> {
  const { weight_map: map } = parseObject(text, file);
  if (map === null || typeof map !== "object" || Array.isArray(map)) {
    refuse(file, "an object weight_map", quote(map));
  }
  return new Map(
    Object.entries(map).map(([name, shard]) => {
      if (typeof shard !== "string" || !/^[\w.-]+\.safetensors$/.test(shard)) {
        refuse(file, `a file name ending in .safetensors for ${quote(name)}`, quote(shard));
      }
      return [name, shard];
    }),
  );
}
