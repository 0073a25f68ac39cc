/** SHA-256, in hexadecimal; WebCrypto takes whole arrays only, so by node:crypto. */
import { createHash } from "node:crypto";

export function sha256OfText(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

/** The SHA-256 of a file, which may be too large for memory. */
export async function sha256OfFile(path: string): Promise<string> {
  const hash = createHash("sha256");
  using file = await Deno.open(path);
  const buffer = new Uint8Array(1 << 20);
  for (let n = await file.read(buffer); n !== null; n = await file.read(buffer)) {
    hash.update(buffer.subarray(0, n));
  }
  return hash.digest("hex");
}
