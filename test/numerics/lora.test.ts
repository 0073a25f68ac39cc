/** Adapters against PyPI peft's numbers (fixtures/lora), and by peft itself where it is at hand. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { lossAndGradients, Trainer } from "../../lib/model/trainer.ts";
import { loadLora, saveLora } from "../../lib/model/files/adapter_folder.ts";
import type { LanguageModel } from "../../lib/model/language_model.ts";
import { loadModel } from "../../lib/model/files/load.ts";
import { addLora, mergeLora } from "../../lib/model/lora.ts";
import {
  type Batch,
  fixtureFolder,
  largestDifference,
  readReference,
  readTensors,
  type ReferenceRun,
  relativeDifference,
  type Tensors,
  withPrefix,
} from "./_fixtures.ts";
import { referencePython } from "./_python.ts";
import { withFolder } from "../unit/_folder.ts";
import {} from "../unit/_safetensors.ts";

const fixtures = join(import.meta.dirname!, "fixtures", "lora");
const names = Array.from(Deno.readDirSync(fixtures), ({ name }) => name).sort();
assert.ok(names.length >= 4, `expected adapters in ${fixtures}, found ${names}`);

interface Fixture {
  folder: string;
  batches: Batch[];
  loss: number;
  run: ReferenceRun;
  tensors: Tensors;
}

async function readFixture(name: string): Promise<Fixture> {
  const folder = join(fixtures, name);
  const { loss, run } = JSON.parse(await Deno.readTextFile(join(folder, "reference.json")));
  const { batches } = await readReference(name);
  return {
    folder,
    batches,
    loss,
    run,
    tensors: await readTensors(join(folder, "reference.safetensors")),
  };
}

/** The checkpoint `name` for `body`, with peft's adapter unless told otherwise. */
async function withModel(
  name: string,
  body: (model: LanguageModel) => Promise<void>,
  { compiled = true, adapter = true } = {},
) {
  const model = await loadModel(fixtureFolder(name), { tokenizer: false, compiled });
  try {
    if (adapter) await loadLora(model, join(fixtures, name));
    await body(model);
  } finally {
    model.dispose();
  }
}

async function checkLogits(model: LanguageModel, { batches: [{ inputIds }], tensors }: Fixture) {
  const logits = await model.logits(inputIds);
  for (const [row, { data }] of withPrefix(tensors, "logits")) {
    const difference = largestDifference(logits[Number(row)], data);
    assert.ok(difference <= 1e-4, `row ${row}: logits differ by ${difference}`);
  }
}

function checkTensors(ours: Map<string, ArrayLike<number>>, theirs: Tensors, tolerance: number) {
  assert.deepEqual([...ours.keys()].sort(), [...theirs.keys()].sort());
  for (const [name, { data }] of theirs) {
    const difference = relativeDifference(ours.get(name)!, data);
    assert.ok(difference <= tolerance, `${name} differs by ${difference} of its largest number`);
  }
}

const adapterOf = (model: LanguageModel) =>
  new Map(
    [...model.adapter!.parameters].map(([key, variable]) => [
      key,
      variable.dataSync() as Float32Array,
    ]),
  );

