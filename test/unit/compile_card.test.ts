/**
 * Sessions where a graphics card holds the variables. TensorFlow computes on the processor here, and is
 * only taken for a card: what is loaded and sent is the same.
 */
import * as tf from "@tensorflow/tfjs";
import { Trainer } from "../../lib/model/trainer.ts";
import type { TrainerOptions } from "../../lib/model/trainer_options.ts";
import { NotFiniteError } from "../../lib/statistics/not_finite.ts";
import type { LanguageModel } from "../../lib/model/language_model.ts";
import { openBackend, processesAtOnce } from "../../lib/platform/runtime/backend.ts";
import { type Binding, nodeBackend, usesCard } from "../../lib/platform/compile/backend.ts";
import { compile } from "../../lib/platform/compile/compile.ts";
import { Session } from "../../lib/platform/compile/session.ts";
import { nativeState } from "../../lib/platform/native/native.ts";
import { tinyModel } from "./_tiny_model.ts";

import assert from "node:assert/strict";

const native = nativeState();
if (native.ready) await openBackend("tensorflow");
else console.log(`Sessions on a card are not tested: ${native.reason}`);

interface Counted {
  sessions: number;
  /** Variables sent to a session. */
  sent: number;
}

/** Runs the body with TensorFlow taken for a card, and counts what its sessions are asked for. */
async function onCard(body: (counted: Counted) => void | Promise<void>): Promise<void> {
  const backend = nodeBackend(), { binding } = backend;
  const counted = { sessions: 0, sent: 0 };
  const counting: Partial<Binding> = {
    newSession(config) {
      counted.sessions++;
      return binding.newSession(config);
    },
    runSavedModel(session, ids, inputs, outputs) {
      counted.sent += inputs.split(",").filter((name) => name.startsWith("assign/")).length;
      return binding.runSavedModel(session, ids, inputs, outputs);
    },
  };
  const own = Object.entries(counting).map(([name, value]) => [name, { value }]);
  backend.binding = Object.create(binding, Object.fromEntries(own));
  backend.isUsingGpuDevice = true;
  try {
    await body(counted);
  } finally {
    backend.binding = binding;
    backend.isUsingGpuDevice = false;
  }
}

function test(name: string, body: (counted: Counted) => void | Promise<void>): void {
  Deno.test({ name, ignore: !native.ready, fn: () => onCard(body) });
}

const numbers = (tensor: tf.Tensor) => [...tensor.dataSync()];

test("a card has one session, whatever shapes are read and trained on later", (counted) => {
  const session = new Session();
  const w = tf.variable(tf.tensor1d([2, 3]));
  const read = compile((x) => [tf.sum(tf.mul(x, w), -1)], session);
  const train = compile((x) => {
    w.assign(tf.add(w, tf.sum(x, 0)) as tf.Tensor1D);
    return [x];
  }, session);
  const rows = (n: number) => tf.tidy(() => tf.mul(tf.ones([n, 2]), 1));
  session.bind("w", w);
  for (const n of [1, 2, 3, 5, 8]) {
    assert.deepEqual(numbers(read(rows(n))[0]), Array(n).fill(5));
  }
  assert.deepEqual(counted, { sessions: 1, sent: 1 });
  train(rows(2));
  train(rows(3));
  assert.deepEqual(numbers(read(rows(2))[0]), [15, 15]);
  assert.deepEqual(numbers(read(rows(4))[0]), [15, 15, 15, 15]);
  assert.deepEqual(numbers(w), [7, 8]);
  // A variable that comes later joins too, and one that is assigned is sent alone.
  const late = tf.variable(tf.tensor1d([100, 0]));
  session.bind("late", late);
  const both = compile((x) => [tf.sum(tf.mul(x, tf.add(w, late)), -1)], session);
  assert.deepEqual(numbers(both(rows(1))[0]), [115]);
  w.assign(tf.tensor1d([1, 1]));
  assert.deepEqual(numbers(both(rows(2))[0]), [102, 102]);
  assert.deepEqual(counted, { sessions: 1, sent: 3 });
  session.dispose();
  tf.dispose([w, late]);
});

