/**
 * Results on disk: one file a cell, under a name that everything fixes which a result depends on. What is
 * read is held to its name, its digest and its record's shape; what fails is computed again.
 */
import { join } from "node:path";
import { type GenericSchema, getDotPath, safeParse } from "valibot";
import { explainIssue } from "../platform/runtime/explain.ts";
import { sha256OfText } from "../platform/runtime/digest.ts";
import { writeWhole } from "../platform/runtime/files.ts";
import { digest, resultBasis } from "./digest.ts";

/** Nobody writes a file for so long: what a process that was killed left behind, ms. */
const STALE = 6 * 3600 * 1000;

export class Store {
  readonly #basis: () => Promise<string>;

  /** Removes the leftovers of processes that were killed while they wrote. */
  constructor(readonly folder: string, { basis = resultBasis } = {}) {
    this.#basis = basis;
    try {
      for (const { name } of Deno.readDirSync(folder)) {
        const path = join(folder, name);
        if (!name.endsWith(".partial")) continue;
        if (Date.now() - Number(Deno.lstatSync(path).mtime) > STALE) Deno.removeSync(path);
      }
    } catch {
      // There is no folder yet, or another process sweeps too.
    }
  }

  /** A name for what `inputs`, the code and the precision fix. */
  async key(kind: string, inputs: unknown): Promise<string> {
    return `${kind}-${digest([await this.#basis(), inputs]).slice(0, 24)}`;
  }

  #path(key: string): string {
    return join(this.folder, `${key}.json`);
  }

  /** The stored result; undefined where there is none. One that can't be believed is named and counts as none. */
  async read<T>(key: string, schema: GenericSchema<unknown, T>): Promise<T | undefined> {
    const path = this.#path(key);
    try {
      // A pipe or a device would be read for ever.
      if (!(await Deno.stat(path)).isFile) throw new Error("expected a file; found none");
      return checkRecord(await Deno.readTextFile(path), key, schema);
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return undefined;
      console.error(`${path} is damaged and is computed again: ${(error as Error).message}`);
      return undefined;
    }
  }

  /** Bytes of a result's file, whether it can be believed or not; undefined where there is none. */
  sizeOf(key: string): number | undefined {
    try {
      return Deno.statSync(this.#path(key)).size;
    } catch {
      return undefined;
    }
  }

  async write(key: string, result: unknown): Promise<void> {
    const path = this.#path(key), text = JSON.stringify(result);
    // A file can't take a folder's place.
    const found = await Deno.lstat(path).catch(() => undefined);
    if (found?.isDirectory) await Deno.remove(path, { recursive: true });
    const head = JSON.stringify({ key, sha256: sha256OfText(text) }).slice(0, -1);
    await writeWhole(path, `${head},"result":${text}}\n`);
  }

  /** The result that is stored under `inputs`; where there is none, `compute`'s, which is then stored. */
  async keep<T>(
    kind: string,
    inputs: unknown,
    { schema, compute }: { schema: GenericSchema<unknown, T>; compute: () => Promise<T> },
  ): Promise<T> {
    const key = await this.key(kind, inputs);
    const found = await this.read(key, schema);
    if (found !== undefined) return found;
    const result = await compute();
    await this.write(key, result);
    return result;
  }
}

/** The result in a file's text. @throws saying what it was expected to be */
function checkRecord<T>(text: string, key: string, schema: GenericSchema<unknown, T>): T {
  const { key: own, sha256, result } = JSON.parse(text) ?? {};
  if (own !== key) throw new Error(`expected the result ${key}; found that of ${own}`);
  const found = sha256OfText(JSON.stringify(result) ?? "");
  if (found !== sha256) throw new Error(`expected SHA-256 ${sha256}; found ${found}`);
  const { success, issues } = safeParse(schema, result, { abortEarly: true });
  if (success) return result;
  throw new Error(`${getDotPath(issues[0]) ?? "result"}: ${explainIssue(issues[0])}`);
}
