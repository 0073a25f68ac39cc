/** Files are written whole or not at all: to a name beside the target, then renamed over it. */
import { statfsSync } from "node:fs";
import { dirname } from "node:path";
import { formatBytes } from "./memory.ts";

/** Whether a file or a folder is there, and can be seen. */
export function exists(path: string): boolean {
  try {
    return Boolean(Deno.statSync(path));
  } catch {
    return false;
  }
}

/** Bytes that can still be written where `path` is or will be; undefined where the system does not tell. */
export function roomAt(path: string): number | undefined {
  for (let folder = path;; folder = dirname(folder)) {
    try {
      const { bavail, bsize } = statfsSync(folder);
      return bavail * bsize;
    } catch (error) {
      const missing = ["ENOENT", "ENOTDIR"].includes((error as { code?: string }).code ?? "");
      if (!missing || dirname(folder) === folder) return undefined;
    }
  }
}

/** What went wrong when `bytes` were to be written to `path`, with what to do; others stay as they are. */
export function writingError(path: string, bytes: number, error: unknown): unknown {
  const { code = "", message = "" } = (error ?? {}) as { code?: string; message?: string };
  const isFull = ["ENOSPC", "EDQUOT", "EFBIG"].includes(code);
  if (!isFull && !["EACCES", "EPERM", "EROFS", "ENOTDIR", "EEXIST"].includes(code)) return error;
  const room = code === "ENOSPC" ? roomAt(dirname(path)) : undefined;
  const found = room === undefined ? message : formatBytes(room);
  const [expected, mend] = isFull
    ? [`room for ${formatBytes(bytes)}`, "free some, or give a folder on another disk"]
    : ["a folder that can be written to", "give another"];
  const text = `Cannot write ${path}: expected ${expected}; found ${found}; ${mend}`;
  return new Error(text, { cause: error });
}

/**
 * Writes `data` to `path` atomically, making its folder first. Pieces are written one by one.
 * @throws naming the path, and the bytes that it needs where the disk is full; nothing is left then
 */
export async function writeWhole(
  path: string,
  data: string | Uint8Array | Generator<Uint8Array> | AsyncGenerator<Uint8Array>,
): Promise<void> {
  let bytes = 0;
  const counted = async function* (pieces: Iterable<Uint8Array> | AsyncIterable<Uint8Array>) {
    for await (const piece of pieces) {
      bytes += piece.length;
      yield piece;
    }
  };
  const partial = `${path}.${crypto.randomUUID()}.partial`;
  try {
    await Deno.mkdir(dirname(path), { recursive: true });
    const whole = typeof data === "string" ? new TextEncoder().encode(data) : data;
    if (whole instanceof Uint8Array) {
      bytes = whole.length;
      await Deno.writeFile(partial, whole);
    } else await Deno.writeFile(partial, ReadableStream.from(counted(whole)));
    await Deno.rename(partial, path);
  } catch (error) {
    await Deno.remove(partial).catch(() => {});
    throw writingError(path, bytes, error);
  }
}

/** Writes all of `bytes` at a place of an open file, of which `missing` were still to come. */
export async function writeAt(
  file: Deno.FsFile,
  bytes: Uint8Array,
  { path, at, missing = bytes.length }: { path: string; at: number; missing?: number },
): Promise<void> {
  await file.seek(at, Deno.SeekMode.Start);
  try {
    for (let done = 0; done < bytes.length;) done += await file.write(bytes.subarray(done));
  } catch (error) {
    throw writingError(path, missing, error);
  }
}

/** Longer texts don't fit a string. */
const LONGEST_TEXT = 500e6;

/**
 * The text of `path`; for the error, `action` names what the caller wanted, `mend` what to do.
 * @throws naming the path where it is no file (a device or pipe would be waited for, or never end) or
 *   too long
 */
export async function readText(
  path: string,
  action = "read",
  mend = "check the path",
): Promise<string> {
  const { size } = await requireFile(path, action, mend);
  if (size > LONGEST_TEXT) {
    throw new Error(
      `Cannot ${action} ${path}: expected a text of at most ${formatBytes(LONGEST_TEXT)}; ` +
        `found ${formatBytes(size)}; ${mend}`,
    );
  }
  return await Deno.readTextFile(path);
}

/** What is known of `path`, asked before it is opened. @throws where it is no file, saying what it is */
export async function requireFile(
  path: string,
  action = "read",
  mend = "check the path",
): Promise<Deno.FileInfo> {
  const found = await Deno.stat(path).catch((error) => {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw new Error(`Cannot ${action} ${path}: ${error.message}; ${mend}`, { cause: error });
  });
  if (found?.isFile) return found;
  const kind = !found ? "none" : found.isDirectory ? "a folder" : "a device or a pipe";
  throw new Error(`Cannot ${action} ${path}: expected a file; found ${kind}; ${mend}`);
}
