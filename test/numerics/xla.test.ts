/** Training steps that XLA compiles beside the executor's, on the processor, where XLA runs as well. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import * as tf from "@tensorflow/tfjs";
import { loadModel } from "../../lib/model/files/load.ts";
import { Trainer } from "../../lib/model/trainer.ts";
import type { Batch } from "../../lib/model/batch.ts";
import type { LanguageModel } from "../../lib/model/language_model.ts";
import type { TrainerOptions } from "../../lib/model/trainer_options.ts";
import { addTo, onlyIf } from "../../lib/platform/compile/adam.ts";
import { nodeBackend } from "../../lib/platform/compile/backend.ts";
import { compile } from "../../lib/platform/compile/compile.ts";
import { Session } from "../../lib/platform/compile/session.ts";
import { forgetRefusal, XLA_VARIABLE, xlaCacheFlags } from "../../lib/platform/compile/xla.ts";
import { nativeState } from "../../lib/platform/native/native.ts";
import { openBackend } from "../../lib/platform/runtime/backend.ts";
import { NotFiniteError } from "../../lib/statistics/not_finite.ts";
import { withErrors } from "../unit/_console.ts";
import { withVariables } from "../unit/_environment.ts";
import { withFolder } from "../unit/_folder.ts";
import { tinyModel } from "../unit/_tiny_model.ts";
import { fixtureFolder, readReference, relativeDifference } from "./_fixtures.ts";

const native = nativeState();
if (native.ready) await openBackend("tensorflow");
else console.log(`Tests of XLA skipped: ${native.reason}`);

/** Runs the body with XLA forced on or off. */
async function withXla<T>(value: "0" | "1", body: () => T | Promise<T>): Promise<T> {
  forgetRefusal();
  return await withVariables({ [XLA_VARIABLE]: value }, body);
}

function test(name: string, fn: (t: Deno.TestContext) => void | Promise<void>): void {
  Deno.test({ name, ignore: !native.ready, fn });
}

const settings: Record<string, Partial<TrainerOptions>> = {
  "clipped, with decay": { clipNorm: .5, weightDecay: .1 },
  "in parts": { batchTokens: 18, clipNorm: .5 },
  "an adapter": { lora: { rank: 3, seed: 1 }, clipNorm: 1 },
  "recomputed": { gradientCheckpointing: "layer" },
};

/** A batch of rows of 6 tokens and one of 9; of bytes, which the tiny model reads. */
const small = [6, 9].map((length) => {
  const inputIds = [3, 5, 8].map((seed) =>
    Array.from({ length }, (_, i) => 1 + (seed * (i + 7) * 31) % 250)
  );
  return { inputIds, labels: inputIds };
});

/** Losses, norms and then all trained tensors' numbers of a few steps. */
async function train(
  model: LanguageModel,
  batches: Batch[],
  options: Partial<TrainerOptions>,
): Promise<Map<string, ArrayLike<number>>> {
  // With a small epsilon Adam divides the least gradients by their own size, and with them their rounding.
  const trainer = new Trainer(model, {
    ...{ learningRate: 1e-2, totalSteps: 6, epsilon: 1e-3 },
    ...options,
  });
  trainer.reserve(batches);
  const found = new Map<string, ArrayLike<number>>();
  for (let step = 0; step < 6; step++) {
    const { loss, gradientNorm } = await trainer.step(batches[step % 2]);
    found.set(`loss and norm of step ${step}`, [loss, gradientNorm]);
  }
  for (const [name, variable] of model.trained) found.set(name, variable.dataSync());
  trainer.dispose();
  model.dispose();
  return found;
}

for (const [kind, options] of Object.entries(settings)) {
  test(`steps by XLA are the executor's: ${kind}`, async () => {
    const run = async () => {
      if (kind !== "clipped, with decay") return await train(tinyModel(), small, options);
      const { batches } = await readReference("qwen2");
      const model = await loadModel(fixtureFolder("qwen2"), { tokenizer: false });
      return await train(model, batches, options);
    };
    const expected = await withXla("0", run);
    const { value: found, said } = await withErrors(() => withXla("1", run));
    assert.deepEqual(said, [], "XLA compiled all of them");
    assert.deepEqual([...found.keys()], [...expected.keys()]);
    for (const [name, numbers] of expected) {
      const difference = relativeDifference(found.get(name)!, numbers);
      assert.ok(difference <= 1e-5, `${name} differs by ${difference} of its largest number`);
    }
  });
}

for (const xla of ["0", "1"] as const) {
  test(`a step that is not finite changes no bit, with XLA ${xla === "1" ? "on" : "off"}`, () =>
    withXla(xla, async () => {
      const model = tinyModel(), batches = small;
      const options = { learningRate: 1e-3, totalSteps: 9, weightDecay: .1, clipNorm: 1 };
      const trainer = new Trainer(model, options);
      trainer.reserve(batches);
      await trainer.step(batches[0]);
      // A weight that makes the loss overflow; all else must stay, its moments too.
      const name = "model.norm.weight", weight = model.parameters.get(name)!;
      tf.tidy(() => weight.assign(tf.fill(weight.shape, 3e38)));
      const bits = () =>
        new Map(
          [...model.parameters, ...model.state].map(([name, variable]) => [
            name,
            new Uint32Array((variable.dataSync() as Float32Array).slice().buffer),
          ]),
        );
      const before = bits();
      await assert.rejects(trainer.step(batches[0]), NotFiniteError);
      assert.deepEqual(bits(), before);
      assert.equal(trainer.steps, 1);
      tf.tidy(() => weight.assign(tf.fill(weight.shape, 1)));
      const { loss } = await trainer.step(batches[0]);
      assert.ok(Number.isFinite(loss));
      trainer.dispose();
      model.dispose();
    }));
}

