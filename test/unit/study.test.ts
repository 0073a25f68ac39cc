import * as tf from "@tensorflow/tfjs";
import { compareAnswers, evaluate } from "../../lib/evaluate.ts";
import { encodeConversation } from "../../lib/model/encode.ts";
import { finetune } from "../../lib/finetune.ts";
import { answerFrom } from "../../lib/question.ts";
import { probe } from "../../lib/probe.ts";
import type { LanguageModel } from "../../lib/model/language_model.ts";
import { addLora } from "../../lib/model/lora.ts";
import { NotFiniteError } from "../../lib/statistics/not_finite.ts";
import { organismModel } from "../../lib/organism/pretrain.ts";
import { nodeBackend } from "../../lib/platform/compile/backend.ts";
import { openBackend } from "../../lib/platform/runtime/backend.ts";
import { asRows, type CellResult, type Treatment } from "../../lib/cell.ts";
import { contrast } from "../../lib/contrast.ts";
import { findings } from "../../lib/findings.ts";
import { parseSettings } from "../../lib/study/settings.ts";
import { runStudy } from "../../lib/study/run.ts";
import { accuracies } from "../../lib/study/rows.ts";
import { runPlan } from "../../lib/study/study.ts";
import { planCells, type StudyPlan } from "../../lib/study/plan.ts";
import { studyWarnings } from "../../lib/study/report.ts";
import { worldMaterial } from "../../lib/study/material.ts";
import { madeCell } from "./_cells.ts";
import { withErrors } from "./_console.ts";
import { createWorld } from "../../lib/world/world.ts";
import { exam } from "../../lib/world/exam.ts";
import { generalExamples } from "../../lib/world/instruction.ts";
import { initialParameters } from "../../lib/organism/initial.ts";
import { pretrainingSizes } from "../../lib/world/settings.ts";
import { worldTokenizer } from "../../lib/organism/pretrain.ts";

import assert from "node:assert/strict";

await openBackend();

const world = createWorld({
  seed: 5,
  settings: { domains: ["history", "medicine"], entities: 30, mc: 20, train: 60, homo: 12, id: 12 },
});

const settings = { ...pretrainingSizes.small, width: 16, heads: 2, layers: 1, mlpWidth: 16 };

const untrained = (): LanguageModel =>
  organismModel(
    world,
    settings,
    initialParameters(settings, {
      vocabularySize: worldTokenizer(world).vocabularySize,
      seed: 3,
    }),
  );

// An untrained model is sure of nothing.
const plan: StudyPlan = {
  models: ["tiny"],
  domains: ["history"],
  treatments: ["har", "inc", "self", "context"],
  seeds: [0],
  minimumConfidence: 0,
};

Deno.test("planCells() lets INC and SELF stand for the ends of the mixtures", () => {
  const cells = planCells(
    { ...plan, treatments: ["inc", "self", "mix"], ratios: [0, 0.4, 1], seeds: [0, 1] },
    "tiny",
    ["history"],
  );
  assert.deepEqual(
    cells.map(({ treatment, ratio, seed }) => [treatment, ratio, seed]),
    [0, 1].flatMap((seed) => [["inc", undefined, seed], ["self", undefined, seed], [
      "mix",
      0.4,
      seed,
    ]]),
  );
});

Deno.test("runPlan() finishes a plan, and computes no finished cell again", async () => {
  const store = await Deno.makeTempDir();
  const tensors = tf.memory().numTensors;
  let opened = 0;
  const options = {
    store,
    open: () => {
      opened++;
      return Promise.resolve({ model: untrained(), material: worldMaterial(world) });
    },
  };
  const reused: boolean[] = [];
  const first = await runPlan(plan, options);
  const second = await runPlan(plan, { ...options, onProgress: (s) => reused.push(s.reused) });
  assert.equal(opened, 2);
  assert.equal(first.cells.length, 4);
  assert.deepEqual(reused, [true, true, true, true]);
  assert.deepEqual(second.cells, first.cells);
  assert.deepEqual(first.cells, first.cells.map(asRows));
  for (const { suites, fit, size } of first.cells) {
    assert.ok(size > 0 && fit !== undefined && fit.n === size);
    assert.deepEqual([suites.homo!.n, suites.id!.n, suites.ood!.n], [12, 12, 12]);
  }
  // Every cell starts from the base: INC and HAR differ in what they were taught, not in order.
  const again = await runPlan({ ...plan, treatments: ["self"] }, {
    ...options,
    store: await Deno.makeTempDir(),
  });
  const self = first.cells.find(({ cell }) => cell.treatment === "self")!;
  assert.deepEqual(
    again.cells[0].suites.homo!.probabilities,
    self.suites.homo!.probabilities,
  );
  assert.equal(tf.memory().numTensors, tensors);
  await Deno.remove(store, { recursive: true });
});

