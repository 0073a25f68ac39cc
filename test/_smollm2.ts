/** SmolLM2-135M-Instruct for tests: fetched once into the project's cache. */
import { exists } from "../lib/platform/runtime/files.ts";
import { defaultCacheDirectory } from "../lib/model/files/source.ts";
import { downloadSmollm2, smollm2File } from "../lib/model/files/_smollm2.ts";

/** Its GGUF file; undefined, with the reason printed, where it can't be had. */
export async function smollm2Path(): Promise<string | undefined> {
  const path = smollm2File(defaultCacheDirectory);
  try {
    if (!exists(path)) await downloadSmollm2(defaultCacheDirectory);
    return path;
  } catch (error) {
    console.log(`SmolLM2 is not tested: ${(error as Error).message}`);
    return undefined;
  }
}
