/** A file that can be read anywhere, without holding it in memory. */
import { requireFile } from "./files.ts";

export class FileAccess {
  readonly #file: Deno.FsFile;
  // A file has one position: reads wait for each other.
  #last: Promise<unknown> = Promise.resolve();

  private constructor(readonly name: string, readonly size: number, file: Deno.FsFile) {
    this.#file = file;
  }

  /** Opens `path`; throws, naming it, when it is no file. */
  static async open(path: string): Promise<FileAccess> {
    const { size } = await requireFile(path);
    return new FileAccess(path, size, await Deno.open(path));
  }

  /** Bytes `offset` to `offset + length`, all of them or an error. */
  read(offset: number, length: number): Promise<Uint8Array> {
    const result = this.#last.then(() => this.#read(offset, length));
    this.#last = result.catch(() => {});
    return result;
  }

  async #read(offset: number, length: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(length);
    await this.#file.seek(offset, Deno.SeekMode.Start);
    for (let filled = 0; filled < length;) {
      const count = await this.#file.read(bytes.subarray(filled));
      if (count === null) {
        throw new Error(
          `Cannot read ${this.name}: expected ${length} bytes at ${offset}; ` +
            `found an end after ${filled}; take the file again`,
        );
      }
      filled += count;
    }
    return bytes;
  }

  close(): void {
    this.#file.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