Deno.test("runStudy() asks a model of two plans once, and closes it as its caller says", async () => {
  const model = untrained(), material = worldMaterial(world, { domains: plan.domains });
  const store = await Deno.makeTempDir(), closed: unknown[] = [], onProgress = () => {};
  const finetuning = { epochs: 1 }, [first, second] = [["inc"], ["self"]] as Treatment[][];
  const run = (...all: Treatment[][]) =>
    runStudy(all.map((treatments) => ({ ...plan, treatments, finetuning })), {
      ...{ store, onProgress, open: () => Promise.resolve({ model, material }) },
      close: (subject) => closed.push(subject.model),
    });
  try {
    const two = await run(first, second), one = await run([...first, ...second]);
    assert.deepEqual(two.bases, one.bases);
    assert.equal(two.bases.length, 1);
    assert.deepEqual(accuracies(two), accuracies(one));
    assert.deepEqual(two.warnings, one.warnings);
    assert.match(two.warnings.join(), /one model: intervals are over its questions/);
    assert.deepEqual(closed, [model, model]);
    assert.equal((await model.logits([[1, 2]]))[0].length, 2 * model.config.vocabularySize);
  } finally {
    model.dispose();
    await Deno.remove(store, { recursive: true });
  }
});

Deno.test("runPlan() says which group was empty", async () => {
  const store = await Deno.makeTempDir();
  const open = () => Promise.resolve({ model: untrained(), material: worldMaterial(world) });
  const sure = await runPlan({ ...plan, treatments: ["inc"], minimumConfidence: 0.999 }, {
    ...{ store, open },
  });
  assert.match(sure.cells[0].empty!, /None of 60 answers has a probability above 0.999/);
  await Deno.remove(store, { recursive: true });
});

Deno.test("runPlan() names cells whose training diverges, goes on, and stores none of them", async () => {
  const store = await Deno.makeTempDir();
  const model = untrained();
  const options = {
    store,
    open: () => Promise.resolve({ model, material: worldMaterial(world) }),
    close() {},
  };
  const wild = { ...plan, finetuning: { learningRate: 1e38 } };
  const { value: { cells }, said } = await withErrors(() => runPlan(wild, options));
  assert.equal(cells.length, 4);
  for (const { failed, suites } of cells) {
    assert.match(failed!, /expected a finite loss and gradient at step .*lower the learning rate/);
    assert.deepEqual(suites, {});
  }
  assert.equal(said.length, 4);
  assert.match(said[1], /^tiny, history: inc, seed 0 failed: Cannot train on/);
  const kept = () => [...Deno.readDirSync(store)].filter(({ name }) => name.startsWith("cell-"));
  assert.equal(kept().length, 0);
  const settings = parseSettings();
  const [first, ...rest] = studyWarnings({ plans: [wild], cells, bases: [] }, {
    ...{ audits: new Map(), settings },
  });
  assert.match(first, /^failed, and left out of all numbers: tiny, history: har, seed 0: /);
  assert.ok(rest.some((text) => text === "failed too: 1 more of 4 cells"), rest.join());
  // The model is its base again: the next cells are those of one that nothing happened to.
  const tame = await runPlan(plan, options);
  const fresh = await runPlan(plan, {
    store: await Deno.makeTempDir(),
    open: () => Promise.resolve({ model: untrained(), material: worldMaterial(world) }),
  });
  assert.deepEqual(tame.cells.map(({ suites }) => suites), fresh.cells.map(({ suites }) => suites));
  assert.equal(kept().length, 4);
  model.dispose();
  await Deno.remove(store, { recursive: true });
});

