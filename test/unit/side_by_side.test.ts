/** Models trained side by side beside the same models trained one by one. */
import assert from "node:assert/strict";
import * as tf from "@tensorflow/tfjs";
import { openBackend } from "../../lib/platform/runtime/backend.ts";
import type { Batch } from "../../lib/model/batch.ts";
import type { LanguageModel } from "../../lib/model/language_model.ts";
import { type MemberSteps, SideBySide } from "../../lib/model/side_by_side.ts";
import { Trainer } from "../../lib/model/trainer.ts";
import type { TrainerOptions } from "../../lib/model/trainer_options.ts";
import { nativeState } from "../../lib/platform/native/native.ts";
import { Random } from "../../lib/statistics/random.ts";
import { tinyModel } from "./_tiny_model.ts";

const native = nativeState();
if (native.ready) await openBackend("tensorflow");
else console.log(`Tests of training side by side skipped: ${native.reason}`);

const STEPS = 6;
/** With what a step can be made otherwise. */
const recomputed = { gradientCheckpointing: "layer", embeddingScale: 2 } as const;
const options: TrainerOptions = {
  learningRate: 3e-3,
  totalSteps: STEPS,
  warmupSteps: 2,
  weightDecay: 0.1,
  clipNorm: 0.5,
};

/** Of other sizes in every step and for every seed. */
function batches(seed: number, steps = STEPS): Batch[] {
  const random = new Random(seed).fork("side by side");
  return Array.from({ length: steps }, () => {
    const inputIds = Array.from(
      { length: 1 + random.integer(4) },
      () => Array.from({ length: 4 + random.integer(9) }, () => random.integer(257)),
    );
    return { inputIds, labels: inputIds.map((row) => row.map((id, t) => t % 3 ? id : -100)) };
  });
}

const weightsOf = ({ parameters }: LanguageModel) =>
  new Map([...parameters].map(([name, variable]) => [name, variable.dataSync().slice()]));

/** The difference of all weights together over their norm. */
function difference(found: ReturnType<typeof weightsOf>, expected: typeof found): number {
  const norm = (of: (value: number, name: string, i: number) => number) =>
    Math.hypot(
      ...[...expected].map(([name, values]) =>
        Math.hypot(...values.map((value, i) => of(value, name, i)))
      ),
    );
  return norm((value, name, i) => value - found.get(name)![i]) / norm((value) => value);
}

const close = (a: number, b: number) =>
  assert.ok(Math.abs(a - b) <= 2e-6 * Math.abs(b), `${a} and ${b}`);

async function alone(model: LanguageModel, list: Batch[], options: TrainerOptions) {
  const trainer = new Trainer(model, options);
  trainer.reserve(list);
  const steps = [];
  for (const batch of list) steps.push(await trainer.step(batch));
  trainer.dispose();
  return { steps, weights: weightsOf(model) };
}

const test = (name: string, fn: () => Promise<void>) =>
  Deno.test({ name, ignore: !native.ready, fn });

test("SideBySide trains each member as it is trained alone", async () => {
  const model = tinyModel(), before = weightsOf(model);
  const others = [1, 2].map((seed) => tinyModel({ seed }));
  const trainer = new SideBySide(model.config, 3);
  for (const [round, starts] of [[model, model, model], [model, ...others]].entries()) {
    const how = round === 0 ? options : { ...options, ...recomputed };
    const held = tf.memory().numTensors;
    const lists = starts.map((_, i) => batches(10 * round + i));
    trainer.begin(lists, how, starts.map(({ parameters }) => parameters));
    const found: MemberSteps[] = [];
    for (let i = 0; i < STEPS; i++) found.push(await trainer.step());
    assert.equal(difference(weightsOf(model), before), 0, "the model itself is not trained");
    for (const [member, own] of trainer.weights().entries()) {
      const single = starts[member], base = single.snapshot(), untrained = weightsOf(single);
      single.restore(own);
      const given = weightsOf(single);
      single.restore(base);
      const { steps, weights } = await alone(single, lists[member], how);
      single.restore(base);
      tf.dispose([...base.values(), ...own.values()]);
      steps.forEach(({ loss, gradientNorm, learningRate }, i) => {
        close(found[i].losses[member], loss);
        close(found[i].gradientNorms[member], gradientNorm);
        assert.equal(found[i].learningRate, learningRate);
      });
      const off = difference(given, weights);
      assert.ok(off <= 1e-6, `member ${member}: weights differ by ${off}`);
      assert.ok(difference(given, untrained) > 1e-3, "a training that changes nothing");
    }
    assert.equal(tf.memory().numTensors, held, "tensors that stay");
  }
  trainer.dispose();
  for (const one of [model, ...others]) one.dispose();
});

test("SideBySide's graph has as many operations for 16 members as for one", async () => {
  const counts: number[] = [];
  const model = tinyModel();
  for (const members of [1, 16]) {
    const trainer = new SideBySide(model.config, members);
    const { session } = trainer, { add } = session;
    session.add = (...given) => {
      const graph = add.apply(session, given);
      counts.push(graph.nodes.filter(({ operation }) => operation !== "Const").length);
      return graph;
    };
    trainer.begin([batches(0, 1)], options, [model.parameters]);
    await trainer.step();
    trainer.dispose();
  }
  assert.ok(counts[0] > 100);
  assert.deepEqual(counts, [counts[0], counts[0]]);
  model.dispose();
});

test("a member that is not finite spoils itself alone", async () => {
  const model = tinyModel(), broken = tinyModel();
  broken.parameters.get("model.norm.weight")!.assign(tf.fill([16], NaN));
  const trainer = new SideBySide(model.config, 2);
  const starts = [broken.parameters, model.parameters];
  trainer.begin([batches(1), batches(2)], options, starts);
  let last: MemberSteps;
  for (let i = 0; i < STEPS; i++) last = await trainer.step();
  assert.ok(Number.isNaN(last!.losses[0]));
  const { weights, steps } = await alone(model, batches(2), options);
  close(last!.losses[1], steps.at(-1)!.loss);
  const all = trainer.weights();
  model.restore(all[1]);
  assert.ok(difference(weightsOf(model), weights) <= 1e-6);
  trainer.dispose();
  tf.dispose(all.flatMap((own) => [...own.values()]));
  for (const one of [model, broken]) one.dispose();
});

test("SideBySide refuses what it can't train", async () => {
  const model = tinyModel();
  const trainer = new SideBySide(model.config, 2);
  const begin = (lists: Batch[][], changed: Partial<TrainerOptions> = {}) =>
    trainer.begin(lists, { ...options, ...changed }, lists.map(() => model.parameters));
  assert.throws(
    () => begin([0, 1, 2].map((seed) => batches(seed))),
    /expected batches and weights for 1 to 2 models.*found 3 lists of 6.*train them one by one/,
  );
  assert.throws(() => begin([batches(0), batches(1, 2)]), /found 2 lists of 6 and 2/);
  assert.throws(() => begin([batches(0)], { lora: {} }), /and lora/);
  assert.throws(() => begin([batches(0)], { learningRate: NaN }), /expected learningRate >= 0/);
  assert.throws(
    () => begin([[{ inputIds: [[300, 1]], labels: [[300, 1]] }]]),
    /expected token ids from 0 to 256 in row 0; found 300/,
  );
  begin([batches(0)]);
  await assert.rejects(trainer.step({ signal: AbortSignal.abort() }), { name: "Interrupted" });
  assert.equal(trainer.steps, 0);
  trainer.dispose();
  model.dispose();
});
