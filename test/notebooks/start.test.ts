import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { rowsOfCsv } from "../../lib/study/published.ts";
import { executeNotebook } from "../../lib/platform/notebook/execute.ts";
import { SETTINGS_VARIABLE } from "../../lib/study/settings.ts";
import { temporaryFolder } from "./_notebook.ts";

/** Runs a notebook with these settings; its figures lie in `folder`. */
async function run(name: string, settings: object, folder: string): Promise<string> {
  const source = fileURLToPath(new URL(`../../notebooks/${name}.ipynb`, import.meta.url));
  const output = join(folder, `${name}.ipynb`);
  const environment = { [SETTINGS_VARIABLE]: JSON.stringify({ ...settings, output: folder }) };
  await executeNotebook(source, { output, environment });
  return await Deno.readTextFile(output);
}

Deno.test("notebook 03 checks no group that is empty, and says so", async () => {
  await using folder = await temporaryFolder();
  const settings = { quick: true, limit: 20, minimumConfidence: 0.9999999 };
  const text = await run("03-groups", settings, folder.path);
  assert.match(text, /small-101: no items in any group, so nothing to check/);
  assert.doesNotMatch(text, /small-101: 0 items/);
});

Deno.test("notebook 00 fine-tunes as the settings say", async () => {
  await using folder = await temporaryFolder();
  // At such a rate nothing moves: INC and SELF, which differ otherwise, leave the same model.
  const settings = {
    ...{ model: "organism:small-101", domains: ["history"], limit: 60 },
    ...{ learningRate: 1e-12, epochs: 1, batchSize: 64 },
  };
  await run("00-start", settings, folder.path);
  const text = await Deno.readTextFile(join(folder.path, "00-start", "before-and-after.csv"));
  const [base, har, inc, self] = rowsOfCsv(text);
  const states = [base, har, inc, self].map(({ state }) => state);
  assert.deepEqual(states, ["base", "HAR", "INC", "SELF"]);
  assert.ok(Number(inc.kl) > 0);
  assert.ok(Math.abs(Number(inc.kl) - Number(self.kl)) < 1e-5, `${inc.kl}, ${self.kl}`);
});

Deno.test("notebooks run where nothing is sure", async () => {
  await using folder = await temporaryFolder();
  const settings = { model: "organism:small-101", quick: true, limit: 20, seeds: 1 };
  const unsure = { ...settings, minimumConfidence: 0.9999999 };
  for (const name of ["00-start", "01-world", "04-finetuning", "06-mixtures"]) {
    const text = await run(name, unsure, folder.path);
    assert.match(text, /Not tried yet/, name);
  }
});

Deno.test("notebook 01 is about an organism also in a run on a real model", async () => {
  await using folder = await temporaryFolder();
  const settings = { model: "not/downloaded", template: "model", maxRejected: 0.2, quick: true };
  const text = await run("01-world", { ...settings, exam: "paper" }, folder.path);
  assert.match(text, /Everything that was said of three facts/);
});
