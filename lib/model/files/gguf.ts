/** Models in GGUF files: metadata by @huggingface/gguf; numbers, names and rows by us. */
import { GGMLQuantizationType, gguf } from "@huggingface/gguf";
import { quote } from "../../platform/runtime/quote.ts";
import { floatsFromBfloat16, type RandomAccess, type Tensor } from "./checkpoint.ts";
import type { ModelConfiguration } from "../configuration.ts";
import { pairs, refuseFile as refuse } from "../fields.ts";
import { configurationFromGguf } from "./gguf_configuration.ts";

export interface GgufFile {
  /** Key-value metadata; whole numbers are numbers, whatever their width in the file. */
  metadata: Record<string, unknown>;
  configuration: ModelConfiguration;
  /** Tensors by Hugging Face's names. */
  headers: Map<string, { shape: number[] }>;
  /** One of these tensors as float32, rows and columns as in Hugging Face's checkpoints. */
  read(name: string): Promise<Tensor>;
}

type Part = { name: string; format: string; shape: number[]; begin: number; bytes: number };

/** Hugging Face's names by llama.cpp's, of a layer's parts and of what stands outside of layers. */
const layerNames = pairs(`
  attn_norm=input_layernorm attn_q=self_attn.q_proj attn_k=self_attn.k_proj attn_v=self_attn.v_proj
  attn_output=self_attn.o_proj attn_q_norm=self_attn.q_norm attn_k_norm=self_attn.k_norm
  ffn_norm=post_attention_layernorm ffn_gate=mlp.gate_proj ffn_up=mlp.up_proj ffn_down=mlp.down_proj
`);
const outerNames = pairs(`
  token_embd.weight=model.embed_tokens.weight output_norm.weight=model.norm.weight
  output.weight=lm_head.weight
`);
/** Rotary factors: part of the configuration, not of the checkpoint. */
const ropeFactors = "rope_freqs.weight";
/** Bytes that rotary factors take at most: one is kept for two numbers of a head. */
const MOST_FACTORS = 2 ** 16;

function checkpointName(name: string): string | undefined {
  const [, layer, part, kind] = /^blk\.(\d+)\.(\w+)\.(weight|bias)$/.exec(name) ?? [];
  const own = layerNames.get(part);
  return own === undefined ? outerNames.get(name) : `model.layers.${layer}.${own}.${kind}`;
}

/** The package reads from addresses: it is served the bytes as if from one. */
function fetchFrom(access: RandomAccess): typeof fetch {
  return async (_, init) => {
    const range = new Headers(init?.headers).get("range") ?? "";
    const [from, to] = range.replace("bytes=", "").split("-").map(Number);
    const length = Math.max(0, Math.min(to + 1, access.size) - from);
    const bytes = length > 0 ? await access.read(from, length) : new Uint8Array();
    return new Response(bytes as Uint8Array<ArrayBuffer>, {
      status: 206,
      headers: { "content-range": `bytes ${from}-${to}/${access.size}` },
    });
  };
}

/**
 * Opens a GGUF file: reads its metadata and checks that every tensor lies within it.
 * @throws on other architectures, on quantizations that can't be read, and on damaged files
 */
export async function openGguf(access: RandomAccess): Promise<GgufFile> {
  const { name: file, size } = access;
  let parsed;
  try {
    parsed = await gguf("https://model.invalid/", { fetch: fetchFrom(access) });
  } catch (error) {
    refuse(file, "a GGUF file", (error as Error).message.slice(0, 200));
  }
  if (!parsed.littleEndian) {
    refuse(file, "little-endian numbers", "big-endian ones", "take a file for common machines");
  }
  if (parsed.tensorInfoByteRange[1] > size) {
    refuse(file, "a header within the file", `an end at ${size} bytes`);
  }
  const metadata: Record<string, unknown> = Object.fromEntries(
    Object.entries(parsed.metadata)
      .map(([key, value]) => [key, typeof value === "bigint" ? Number(value) : value]),
  );
  // The package counts these three among the metadata, and keeps the last of several alike.
  if (Number(metadata.kv_count) !== Object.keys(metadata).length - 3) {
    refuse(file, `${metadata.kv_count} keys of metadata`, "one of them twice");
  }
  if (Number(metadata["split.count"] ?? 1) > 1) {
    refuse(file, "a whole model", "one of several parts", "merge them by llama-gguf-split --merge");
  }

  const dataStart = Number(parsed.tensorDataOffset);
  const parts = new Map<string, Part>();
  let factors: Part | undefined;
  for (const info of parsed.tensorInfos) {
    const part = checkPart(file, size, dataStart, info);
    const isFactors = info.name === ropeFactors && part.bytes < MOST_FACTORS;
    // llama.cpp has them for this architecture alone.
    if (isFactors && !factors && metadata["general.architecture"] === "llama") {
      factors = part;
    } else {
      const name = checkpointName(info.name);
      if (name === undefined) {
        refuse(file, "tensors of Llama, Mistral or Qwen", quote(info.name), "choose another model");
      }
      if (parts.has(name)) refuse(file, "every tensor once", `${quote(info.name)} twice`);
      parts.set(name, part);
    }
  }
  checkOrder(file, [...parts.values()]);

  const numbers = async (part: Part) =>
    dequantize(part.format, await access.read(part.begin, part.bytes));
  const configuration = configurationFromGguf(metadata, {
    tensorNames: parsed.tensorInfos.map(({ name }) => name),
    ropeFactors: factors && await numbers(factors),
    file,
  });
  return {
    metadata,
    configuration,
    headers: parts,
    read: async (name) => {
      const part = parts.get(name)!;
      const data = await numbers(part);
      const heads = headsOfRotated(name, configuration);
      return { shape: part.shape, data: heads === 0 ? data : unpermute(data, part.shape, heads) };
    },
  };
}

