/**
 * Models in GGUF files: metadata by @huggingface/gguf; numbers, names and the order of rows by us.
 */
import { GGMLQuantizationType, gguf } from "@huggingface/gguf";
import { quote } from "../../platform/runtime/quote.ts";
import { dequantize, formatBytes, readableFormats } from "./_dequantize.ts";
import type { RandomAccess, Tensor } from "./checkpoint.ts";
import type { ModelConfiguration } from "../configuration.ts";
import { configurationFromGguf } from "./gguf_configuration.ts";

export interface GgufFile {
  /** Key-value metadata; whole numbers are numbers, whatever their width in the file. */
  metadata: Record<string, unknown>;
  configuration: ModelConfiguration;
  /** Tensors by Hugging Face's names. */
  headers: Map<string, { shape: number[] }>;
  /** One tensor as float32, rows and columns as in Hugging Face's checkpoints. */
  read(name: string): Promise<Tensor>;
}

interface Part {
  name: string;
  format: string;
  shape: number[];
  begin: number;
  bytes: number;
}

const layerNames: Record<string, string> = {
  attn_norm: "input_layernorm",
  attn_q: "self_attn.q_proj",
  attn_k: "self_attn.k_proj",
  attn_v: "self_attn.v_proj",
  attn_output: "self_attn.o_proj",
  attn_q_norm: "self_attn.q_norm",
  attn_k_norm: "self_attn.k_norm",
  ffn_norm: "post_attention_layernorm",
  ffn_gate: "mlp.gate_proj",
  ffn_up: "mlp.up_proj",
  ffn_down: "mlp.down_proj",
};
const outerNames: Record<string, string> = {
  "token_embd.weight": "model.embed_tokens.weight",
  "output_norm.weight": "model.norm.weight",
  "output.weight": "lm_head.weight",
};
/** Rotary factors: part of the configuration, not of the checkpoint. */
const ropeFactors = "rope_freqs.weight";
/** Bytes that rotary factors take at most: one is kept for two numbers of a head. */
const MOST_FACTORS = 2 ** 16;

/** Hugging Face's name of a tensor, or undefined when it is none of these families'. */
function checkpointName(name: string): string | undefined {
  if (Object.hasOwn(outerNames, name)) return outerNames[name];
  const [, layer, part, kind] = /^blk\.(\d+)\.(\w+)\.(weight|bias)$/.exec(name) ?? [];
  if (part === undefined || !Object.hasOwn(layerNames, part)) return undefined;
  return `model.layers.${layer}.${layerNames[part]}.${kind}`;
}

function refuse(file: string, expected: string, found: string, advice: string): never {
  throw new Error(`Cannot read ${file}: expected ${expected}; found ${found}; ${advice}`);
}
const takeAgain = "the file is damaged or of another kind: take it again from where it came";

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
    refuse(file, "a GGUF file", (error as Error).message.slice(0, 200), takeAgain);
  }
  if (!parsed.littleEndian) {
    refuse(file, "little-endian numbers", "big-endian ones", "take a file for common machines");
  }
  if (parsed.tensorInfoByteRange[1] > size) {
    refuse(file, "a header within the file", `an end at ${size} bytes`, takeAgain);
  }
  const metadata: Record<string, unknown> = Object.fromEntries(
    Object.entries(parsed.metadata).map(([key, value]) => [
      key,
      typeof value === "bigint" ? Number(value) : value,
    ]),
  );
  // The package counts these three among the metadata, and keeps the last of several alike.
  if (Number(metadata.kv_count) !== Object.keys(metadata).length - 3) {
    refuse(file, `${metadata.kv_count} keys of metadata`, "one of them twice", takeAgain);
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
      if (parts.has(name)) {
        refuse(file, "every tensor once", `${quote(info.name)} twice`, takeAgain);
      }
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
      const part = parts.get(name);
      if (part === undefined) {
        refuse(file, `tensor ${name}`, "none", "the metadata and the tensors do not fit together");
      }
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
    refuse(
      file,
      `tensor ${name} in ${readableFormats.join(", ")}`,
      format,
      "take the model in one of these, such as Q8_0 or Q4_K_M",
    );
  }
  // Rows come last in GGUF. Multiplied exactly: a product beyond 2^53 would be rounded.
  const shape = info.shape.map(Number).reverse();
  const count = info.shape.reduce((a, b) => a * b, 1n);
  const bytes = count <= Number.MAX_SAFE_INTEGER && formatBytes(format, shape.at(-1) ?? 1) !==
      undefined
    ? formatBytes(format, Number(count))
    : undefined;
  if (bytes === undefined) {
    refuse(file, `rows of tensor ${name} in whole blocks of ${format}`, `[${shape}]`, takeAgain);
  }
  const begin = dataStart + Number(info.offset);
  if (begin + bytes > size) {
    refuse(
      file,
      `tensor ${name} at bytes ${begin} to ${begin + bytes}`,
      `an end at ${size}`,
      takeAgain,
    );
  }
  return { name: info.name, format, shape, begin, bytes };
}

function checkOrder(file: string, parts: Part[]): void {
  let [end, last] = [0, ""];
  for (const part of parts.toSorted((a, b) => a.begin - b.begin)) {
    if (part.begin < end) {
      refuse(
        file,
        "tensors apart from each other",
        `${quote(part.name)} within ${quote(last)}`,
        takeAgain,
      );
    }
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
