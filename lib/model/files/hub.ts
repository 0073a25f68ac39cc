/** Models of the hub, downloaded once. */
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { stoppable } from "../../platform/interrupt.ts";
import { exists, writeWhole } from "../../platform/runtime/files.ts";
import { refuseModel } from "../fields.ts";
import { tokenizerFileNames } from "../tokenizer.ts";
import { HubUnreachable } from "./_hub_connection.ts";
import { parseIndex } from "./checkpoint.ts";
import { COMMIT, HubRepository, isOffline, type RepositoryOptions } from "./repository.ts";

export { isHubId } from "./repository.ts";

export interface HubOptions extends RepositoryOptions {
  /** Where models are kept; to open a source, default `models` in the cache. */
  cacheDirectory: string;
  /** An ONNX graph to fetch in place of the safetensors, such as onnx/model_q4.onnx; default none. */
  graph?: string;
  /** Fetch the tokenizer alone; default false. */
  tokenizerOnly?: boolean;
}

export type HubModel = { folder: string; revision: string };

const indexName = "model.safetensors.index.json";
const smallFiles = ["config.json", "generation_config.json", ...tokenizerFileNames];

/**
 * The folder of a hub model's files at one commit; what is missing is downloaded and its digest checked.
 * @throws `HubUnreachable` without an answer, else naming what failed and what to do
 */
export async function downloadModel(id: string, options: HubOptions): Promise<HubModel> {
  const work = {
    what: () => `the download of ${id}`,
    then: "what has come is kept; run it again to go on",
    signal: options.signal,
  };
  return await stoppable(work, (signal) => copyOf(id, { ...options, signal }));
}

const textAt = async (path: string) => (await Deno.readTextFile(path).catch(() => "")).trim();

/** A whole copy of the revision, downloaded where none is at hand. */
async function copyOf(id: string, options: HubOptions): Promise<HubModel> {
  const { graph, tokenizerOnly = false, offline = isOffline() } = options;
  const repository = new HubRepository(id, "model", options), { revision } = repository;
  const base = join(options.cacheDirectory, "hub", id.replace("/", "--"));
  const reference = join(base, "refs", encodeURIComponent(revision));
  // Written last: a commit's folder that has it has all files that were asked for.
  const part = tokenizerOnly ? "tokenizer" : graph;
  const marker = part === undefined ? "complete.json" : `${part}.complete.json`;
  const markers = tokenizerOnly ? [marker, "complete.json"] : [marker];
  const wholeCopy = async (revision: string): Promise<HubModel | undefined> => {
    const folder = join(base, revision);
    const isMarked = COMMIT.test(revision) && markers.some((name) => exists(join(folder, name)));
    // What it only links to may have gone since.
    const isThere = isMarked && (graph !== undefined || await hasModel(folder, tokenizerOnly));
    return isThere ? { folder, revision } : undefined;
  };
  const own = await wholeCopy(COMMIT.test(revision) ? revision : await textAt(reference));
  // A commit never changes, so a whole copy of it needs no question.
  if (own !== undefined && (offline || own.revision === revision)) return own;
  const shared = graph === undefined ? await sharedModel(repository, tokenizerOnly) : undefined;
  const known = own ?? shared;
  if (offline) {
    const expected = `a copy in ${base}, since HF_HUB_OFFLINE is set`;
    return known ?? refuseModel(id, expected, "none", "unset it and connect to a network once");
  }
  let commit: string | undefined;
  try {
    commit = await repository.commit();
    let found = await wholeCopy(commit);
    if (found === undefined) {
      found = { folder: join(base, commit), revision: commit };
      await fetchAll(repository, found, { graph, tokenizerOnly });
      await writeWhole(join(found.folder, marker), JSON.stringify({ id, commit }));
    }
    if (commit !== revision) await writeWhole(reference, commit);
    return found;
  } catch (error) {
    const isKnown = known !== undefined && [undefined, known.revision].includes(commit);
    if (!(error instanceof HubUnreachable) || !isKnown) throw error;
    const { endpoint, say } = repository.hub;
    say(`${endpoint} does not answer: using the copy of commit ${known.revision}`);
    return known;
  }
}

/** Whether a folder has what can't be done without. */
async function hasModel(folder: string, tokenizerOnly: boolean): Promise<boolean> {
  const index = await textAt(join(folder, indexName));
  const weights = index ? shardsOf(index, indexName) : ["model.safetensors"];
  const needed = tokenizerOnly ? ["tokenizer.json"] : ["config.json", ...weights];
  return needed.every((file) => exists(join(folder, file)));
}