test("a graph that TensorFlow refuses leaves a card's session as it was", () => {
  const session = new Session();
  const w = tf.variable(tf.tensor1d([2, 3]));
  session.bind("w", w);
  const good = compile((x) => [tf.mul(x, w)], session);
  assert.deepEqual(numbers(good(tf.tensor1d([1, 1]))[0]), [2, 3]);
  const { binding } = nodeBackend();
  nodeBackend().binding = Object.create(binding, {
    extendSavedModel: {
      value: (id: number, _: Uint8Array, names: string) =>
        binding.extendSavedModel(id, new Uint8Array([1, 2, 3]), names),
    },
  });
  const bad = compile((x) => [tf.add(x, w)], session);
  assert.throws(() => bad(tf.tensor1d([1, 1])), /Invalid TF_Status: 3/);
  nodeBackend().binding = binding;
  assert.deepEqual(numbers(bad(tf.tensor1d([1, 1]))[0]), [3, 4]);
  assert.deepEqual(numbers(good(tf.tensor1d([1, 2]))[0]), [2, 6]);
  session.dispose();
  w.dispose();
});

/** Logits after prompts of several lengths, before a training and after it. */
async function study(model: LanguageModel): Promise<Float32Array[]> {
  const prompts = (length: number, count = 5) =>
    Array.from(
      { length: count },
      (_, i) => Array.from({ length }, (_, t) => 1 + (7 * i + 3 * t * (i + 1)) % 250),
    );
  const found: Float32Array[] = [];
  const read = async () => {
    for (const length of [3, 9, 17, 33, 70]) {
      found.push(...await model.nextTokenLogits(prompts(length)));
    }
  };
  await read();
  const trainer = new Trainer(model, { learningRate: 1e-2, totalSteps: 4 });
  for (const length of [6, 40]) {
    const inputIds = prompts(length, 3);
    await trainer.step({ inputIds, labels: inputIds });
  }
  trainer.dispose();
  await read();
  return found;
}

test("prompts of several lengths share a model's session, and read as on a processor", async (counted) => {
  assert.ok(usesCard());
  assert.equal(processesAtOnce(), 1);
  const model = tinyModel();
  const found = await study(model);
  const tensors = model.parameters.size;
  model.dispose();
  // Parameters once, and two moments of each.
  assert.deepEqual(counted, { sessions: 1, sent: 3 * tensors });

  nodeBackend().isUsingGpuDevice = false;
  assert.equal(processesAtOnce(), navigator.hardwareConcurrency);
  const other = tinyModel();
  const expected = await study(other);
  other.dispose();
  assert.equal(found.length, 50);
  found.forEach((logits, i) =>
    logits.forEach((value, j) => {
      assert.ok(Math.abs(value - expected[i][j]) < 1e-5, `${i}: ${value}, ${expected[i][j]}`);
    })
  );
});

/** Numbers of what a few clipped steps with decay of some tensors train; then the loss becomes infinite. */
async function train(options: Partial<TrainerOptions>): Promise<Map<string, Float32Array>> {
  const model = tinyModel();
  const trainer = new Trainer(model, {
    ...{ learningRate: 1e-2, totalSteps: 5, clipNorm: .1, weightDecay: .1 },
    decays: (name) => !name.includes("norm"),
    ...options,
  });
  const inputIds = [[5, 9, 17, 3], [8, 2, 40, 7]];
  for (let step = 0; step < 4; step++) await trainer.step({ inputIds, labels: inputIds });
  const read = () =>
    new Map(
      [...model.trained, ...model.state]
        .map(([name, variable]) => [name, variable.dataSync().slice() as Float32Array]),
    );
  const found = read();
  const norm = model.parameters.get("model.norm.weight")!;
  tf.tidy(() => norm.assign(tf.fill(norm.shape, 3e38)));
  const before = read();
  await assert.rejects(trainer.step({ inputIds, labels: inputIds }), NotFiniteError);
  assert.deepEqual(read(), before);
  trainer.dispose();
  model.dispose();
  return found;
}

for (const [kind, options] of Object.entries({ "all weights": {}, "an adapter": { lora: {} } })) {
  test(`a card's clipped steps with decay are a processor's: ${kind}`, async () => {
    const found = await train(options);
    nodeBackend().isUsingGpuDevice = false;
    const expected = await train(options);
    assert.deepEqual([...found.keys()], [...expected.keys()]);
    for (const [name, numbers] of expected) {
      const largest = numbers.reduce((most, number) => Math.max(most, Math.abs(number)), 0);
      found.get(name)!.forEach((number, i) =>
        assert.ok(
          Math.abs(number - numbers[i]) <= 1e-4 * largest,
          `${name}: ${number}, ${numbers[i]}`,
        )
      );
    }
  });
}
