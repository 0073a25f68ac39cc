/**
 * `deno task test`: every test, and the examples in the documentation of lib. The last line says
 * `N passed, N failed`, also where `deno test` prints no summary: after a type error, a crash, or
 * when there is no test, each of which counts as a failure.
 */
import { resolve } from "node:path";
import { ROOT } from "../platform/cache.ts";
import { installNative } from "../platform/native/native.ts";
import { lines } from "../platform/native/_command.ts";
import { exists } from "../platform/runtime/files.ts";

const FOLDERS = ["test/unit", "test/numerics", "test/notebooks", "test/faults", "test/browser"];

/** Runs `deno test` on `args`, paths and flags, passing on what it prints; gives the exit code. */
export async function runTests(args: string[], { cwd = ROOT } = {}): Promise<number> {
  const named = args.some((arg) => exists(resolve(cwd, arg)));
  const folders = FOLDERS.filter((folder) => exists(resolve(cwd, folder)));
  const targets = named ? [] : exists(resolve(cwd, "lib")) ? ["--doc", "lib", ...folders] : folders;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["test", "-A", ...targets, ...args],
    cwd,
    stdout: "piped",
  }).spawn();
  const count = { passed: 0, failed: 0, skipped: 0 };
  let summary = false;
  for await (const line of lines(child.stdout)) {
    console.log(line);
    // deno-lint-ignore no-control-regex -- colours
    const text = line.replace(/\x1b\[\d+m/g, "");
    const number = (word: string) => Number(new RegExp(`(\\d+) ${word}`).exec(text)?.[1] ?? 0);
    if (/^(ok|FAILED) \| \d+ passed/.test(text)) {
      summary = true;
      Object.assign(count, {
        passed: number("passed"),
        failed: number("failed"),
        skipped: number("ignored"),
      });
    } else if (!summary && /^\S.* \.\.\. ok/.test(text)) count.passed++; // until it crashes
  }
  const { code } = await child.status;
  if (count.failed === 0 && (code !== 0 || count.passed === 0)) count.failed = 1;
  const skipped = count.skipped ? `, ${count.skipped} skipped` : "";
  console.log(`${count.passed} passed, ${count.failed} failed${skipped}`);
  return code || (count.failed ? 1 : 0);
}

if (import.meta.main) {
  // Here, rather than within the first test that needs it: it can take minutes the first time.
  const native = await installNative();
  if (!native.ready) console.error(`Without TensorFlow: ${native.reason}. ${native.mend}`);
  Deno.exit(await runTests(Deno.args));
}
