/** How many graphs trainings and readings need: making one takes as long as many steps of a small model. */
import assert from "node:assert/strict";
import * as tf from "@tensorflow/tfjs";
import { LanguageModel } from "../../lib/model/language_model.ts";
import { lossAndGradients, Trainer } from "../../lib/model/trainer.ts";
import { nativeState } from "../../lib/platform/native/native.ts";
import { openBackend } from "../../lib/platform/runtime/backend.ts";
import { tinyModel } from "./_tiny_model.ts";

const native = nativeState();
if (native.ready) await openBackend("tensorflow");
else console.log(`Tests of shared graphs skipped: ${native.reason}`);

/** Counts the graphs that a model's session makes from here on. */
function countGraphs({ session }: LanguageModel): () => number {
  let made = 0;
  const add = session!.add;
  session!.add = (...given) => {
    made++;
    return add.apply(session, given);
  };
  return () => made;
}

/** Rows that begin alike, each with as many labels as it is given. */
function batchOf(supervised: number[], length = 20) {
  const inputIds = supervised.map((_, b) =>
    Array.from({ length }, (_, t) => t < 8 ? 7 * t : (31 * b + 17 * t) % 250)
  );
  const labels = inputIds.map((row, b) =>
    row.map((id, t) => t < length - supervised[b] ? -100 : id)
  );
  return { inputIds, labels };
}

const repeated = (count: number, value: number) => new Array<number>(count).fill(value);

/** The losses of a training on batches, whose sizes it reserves, and the graphs that it made. */
async function train(model: LanguageModel, batches: ReturnType<typeof batchOf>[]) {
  const trainer = new Trainer(model, { learningRate: 1e-2, totalSteps: 9 });
  trainer.reserve(batches, 16);
  const losses: number[] = [];
  for (const batch of batches) losses.push((await trainer.step(batch)).loss);
  trainer.dispose();
  return losses;
}

Deno.test({
  name: "trainings with fewer rows or labels take the same graph",
  ignore: !native.ready,
  async fn() {
    const model = tinyModel(), graphs = countGraphs(model);
    await train(model, [batchOf(repeated(16, 3)), batchOf(repeated(16, 3))]);
    const made = graphs();
    assert.equal(made, 1);
    // A smaller group; longer answers; a last batch of one row.
    await train(model, [batchOf(repeated(11, 3))]);
    await train(model, [batchOf([...repeated(12, 3), ...repeated(4, 4)])]);
    await train(model, [batchOf(repeated(16, 2)), batchOf([2])]);
    assert.equal(graphs(), made);
    model.dispose();
  },
});

Deno.test({
  name: "a model goes on with the graphs of one of its kind, and with nothing else of it",
  ignore: !native.ready,
  async fn() {
    const texts = Array.from({ length: 40 }, (_, i) => [1, 2, 3, 4, 5, 6, i, i + 1, 2 * i]);
    const use = async (model: LanguageModel) => {
      const losses = await train(model, [batchOf(repeated(16, 3)), batchOf(repeated(16, 2))]);
      return { losses, logits: await model.nextTokenLogits(texts) };
    };
    // With a kind of their own, for other tests leave sessions too.
    const [first, second] = [tinyModel({ seed: 4 }), tinyModel({ seed: 5 })];
    const expected = await use(second);
    second.dispose();
    await use(first);
    const others = countGraphs(first);
    first.dispose();
    const tensors = tf.memory().numTensors;
    const again = tinyModel({ seed: 5 });
    assert.ok(again.session === first.session, "it takes the session that was given back last");
    const { losses, logits } = await use(again);
    assert.equal(others(), 0, "no graph is made anew");
    assert.deepEqual(losses, expected.losses);
    assert.deepEqual(logits, expected.logits);
    // Two at once don't share one.
    const beside = tinyModel({ seed: 6 });
    assert.ok(beside.session !== again.session);
    beside.dispose();
    again.dispose();
    again.dispose();
    assert.equal(tf.memory().numTensors, tensors);
  },
});