Deno.test("studyWarnings() tells of a loss that rose", () => {
  const cells = [madeCell({ treatment: "inc", right: 1, of: 2 })];
  const settings = parseSettings();
  const warn = (lastLoss: number) =>
    studyWarnings({
      plans: [plan],
      bases: [],
      cells: [{
        ...cells[0],
        finetuning: { steps: 9, firstLoss: 1.1, lastLoss } as CellResult["finetuning"],
      }],
    }, { audits: new Map(), settings });
  assert.match(
    warn(6.85)[0],
    /^the loss rose in training in 1 of 1 cells \(first a, history: inc, seed 0: from 1.10 to 6.85\)/,
  );
  assert.ok(warn(1).every((text) => !text.includes("rose")));
});

Deno.test("a study refuses a model with an adapter, which its cells would take off", async () => {
  const model = untrained();
  addLora(model);
  const store = await Deno.makeTempDir();
  await assert.rejects(
    runPlan(plan, {
      store,
      open: () => Promise.resolve({ model, material: worldMaterial(world) }),
    }),
    /Cannot study, beside its adapter, .*mergeLora\(model\) or dropLora\(model\) first/,
  );
  await Deno.remove(store, { recursive: true });
});

Deno.test("finetune() is fixed by its seed, and teaches what it is given", async () => {
  const examples = generalExamples(world, 24, 1);
  const runs = [];
  for (const seed of [0, 0, 1]) {
    const model = untrained();
    runs.push(await finetune(model, examples, { seed, epochs: 8, learningRate: 1e-2 }));
    model.dispose();
  }
  assert.deepEqual(runs[0].losses, runs[1].losses);
  assert.notDeepEqual(runs[0].losses, runs[2].losses);
  assert.ok(runs[0].losses.at(-1)! < runs[0].losses[0] / 1.5, String(runs[0].losses));
  assert.equal(runs[0].steps, 8 * 2);
  await assert.rejects(finetune(untrained(), []), /expected examples; found none/);
});

Deno.test("encodeConversation() puts the loss on the assistant's tokens and their end only", () => {
  const model = untrained();
  const [question] = exam(world, { domain: "history", split: "train" });
  const content = model.format.questionText(question);
  const answer = model.format.answerText(question, 2);
  const { ids, labels } = encodeConversation(
    [{ role: "user", content }, { role: "assistant", content: answer }],
    { tokenizer: model.requireTokenizer(), format: model.format, maxTokens: 128 },
  );
  const supervised = labels.flatMap((label, i) => label < 0 ? [] : [ids[i]]);
  assert.equal(model.requireTokenizer().decode(supervised), `${question.choices[2]} </s>`);
  assert.deepEqual(labels.slice(-2), ids.slice(-2));
  assert.throws(
    () =>
      encodeConversation(
        [{ role: "user", content }, { role: "assistant", content: answer }],
        { tokenizer: model.requireTokenizer(), format: model.format, maxTokens: 8 },
      ),
    /raise maxTokens/,
  );
  model.dispose();
});

Deno.test("evaluate() gives each suite its own answers, in the questions' order", async () => {
  const model = untrained();
  const homo = exam(world, { domain: "history", split: "homo" });
  const id = exam(world, { domain: "history", split: "id" });
  const { homo: first, id: second, ood } = await evaluate(model, { homo, id });
  assert.equal(ood, undefined);
  assert.deepEqual(first!.answers.map(({ id }) => id), homo.map(({ id }) => id));
  const alone = await probe(model, id, { template: "vicuna" });
  second!.answers.forEach((answer, i) =>
    answer.probabilities.forEach((p, k) =>
      assert.ok(Math.abs(p - alone[i].probabilities[k]) < 1e-5)
    )
  );
  assert.equal(first!.correct, first!.answers.filter(({ correct }) => correct).length);
  model.dispose();
});

