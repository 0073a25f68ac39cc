import assert from "node:assert/strict";
import { Trainer } from "../../lib/model/trainer.ts";
import { loadModel } from "../../lib/model/files/load.ts";
import { Random } from "../../lib/statistics/random.ts";
import { fixtureFolder, relativeDifference } from "./_fixtures.ts";

const random = new Random(2);
const inputIds = Array.from(
  { length: 6 },
  (_, i) => Array.from({ length: 10 + i }, () => random.integer(90)),
);

for (const family of ["llama", "qwen2", "qwen3"]) {
  for (const compiled of [true, false]) {
    Deno.test(`recomputing changes no step of ${family}, ${compiled ? "" : "un"}compiled`, async () => {
      const trained: Map<string, Float32Array>[] = [];
      for (const gradientCheckpointing of ["nothing", "layer"] as const) {
        const model = await loadModel(fixtureFolder(family), { tokenizer: false, compiled });
        const trainer = new Trainer(model, {
          learningRate: 1e-3,
          totalSteps: 9,
          clipNorm: 1,
          gradientCheckpointing,
        });
        for (let i = 0; i < 3; i++) await trainer.step({ inputIds, labels: inputIds });
        trained.push(
          new Map([...model.parameters].map(([name, v]) => [name, v.dataSync() as Float32Array])),
        );
        model.dispose();
      }
      for (const [name, values] of trained[0]) {
        for (const other of trained.slice(1)) {
          const difference = relativeDifference(other.get(name)!, values);
          // k biases don't matter to the loss: AdamW turns the rounding of their gradients into steps.
          const limit = name.endsWith("k_proj.bias") ? 1e-3 : 1e-4;
          assert.ok(difference < limit, `${name}: ${difference}`);
        }
      }
    });
  }
}
