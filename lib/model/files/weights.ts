/** A model's tensors in safetensors files, by the names of Hugging Face's causal language models. */
import { join } from "node:path";
import { readText } from "../../platform/runtime/files.ts";
import { quote } from "../../platform/runtime/quote.ts";
import { FileAccess } from "../../platform/runtime/random_access.ts";
import { parameterShapes } from "../architecture.ts";
import type { SafetensorsFile, TensorInfo } from "./checkpoint.ts";
import { openSafetensors, parseIndex, readableTypes } from "./checkpoint.ts";
import type { ModelConfiguration } from "../configuration.ts";
import { refuseModel } from "../fields.ts";

export interface TensorHeader {
  shape: number[];
  /** Absent: one that can be read. */
  dtype?: string;
}

const EMBEDDING = "model.embed_tokens.weight";
const HEAD = "lm_head.weight";

/** Tables of the rotary positions, which the configuration gives; older files have them. */
const ROTARY_TABLE = /(^|\.)rotary_emb\.(inv_freq|cos_cached|sin_cached)$/;

/** A tensor, and in which file it lies. */
interface Place extends TensorInfo {
  file: SafetensorsFile;
  shard: string;
}

/**
 * A folder's tensors by their names; what `opened` takes stays open for them.
 * @throws where there is none, index and files differ, or a tensor is twice
 */
export async function openWeights(folder: string, opened: DisposableStack) {
  const { files, index } = await findWeights(folder);
  const places = new Map<string, Place>();
  for (const shard of files) {
    const file = await openSafetensors(opened.use(await FileAccess.open(join(folder, shard))));
    const { tensors } = file.header;
    for (const [name, wanted] of index ?? []) {
      if (wanted !== shard || tensors.has(name)) continue;
      const expected = `tensor ${quote(name)} in ${shard}, as the index says`;
      refuseModel(folder, expected, "none", "take both again");
    }
    for (const [name, info] of tensors) {
      if (ROTARY_TABLE.test(name)) continue;
      const other = places.get(name);
      if (other !== undefined) {
        const found = `${quote(name)} in ${other.shard} and ${shard}`;
        refuseModel(folder, "every tensor once", found, "leave out the one that is not meant");
      }
      places.set(name, { ...info, file, shard });
    }
  }
  return { files, places };
}

const sameShape = (a: readonly number[], b: readonly number[]) =>
  a.length === b.length && a.every((n, i) => n === b[i]);

/**
 * Whether the output layer is the embedding, as config.json says. A head in the files all the same
 * (Qwen3 0.6B) counts where a bit of it differs, as in transformers 5.
 */
export async function tiesHead(
  places: Map<string, Place>,
  { vocabularySize, hiddenSize }: ModelConfiguration,
): Promise<boolean> {
  const head = places.get(HEAD), embedding = places.get(EMBEDDING);
  if (head === undefined) return true;
  // Of another shape they are refused, unread.
  const fits = (one?: Place) =>
    one?.dtype === head.dtype && sameShape(one.shape, [vocabularySize, hiddenSize]);
  if (!fits(head) || !fits(embedding)) return false;
  const size = head.end - head.begin, atOnce = 2 ** 24;
  for (let offset = 0; offset < size; offset += atOnce) {
    const length = Math.min(atOnce, size - offset);
    const one = await head.file.bytes(HEAD, offset, length);
    const other = await embedding!.file.bytes(EMBEDDING, offset, length);
    if (one.some((byte, i) => byte !== other[i])) return false;
  }
  places.delete(HEAD);
  return true;
}

/**
 * Compares tensors with those that are wanted, before any is read.
 * @param whole what has these tensors and no others
 * @param refuse called for the first that is missing, of another shape or type, or not wanted
 */
export function compareTensors(
  found: ReadonlyMap<string, TensorHeader>,
  wanted: ReadonlyMap<string, readonly number[]>,
  whole: string,
  refuse: (expected: string, found: string) => never,
): void {
  const others = [...found.keys()].filter((name) => !wanted.has(name));
  const some = others.slice(0, 3).map(quote).join(", ");
  for (const [name, shape] of wanted) {
    const tensor = found.get(name);
    if (tensor === undefined) {
      refuse(`${name} of shape [${shape}]`, `none${some && `, but ${some}`}`);
    } else if (!sameShape(tensor.shape, shape)) {
      refuse(`${name} of shape [${shape}]`, quote(tensor.shape));
    } else if (tensor.dtype !== undefined && !readableTypes.includes(tensor.dtype)) {
      refuse(`${name} in ${readableTypes.join(", ")}`, tensor.dtype);
    }
  }
  const count = others.length > 3 ? ` and ${others.length - 3} more` : "";
  if (others.length > 0) refuse(`${whole} alone`, `${some}${count} as well`);
}

/** @throws naming the first difference between tensors and what the configuration asks for */
export function checkTensors(
  where: string,
  found: ReadonlyMap<string, TensorHeader>,
  configuration: ModelConfiguration,
): void {
  const { family, layers } = configuration;
  const whole = `the tensors of a ${family} of ${layers} layers`;
  const advice = "take both as transformers' save_pretrained writes them";
  compareTensors(
    found,
    new Map(parameterShapes(configuration)),
    whole,
    (expected, found) => refuseModel(where, expected, found, advice),
  );
}

/** The weights' files of a folder, in order, and in which of them each tensor is to be. */
async function findWeights(folder: string) {
  const names = (await Array.fromAsync(Deno.readDir(folder))).map(({ name }) => name).sort();
  if (names.includes("model.safetensors")) return { files: ["model.safetensors"] };
  const indexName = "model.safetensors.index.json";
  if (names.includes(indexName)) {
    const path = join(folder, indexName);
    const index = parseIndex(await readText(path), path);
    const files = [...new Set(index.values())].sort();
    const missing = files.find((file) => !names.includes(file));
    if (missing === undefined) return { files, index };
    const expected = `a file ${missing}, as ${indexName} says`;
    refuseModel(folder, expected, "none", "take it from where the others came");
  }
  const advice = names.includes("adapter_model.safetensors")
    ? "this is an adapter: load its model, then loadLora(model, folder)"
    : names.some((name) => /\.gguf$/i.test(name))
    ? "give the path of the .gguf file itself"
    : names.some((name) => /\.(bin|pth?)$/.test(name))
    ? "save it once more by transformers' save_pretrained, which writes safetensors"
    : "check the path";
  const found = names.slice(0, 8).join(", ") || "an empty folder";
  return refuseModel(folder, `model.safetensors or ${indexName}`, found, advice);
}