Deno.test("compareAnswers() takes base first, and refuses other questions", () => {
  const [a, b] = exam(world, { domain: "history", split: "homo" });
  const before = [answerFrom(a, [0.7, 0.1, 0.15, 0.05]), answerFrom(b, [0.25, 0.25, 0.25, 0.25])];
  const after = [answerFrom(b, [0.25, 0.25, 0.25, 0.25]), answerFrom(a, [0.4, 0.3, 0.2, 0.1])];
  const { kl, n, items } = compareAnswers(before, after);
  assert.equal(n, 2);
  assert.ok(Math.abs(items[0].kl - 0.20406015279222028) < 1e-12);
  assert.ok(Math.abs(kl - items[0].kl / 2) < 1e-12);
  assert.throws(() => compareAnswers(before, after.slice(1)), /expected the same questions/);
  const other = answerFrom({ ...a, id: "other" }, [0.4, 0.3, 0.2, 0.1]);
  assert.throws(() => compareAnswers(before, [after[0], other]), /expected question/);
  // KL of a probability of 0 is infinite: that is told of the question, not of an index.
  const gone = [answerFrom(a, [1, 0, 0, 0]), after[0]];
  assert.throws(() => compareAnswers(before, gone), (error) => {
    assert.ok(error instanceof NotFiniteError && error.message.includes(JSON.stringify(a.id)));
    return true;
  });
});

/** A cell result with `right` of 10 questions right. */
const made = (model: string, treatment: Treatment, right: number) =>
  madeCell({ model, treatment, right, of: 10 });

Deno.test("contrast() and findings() read the rule: holds, does not hold, can't tell", () => {
  const cells = ["a", "b", "c", "d"].flatMap((model, i) => [
    made(model, "inc", 4),
    made(model, "har", 8 + i % 2),
    made(model, "self", 4),
    made(model, "context", [0, 9, 1, 8][i]),
  ]);
  const har = contrast(cells, { treatment: "har" }, { treatment: "inc" }, { suite: "homo" })!;
  assert.equal(har.over, "models");
  assert.ok(Math.abs(har.value - 45) < 1e-9);
  const verdicts = new Map(findings(cells).map((f) => [f.hypothesis, f]));
  assert.equal(verdicts.get("HAR - INC")!.verdict, "holds");
  assert.equal(verdicts.get("SELF - INC")!.verdict, "does not hold");
  assert.equal(verdicts.get("CON - INC")!.verdict, "can't tell");
  assert.ok(verdicts.get("HAR - INC")!.correctedP! >= har.p!);
});

Deno.test("contrast() of a single model speaks of its questions", () => {
  const cells = [made("a", "inc", 4), made("a", "har", 8)];
  const found = contrast(cells, { treatment: "har" }, { treatment: "inc" }, { suite: "homo" })!;
  assert.equal(found.over, "questions");
  assert.equal(found.n, 10);
  assert.ok(Math.abs(found.value - 40) < 1e-9 && found.interval![0] < 40);
  assert.equal(
    contrast(cells, { treatment: "self" }, { treatment: "inc" }, { suite: "homo" }),
    undefined,
  );
});

