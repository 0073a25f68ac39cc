/**
 * Which code a result comes from: a digest of the files that modules import, directly or not, and of the
 * versions of their packages, so that a result is never taken for that of other code, and nobody has to
 * raise a number.
 *
 * Choices: imports of types alone are left out, for they leave no trace in what runs; a file counts by
 * its bytes, comments too, for that needs no second reading of the language and can only compute anew.
 */
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { run } from "../native/_command.ts";
import { ROOT } from "../cache.ts";
import { sha256OfFile, sha256OfText } from "./digest.ts";

type ModuleInfo = { specifier: string; dependencies?: { code?: { specifier?: string } }[] };

const known = new Map<string, Promise<string>>();

/**
 * SHA-256 of the code that modules run, found once a process.
 * @param modules paths in the project
 * @param root the project, with deno.json and .deno.lock; default: this one
 * @param loaded when the code was loaded, ms since 1970; default: when this process started
 * @throws where a file has changed since the process loaded it: what it computes is not what stands there
 */
export function codeDigest(
  modules: readonly string[],
  { root = ROOT, loaded = performance.timeOrigin } = {},
): Promise<string> {
  const key = JSON.stringify([root, loaded, modules]);
  const found = known.get(key) ?? findDigest(modules, { root, loaded });
  known.set(key, found);
  return found;
}

async function findDigest(
  modules: readonly string[],
  { root, loaded }: { root: string; loaded: number },
): Promise<string> {
  const found = (await Promise.all(modules.map((module) => importsOf(module, root)))).flat();
  const specifiers = [...new Set(found)].sort();
  const { specifiers: versions } = JSON.parse(await Deno.readTextFile(join(root, ".deno.lock")));
  const lines = await Promise.all(specifiers.map(async (specifier) => {
    if (!specifier.startsWith("file:")) return `${specifier} ${versions[specifier] ?? ""}`;
    const path = fileURLToPath(specifier);
    const name = relative(root, path).replaceAll("\\", "/");
    const changed = Number((await Deno.stat(path)).mtime);
    // A time to come is a wrong clock's, such as that of an archive from elsewhere.
    if (changed > loaded && changed <= Date.now()) {
      throw new Error(
        `Cannot tell which code computes: expected ${name} as this process loaded it; found it changed ` +
          "since; restart the kernel, or run the command again",
      );
    }
    return `${name} ${await sha256OfFile(path)}`;
  }));
  return sha256OfText(lines.join("\n"));
}

/** A module and all that it imports, directly or not: files and packages. */
async function importsOf(module: string, root: string): Promise<string[]> {
  // No package is looked up: the lock has their versions, and no network is needed.
  const { ok, stdout, output } = await run([
    ...[Deno.execPath(), "info", "--json", "--no-config", "--no-lock", "--no-npm"],
    ...["--no-remote", "--import-map", join(root, "deno.json"), join(root, module)],
  ]);
  if (!ok) {
    throw new Error(
      `Cannot tell which code computes: expected deno info to list the imports of ${module}; found ` +
        `${output.trim().slice(0, 200)}; run it by hand to see more`,
    );
  }
  const { roots, modules }: { roots: string[]; modules: ModuleInfo[] } = JSON.parse(stdout);
  const imports = new Map(modules.map(({ specifier, dependencies = [] }) => [
    specifier,
    dependencies.flatMap(({ code }) => code?.specifier ?? []),
  ]));
  const reached = new Set(roots);
  // A set hands out what is added on the way too.
  for (const one of reached) for (const next of imports.get(one) ?? []) reached.add(next);
  return [...reached];
}
