/**
 * Models of the hub, downloaded once. Metadata comes from @huggingface/hub; file contents are
 * fetched here, because that client cannot go on with a file.
 */
import { createHash } from "node:crypto";
import { dirname, join } from "node:path";
import { listFiles, modelInfo } from "@huggingface/hub";
import { type Stoppable, stoppable } from "../../platform/interrupt.ts";
import { digestOfFile } from "../../platform/runtime/digest.ts";
import { exists, roomAt, writeWhole, writingError } from "../../platform/runtime/files.ts";
import { quote } from "../../platform/runtime/quote.ts";
import { tokenizerFileNames } from "../tokenizer.ts";
import { Break, FIRST, HubConnection, HubUnreachable } from "./_hub_connection.ts";
import { parseIndex } from "./checkpoint.ts";

export interface HubOptions extends Stoppable {
  /** Where models are kept; to open a source, default `models` in the cache. */
  cacheDirectory: string;
  /** A branch, a tag or a commit; default "main". */
  revision?: string;
  /** Called with lines of progress; default prints to stderr. */
  onProgress?: (line: string) => void;
  /** The hub's address, which alone gets the token; default HF_ENDPOINT or https://huggingface.co. */
  endpoint?: string;
  /** For models that need a login; default HF_TOKEN. */
  token?: string;
  /** Use only what was downloaded before; default whether HF_HUB_OFFLINE is set. */
  offline?: boolean;
  /** Seconds before the first repetition of a failed request, doubled each time; default 1. */
  patience?: number;
  /** Seconds that the hub may be silent; default 120. */
  timeout?: number;
  /** An ONNX graph to fetch in place of the safetensors, such as onnx/model_q4.onnx; default none. */
  graph?: string;
}

export interface HubModel {
  folder: string;
  revision: string;
}

interface RemoteFile {
  path: string;
  size: number;
  /** SHA-256 of a large file, git's SHA-1 of a small one. */
  digest: string;
  kind: "sha256" | "git";
}

/** Of files above so many bytes it is told how far they are. */
const LARGE = 8 * 1024 * 1024;

const COMMIT = /^[0-9a-f]{40}$/;
const indexName = "model.safetensors.index.json";
const smallFiles = ["config.json", "generation_config.json", ...tokenizerFileNames];