function checkPart(
  file: string,
  size: number,
  dataStart: number,
  info: { name: string; shape: bigint[]; dtype: number; offset: bigint },
): Part {
  const name = quote(info.name);
  const format = GGMLQuantizationType[info.dtype] ?? `type ${info.dtype}`;
  if (!readableFormats.includes(format)) {
    const advice = "take the model in one of these, such as Q8_0 or Q4_K_M";
    refuse(file, `tensor ${name} in ${readableFormats.join(", ")}`, format, advice);
  }
  // Rows come last in GGUF. Multiplied exactly: a product beyond 2^53 would be rounded.
  const shape = info.shape.map(Number).reverse();
  const count = info.shape.reduce((a, b) => a * b, 1n);
  const inBlocks = formatBytes(format, shape.at(-1) ?? 1) !== undefined;
  const bytes = inBlocks && count <= Number.MAX_SAFE_INTEGER
    ? formatBytes(format, Number(count))
    : undefined;
  if (bytes === undefined) {
    refuse(file, `rows of tensor ${name} in whole blocks of ${format}`, `[${shape}]`);
  }
  const begin = dataStart + Number(info.offset), end = begin + bytes;
  if (end > size) refuse(file, `tensor ${name} at bytes ${begin} to ${end}`, `an end at ${size}`);
  return { name: info.name, format, shape, begin, bytes };
}

function checkOrder(file: string, parts: Part[]): void {
  let [end, last] = [0, ""];
  for (const part of parts.toSorted((a, b) => a.begin - b.begin)) {
    const within = `${quote(part.name)} within ${quote(last)}`;
    if (part.begin < end) refuse(file, "tensors apart from each other", within);
    [end, last] = [part.begin + part.bytes, part.name];
  }
}

/** How many heads a tensor's rows belong to, if llama.cpp changed their order; else 0. */
function headsOfRotated(name: string, configuration: ModelConfiguration): number {
  if (configuration.family !== "llama") return 0;
  if (name.includes(".q_proj.")) return configuration.heads;
  return name.includes(".k_proj.") ? configuration.keyValueHeads : 0;
}

/** Rows of each head back in halves: llama.cpp rotates neighbours, Hugging Face i with i + half. */
function unpermute(data: Float32Array, shape: number[], heads: number): Float32Array {
  const rows = shape[0];
  const width = data.length / rows;
  const half = rows / heads / 2;
  const result = new Float32Array(data.length);
  for (let row = 0; row < rows; row++) {
    const within = row % (2 * half);
    const from = row - within + (within % half) * 2 + Math.floor(within / half);
    result.set(data.subarray(from * width, (from + 1) * width), row * width);
  }
  return result;
}

/**
 * A block format as float32, rounded as Python's `gguf` rounds, bit for bit; no npm package does. A
 * product or sum of two float32 taken in float64 and rounded once is the float32 result; `fround`
 * rounds what is added to afterwards.
 */
interface Format {
  /** Numbers and bytes of a block. */
  size: number;
  bytes: number;
  /** Writes the block at byte `at` to `out` from `to` on. */
  unpack(bytes: Uint8Array, at: number, out: Float32Array, to: number): void;
}

const { fround } = Math;

/** Every half-precision number, by its bits. */
const halves = new Float32Array(
  new Float16Array(Uint16Array.from({ length: 65536 }, (_, i) => i).buffer),
);
const half = (bytes: Uint8Array, at: number) => halves[bytes[at] | bytes[at + 1] << 8];
const signed = (byte: number) => byte << 24 >> 24;

