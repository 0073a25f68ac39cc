/** What runs long ends soon after its signal, leaks nothing, and leaves what can be gone on with. */
import assert from "node:assert/strict";
import * as tf from "@tensorflow/tfjs";
import { progress } from "../../lib/figure/progress.ts";
import { finetune } from "../../lib/finetune.ts";
import { constructGroups } from "../../lib/groups.ts";
import { loadModel } from "../../lib/model/files/load.ts";
import { pretrain } from "../../lib/organism/pretrain.ts";
import {
  heedStop,
  Interrupted,
  look,
  pressStop,
  stoppable,
  stopSignal,
} from "../../lib/platform/interrupt.ts";
import { probe } from "../../lib/probe.ts";
import { studiedModels } from "../../lib/study/plans.ts";
import { runStudy } from "../../lib/study/run.ts";
import { parseSettings } from "../../lib/study/settings.ts";
import { openSubject } from "../../lib/study/subjects.ts";
import { pretrainingSizes } from "../../lib/world/settings.ts";
import { createWorld } from "../../lib/world/world.ts";

const [organism] = await studiedModels(parseSettings('{"quick": true}'));
const settings = parseSettings(
  JSON.stringify({ model: organism, domains: ["history"], limit: 12 }),
);

const afterwards = (ms: number) => AbortSignal.timeout(ms);

/** The `Interrupted` that `work` ends with, within the time that a press of Stop may take. */
async function stopped(work: Promise<unknown>, seconds = 3): Promise<Interrupted> {
  const started = performance.now();
  const error = await work.then(() => undefined, (error) => error);
  assert.ok(error instanceof Interrupted, `expected Interrupted; found ${error}`);
  assert.ok(performance.now() - started < 1000 * seconds, "it went on for too long");
  return error;
}

Deno.test("probe() and finetune() stop, say where, and leak nothing; probe() tells how far it is", async () => {
  const { model, material } = await openSubject(organism, settings);
  try {
    const { pool } = material.domains.get("history")!;
    const demonstrations = [...pool.demonstrations];
    const shares: number[] = [];
    const onProgress = (share: number) => void shares.push(share);
    const answers = await probe(model, pool.questions, { demonstrations, onProgress });
    assert.deepEqual(shares, shares.toSorted((a, b) => a - b));
    assert.equal(shares.at(-1), 1);
    const { inc } = constructGroups(answers, {
      ...{ seed: 0, format: model.format, minimumConfidence: 0 },
    });
    await finetune(model, inc, { epochs: 1 }); // the graphs are compiled
    const before = tf.memory().numTensors;

    const many = Array(200).fill(pool.questions).flat();
    const asking = probe(model, many, { demonstrations, signal: afterwards(1) });
    assert.match((await stopped(asking)).message, /^Stopped asking .*\d+ questions; /);
    assert.equal(tf.memory().numTensors, before);

    let steps = 0;
    const training = finetune(model, inc, {
      ...{ epochs: 4000, signal: afterwards(600) },
      onStep: ({ step }) => void (steps = step),
    });
    const { message } = await stopped(training);
    assert.ok(steps > 0);
    assert.match(message, new RegExp(`after ${steps} of \\d+ steps; the model keeps what they`));
    assert.equal(tf.memory().numTensors, before);
    const again = await probe(model, pool.questions, { demonstrations });
    assert.ok(again.every(({ goldProbability }) => Number.isFinite(goldProbability)));
    assert.equal(tf.memory().numTensors, before);
  } finally {
    model.dispose();
  }
});

Deno.test("generate() stops", async () => {
  const model = await loadModel(organism);
  try {
    const before = tf.memory().numTensors;
    const stop = new AbortController();
    stop.abort();
    await stopped(model.generate("the", { signal: stop.signal }));
    assert.equal(tf.memory().numTensors, before);
  } finally {
    model.dispose();
  }
});

