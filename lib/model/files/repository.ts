/**
 * Files of a repository on the hub, a model's or a data set's, downloaded once. Metadata comes from
 * @huggingface/hub; file contents are fetched here in ranges, because that client cannot resume.
 */
import { createHash } from "node:crypto";
import { dirname, join } from "node:path";
import { datasetInfo, listFiles, modelInfo } from "@huggingface/hub";
import { digestOfFile } from "../../platform/runtime/digest.ts";
import { roomAt } from "../../platform/runtime/files.ts";
import { formatBytes } from "../../platform/runtime/memory.ts";
import { quote } from "../../platform/runtime/quote.ts";
import { grow } from "./_growing.ts";
import { type ConnectionOptions, FIRST, HubConnection } from "./_hub_connection.ts";

export interface RepositoryOptions extends ConnectionOptions {
  /** A branch, a tag or a commit; default "main". */
  revision?: string;
  /** Use only what was downloaded before; default whether HF_HUB_OFFLINE is set. */
  offline?: boolean;
}

export interface RemoteFile {
  path: string;
  size: number;
  /** SHA-256 of a large file, git's SHA-1 of a small one. */
  digest: string;
  kind: "sha256" | "git";
}

/** What lies on the hub, and how errors speak of it. */
const KINDS = {
  model: { action: "open model", page: "", otherwise: "give a folder or a .gguf file" },
  dataset: {
    action: "get data set",
    page: "datasets/",
    otherwise: "give its files by SELF_ALIGNING_DATA=FOLDER",
  },
} as const;

export const COMMIT = /^[0-9a-f]{40}$/;

/** Whether a text can be a repository's name on the hub. */
export const isHubId = (text: string): boolean => /^[\w][\w.-]*\/[\w][\w.-]*$/.test(text);

export const isOffline = (): boolean =>
  /^(1|on|yes|true)$/i.test(Deno.env.get("HF_HUB_OFFLINE") ?? "");

export class HubRepository {
  readonly revision: string;
  readonly hub: HubConnection;

  /** @throws where name, revision, address or token have another form, before anything is asked */
  constructor(readonly id: string, readonly kind: keyof typeof KINDS, options: RepositoryOptions) {
    const { action, page, otherwise } = KINDS[kind];
    this.revision = options.revision ?? "main";
    const wanted = { action, id, page: page + id, revision: this.revision, otherwise };
    this.hub = new HubConnection(wanted, options);
    if (!isHubId(id) || !/^[\w][\w./-]*$/.test(this.revision) || this.revision.includes("..")) {
      throw new Error(
        `Cannot ${this.hub.what} at ${this.revision}: expected owner/name and a branch, a tag or ` +
          "a commit; found other signs; check the spelling",
      );
    }
  }

  /** The commit that the branch or tag stands for now. */
  async commit(): Promise<string> {
    const isModel = this.kind === "model";
    const { sha } = await this.hub.ask(isModel ? "model" : "data set", async (access) => {
      const asked = { ...access, name: this.id, revision: this.revision };
      return isModel
        ? await modelInfo({ ...asked, additionalFields: ["sha"] })
        : await datasetInfo({ ...asked, additionalFields: ["sha"] });
    }, FIRST);
    if (COMMIT.test(sha)) return sha;
    throw new Error(
      `Cannot ${this.hub.what}: expected a commit from ${this.hub.endpoint}; ` +
        `found ${quote(sha)}; check HF_ENDPOINT`,
    );
  }

  /** The files of a commit; those in folders too where it is `recursive`. */
  async list(commit: string, { recursive = false } = {}): Promise<RemoteFile[]> {
    return await this.hub.ask("list of files", async (access) => {
      const files: RemoteFile[] = [];
      const repo = { type: this.kind, name: this.id };
      const asked = { ...access, repo, revision: commit, recursive };
      for await (const file of listFiles(asked)) {
        if (file.type !== "file") continue;
        const { path, size, lfs, oid } = file;
        if (/^\/|\\|(^|\/)\.{0,2}(\/|$)/.test(path)) {
          throw new Error(`${quote(path)}, which leads elsewhere; check HF_ENDPOINT`);
        }
        const digest = lfs?.oid ?? oid;
        if (!Number.isSafeInteger(size) || !/^[0-9a-f]{40,64}$/.test(digest ?? "")) {
          throw new Error(`no size or digest of ${quote(path)}; check HF_ENDPOINT`);
        }
        files.push({ path, size, digest: digest!, kind: lfs ? "sha256" : "git" });
      }
      return files;
    });
  }

  /** Writes files of a commit into `folder`. @throws where there is no room for all that is missing */
  async fetchFiles(files: readonly RemoteFile[], commit: string, folder: string): Promise<void> {
    let needed = 0;
    const sizeOf = (path: string) => Deno.stat(path).then(({ size }) => size, () => 0);
    for (const file of files) {
      const path = join(folder, file.path);
      if (await sizeOf(path) === file.size) continue;
      needed += Math.max(0, file.size - await sizeOf(partialOf(path, file)));
    }
    const room = roomAt(folder);
    if (room !== undefined && needed > room) {
      throw new Error(
        `Cannot ${this.hub.what}: expected room for ${formatBytes(needed)} in ${folder}; ` +
          `found ${formatBytes(room)}; free some, or give another cacheDirectory`,
      );
    }
    for (const file of files) await this.fetchFile(file, commit, folder);
  }

  /** Writes a file of a commit into `folder`, whole and of the listed digest, or not at all. */
  async fetchFile(file: RemoteFile, commit: string, folder: string): Promise<void> {
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
    const remote = `${commit}/${file.path.split("/").map(encodeURIComponent).join("/")}`;
    const address = `${this.hub.endpoint}/${this.hub.wanted.page}/resolve/${remote}`;
    await grow(this.hub, address, { file: target, path, name: file.path, size: file.size });
    const hash = createHash(file.kind === "sha256" ? "sha256" : "sha1");
    if (file.kind === "git") hash.update(`blob ${file.size}\0`);
    const found = await digestOfFile(target, hash);
    if (found !== file.digest) {
      await target.truncate(0);
      throw new Error(
        `Cannot ${this.hub.what}: expected ${file.path} with ${file.kind} digest ` +
          `${file.digest}; found ${found}; the download was removed: run it again` +
          (had > 0 ? "" : ", and check the network between here and the hub"),
      );
    }
    await Deno.rename(partial, path);
  }
}

/** Where a file grows until it is whole. */
const partialOf = (path: string, { digest }: RemoteFile) =>
  `${path}.${digest.slice(0, 12)}.partial`;
