/** A model's tensors in safetensors files, by the names of Hugging Face's causal language models. */
import { join } from "node:path";
import { readText } from "../../platform/runtime/files.ts";
import { quote } from "../../platform/runtime/quote.ts";
import { FileAccess } from "../../platform/runtime/random_access.ts";
import { parameterShapes } from "../architecture.ts";
import type { SafetensorsFile, TensorInfo } from "./checkpoint.ts";
import { openSafetensors, parseIndex, readableTypes } from "./checkpoint.ts";
import type { ModelConfiguration } from "../configuration.ts";
import { refuseModel, words } from "../fields.ts";

export interface TensorHeader {
  shape: number[];
  /** Absent: one that can be read. */
  dtype?: string;
}

const EMBEDDING = "model.embed_tokens.weight";
const HEAD = "lm_head.weight";

/** Segments that PyTorch's wrappers (torch.compile, DataParallel, FSDP) put into names. */
const WRAPPERS = words("_checkpoint_wrapped_module _fsdp_wrapped_module _orig_mod module");
/** Tables of the rotary positions, which the configuration gives; older files have them. */
const ROTARY_TABLE = /(^|\.)rotary_emb\.(inv_freq|cos_cached|sin_cached)$/;

/** The name of a tensor without wrappers, also where the model without its head was saved. */
function plainName(name: string): string {
  const plain = name.split(".").filter((part) => !WRAPPERS.includes(part)).join(".");
  return /^(layers\.\d+|embed_tokens|norm)\./.test(plain) ? `model.${plain}` : plain;
}

/** A tensor, and where it lies: in which file, and under which name there. */
interface Place extends TensorInfo {
  file: SafetensorsFile;
  shard: string;
  name: string;
}

/**
 * A folder's tensors by their plain names; what `opened` takes stays open for them.
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
      const plain = plainName(name), other = places.get(plain);
      if (other !== undefined) {
        const found = `${quote(other.name)} in ${other.shard} and ${quote(name)} in ${shard}`;
        refuseModel(folder, "every tensor once", found, "leave out the one that is not meant");
      }
      places.set(plain, { ...info, file, shard, name });
    }
  }
  return { files, places };
}

/**
 * Whether the output layer is the embedding, as config.json says. A head in the files all the
 * same counts where its numbers differ, and stands for a missing embedding, as in transformers 5.
 */
export async function tiesHead(
  places: Map<string, Place>,
  { vocabularySize, hiddenSize }: ModelConfiguration,
): Promise<boolean> {
  const [head, embedding] = [HEAD, EMBEDDING].map((name) => places.get(name));
  const shape = [vocabularySize, hiddenSize];
  if (head !== undefined && (!embedding || await isSame([head, embedding], shape))) {
    places.set(EMBEDDING, embedding ?? head);
    places.delete(HEAD);
  }
  return !places.has(HEAD);
}

const sameShape = (a: readonly number[], b: readonly number[]) =>
  a.length === b.length && a.every((n, i) => n === b[i]);

/** Whether two tensors are of this shape, which makes them worth reading, and the same to the last bit. */
async function isSame(places: Place[], shape: number[]): Promise<boolean> {
  const [a, b] = places;
  if (a.dtype !== b.dtype || ![a, b].every((one) => sameShape(one.shape, shape))) return false;
  const atOnce = 2 ** 24, size = a.end - a.begin;
  for (let offset = 0; offset < size; offset += atOnce) {
    const length = Math.min(atOnce, size - offset);
    const [one, other] = await Promise.all(
      places.map(({ file, name }) => file.bytes(name, offset, length)),
    );
    if (one.some((byte, i) => byte !== other[i])) return false;
  }
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
  const advice = "configuration and weights must belong together";
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
