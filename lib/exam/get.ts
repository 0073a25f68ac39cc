/**
 * Data sets at hand: in a folder of one's own, in the cache, or downloaded into it once. The first
 * download locks revision and digests (lock.json); a later one must give the same bytes.
 */
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import * as v from "valibot";
import { cacheFolder } from "../platform/cache.ts";
import { stoppable } from "../platform/interrupt.ts";
import { sha256OfFile } from "../platform/runtime/digest.ts";
import { exists, writeWhole } from "../platform/runtime/files.ts";
import { HubRepository, isOffline, type RepositoryOptions } from "../model/files/repository.ts";
import { fetchArchive, githubAddress } from "../model/files/archive.ts";
import { unpack } from "./_archive.ts";
import { type DataSource, dataSource, matchesPattern, partsOf, repositoryOf } from "./sources.ts";

export interface GetOptions extends Omit<RepositoryOptions, "revision"> {
  /** Where data sets are kept; default `data` in the cache. */
  cacheDirectory?: string;
}

/** A data set's files on this disk. */
export interface LocalData {
  source: DataSource;
  /** The commit that it is, where it was downloaded; else the folder. */
  revision: string;
  /** Full paths of each part. */
  parts: Readonly<Record<string, readonly string[]>>;
}

const lockSchema = v.object({
  address: v.string(),
  revision: v.string(),
  license: v.string(),
  /** By path: bytes and SHA-256. */
  files: v.record(v.string(), v.object({ bytes: v.number(), sha256: v.string() })),
});

/** What was had at the first download. */
export type DataLock = v.InferOutput<typeof lockSchema>;

/** Refuses to give a data set: what was expected, what there is, and what to do. */
function refuse({ name }: DataSource, expected: string, found: string): never {
  throw new Error(`Cannot get data set ${name}: expected ${expected}; found ${found}`);
}

/**
 * The files of a data set of data/sources.json, checked against the lock; where SELF_ALIGNING_DATA is set, those
 * in its folder of the set's name.
 * @throws naming the set, what was expected and found, and what to do
 */
export async function getData(name: string, options: GetOptions = {}): Promise<LocalData> {
  const source = dataSource(name);
  const given = Deno.env.get("SELF_ALIGNING_DATA");
  if (given) return await ofFolder(source, join(given, name));
  const work = {
    what: () => `the download of ${name}`,
    then: "what has come is kept; run it again to go on",
    signal: options.signal,
  };
  return await stoppable(work, (signal) => new Getting(source, { ...options, signal }).run());
}

/** What a data set's lock says; undefined where it was never had. */
export async function dataLock(
  name: string,
  options: GetOptions = {},
): Promise<DataLock | undefined> {
  return await new Getting(dataSource(name), options).lock();
}

async function ofFolder(source: DataSource, folder: string): Promise<LocalData> {
  if (!exists(folder)) {
    const mend = "no such folder; put them there, or unset it";
    refuse(source, `its files in ${folder}, since SELF_ALIGNING_DATA is set`, mend);
  }
  const paths = await readdir(folder, { recursive: true });
  return local(source, folder, { folder, paths: paths.map((path) => path.replaceAll("\\", "/")) });
}

function local(
  source: DataSource,
  revision: string,
  { folder, paths }: { folder: string; paths: readonly string[] },
): LocalData {
  const parts = Object.entries(partsOf(source, paths, folder)).map(([part, paths]) =>
    [part, paths.map((path) => join(folder, path))] as const
  );
  return { source, revision, parts: Object.fromEntries(parts) };
}

class Getting {
  readonly #base: string;
  readonly #lockPath: string;
  readonly #offline: boolean;
  readonly #say: (line: string) => void;

  constructor(readonly source: DataSource, readonly options: GetOptions) {
    this.#base = join(options.cacheDirectory ?? cacheFolder("data"), source.name);
    this.#lockPath = join(this.#base, "lock.json");
    this.#offline = options.offline ?? isOffline();
    this.#say = options.onProgress ?? ((line) => console.error(line));
  }

