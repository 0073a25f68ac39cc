/** SHA-256, in hexadecimal; WebCrypto takes whole arrays only, so by node:crypto. */
import { createHash } from "node:crypto";
import { look } from "../interrupt.ts";

export function sha256OfText(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

/** Digests of files in the states in which they were hashed. */
const known = new Map<string, string>();

/** Milliseconds within which a file could change twice and keep its times: file systems' clocks are coarse. */
const UNSETTLED = 3000;

/** The SHA-256 of a file, which may be too large for memory; one that has not changed is read once a process. */
export async function sha256OfFile(path: string): Promise<string> {
  const before = await Deno.stat(path), state = stateOf(path, before);
  const found = known.get(state);
  if (found !== undefined) return found;
  using file = await Deno.open(path);
  const digest = await digestOfFile(file);
  const isSettled = Date.now() - Math.max(+before.mtime!, +before.ctime!) > UNSETTLED;
  if (isSettled && stateOf(path, await file.stat()) === state) known.set(state, digest);
  return digest;
}

/** What any write to a file changes; its time of modification alone can be set back. */
const stateOf = (path: string, { dev, ino, size, mtime, ctime }: Deno.FileInfo) =>
  JSON.stringify([path, dev, ino, size, mtime, ctime]);

/** The same of an open one, or what another hash makes of it. */
export async function digestOfFile(
  file: Deno.FsFile,
  hash = createHash("sha256"),
): Promise<string> {
  await file.seek(0, Deno.SeekMode.Start);
  const buffer = new Uint8Array(1 << 20);
  for (let n = await file.read(buffer); n !== null; n = await file.read(buffer)) {
    hash.update(buffer.subarray(0, n));
    await look();
  }
  return hash.digest("hex");
}
