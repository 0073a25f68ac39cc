/**
 * `deno task check`: format, lint and types of the code and of the notebooks' cells, and the measures
 * of the structure. All is checked, also after a failure.
 */
import { join } from "node:path";
import { ROOT } from "../lib/platform/cache.ts";
import { checkNotebooks } from "../lib/platform/notebook/check.ts";
import { readNotebook } from "../lib/platform/notebook/notebook.ts";
import { measure, measuresText } from "./measures.ts";
import { isFormatted, shippedProblems } from "./shipped.ts";

Deno.chdir(ROOT);
const failed: string[] = [];

async function step(name: string, check: () => Promise<boolean>) {
  const start = performance.now();
  const fine = await check();
  if (!fine) failed.push(name);
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  console.log(`${fine ? "ok    " : "FAILED"} ${name} (${seconds} s)`);
}

const deno = async (...args: string[]) =>
  (await new Deno.Command(Deno.execPath(), { args }).spawn().status).success;

// The notebooks' format is checked with their cells. The flag replaces what deno.json excludes.
const { exclude } = JSON.parse(Deno.readTextFileSync("deno.json")).fmt;
const ignored = ["notebooks", ...exclude].join(",");
await step("format", () => deno("fmt", "--check", `--ignore=${ignored}`));
await step("lint", () => deno("lint", "--quiet"));
await step("types", () => deno("check", "--quiet", "lib", "test", "data/facts/make.ts"));
await step("notebooks", async () => {
  const names = [...Deno.readDirSync("notebooks")].map(({ name }) => name);
  const paths = names.filter((name) => name.endsWith(".ipynb")).sort()
    .map((name) => join("notebooks", name));
  const problems = await checkNotebooks(paths, [["check"], ["lint", "--compact"]]);
  for (const path of paths) {
    if (!await isFormatted(path)) problems.push(`${path}: not formatted; run deno fmt ${path}`);
    const shipped = await readNotebook(path).then(shippedProblems, () => []); // told already
    problems.push(...shipped.map((problem) => `${path}: ${problem}`));
  }
  for (const problem of problems) console.error(problem);
  return problems.length === 0;
});
await step("structure", async () => {
  const { measures, problems } = await measure();
  console.log(measuresText(measures));
  for (const problem of problems) console.error(problem);
  return problems.length === 0;
});
if (failed.length) {
  console.error(`Failed: ${failed.join(", ")}`);
  Deno.exit(1);
}