/** Where other programs keep a model (HF_HUB_CACHE, HF_HOME). */
function sharedFolder(id: string): string {
  const home = Deno.env.get("HF_HOME") || join(homedir(), ".cache", "huggingface");
  const cache = Deno.env.get("HF_HUB_CACHE") || join(home, "hub");
  return join(cache, `models--${id.replace("/", "--")}`);
}

/** What they have of the revision as they know it. The hub may have more: they fetch what they use. */
async function sharedModel({ id, revision: name }: HubRepository, tokenizerOnly: boolean) {
  const base = sharedFolder(id);
  const revision = COMMIT.test(name) ? name : await textAt(join(base, "refs", name));
  if (!COMMIT.test(revision)) return undefined;
  const folder = join(base, "snapshots", revision);
  return await hasModel(folder, tokenizerOnly) ? { folder, revision } : undefined;
}

/** Takes what is at hand of a file by a link to it, so that nothing is downloaded twice. */
async function linkFile(from: string, to: string, size: number): Promise<boolean> {
  if (exists(to) || (await Deno.stat(from).catch(() => undefined))?.size !== size) return false;
  const file = await Deno.realPath(from);
  await Deno.mkdir(dirname(to), { recursive: true });
  // The first outlives the other program's copy, the second leads to other disks.
  return await Deno.link(file, to).catch(() => Deno.symlink(file, to))
    .then(() => true, () => false);
}

const shardsOf = (index: string, file: string) => [...new Set(parseIndex(index, file).values())];

/** Fetches what a model needs, or a graph of it; weights only if there is room for all of them. */
async function fetchAll(
  repository: HubRepository,
  { folder, revision: commit }: HubModel,
  { graph, tokenizerOnly }: { graph?: string; tokenizerOnly: boolean },
): Promise<void> {
  const { id } = repository;
  const listed = await repository.list(commit, { recursive: graph !== undefined });
  const byPath = new Map(listed.map((file) => [file.path, file])), all = [...byPath.keys()];
  const required = (path: string) => byPath.get(path) ?? refuseWithout(path, all, { id, graph });
  const shared = join(sharedFolder(id), "snapshots", commit);
  const linked = async (paths: string[]) => {
    const files = paths.map(required), found: string[] = [];
    for (const { path, size } of graph === undefined ? files : []) {
      if (await linkFile(join(shared, path), join(folder, path), size)) found.push(path);
    }
    if (found.length > 0) repository.hub.say(`${id}: ${found.join(", ")} found in ${shared}`);
    return files;
  };
  const fetchFiles = async (paths: string[]) =>
    await repository.fetchFiles(await linked(paths), commit, folder);
  required(tokenizerOnly ? "tokenizer.json" : "config.json");
  for (const file of await linked(smallFiles.filter((path) => byPath.has(path)))) {
    await repository.fetchFile(file, commit, folder);
  }
  if (tokenizerOnly) return;
  if (graph !== undefined) {
    await fetchFiles([graph, ...all.filter((path) => isDataOf(graph, path))]);
  } else if (byPath.has("model.safetensors") || !byPath.has(indexName)) {
    await fetchFiles(["model.safetensors"]);
  } else {
    await fetchFiles([indexName]);
    const text = await Deno.readTextFile(join(folder, indexName));
    await fetchFiles(shardsOf(text, `${indexName} of ${id}`));
  }
}

function refuseWithout(
  path: string,
  all: readonly string[],
  { id, graph }: { id: string; graph?: string },
): never {
  const graphs = all.filter((name) => name.endsWith(".onnx"));
  const names = graph !== undefined && graphs.length > 0 ? graphs : all;
  const advice = graph !== undefined
    ? graphs.length > 0
      ? "choose one of these by its kind of numbers, as in onnx:ID@q4"
      : "load its safetensors, without onnx:"
    : names.some((name) => name.endsWith(".gguf"))
    ? "download one of its .gguf files and give its path"
    : names.includes("adapter_config.json")
    ? "this is an adapter: load its model, then loadLora(model, folder)"
    : "choose a model with safetensors";
  const found = names.slice(0, 8).join(", ") || "no files";
  return refuseModel(id, `${path} on the hub`, found, advice);
}

/** Whether a file holds weights of a large graph: model.onnx_data, model.onnx_data_1, model.onnx.data. */
export const isDataOf = (graph: string, path: string): boolean =>
  path.startsWith(graph) && /^[._]data(_\d+)?$/.test(path.slice(graph.length));
