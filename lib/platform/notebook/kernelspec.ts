/**
 * How Jupyter starts the Deno kernel. `deno jupyter --install` gives it no interrupt mode that serves: with
 * `message` a cell that waits hangs for ever at Stop; `signal` reaches lib/platform/jupyter.ts.
 */
import { dirname, join } from "node:path";
import { homedir } from "node:os";
import { exists, writeWhole } from "../runtime/files.ts";

/** What notebooks call the kernel, and the kernelspec's folder. */
const NAME = "deno";
/** Tells ours from others of that name. */
const PROJECT = "self-aligning";

/** Where Jupyter looks for a user's kernels (jupyter_core's jupyter_data_dir). */
export function userShare(): string {
  const { env } = Deno;
  const own = env.get("JUPYTER_DATA_DIR");
  if (own) return own;
  if (Deno.build.os === "darwin") return join(homedir(), "Library", "Jupyter");
  if (Deno.build.os === "windows") return join(env.get("APPDATA") ?? homedir(), "jupyter");
  return join(env.get("XDG_DATA_HOME") || join(homedir(), ".local", "share"), "jupyter");
}

const fileIn = (share: string) => join(share, "kernels", NAME, "kernel.json");

/** Writes the kernelspec into one of Jupyter's data folders. @returns the file's path */
export async function installKernelspec(share: string): Promise<string> {
  const path = fileIn(share);
  const spec = {
    argv: [await lastingDeno(share), "jupyter", "--kernel", "--conn", "{connection_file}"],
    display_name: "Deno",
    language: "typescript",
    interrupt_mode: "signal",
    env: { DENO_V8_FLAGS: "--max-old-space-size=8192" },
    metadata: { project: PROJECT },
  };
  await writeWhole(path, `${JSON.stringify(spec, null, 2)}\n`);
  return path;
}

/** Takes it away. @returns its path. @throws where there is none, or one that is not of this project */
export async function removeKernelspec(share: string): Promise<string> {
  const path = fileIn(share);
  const found = exists(path) ? JSON.parse(await Deno.readTextFile(path)) : undefined;
  if (found?.metadata?.project !== PROJECT) {
    throw new Error(
      `Cannot remove the kernelspec ${path}: expected one that this project wrote; found ` +
        `${found ? "another" : "none"}; jupyter kernelspec list shows where they are`,
    );
  }
  await Deno.remove(dirname(path), { recursive: true });
  return path;
}

/** This Deno; under npx, whose cache may be swept, a link to it or a copy beside the kernelspec. */
async function lastingDeno(share: string): Promise<string> {
  const running = Deno.execPath();
  if (!/[\\/]_npx[\\/]/.test(running)) return running;
  const kept = join(dirname(fileIn(share)), `deno-${Deno.version.deno}`);
  if (exists(kept)) return kept;
  await Deno.mkdir(dirname(kept), { recursive: true });
  await Deno.link(running, kept).catch(() => Deno.copyFile(running, kept));
  return kept;
}
