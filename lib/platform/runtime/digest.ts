/** SHA-256, in hexadecimal; WebCrypto takes whole arrays only, so by node:crypto. */
import { createHash } from "node:crypto";
import { look } from "../interrupt.ts";

export function sha256OfText(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

/** Digests of files by all that a write to them changes: the time of modification alone can be set back. */
const known = new Map<string, string>();

/** Milliseconds within which a file could change twice and keep its times: file systems' clocks are coarse. */
const UNSETTLED = 3000;

/** The SHA-256 of a file, which may be too large for memory; one that has not changed is read once a process. */
export async function sha256OfFile(path: string): Promise<string> {
  const { dev, ino, size, mtime, ctime } = await Deno.stat(path);
  const isSettled = Date.now() - Math.max(+mtime!, +ctime!) > UNSETTLED;
  const state = JSON.stringify([path, dev, ino, size, mtime, ctime]);
  if (known.has(state)) return known.get(state)!;
  using file = await Deno.open(path);
  const digest = await digestOfFile(file);
  if (isSettled) known.set(state, digest);
  return digest;
}

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