/** Whether a text can be a model's name on the hub. */
export const isHubId = (text: string): boolean => /^[\w][\w.-]*\/[\w][\w.-]*$/.test(text);

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
  readonly #revision: string;
  readonly #base: string;
  readonly #hub: HubConnection;
  readonly #offline: boolean;
  readonly #say: (line: string) => void;
  readonly #graph?: string;

  constructor(readonly id: string, options: HubOptions) {
    this.#revision = options.revision ?? "main";
    if (!isHubId(id) || !/^[\w][\w./-]*$/.test(this.#revision) || this.#revision.includes("..")) {
      throw new Error(
        `Cannot open model ${id} at ${this.#revision}: expected owner/name and a branch, a tag or ` +
          "a commit; found other signs; check the spelling",
      );
    }
    this.#base = join(options.cacheDirectory, "hub", id.replace("/", "--"));
    this.#offline = options.offline ??
      /^(1|on|yes|true)$/i.test(Deno.env.get("HF_HUB_OFFLINE") ?? "");
    this.#say = options.onProgress ?? ((line) => console.error(line));
    this.#hub = new HubConnection(id, this.#revision, { ...options, say: this.#say });
    this.#graph = options.graph;
  }

  async run(): Promise<HubModel> {
    const known = this.#complete(await this.#knownCommit());
    // A commit never changes, so a whole copy of it needs no question.
    if (known !== undefined && (this.#offline || known.revision === this.#revision)) return known;
    if (this.#offline) {
      throw new Error(
        `Cannot open model ${this.id}: expected a copy in ${this.#base}, since HF_HUB_OFFLINE is ` +
          "set; found none; unset it and connect to a network once",
      );
    }
    const commit = await this.#askForCommit().catch((error) => {
      if (!(error instanceof HubUnreachable) || known === undefined) throw error;
      this.#say(
        `${this.#hub.endpoint} does not answer: using the copy of commit ${known.revision}`,
      );
    });
    if (commit === undefined) return known!;
    const folder = join(this.#base, commit);
    if (this.#complete(commit) === undefined) await this.#fetchAll(commit, folder);
    if (commit !== this.#revision) await writeWhole(this.#reference(), commit);
    return { folder, revision: commit };
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

  /** The commit that the branch or tag stands for now. */
  async #askForCommit(): Promise<string> {
    const asked = { name: this.id, revision: this.#revision };
    const { sha } = await this.#hub.ask(
      "model",
      (access) => modelInfo({ ...access, ...asked, additionalFields: ["sha"] }),
      FIRST,
    );
    if (COMMIT.test(sha)) return sha;
    throw new Error(
      `Cannot open model ${this.id}: expected a commit from ${this.#hub.endpoint}; ` +
        `found ${quote(sha)}; check HF_ENDPOINT`,
    );
  }

  async #fetchAll(commit: string, folder: string): Promise<void> {
    const listed = await this.#hub.ask("list of files", async (access) => {
      const files: RemoteFile[] = [];
      const asked = { ...access, repo: this.id, revision: commit };
      for await (const file of listFiles({ ...asked, recursive: this.#graph !== undefined })) {
        if (file.type !== "file") continue;
        const { path, size, lfs, oid } = file;
        const digest = lfs?.oid ?? oid;
        if (!Number.isSafeInteger(size) || !/^[0-9a-f]{40,64}$/.test(digest ?? "")) {
          throw new Error(`no size or digest of ${quote(path)}; check HF_ENDPOINT`);
        }
        files.push({ path, size, digest: digest!, kind: lfs ? "sha256" : "git" });
      }
      return files;
    });
    const byPath = new Map(listed.map((file) => [file.path, file]));
    const fetchFile = async (path: string) => {
      const file = byPath.get(path);
      if (file !== undefined) await this.#fetchFile(file, commit, folder);
      return file;
    };
    if (!byPath.has("config.json")) this.#refuseWithout("config.json", byPath);
    for (const path of smallFiles) await fetchFile(path);
    const fetchWeights = async (paths: string[]) => {
      const files = paths.map((path) => byPath.get(path) ?? this.#refuseWithout(path, byPath));
      for (const file of files) await this.#fetchFile(file, commit, folder);
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
    throw new Error(
      `Cannot open model ${this.id}: expected ${path} on the hub; ` +
        `found ${names.slice(0, 8).join(", ") || "no files"}; ${advice}`,
    );
  }

  async #fetchFile(file: RemoteFile, commit: string, folder: string): Promise<void> {
    const path = join(folder, file.path);
    const isThere = () => Deno.stat(path).then(({ size }) => size === file.size, () => false);
    if (await isThere()) return;
    await Deno.mkdir(dirname(path), { recursive: true });
    const partial = partialOf(path, file);
    using target = await Deno.open(partial, { read: true, write: true, create: true });
    // Another process may be at it: it has the lock until the file is whole.
    await target.lock(true);
    if (await isThere()) return;
    const { size: had } = await target.stat();
    if (had > file.size) await target.truncate(0);
    await this.#fetchRest(file, commit, target);
    const git = () => createHash("sha1").update(`blob ${file.size}\0`);
    const found = await digestOfFile(target, file.kind === "git" ? git() : undefined);
    if (found !== file.digest) {
      await target.truncate(0);
      throw new Error(
        `Cannot open model ${this.id}: expected ${file.path} with ${file.kind} digest ` +
          `${file.digest}; found ${found}; the download was removed: run it again` +
          (had > 0 ? "" : ", and check the network between here and the hub"),
      );
    }
    await Deno.rename(partial, path);
  }

  /** Appends what is missing; where something on the way drops the range, all of the file comes. */
  async #fetchRest(file: RemoteFile, commit: string, target: Deno.FsFile): Promise<void> {
    let done = (await target.stat()).size;
    const large = file.size > LARGE;
    const megabytes = (bytes: number) => (bytes / 1e6).toFixed(0);
    const total = `${megabytes(file.size)} MB`;
    if (large && done < file.size) {
      const rest = done > 0 ? `, going on at ${megabytes(done)} MB` : "";
      this.#say(`Downloading ${file.path} of ${this.id}: ${total}${rest}`);
    }
    const path = `${commit}/${file.path.split("/").map(encodeURIComponent).join("/")}`;
    const full = (error: unknown) =>
      writingError(join(this.#base, commit, file.path), file.size - done, error);
    if (file.size - done > (roomAt(this.#base) ?? Infinity)) {
      throw full(Object.assign(new Error("no room"), { code: "ENOSPC" }));
    }
    let told = Date.now();
    const write = async (bytes: Uint8Array) => {
      await target.seek(done, Deno.SeekMode.Start);
      try {
        for (let at = 0; at < bytes.length;) at += await target.write(bytes.subarray(at));
      } catch (error) {
        // What was written stays, so that the download goes on there once there is room.
        throw full(error);
      }
      done += bytes.length;
      if (large && (done === file.size || Date.now() - told > 5000)) {
        told = Date.now();
        this.#say(`${file.path}: ${megabytes(done)} of ${total}`);
      }
    };
    while (done < file.size) {
      await this.#hub.ask(file.path, async ({ hubUrl, fetch }) => {
        const start = done, headers = { range: `bytes=${start}-` };
        const { body, status, headers: said } = await fetch(
          `${hubUrl}/${this.id}/resolve/${path}`,
          { headers },
        );
        const [, from, size] = /^bytes (\d+)-\d+\/(\d+)$/.exec(said.get("content-range") ?? "") ??
          [];
        if (Number(size ?? file.size) !== file.size) this.#refuseSize(file, size);
        if (status === 200) done = 0;
        else if (Number(from ?? start) !== start) throw new Break(`bytes from ${from} came`);
        try {
          for await (const chunk of body ?? []) {
            if (done + chunk.length > file.size) this.#refuseSize(file, "more");
            await write(chunk);
          }
          if (done < file.size) throw new Break(`${done} of ${file.size} bytes came`);
        } catch (error) {
          // What came counts as an answer: it is asked at once for the rest.
          if (!(error instanceof Break) || done <= start) throw error;
          this.#say(`${file.path}: ${error.message}; going on at ${megabytes(done)} MB`);
        }
      });
    }
  }

  #refuseSize({ path, size }: RemoteFile, found: string): never {
    throw new Error(
      `Cannot open model ${this.id}: expected ${size} bytes of ${path}; found ${found}; run it again`,
    );
  }
}

/** Whether a file holds weights of a large graph: model.onnx_data, model.onnx_data_1, model.onnx.data. */
export const isDataOf = (graph: string, path: string): boolean =>
  path.startsWith(graph) && /^[._]data(_\d+)?$/.test(path.slice(graph.length));

/** Where a file grows until it is whole. */
const partialOf = (path: string, { digest }: RemoteFile) =>
  `${path}.${digest.slice(0, 12)}.partial`;
