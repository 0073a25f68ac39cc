/** Files are written whole or not at all: to a name beside the target, then renamed over it. */
import { dirname } from "node:path";

/** Writes `data` to `path` atomically, making its folder first. Pieces are written one by one. */
export async function writeWhole(
  path: string,
  data: string | Uint8Array | Generator<Uint8Array>,
): Promise<void> {
  await Deno.mkdir(dirname(path), { recursive: true });
  const partial = `${path}.${crypto.randomUUID()}.partial`;
  try {
    if (typeof data === "string") await Deno.writeTextFile(partial, data);
    else if (data instanceof Uint8Array) await Deno.writeFile(partial, data);
    else await Deno.writeFile(partial, ReadableStream.from(data));
    await Deno.rename(partial, path);
  } catch (error) {
    await Deno.remove(partial).catch(() => {});
    throw error;
  }
}

/** The text of `path`; for the error, `action` names what the caller wanted, `mend` what to do. */
export async function readText(
  path: string,
  action = "read",
  mend = "check the path",
): Promise<string> {
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) {
      throw new Error(`Cannot ${action} ${path}: expected a file, found none; ${mend}`);
    }
    throw error;
  }
}