for (const name of names) {
  const fixture = await readFixture(name);
  const { batches, run } = fixture;

  Deno.test(`loadLora() on ${name} gives peft's logits, loss and gradients`, async () => {
    await withModel(name, async (model) => {
      await checkLogits(model, fixture);
      const { loss, gradients } = await lossAndGradients(model, batches[0]);
      assert.ok(Math.abs(loss - fixture.loss) <= 1e-5, `loss ${loss}, peft ${fixture.loss}`);
      checkTensors(gradients, withPrefix(fixture.tensors, "gradient"), 1e-3);
      // The adapter matters: without it the logits are others.
      const bare = (await readReference(name)).tensors.get("logits.3")!.data;
      assert.ok(largestDifference(fixture.tensors.get("logits.3")!.data, bare) > 0.1);
    });
  });

  Deno.test(`mergeLora() into ${name} keeps peft's logits, also when saved and loaded`, async () => {
    await withModel(name, async (model) => {
      mergeLora(model);
      assert.equal(model.adapter, undefined);
      await checkLogits(model, fixture);
      await withFolder(async (folder) => {
        await model.save(folder);
        const again = await loadModel(folder, { tokenizer: false });
        await checkLogits(again, fixture);
        again.dispose();
      });
    });
  });

  // One family tells for the others what does not depend on the family.
  const ways: Record<string, string[]> = {
    llama: ["compiled", "uncompiled", "in parts"],
    qwen3: ["compiled", "recomputing"],
  };
  for (const how of ways[name] ?? ["compiled"]) {
    Deno.test(`Trainer takes the adapter of ${name} where peft's AdamW does, ${how}`, async () => {
      await withModel(name, async (model) => {
        const base = new Map([...model.parameters].map(([key, v]) => [key, v.dataSync().slice()]));
        const { learningRate, warmupSteps, schedule, clipNorm, weightDecay, steps } = run;
        const trainer = new Trainer(model, {
          ...{ learningRate, warmupSteps, schedule, clipNorm, weightDecay, totalSteps: steps },
          lora: {},
          ...(how === "recomputing" ? { gradientCheckpointing: "layer" } : {}),
          // The longest row alone, shorter ones together.
          ...(how === "in parts" ? { batchTokens: 40 } : {}),
        });
        for (let step = 0; step < steps; step++) {
          const { loss, gradientNorm } = await trainer.step(batches[step % 2]);
          const off = Math.abs(loss - run.losses[step]);
          assert.ok(
            off <= (step === 0 ? 1e-5 : 1e-3),
            `step ${step}: ${loss}, ${run.losses[step]}`,
          );
          const norm = run.gradientNorms[step];
          assert.ok(Math.abs(gradientNorm - norm) <= 1e-3 * norm, `step ${step}: norm ${norm}`);
        }
        trainer.dispose();
        checkTensors(adapterOf(model), withPrefix(fixture.tensors, "trained"), 1e-3);
        for (const [key, v] of model.parameters) assert.deepEqual(v.dataSync(), base.get(key), key);
      }, { compiled: how !== "uncompiled" });
    });
  }

  Deno.test(`saveLora() of ${name} writes peft's numbers and names back`, async () => {
    await withModel(name, async (model) => {
      await withFolder(async (folder) => {
        await saveLora(model, folder);
        const file = "adapter_model.safetensors";
        const theirs = await readTensors(join(fixture.folder, file));
        assert.deepEqual(
          new Map([...await readTensors(join(folder, file))].sort()),
          new Map([...theirs].sort()),
        );
        const config = async (at: string) =>
          JSON.parse(await Deno.readTextFile(join(at, "adapter_config.json")));
        const ours = await config(folder), peft = await config(fixture.folder);
        for (const [key, value] of Object.entries(ours)) {
          if (key === "base_model_name_or_path") continue;
          const sorted = (list: unknown) => Array.isArray(list) ? list.toSorted() : list;
          assert.deepEqual(sorted(value), sorted(peft[key]), key);
        }
      });
    });
  });
}

const python = await referencePython();
const hasPeft = python !== undefined &&
  (await new Deno.Command(python, { args: ["-c", "import peft"], stderr: "null" }).output())
    .success;
if (!hasPeft) {
  console.log("Checks by peft skipped: no Python with torch and peft (SELF_ALIGNING_PYTHON)");
}

/** Logits of each row by peft, of several models in one go. */
async function peftLogits(
  orders: { base: string; adapter: string; inputIds: number[][]; output: string }[],
): Promise<Float32Array[][]> {
  const { success, stdout, stderr } = await new Deno.Command(python!, {
    args: [join(import.meta.dirname!, "peft_logits.py"), JSON.stringify(orders)],
    env: { HF_HUB_OFFLINE: "1" },
  }).output();
  assert.ok(success, new TextDecoder().decode(stderr));
  const told = JSON.parse(new TextDecoder().decode(stdout));
  assert.deepEqual(told, orders.map(() => ({ missing: [], warnings: [] })));
  return await Promise.all(orders.map(async ({ inputIds, output }) => {
    const tensors = await readTensors(output);
    return inputIds.map((_, i) => tensors.get(`logits.${i}`)!.data);
  }));
}

Deno.test({
  name: "peft loads adapters as saved after training, with the same logits",
  ignore: !hasPeft,
  async fn() {
    await withFolder(async (folder) => {
      const ours: Float32Array[][] = [];
      const orders = [];
      for (const name of names) {
        const { batches } = await readReference(name);
        const adapter = join(folder, name);
        await withModel(name, async (model) => {
          addLora(model, { rank: 3, alpha: 5, rankStabilized: name === "llama", seed: 4 });
          const trainer = new Trainer(model, {
            learningRate: 0.05,
            totalSteps: 2,
            schedule: "constant",
            lora: {},
          });
          for (let step = 0; step < 2; step++) await trainer.step(batches[0]);
          trainer.dispose();
          await saveLora(model, adapter);
          ours.push(await model.logits(batches[0].inputIds));
        }, { adapter: false });
        const bare = (await readReference(name)).tensors.get("logits.3")!.data;
        assert.ok(largestDifference(ours.at(-1)![3], bare) > 0.01, "training should show");
        const output = join(adapter, "logits.safetensors");
        const { inputIds } = batches[0];
        orders.push({ base: fixtureFolder(name), adapter, inputIds, output });
      }
      for (const [i, theirs] of (await peftLogits(orders)).entries()) {
        for (const [row, logits] of ours[i].entries()) {
          const difference = largestDifference(logits, theirs[row]);
          assert.ok(difference <= 1e-4, `${names[i]}, row ${row}: logits differ by ${difference}`);
        }
      }
    });
  },
});