  async lock(): Promise<DataLock | undefined> {
    if (!exists(this.#lockPath)) return undefined;
    const text = await Deno.readTextFile(this.#lockPath);
    try {
      return v.parse(lockSchema, JSON.parse(text));
    } catch {
      const mend = "something else; delete the file to have it locked again";
      refuse(this.source, `the lock of its first download in ${this.#lockPath}`, mend);
    }
  }

  async run(): Promise<LocalData> {
    const { source } = this, locked = await this.lock();
    const lacking = locked
      ? (await this.#lacking(locked)).map((path) => `${path} as locked in ${this.#lockPath}`)
      : [`a copy in ${this.#base}`];
    if (locked && lacking.length === 0) return this.#local(locked);
    if (this.#offline) {
      const mend = "none; unset it and connect to a network once, or give the files by " +
        "SELF_ALIGNING_DATA=FOLDER";
      refuse(source, `${lacking[0]}, since HF_HUB_OFFLINE is set`, mend);
    }
    const { onGithub } = repositoryOf(source);
    const found = await (onGithub ? this.#fromGithub(locked) : this.#fromHub(locked));
    if (locked !== undefined) this.#compare(locked, found);
    await writeWhole(this.#lockPath, `${JSON.stringify(found, null, 1)}\n`);
    const { name, license, title } = source;
    this.#say(`${name}: ${title}; revision ${found.revision}; license: ${license}`);
    return this.#local(found);
  }

  #local({ revision, files }: DataLock): LocalData {
    const folder = join(this.#base, revision), paths = Object.keys(files);
    return local(this.source, revision, { folder, paths });
  }

  /** The locked files that are not there as they were. */
  async #lacking({ files, revision }: DataLock): Promise<string[]> {
    const lacking: string[] = [];
    for (const [path, { bytes, sha256 }] of Object.entries(files)) {
      const place = join(this.#base, revision, path);
      const size = await Deno.stat(place).then(({ size }) => size, () => undefined);
      if (size === bytes && await sha256OfFile(place) === sha256) continue;
      // Damaged: it is had again, and compared with the lock.
      if (size !== undefined && !this.#offline) await Deno.remove(place);
      lacking.push(path);
    }
    return lacking;
  }

  #compare(locked: DataLock, found: DataLock): void {
    for (const [path, { sha256 }] of Object.entries(locked.files)) {
      const other = found.files[path]?.sha256;
      if (other === sha256) continue;
      const mend = `its source has changed; to take it as it is now, delete ${this.#base}`;
      refuse(
        this.source,
        `${path} with SHA-256 ${sha256}, as at its first download`,
        `${other ?? "no such file"}: ${mend}`,
      );
    }
  }

  async #fromHub(locked: DataLock | undefined): Promise<DataLock> {
    const { source, options } = this, { archive } = source, { id } = repositoryOf(source);
    const asked = { ...options, revision: locked?.revision ?? source.branch };
    const repository = new HubRepository(id, "dataset", asked);
    const commit = locked?.revision ?? await repository.commit();
    const folder = join(this.#base, commit);
    const listed = await repository.list(commit, { recursive: true });
    const place = `${repository.hub.endpoint}/datasets/${id}`;
    const wanted = archive ? { ...source, parts: { archive: [archive] } } : source;
    const chosen = Object.values(partsOf(wanted, listed.map(({ path }) => path), place)).flat();
    const files = listed.filter(({ path }) => chosen.includes(path));
    await repository.fetchFiles(files, commit, folder);
    const paths = archive
      ? await this.#unpacked(files.map(({ path }) => join(folder, path)), folder)
      : chosen;
    return await this.#locked(place, commit, paths);
  }

  async #fromGithub(locked: DataLock | undefined): Promise<DataLock> {
    const { source, options } = this, { id } = repositoryOf(source);
    const archive = join(this.#base, "archive.zip"), revision = locked?.revision ?? source.branch;
    await Deno.mkdir(this.#base, { recursive: true });
    const commit = await fetchArchive(archive, { ...options, id, revision });
    const paths = await this.#unpacked([archive], join(this.#base, commit));
    return await this.#locked(`${githubAddress()}/${id}`, commit, paths);
  }

  /** Takes the files of all parts out of archives, which are deleted then. */
  async #unpacked(archives: readonly string[], folder: string): Promise<string[]> {
    const patterns = Object.values(this.source.parts).flat();
    const wanted = (path: string) => patterns.some((pattern) => matchesPattern(path, pattern));
    const paths: string[] = [];
    for (const archive of archives) {
      // A damaged one would be found damaged again.
      paths.push(...await unpack(archive, folder, wanted).finally(() => Deno.remove(archive)));
    }
    return paths;
  }

  async #locked(address: string, revision: string, paths: readonly string[]): Promise<DataLock> {
    const { source } = this, folder = join(this.#base, revision);
    partsOf(source, paths, address);
    const files = await Promise.all(
      paths.toSorted().map(async (path) => {
        const place = join(folder, path), { size: bytes } = await Deno.stat(place);
        return [path, { bytes, sha256: await sha256OfFile(place) }] as const;
      }),
    );
    return { address, revision, license: source.license, files: Object.fromEntries(files) };
  }
}
