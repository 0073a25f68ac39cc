import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { fromCsv } from "../../lib/figure/mod.ts";
import { executeNotebook } from "../../lib/runtime/notebook/execute.ts";
import { SETTINGS_VARIABLE } from "../../lib/study/settings.ts";
import { temporaryFolder } from "./_notebook.ts";

Deno.test("notebook 00 fine-tunes as the settings say", async () => {
  await using folder = await temporaryFolder();
  // At such a rate nothing moves: INC and SELF, which differ otherwise, leave the same model.
  const settings = {
    ...{ model: "organism:small-101", domains: ["history"], limit: 60, output: folder.path },
    ...{ learningRate: 1e-12, epochs: 1, batchSize: 64 },
  };
  await executeNotebook(fileURLToPath(new URL("../../notebooks/00-start.ipynb", import.meta.url)), {
    output: join(folder.path, "00-start.ipynb"),
    environment: { [SETTINGS_VARIABLE]: JSON.stringify(settings) },
  });
  const text = await Deno.readTextFile(join(folder.path, "00-start", "before-and-after.csv"));
  const [, inc, self] = fromCsv(text).rows;
  assert.deepEqual([inc.model, self.model], ["INC", "SELF"]);
  assert.ok(Number(inc.KL) > 0);
  assert.ok(Math.abs(Number(inc.KL) - Number(self.KL)) < 1e-5, `${inc.KL}, ${self.KL}`);
});
