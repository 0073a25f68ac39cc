/** Where this project keeps what can be made again: downloads, results, installations. */
import { accessSync, constants } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** The project's folder. */
export const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/**
 * A folder of the cache: in `SELF_ALIGNING_CACHE`, else in `.cache` of the project; where that can't be
 * written to, as in an installation that many share, in a folder of the user's.
 */
export function cacheFolder(...parts: string[]): string {
  const given = Deno.env.get("SELF_ALIGNING_CACHE");
  if (given) return join(given, ...parts);
  const own = join(ROOT, ".cache");
  if (isWritable(own) ?? isWritable(ROOT)) return join(own, ...parts);
  const users = Deno.env.get("XDG_CACHE_HOME") || join(homedir(), ".cache");
  return join(users, "self-aligning", ...parts);
}

/** Whether this user may write into a folder; undefined where there is none. */
function isWritable(folder: string): boolean | undefined {
  try {
    accessSync(folder, constants.W_OK);
    return true;
  } catch (error) {
    return (error as { code?: string }).code === "ENOENT" ? undefined : false;
  }
}