Deno.test({
  name: "readings of about as many texts take the same graphs",
  ignore: !native.ready,
  async fn() {
    const model = tinyModel(), graphs = countGraphs(model);
    const texts = (count: number, shared: number) =>
      Array.from({ length: count }, (_, i) => [
        ...Array.from({ length: shared }, (_, t) => t + 1),
        ...Array.from({ length: 10 }, (_, t) => (100 + i * 7 + t) % 250),
      ]);
    await model.nextTokenLogits(texts(70, 9));
    const made = graphs();
    // One for what the texts share, which a test before may have made, and two for the rest.
    assert.ok(made === 2 || made === 3, `${made} graphs`);
    for (const [count, shared] of [[66, 9], [72, 12], [70, 16]]) {
      await model.nextTokenLogits(texts(count, shared));
    }
    assert.equal(graphs(), made);
    model.dispose();
  },
});

Deno.test({
  name: "texts that go on alike behind what all share are read as they are alone",
  ignore: !native.ready,
  async fn() {
    const model = tinyModel();
    // Two of three begin with 9 tokens that they share, the others with 7 of their own.
    const texts = Array.from({ length: 210 }, (_, i) => [
      ...Array.from(
        { length: i % 3 === 0 ? 7 : 9 },
        (_, t) => t < 4 ? t : i % 3 === 0 ? 90 : 40 + t,
      ),
      ...Array.from({ length: 3 + i % 5 }, (_, t) => (100 + i * 7 + t) % 250),
    ]);
    const shares: number[] = [];
    const together = await model.nextTokenLogits(texts, {
      onProgress: (share) => shares.push(share),
    });
    for (const [i, text] of texts.entries()) {
      const [alone] = i % 7 === 0 ? await model.nextTokenLogits([text]) : [together[i]];
      alone.forEach((value, k) => assert.ok(Math.abs(value - together[i][k]) < 1e-4));
    }
    assert.deepEqual(shares, shares.toSorted((a, b) => a - b));
    assert.equal(shares.at(-1), 1);
    assert.ok(shares[0] < 1, "two parts");
    model.dispose();
  },
});

Deno.test({
  name: "gradients have their own names, in whichever order models of a kind have their tensors",
  ignore: !native.ready,
  async fn() {
    const batch = batchOf(repeated(2, 3)), first = tinyModel({ seed: 9 });
    const donor = tinyModel({ seed: 9 }), { config, format } = donor;
    const expected = await lossAndGradients(first, batch);
    const copies = [...donor.snapshot()].map(([name, tensor]) =>
      [name, tf.variable(tensor)] as const
    );
    first.dispose();
    const parameters = new Map(copies.reverse());
    const second = new LanguageModel({ name: "reversed", config, format, parameters });
    const { gradients } = await lossAndGradients(second, batch);
    for (const [name, values] of expected.gradients) assert.deepEqual(gradients.get(name), values);
    for (const model of [donor, second]) model.dispose();
  },
});

Deno.test({
  name: "a model that was disposed is used no more: its session may be another's",
  ignore: !native.ready,
  async fn() {
    const model = tinyModel({ seed: 7 });
    const trainer = new Trainer(model, { learningRate: 1e-2, totalSteps: 9 });
    const batch = batchOf(repeated(2, 3));
    await trainer.step(batch);
    await model.nextTokenLogits([[1, 2]]);
    model.dispose();
    const other = tinyModel({ seed: 8 }), before = await other.logits([[1, 2]]);
    const refused = /Cannot use tiny: it was disposed; load it again/;
    await assert.rejects(model.logits([[1, 2]]), refused);
    await assert.rejects(trainer.step(batch), refused);
    assert.throws(() => new Trainer(model, { learningRate: 1e-2, totalSteps: 9 }), refused);
    trainer.dispose();
    assert.deepEqual(await other.logits([[1, 2]]), before);
    other.dispose();
  },
});