Deno.test("runStudy() stops, in this process and in several, and keeps finished cells", async () => {
  const store = await Deno.makeTempDir();
  const plan = {
    ...{ models: [organism], treatments: ["har", "inc"] as const, minimumConfidence: 0 },
    seeds: Array.from({ length: 40 }, (_, seed) => seed),
  };
  const kept = () =>
    [...Deno.readDirSync(store)].filter(({ name }) => name.startsWith("cell-")).length;
  try {
    for (const workers of [1, 2]) {
      const before = kept(), stop = new AbortController();
      let pressed = 0;
      const error = await runStudy(plan, {
        ...{ settings, store, workers, signal: stop.signal },
        onProgress({ note, reused }) {
          if (note !== "done" || reused || stop.signal.aborted) return;
          pressed = performance.now();
          stop.abort();
        },
      }).then(() => undefined, (error) => error);
      assert.ok(error instanceof Interrupted, `expected Interrupted; found ${error}`);
      assert.match(
        error.message,
        /^Stopped the study; finished cells are kept; run the cell again/,
      );
      assert.ok(performance.now() - pressed < 3000, "it went on for too long");
      assert.ok(kept() > before && kept() < before + 20, `${before} cells, then ${kept()}`);
    }
  } finally {
    await Deno.remove(store, { recursive: true });
  }
});

Deno.test("pretrain() stops, and goes on at the step where it stopped", async () => {
  const folder = await Deno.makeTempDir();
  const world = createWorld({
    seed: 3,
    size: "small",
    settings: {
      ...{ domains: ["history", "medicine"], entities: 12, relations: 3, values: 6 },
      ...{ dev: 3, mc: 8, train: 8, homo: 6, id: 6 },
    },
  });
  const plan = {
    settings: {
      ...pretrainingSizes.small,
      ...{ width: 16, layers: 1, heads: 2, mlpWidth: 16, window: 32, batch: 4 },
      tokens: 32 * 4 * 12,
    },
    ...{ folder, saveEvery: 100 },
  };
  const stop = new AbortController();
  const before = tf.memory().numTensors;
  try {
    const error = await stopped(pretrain(world, {
      ...{ ...plan, signal: stop.signal },
      onStep: ({ step }) => void (step === 5 && stop.abort()),
    }));
    assert.match(error.message, /^Stopped pretraining after 5 of 12 steps; .* keeps them/);
    assert.equal(tf.memory().numTensors, before);
    let resumed = 0;
    const model = await pretrain(world, { ...plan, onResume: (step) => void (resumed = step) });
    model.dispose();
    assert.equal(resumed, 5);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("Stop ends what heeds it, once, and says where nothing can be stopped", async () => {
  assert.equal(stopSignal(), undefined, "only a notebook has a Stop button");
  await look(); // which costs nothing there
  heedStop();
  assert.match(pressStop()!, /nothing that this cell waits for can be stopped/);

  const lines: string[] = [];
  const write = (text: string) => void lines.push(text);
  progress("a long task", 10, { write, terminal: false }).update(2);
  // Work that does not look: the first press can't end it, the second says so.
  const deaf = Promise.withResolvers<void>();
  const work = { what: () => "a deaf task", then: "wait" };
  const waiting = stopped(stoppable(work, async (signal) => {
    await deaf.promise;
    signal!.throwIfAborted();
  }));
  assert.equal(pressStop(), undefined);
  assert.match(lines.at(-1)!, /a long task 2\/10 .* stopped/);
  assert.match(pressStop()!, /still stopping a deaf task/);
  deaf.resolve();
  assert.equal((await waiting).message, "Stopped a deaf task; wait");
  // What starts now is another cell's.
  assert.equal(await stoppable(work, () => Promise.resolve(5)), 5);
  const spinning = stopped((async () => {
    while (true) await look();
  })());
  setTimeout(() => assert.equal(pressStop(), undefined), 300);
  await spinning;
});
