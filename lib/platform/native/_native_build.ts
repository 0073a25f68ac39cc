/** The steps of installing the native library: wheels, addon, and what failed a moment ago. */
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import type { Stoppable } from "../interrupt.ts";
import { toolCommand } from "./_command.ts";
import { compileAddon, type Compiler, findCompiler } from "./_compiler.ts";
import { Blocked, downloadWheel, type Python, unpackWheel } from "./_wheels.ts";
import type { NativePlatform, Wheel } from "./native_wheels.ts";
import { INSTALL_COMMAND } from "./pinned.ts";

export const ADDON = "tensorflow/tfjs_binding.node";

const FAILURE_MINUTES = 10;
const require = createRequire(import.meta.url);

/** Downloads a wheel and unpacks what is kept of it into `target`. */
export async function fetchWheel(
  python: Python,
  wheel: Wheel,
  where: Stoppable & {
    partial: string;
    target: string;
    tags: string[];
    progress: (share: number) => void;
  },
): Promise<void> {
  const download = join(where.partial, "download");
  const path = await downloadWheel(python, wheel, { ...where, folder: download });
  await unpackWheel(python, path, where.target);
  await Deno.remove(download, { recursive: true });
}

/** Compiles the addon with this machine's compiler, else with one that is downloaded. */
export async function compile(
  python: Python,
  platform: NativePlatform,
  { partial, packageFolder, progress, signal }: Stoppable & {
    partial: string;
    packageFolder: string;
    progress: (line: string) => void;
  },
): Promise<void> {
  const job = {
    packageFolder,
    nodeApi: join(dirname(require.resolve("node-api-headers/package.json")), "include"),
    tensorflow: join(partial, "tensorflow"),
    output: join(partial, ADDON),
    scratch: join(partial, "compiler"),
    signal,
  };
  await Deno.mkdir(job.scratch, { recursive: true });
  const download = async (): Promise<Compiler> => {
    const { zig, tags } = platform;
    progress(`No C++ compiler serves here: downloading one (${megabytes(zig.bytes)})`);
    const target = job.scratch;
    await fetchWheel(python, zig, { partial, target, tags, progress: () => {}, signal });
    return { command: [join(target, "ziglang", "zig"), "c++"], name: "zig" };
  };
  const failures: string[] = [];
  for (const obtain of [() => findCompiler(job.scratch), download]) {
    signal?.throwIfAborted();
    try {
      const compiler = await obtain();
      if (compiler === undefined) continue;
      progress(`Compiling the addon with ${compiler.name}; up to two minutes`);
      const { ok, output } = await compileAddon(compiler, job);
      if (ok) return await Deno.remove(job.scratch, { recursive: true });
      failures.push(`${compiler.name} failed: ${output}`);
    } catch (error) {
      failures.push(error instanceof Error ? error.message : String(error));
    }
  }
  throw new Blocked(
    `its addon could not be compiled: ${failures.join("; ")}`,
    `${toolCommand("g++", "g++ or clang++")} && ${INSTALL_COMMAND}`,
  );
}

/** Several notebooks in a row need not each wait for a network that is not there. */
export async function remember(folder: string, failure: Blocked): Promise<void> {
  const record = { at: Date.now(), reason: failure.message, mend: failure.mend };
  const path = join(folder, "failure.json"); // one that is cut short is none
  await Deno.writeTextFile(path, JSON.stringify(record)).catch(() => {});
}

/** @throws what failed here within the last ten minutes. */
export function recall(folder: string): void {
  let failure: { at: number; reason: string; mend: string };
  try {
    failure = JSON.parse(Deno.readTextFileSync(join(folder, "failure.json")));
  } catch {
    return;
  }
  const minutes = (Date.now() - failure.at) / 60_000;
  if (!(minutes >= 0 && minutes < FAILURE_MINUTES)) return;
  throw new Blocked(`${failure.reason} (tried ${Math.round(minutes)} min ago)`, failure.mend);
}

export function steps(report: (percent: number) => void, start = 0): (share: number) => void {
  let reported = Math.floor(start * 5);
  return (share) => {
    const step = Math.floor(Math.min(1, share) * 5);
    if (step > reported) report((reported = step) * 20);
  };
}

export const megabytes = (bytes: number) => `${Math.round(bytes / 1e6)} MB`;
