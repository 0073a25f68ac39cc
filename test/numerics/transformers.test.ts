/** What this project saves, loaded by transformers; runs where a Python with it is at hand. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { openBackend } from "../../lib/platform/runtime/backend.ts";
import { loadModel } from "../../lib/model/files/load.ts";
import {
  letterFolder,
  letterNames,
  organismFolder,
  organismNames,
} from "../../lib/model/files/source.ts";
import { Trainer } from "../../lib/model/trainer.ts";
import {
  fixtureFolder,
  fixtureNames,
  largestDifference,
  readReference,
  readTensors,
} from "./_fixtures.ts";
import { REASON_WITHOUT_PYTHON, referencePython } from "./_python.ts";
import {} from "../unit/_safetensors.ts";

const python = await referencePython();
if (python === undefined) console.log(`Checks by transformers skipped: ${REASON_WITHOUT_PYTHON}`);
const ignore = python === undefined;

/** Logits of each row by transformers, on the model in `folder`. */
async function transformersLogits(folder: string, inputIds: number[][]): Promise<Float32Array[]> {
  const output = await Deno.makeTempFile({ suffix: ".safetensors" });
  try {
    const child = new Deno.Command(python!, {
      args: [join(import.meta.dirname!, "transformers_logits.py")],
      env: { HF_HUB_OFFLINE: "1" },
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const writer = child.stdin.getWriter();
    await writer.write(new TextEncoder().encode(JSON.stringify({ folder, inputIds, output })));
    await writer.close();
    const { success, stdout, stderr } = await child.output();
    assert.ok(success, new TextDecoder().decode(stderr));
    const { missing, unexpected } = JSON.parse(new TextDecoder().decode(stdout));
    assert.deepEqual(missing, [], "tensors that transformers had to invent");
    assert.deepEqual(unexpected, [], "tensors that transformers did not know");
    const tensors = await readTensors(output);
    return inputIds.map((_, i) => tensors.get(`logits.${i}`)!.data);
  } finally {
    await Deno.remove(output);
  }
}

function checkLogits(ours: Float32Array[], theirs: Float32Array[]) {
  assert.equal(ours.length, theirs.length);
  for (const [i, row] of ours.entries()) {
    const difference = largestDifference(row, theirs[i]);
    // Logits of 20, as wired heads make, are rounded in float32 by half of that in either program.
    const largest = theirs[i].reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    const allowed = Math.max(1e-4, 1e-5 * largest);
    assert.ok(difference <= allowed, `row ${i}: logits differ by ${difference}`);
  }
}

for (const name of fixtureNames) {
  Deno.test({
    name: `transformers loads ${name} as saved after training, with the same logits`,
    ignore,
    async fn() {
      await openBackend();
      const { batches: [batch], tensors } = await readReference(name);
      const model = await loadModel(fixtureFolder(name), { tokenizer: false });
      const folder = await Deno.makeTempDir();
      try {
        const trainer = new Trainer(model, {
          learningRate: 0.01,
          totalSteps: 2,
          warmupSteps: 0,
          schedule: "constant",
        });
        await trainer.step(batch);
        trainer.dispose();
        await model.save(folder);
        const ours = await model.logits(batch.inputIds);
        const moved = largestDifference(ours[1], tensors.get("logits.1")!.data);
        assert.ok(moved > 0.01, `training moved the logits by ${moved} alone`);
        checkLogits(ours, await transformersLogits(folder, batch.inputIds));
      } finally {
        model.dispose();
        await Deno.remove(folder, { recursive: true });
      }
    },
  });
}

const organisms = new Map([
  ...(await organismNames()).map((name) => [name, organismFolder(name)] as const),
  ...(await letterNames()).map((name) => [name, letterFolder(name)] as const),
]);

for (const [name, folder] of organisms) {
  Deno.test({
    name: `transformers loads the organism ${name} with the same logits`,
    ignore,
    async fn() {
      await openBackend();
      const model = await loadModel(folder, { tokenizer: false });
      try {
        // Any known words will do: 128 positions, as in pretraining, and a short row.
        const { vocabularySize } = model.config;
        const row = Array.from({ length: 128 }, (_, i) => (i * 37 + 5) % vocabularySize);
        const inputIds = [row, row.slice(3, 12)];
        checkLogits(await model.logits(inputIds), await transformersLogits(folder, inputIds));
      } finally {
        model.dispose();
      }
    },
  });
}
