/** SHA-256, in hexadecimal; WebCrypto takes whole arrays only, so by node:crypto. */
import { createHash } from "node:crypto";
import { look } from "../interrupt.ts";

export function sha256OfText(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

/** The SHA-256 of a file, which may be too large for memory. */
export async function sha256OfFile(path: string): Promise<string> {
  using file = await Deno.open(path);
  return await digestOfFile(file);
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
