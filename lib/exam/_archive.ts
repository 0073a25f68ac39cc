/** Members of a zip archive, taken out one by one: the library refuses names that lead elsewhere. */
import { join } from "node:path";
import { Reader, Uint8ArrayWriter, ZipReader } from "@zip.js/zip.js";
import { writeWhole } from "../platform/runtime/files.ts";
import { formatBytes } from "../platform/runtime/memory.ts";
import { quote } from "../platform/runtime/quote.ts";
import { FileAccess } from "../platform/runtime/random_access.ts";

/** Bytes that one member may have: more is no file of questions. */
const LARGEST = 1e9;

class FileReader extends Reader<FileAccess> {
  readonly #file: FileAccess;

  constructor(file: FileAccess) {
    super(file);
    this.#file = file;
    this.size = file.size;
  }

  override readUint8Array(index: number, length: number): Promise<Uint8Array> {
    return this.#file.read(index, Math.min(length, this.#file.size - index));
  }
}

/**
 * Writes the members that `wanted` takes into `folder`, checked against their checksums.
 * @returns their paths, without the folder that all members lie in
 * @throws naming the member that leads out of the folder, is too large or damaged
 */
export async function unpack(
  archive: string,
  folder: string,
  wanted: (path: string) => boolean,
): Promise<string[]> {
  using file = await FileAccess.open(archive);
  const zip = new ZipReader(new FileReader(file), { useWebWorkers: false, checkSignature: true });
  const fail = (expected: string, found: string): never => {
    const mend = "it was removed: run it again";
    throw new Error(`Cannot unpack ${archive}: expected ${expected}; found ${found}; ${mend}`);
  };
  const taken: string[] = [];
  try {
    for await (const entry of zip.getEntriesGenerator()) {
      const path = entry.filename.replaceAll("\\", "/");
      if (entry.directory || !wanted(path)) continue;
      if (entry.uncompressedSize > LARGEST) {
        fail(`members of at most ${formatBytes(LARGEST)}`, `${quote(path)} of more`);
      }
      const bytes = await entry.getData(new Uint8ArrayWriter());
      await writeWhole(join(folder, path), bytes);
      taken.push(path);
    }
  } catch (error) {
    if (error instanceof Error && error.message.startsWith("Cannot")) throw error;
    fail("a zip archive", `one that is damaged (${(error as Error).message})`);
  } finally {
    await zip.close();
  }
  return taken;
}
