/** Models of the hub, downloaded once. */
import { homedir } from "node:os";
import { join } from "node:path";
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
}

export interface HubModel {
  folder: string;
  revision: string;
}

const indexName = "model.safetensors.index.json";
const smallFiles = ["config.json", "generation_config.json", ...tokenizerFileNames];

/**
 * The folder of a hub model's files at one commit; what is missing is downloaded and its digest
 * checked.
 * @throws `HubUnreachable` without an answer, else naming what failed and what to do
 */
export async function downloadModel(id: string, options: HubOptions): Promise<HubModel> {
  const work = {
    what: () => `the download of ${id}`,
    then: "what has come is kept; run it again to go on",
    signal: options.signal,
  };
  return await stoppable(work, (signal) => new Download(id, { ...options, signal }).run());
}

class Download {
  readonly #base: string;
  readonly #repository: HubRepository;
  readonly #offline: boolean;
  readonly #graph?: string;

  constructor(readonly id: string, options: HubOptions) {
    this.#repository = new HubRepository(id, "model", options);
    this.#base = join(options.cacheDirectory, "hub", id.replace("/", "--"));
    this.#offline = options.offline ?? isOffline();
    this.#graph = options.graph;
  }

  get #revision(): string {
    return this.#repository.revision;
  }

  async run(): Promise<HubModel> {
    const known = this.#complete(await this.#knownCommit()) ?? await this.#shared();
    // A commit never changes, so a whole copy of it needs no question.
    if (known !== undefined && (this.#offline || known.revision === this.#revision)) return known;
    if (this.#offline) {
      const expected = `a copy in ${this.#base}, since HF_HUB_OFFLINE is set`;
      refuseModel(this.id, expected, "none", "unset it and connect to a network once");
    }
    const commit = await this.#repository.commit().catch((error) => {
      if (!(error instanceof HubUnreachable) || known === undefined) throw error;
      const { endpoint } = this.#repository.hub;
      this.#repository.say(
        `${endpoint} does not answer: using the copy of commit ${known.revision}`,
      );
    });
    if (commit === undefined) return known!;
    // Another program has this very commit: nothing is downloaded twice.
    if (known?.revision === commit) return known;
    const folder = join(this.#base, commit);
    if (this.#complete(commit) === undefined) await this.#fetchAll(commit, folder);
    if (commit !== this.#revision) await writeWhole(this.#reference(), commit);
    return { folder, revision: commit };
  }

  /** A whole copy in the cache of other programs (HF_HUB_CACHE, HF_HOME), of the revision as they know it. */
  async #shared(): Promise<HubModel | undefined> {
    if (this.#graph !== undefined) return undefined;
    const home = Deno.env.get("HF_HOME") || join(homedir(), ".cache", "huggingface");
    const cache = Deno.env.get("HF_HUB_CACHE") || join(home, "hub");
    const base = join(cache, `models--${this.id.replace("/", "--")}`);
    const read = (...path: string[]) => Deno.readTextFile(join(base, ...path)).catch(() => "");
    const name = this.#revision;
    const revision = COMMIT.test(name) ? name : (await read("refs", name)).trim();
    if (!COMMIT.test(revision)) return undefined;
    const folder = join(base, "snapshots", revision),
      index = await read("snapshots", revision, indexName);
    const weights = index
      ? [...new Set(parseIndex(index, indexName).values())]
      : ["model.safetensors"];
    const isWhole = ["config.json", ...weights].every((file) => exists(join(folder, file)));
    if (!isWhole) return undefined;
    this.#repository.say(`${this.id}: found in ${cache}, commit ${revision}`);
    return { folder, revision };
  }

  /** Says of a folder that it has all files that were asked for. */
  get #marker(): string {
    return this.#graph === undefined ? "complete.json" : `${this.#graph}.complete.json`;
  }

  #reference(): string {
    return join(this.#base, "refs", encodeURIComponent(this.#revision));
  }

  async #knownCommit(): Promise<string> {
    if (COMMIT.test(this.#revision)) return this.#revision;
    return (await Deno.readTextFile(this.#reference()).catch(() => "")).trim();
  }

  /** A commit's folder if all of it was downloaded: the marker is written last. */
  #complete(commit: string): HubModel | undefined {
    const folder = join(this.#base, commit);
    const isWhole = COMMIT.test(commit) && exists(join(folder, this.#marker));
    return isWhole ? { folder, revision: commit } : undefined;
  }

  async #fetchAll(commit: string, folder: string): Promise<void> {
    const repository = this.#repository;
    const listed = await repository.list(commit, { recursive: this.#graph !== undefined });
    const byPath = new Map(listed.map((file) => [file.path, file]));
    const fetchFile = async (path: string) => {
      const file = byPath.get(path);
      if (file !== undefined) await repository.fetchFile(file, commit, folder);
      return file;
    };
    if (!byPath.has("config.json")) this.#refuseWithout("config.json", byPath);
    for (const path of smallFiles) await fetchFile(path);
    /** Weights, if there is room for all of them. */
    const fetchWeights = async (paths: string[]) => {
      const files = paths.map((path) => byPath.get(path) ?? this.#refuseWithout(path, byPath));
      await repository.fetchFiles(files, commit, folder);
    };
    if (this.#graph !== undefined) {
      const graph = this.#graph;
      await fetchWeights([graph, ...[...byPath.keys()].filter((path) => isDataOf(graph, path))]);
    } else if (byPath.has("model.safetensors")) {
      await fetchWeights(["model.safetensors"]);
    } else {
      if (await fetchFile(indexName) === undefined) {
        this.#refuseWithout("model.safetensors", byPath);
      }
      const text = await Deno.readTextFile(join(folder, indexName));
      await fetchWeights([...new Set(parseIndex(text, `${indexName} of ${this.id}`).values())]);
    }
    await writeWhole(join(folder, this.#marker), JSON.stringify({ id: this.id, commit }));
  }

  #refuseWithout(path: string, files: ReadonlyMap<string, unknown>): never {
    const all = [...files.keys()];
    const graphs = all.filter((name) => name.endsWith(".onnx"));
    const names = this.#graph !== undefined && graphs.length > 0 ? graphs : all;
    const advice = this.#graph !== undefined
      ? graphs.length > 0
        ? "choose one of these by its kind of numbers, as in onnx:ID@q4"
        : "load its safetensors, without onnx:"
      : names.some((name) => name.endsWith(".gguf"))
      ? "download one of its .gguf files and give its path"
      : names.includes("adapter_config.json")
      ? "this is an adapter: load its model, then loadLora(model, folder)"
      : "choose a model with safetensors";
    const found = names.slice(0, 8).join(", ") || "no files";
    refuseModel(this.id, `${path} on the hub`, found, advice);
  }
}

/** Whether a file holds weights of a large graph: model.onnx_data, model.onnx_data_1, model.onnx.data. */
export const isDataOf = (graph: string, path: string): boolean =>
  path.startsWith(graph) && /^[._]data(_\d+)?$/.test(path.slice(graph.length));