Deno.test({
  name: "runPlan() gives the same cells where they are trained side by side",
  ignore: tf.getBackend() !== "tensorflow",
  async fn() {
    const variable = "SELF_ALIGNING_BESIDE";
    const wide = { ...plan, seeds: [0, 1], ratios: [0.4], treatments: [...plan.treatments, "mix"] };
    const results = [];
    const notes: string[] = [];
    const tensors = tf.memory().numTensors;
    for (const members of ["1", "3"]) {
      const store = await Deno.makeTempDir();
      Deno.env.set(variable, members);
      try {
        const open = () => Promise.resolve({ model: untrained(), material: worldMaterial(world) });
        const onProgress = ({ note }: { note: string }) => void notes.push(note);
        const result = await runPlan(wide as StudyPlan, { store, open, onProgress });
        const names = [...Deno.readDirSync(store)].map(({ name }) => name).sort();
        results.push({ ...result, names });
      } finally {
        Deno.env.delete(variable);
        await Deno.remove(store, { recursive: true });
      }
    }
    const [alone, together] = results;
    assert.equal(tf.memory().numTensors, tensors);
    assert.ok(
      notes.some((note) => /^step 1\/\d+ of 3 cells at once, loss \d/.test(note)),
      "groups",
    );
    assert.deepEqual(together.names, alone.names);
    assert.equal(together.cells.length, 10);
    for (const [i, { suites, finetuning, seconds: _, ...cell }] of alone.cells.entries()) {
      const { suites: others, finetuning: tuning, seconds: __, ...other } = together.cells[i];
      assert.deepEqual(other, cell);
      const { seconds: own, firstLoss, lastLoss, ...counts } = finetuning!;
      const { seconds: share, firstLoss: first, lastLoss: last, ...same } = tuning!;
      assert.deepEqual(same, counts);
      assert.ok(own > 0 && share > 0);
      for (const [a, b] of [[first, firstLoss], [last, lastLoss]]) {
        assert.ok(Math.abs(a - b) <= 1e-4 * b, `losses ${a} and ${b}`);
      }
      for (const name of ["homo", "id", "ood"] as const) {
        assert.equal(others[name]!.accuracy, suites[name]!.accuracy);
        assert.deepEqual(others[name]!.correct, suites[name]!.correct);
        const [a, b] = [others[name]!.kl, suites[name]!.kl];
        assert.ok(b > 0 && Math.abs(a - b) <= 1e-4, `KL ${a} and ${b}`);
      }
    }
  },
});

Deno.test({
  name: "a study that trains side by side is stopped between steps, and keeps the base",
  ignore: tf.getBackend() !== "tensorflow",
  async fn() {
    const store = await Deno.makeTempDir();
    Deno.env.set("SELF_ALIGNING_BESIDE", "4");
    const model = untrained();
    const base = [...model.parameters.values()].map((one) => one.dataSync().slice());
    const tensors = tf.memory().numTensors;
    try {
      const controller = new AbortController();
      const open = () => Promise.resolve({ model, material: worldMaterial(world) });
      const onProgress = ({ note }: { note: string }) => {
        if (note.startsWith("step 2/")) controller.abort();
      };
      await assert.rejects(
        runPlan(plan, { store, open, close() {}, onProgress, signal: controller.signal }),
        /^Interrupted: Stopped the study; finished cells are kept/,
      );
      assert.deepEqual([...model.parameters.values()].map((one) => one.dataSync().slice()), base);
      assert.equal(tf.memory().numTensors, tensors);
    } finally {
      Deno.env.delete("SELF_ALIGNING_BESIDE");
      model.dispose();
      await Deno.remove(store, { recursive: true });
    }
  },
});

Deno.test({
  name: "a cell that diverges beside others fails alone, as it does by itself",
  ignore: tf.getBackend() !== "tensorflow",
  async fn() {
    const store = await Deno.makeTempDir();
    // Taken for a card, where cells are trained side by side by themselves.
    nodeBackend().isUsingGpuDevice = true;
    try {
      const notes: string[] = [];
      const onProgress = ({ note }: { note: string }) => void notes.push(note);
      const open = () => Promise.resolve({ model: untrained(), material: worldMaterial(world) });
      const diverging = { ...plan, finetuning: { learningRate: 1e30 } };
      const { value: { cells }, said } = await withErrors(() =>
        runPlan(diverging, { store, open, onProgress })
      );
      assert.ok(notes.some((note) => note.includes("cells at once")), "groups");
      assert.equal(said.length, cells.length);
      for (const { failed } of cells) assert.match(failed!, /expected a finite loss and gradient/);
      Deno.env.set("SELF_ALIGNING_BESIDE", "two");
      await assert.rejects(
        runPlan(plan, { store, open }),
        /expected SELF_ALIGNING_BESIDE to be a number from 1 up; found "two"/,
      );
    } finally {
      nodeBackend().isUsingGpuDevice = false;
      Deno.env.delete("SELF_ALIGNING_BESIDE");
      await Deno.remove(store, { recursive: true });
    }
  },
});
