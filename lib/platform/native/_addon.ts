/** Compiles tfjs-node's addon: the npm package's C++ files, unchanged, and addon.cc, which adds to them. */
import { createHash } from "node:crypto";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { lastLines, type Ran, run } from "./_command.ts";

const SOURCE = fileURLToPath(new URL("addon.cc", import.meta.url));

/** SHA-256 of this project's part of the addon, to tell one that was built before it was changed. */
export function addonDigest(): string {
  return createHash("sha256").update(Deno.readFileSync(SOURCE)).digest("hex");
}

export interface Compiler {
  command: string[];
  name: string;
}

/** The first C++17 compiler that works: `CXX`, g++, clang++, c++. */
export async function findCompiler(scratch: string): Promise<Compiler | undefined> {
  const probe = join(scratch, "probe.cc");
  await Deno.writeTextFile(probe, "#include <string>\nint main() { return 0; }\n");
  const own = Deno.env.get("CXX")?.trim().split(/\s+/) ?? [""];
  for (const command of [own, ["g++"], ["clang++"], ["c++"]]) {
    // One that isn't there can't be started.
    const { ok } = await run([...command, "-std=c++17", "-fsyntax-only", probe]);
    if (ok) return { command, name: command[0] };
  }
}

/** Compiles and links the addon; it looks for the library in its own folder. */
export async function compileAddon(
  { command }: Compiler,
  { packageFolder, nodeApi, tensorflow, output, scratch, signal }: {
    packageFolder: string;
    nodeApi: string;
    tensorflow: string;
    output: string;
    scratch: string;
    signal?: AbortSignal;
  },
): Promise<Pick<Ran, "ok" | "output">> {
  const mac = Deno.build.os === "darwin";
  const library = (name: string) =>
    join(tensorflow, mac ? `lib${name}.2.dylib` : `lib${name}.so.2`);
  const { ok, output: text } = await run([
    ...command,
    ...["-O2", "-std=c++17", "-shared", "-fPIC", "-DNAPI_VERSION=8"],
    ...["-I", nodeApi, "-I", join(packageFolder, ".."), "-I", join(packageFolder, "binding")],
    ...["-I", join(tensorflow, "include")],
    ...[join(packageFolder, "binding", "tfjs_backend.cc"), SOURCE],
    ...["-o", output, library("tensorflow_cc"), library("tensorflow_framework")],
    ...(mac
      ? ["-Wl,-rpath,@loader_path", "-Wl,-undefined,dynamic_lookup"]
      : ["-Wl,-rpath,$ORIGIN"]),
  ], {
    // Zig's caches would otherwise fill the home folder.
    env: { ZIG_GLOBAL_CACHE_DIR: join(scratch, "zig"), ZIG_LOCAL_CACHE_DIR: join(scratch, "zig") },
    signal,
  });
  const errors = text.split("\n").filter((line) => /error/i.test(line)).slice(0, 2).join(" / ");
  return { ok, output: ok ? "" : errors || lastLines(text) };
}
