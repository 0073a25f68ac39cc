/**
 * Results on disk: one file a cell, written whole, under a name that its inputs fix. A cell whose file
 * is there is finished, in whichever process it ran.
 */
import { join } from "node:path";
import { writeWhole } from "../runtime/files.ts";

/** Raise it when a change of the method's code changes results, so that none from before is reused. */
export const RESULTS_VERSION = 1;

export class Store {
  constructor(readonly folder: string) {}

  /** A name for what `inputs` fix. */
  async key(kind: string, inputs: unknown): Promise<string> {
    const text = new TextEncoder().encode(JSON.stringify([RESULTS_VERSION, inputs]));
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", text));
    return `${kind}-${digest.toHex().slice(0, 24)}`;
  }

  #path(key: string): string {
    return join(this.folder, `${key}.json`);
  }

  /** The stored result; undefined where there is none. A file that can't be read counts as none. */
  async read<T>(key: string): Promise<T | undefined> {
    try {
      return JSON.parse(await Deno.readTextFile(this.#path(key))) as T;
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return undefined;
      if (error instanceof SyntaxError) {
        console.error(`${this.#path(key)} is damaged and is computed again: ${error.message}`);
        return undefined;
      }
      throw error;
    }
  }

  async write(key: string, result: unknown): Promise<void> {
    await writeWhole(this.#path(key), JSON.stringify(result));
  }
}