/** 32 numbers of 4 or 5 bits: above a smallest value, or around zero. */
function smallBlock(bits: 4 | 5, withMinimum: boolean): Format {
  const fifths = withMinimum ? 4 : 2; // 5-bit numbers have their uppermost bit apart
  const nibbles = fifths + (bits === 5 ? 4 : 0);
  const middle = 1 << (bits - 1);
  return {
    size: 32,
    bytes: nibbles + 16,
    unpack: (bytes, at, out, to) => {
      const step = half(bytes, at);
      const least = half(bytes, at + 2);
      for (let i = 0; i < 32; i++) {
        let q = bytes[at + nibbles + (i & 15)] >> (i >> 4) * 4 & 15;
        if (bits === 5) q |= (bytes[at + fifths + (i >> 3)] >> (i & 7) & 1) << 4;
        out[to + i] = withMinimum ? fround(step * q) + least : step * (q - middle);
      }
    },
  };
}

const q8: Format = {
  size: 32,
  bytes: 34,
  unpack: (bytes, at, out, to) => {
    const step = half(bytes, at);
    for (let i = 0; i < 32; i++) out[to + i] = step * signed(bytes[at + 2 + i]);
  },
};

/** 256 numbers of 4 or 5 bits in 8 parts of 32, each with a scale and a minimum of 6 bits. */
function kBlock(bits: 4 | 5): Format {
  const [scales, fifths, nibbles] = [4, 16, bits === 5 ? 48 : 16];
  return {
    size: 256,
    bytes: nibbles + 128,
    unpack: (bytes, at, out, to) => {
      const step = half(bytes, at);
      const least = half(bytes, at + 2);
      for (let part = 0; part < 8; part++) {
        // The last four parts have their 4 lower bits together and the 2 upper ones beside others'.
        const first = at + scales + (part & 3);
        const lower = part < 4 ? bytes[first] & 63 : bytes[first + 8] & 15 | bytes[first] >> 6 << 4;
        const minimum = part < 4
          ? bytes[first + 4] & 63
          : bytes[first + 8] >> 4 | bytes[first + 4] >> 6 << 4;
        const partStep = fround(step * lower);
        const partLeast = fround(least * minimum);
        for (let i = 0; i < 32; i++) {
          let q = bytes[at + nibbles + (part >> 1) * 32 + i] >> (part & 1) * 4 & 15;
          if (bits === 5) q |= (bytes[at + fifths + i] >> part & 1) << 4;
          out[to + part * 32 + i] = fround(partStep * q) - partLeast;
        }
      }
    },
  };
}

/** 256 numbers of 6 bits around zero, in 16 parts of 16, each with a scale of 8 bits. */
const q6K: Format = {
  size: 256,
  bytes: 210,
  unpack: (bytes, at, out, to) => {
    const step = half(bytes, at + 208);
    for (let part = 0; part < 16; part++) {
      const partStep = fround(step * signed(bytes[at + 192 + part]));
      const [side, group] = [part >> 3, part >> 1 & 3]; // two sides of 128, in four groups of 32
      for (let i = 0; i < 16; i++) {
        const within = (part & 1) * 16 + i;
        const nibble = bytes[at + side * 64 + (group & 1) * 32 + within] >> (group >> 1) * 4 & 15;
        const upper = bytes[at + 128 + side * 32 + within] >> group * 2 & 3;
        out[to + part * 16 + i] = partStep * ((nibble | upper << 4) - 32);
      }
    }
  },
};

const formats = new Map<string, Format>([
  ["Q4_0", smallBlock(4, false)],
  ["Q4_1", smallBlock(4, true)],
  ["Q5_0", smallBlock(5, false)],
  ["Q5_1", smallBlock(5, true)],
  ["Q8_0", q8],
  ["Q4_K", kBlock(4)],
  ["Q5_K", kBlock(5)],
  ["Q6_K", q6K],
]);
const plainBytes = new Map([["F32", 4], ["F16", 2], ["BF16", 2]]);

export const readableFormats: string[] = [...plainBytes.keys(), ...formats.keys()];

/** Bytes of `count` numbers; undefined for an unknown format or a count that no blocks make up. */
export function formatBytes(format: string, count: number): number | undefined {
  const { size, bytes } = formats.get(format) ?? { size: 1, bytes: plainBytes.get(format) };
  return bytes === undefined || count % size !== 0 ? undefined : count / size * bytes;
}

export function dequantize(format: string, bytes: Uint8Array): Float32Array {
  const blocks = formats.get(format);
  if (blocks === undefined) {
    const { buffer } = bytes.byteOffset % 4 === 0 ? bytes : bytes.slice();
    const start = bytes.byteOffset % 4 === 0 ? bytes.byteOffset : 0;
    const count = bytes.length / plainBytes.get(format)!;
    if (format === "F32") return new Float32Array(buffer, start, count);
    if (format === "F16") return new Float32Array(new Float16Array(buffer, start, count));
    return floatsFromBfloat16(new Uint16Array(buffer, start, count));
  }
  const out = new Float32Array(bytes.length / blocks.bytes * blocks.size);
  for (let at = 0, to = 0; at < bytes.length; at += blocks.bytes, to += blocks.size) {
    blocks.unpack(bytes, at, out, to);
  }
  return out;
}
