/** tfjs-node's addon, compiled here: the npm package's C++ files, unchanged, and addon.cc, which adds to them. */
import { createHash } from "node:crypto";
import { createRequire } from "node:module";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Stoppable } from "../interrupt.ts";
import { lastLines, run, toolCommand } from "./_command.ts";
import { Blocked, fetchWheel, megabytes, type Python } from "./_wheels.ts";
import { INSTALL_COMMAND, type NativePlatform } from "./pinned.ts";

const SOURCE = fileURLToPath(new URL("addon.cc", import.meta.url));
const require = createRequire(import.meta.url);

/** Where it lies in an installation: beside the library. */
export const ADDON = "tensorflow/tfjs_binding.node";

/** SHA-256 of this project's part of the addon, to tell one that was built before it was changed. */
export function addonDigest(): string {
  return createHash("sha256").update(Deno.readFileSync(SOURCE)).digest("hex");
}

/** The first C++17 compiler that works: `CXX`, g++, clang++, c++; as a command line. */
export async function findCompiler(scratch: string): Promise<string[] | undefined> {
  const probe = join(scratch, "probe.cc");
  await Deno.writeTextFile(probe, "#include <string>\nint main() { return 0; }\n");
  const own = Deno.env.get("CXX")?.trim().split(/\s+/) ?? [""];
  for (const command of [own, ["g++"], ["clang++"], ["c++"]]) {
    // One that isn't there can't be started.
    if ((await run([...command, "-std=c++17", "-fsyntax-only", probe])).ok) return command;
  }
}

/**
 * Compiles the addon of an installation with this machine's compiler, else with one that is downloaded; one
 * that is there stays until the new one is whole.
 * @param home the installation, which has the library and its headers
 */
export async function compileAddon(
  python: Python,
  { zig, tags }: NativePlatform,
  { home, packageFolder, progress, signal }: Stoppable & {
    home: string;
    packageFolder: string;
    progress: (line: string) => void;
  },
): Promise<void> {
  const scratch = join(home, "compiler"), made = join(scratch, basename(ADDON));
  await Deno.mkdir(scratch, { recursive: true });
  const download = async () => {
    progress(`No C++ compiler serves here: downloading one (${megabytes(zig.bytes)})`);
    await fetchWheel(python, zig, { folder: scratch, tags, signal });
    return [join(scratch, "ziglang", "zig"), "c++"];
  };
  const nodeApi = join(dirname(require.resolve("node-api-headers/package.json")), "include");
  const tensorflow = join(home, "tensorflow"), mac = Deno.build.os === "darwin";
  const libraries = ["cc", "framework"].map((name) =>
    join(tensorflow, `libtensorflow_${name}${mac ? ".2.dylib" : ".so.2"}`)
  );
  const options = [
    ...["-O2", "-std=c++17", "-shared", "-fPIC", "-DNAPI_VERSION=8"],
    ...["-I", nodeApi, "-I", join(packageFolder, ".."), "-I", join(packageFolder, "binding")],
    ...["-I", join(tensorflow, "include")],
    ...[join(packageFolder, "binding", "tfjs_backend.cc"), SOURCE],
    ...["-o", made, ...libraries],
    // It looks for the library in its own folder.
    ...(mac
      ? ["-Wl,-rpath,@loader_path", "-Wl,-undefined,dynamic_lookup"]
      : ["-Wl,-rpath,$ORIGIN"]),
  ];
  // Zig's caches would otherwise fill the home folder.
  const caches = join(scratch, "zig");
  const env = { ZIG_GLOBAL_CACHE_DIR: caches, ZIG_LOCAL_CACHE_DIR: caches };
  const failures: string[] = [];
  try {
    for (const obtain of [() => findCompiler(scratch), download]) {
      signal?.throwIfAborted();
      try {
        const compiler = await obtain();
        if (compiler === undefined) continue;
        const name = basename(compiler[0]);
        progress(`Compiling the addon with ${name}; up to two minutes`);
        const { ok, output } = await run([...compiler, ...options], { env, signal });
        if (ok) return await Deno.rename(made, join(home, ADDON));
        const errors = output.split("\n").filter((line) => /error/i.test(line)).slice(0, 2);
        failures.push(`${name} failed: ${errors.join(" / ") || lastLines(output)}`);
      } catch (error) {
        failures.push(error instanceof Error ? error.message : String(error));
      }
    }
  } finally {
    await Deno.remove(scratch, { recursive: true }).catch(() => {});
  }
  throw new Blocked(
    `its addon could not be compiled: ${failures.join("; ")}`,
    `${toolCommand("g++", "g++ or clang++")} && ${INSTALL_COMMAND}`,
  );
}