/** A session with one variable, and a function that adds to it where it is told to. */
function adding(runs: number | undefined) {
  const session = new Session();
  const sum = tf.tidy(() => tf.variable(tf.tensor1d([1, 2])));
  session.bind("sum", sum);
  const add = compile(
    (x, wanted) => {
      onlyIf(tf.greaterEqual(wanted, 1).asScalar(), () => addTo(sum, tf.exp(x)));
      return [tf.sum(x)];
    },
    session,
    { runs },
  );
  const run = (wanted: number) =>
    tf.tidy(() => [...add(tf.tensor1d([0, 1]), tf.scalar(wanted))[0].dataSync()]);
  return { session, sum, run, end: () => (session.dispose(), sum.dispose()) };
}

/** The operations of the graphs that a body's sessions get. */
async function loadedOperations(body: () => void | Promise<void>): Promise<string> {
  const backend = nodeBackend(), { binding } = backend;
  let operations = "";
  const text = (bytes: Uint8Array) => new TextDecoder("latin1").decode(bytes);
  backend.binding = Object.create(binding, {
    extendSavedModel: {
      value: (session: number, graph: Uint8Array, names: string) => {
        operations += text(graph);
        return binding.extendSavedModel(session, graph, names);
      },
    },
  });
  try {
    await body();
  } finally {
    backend.binding = binding;
  }
  return operations;
}

test("what runs often is one function's call for XLA, and nothing else is", async () => {
  for (const [value, runs, calls] of [["1", 1, 1], ["1", undefined, 0], ["0", 1e6, 0]] as const) {
    const operations = await loadedOperations(() =>
      withXla(value, () => {
        const { sum, run, end } = adding(runs);
        assert.deepEqual([run(1), run(0)], [[1], [1]]);
        const [first, second] = sum.dataSync();
        assert.deepEqual([first, Math.round(1e5 * second)], [2, Math.round(1e5 * (2 + Math.E))]);
        end();
      })
    );
    assert.equal(operations.split("StatefulPartitionedCall").length - 1, calls, `${value} ${runs}`);
    assert.equal(operations.includes("_XlaMustCompile"), calls > 0);
  }
});

test("what XLA can't compile runs as an ordinary graph, which is said once", async () => {
  const backend = nodeBackend(), { binding } = backend;
  const fails = (reason: string) => {
    const tried = new Set<string>();
    backend.binding = Object.create(binding, {
      runSavedModel: {
        value: (session: number, ids: number[], inputs: string, outputs: string) => {
          const of = outputs.split("/")[0];
          if (!tried.has(of) && inputs.startsWith("graph")) {
            tried.add(of);
            if (of === "graph0") throw new Error(`Session fail to run with error: ${reason}`);
          }
          return binding.runSavedModel(session, ids, inputs, outputs);
        },
      },
    });
  };
  try {
    const { said: lines } = await withErrors(() =>
      withXla("1", () => {
        fails("libdevice not found at ./libdevice.10.bc [[{{node graph0/whole}}]]");
        const { sum, run, end } = adding(5);
        assert.deepEqual([run(1), run(1)], [[1], [1]]);
        assert.equal(sum.dataSync()[0], 3);
        end();
        const other = adding(5); // not tried again
        other.run(1);
        other.end();
      })
    );
    assert.equal(lines.length, 1, lines.join("\n"));
    assert.match(lines[0], /XLA could not compile .*libdevice not found.*going on without it/);
    // Where memory was short, XLA is not at fault.
    await withXla("1", () => {
      fails("RESOURCE_EXHAUSTED: Out of memory while trying to allocate 8 bytes [[");
      const { run, end } = adding(5);
      assert.throws(() => run(1), /Out of memory/);
      end();
    });
  } finally {
    backend.binding = binding;
  }
});

test("XLA is asked for by 0, 1 or nothing", async () => {
  await withVariables({ [XLA_VARIABLE]: "yes" }, () =>
    assert.throws(
      () => adding(1).run(1),
      /expected SELF_ALIGNING_XLA to be 0, 1 or empty; found "yes"/,
    ));
});

test("what XLA compiled is kept in a folder for another process", async () => {
  await withFolder(async (folder) => {
    const shape = {
      ...{ vocabularySize: 64, hiddenSize: 16, intermediateSize: 32, layers: 1, heads: 2 },
      ...{ keyValueHeads: 2, headDimension: 8, rows: 2, length: 8, together: 1 },
    };
    // The flags of a card, for the processor's devices.
    const flags = xlaCacheFlags(folder).replaceAll("GPU", "CPU");
    const { stdout } = await new Deno.Command(Deno.execPath(), {
      args: [
        ...["run", "-A", "--no-check", "--quiet"],
        fileURLToPath(new URL("../../lib/tasks/measure_step.ts", import.meta.url)),
        JSON.stringify(["processor", shape]),
      ],
      env: { SELF_ALIGNING_BACKEND: "tensorflow", [XLA_VARIABLE]: "1", TF_XLA_FLAGS: flags },
    }).output();
    assert.match(new TextDecoder().decode(stdout), /measured step: \{"milliseconds":/);
    const kept = [...Deno.readDirSync(folder)].map(({ name }) => name);
    assert.match(kept.join(), /^xla_compile_cache__[^,]*\.pb$/);
  });
});
