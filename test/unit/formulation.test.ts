import { optionProbabilities, probe, scoreOptions } from "../../lib/probe.ts";
import { openBackend } from "../../lib/platform/runtime/backend.ts";
import { cellExamples } from "../../lib/experiment.ts";
import { openSubject } from "../../lib/study/subjects.ts";
import { studyPlan } from "../../lib/study/plans.ts";
import type { StudyPlan } from "../../lib/study/plan.ts";
import { parseSettings, realSettings, type Settings } from "../../lib/study/settings.ts";
import { probeBase, runPlan } from "../../lib/study/study.ts";
import { Store } from "../../lib/study/store.ts";
import { questionsOf, writeRows } from "./_exam_files.ts";
import { tinyModel } from "./_tiny_model.ts";

import assert from "node:assert/strict";

await openBackend();

/** A tiny model's folder with an exam's files, and settings that name them. */
async function withModel(
  test: (made: {
    folder: string;
    model: string;
    settings: (changes?: Partial<Settings>) => Settings;
  }) => Promise<void>,
) {
  const folder = await Deno.makeTempDir();
  try {
    const made = tinyModel();
    await made.save(`${folder}/model`);
    made.dispose();
    for (const [name, count] of [["dev", 2], ["test", 4], ["pool", 12]] as const) {
      await writeRows(`${folder}/${name}.jsonl`, questionsOf(name, count));
    }
    const model = `${folder}/model`;
    const settings = (changes: Partial<Settings> = {}) =>
      parseSettings(JSON.stringify({
        model,
        questions: `${folder}/test.jsonl`,
        pool: `${folder}/pool.jsonl`,
        ...changes,
      }));
    await test({ folder, model, settings });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const ways: Partial<Settings>[] = [
  {},
  { formulation: "hybrid" },
  { formulation: "cloze" },
  { formulation: "cloze", normalization: "pmi" },
  { formulation: "cloze", normalization: "character" },
];

Deno.test("a formulation reaches the base probe, and each is stored apart with its name", async () => {
  await withModel(async ({ folder, model: name, settings }) => {
    const store = new Store(`${folder}/store`);
    const found = [];
    for (const way of ways) {
      const { model, material } = await openSubject(name, settings(way));
      const base = await probeBase(name, { model, material }, { store });
      const { pool } = material.domains.get("history")!;
      const direct = await probe(model, pool.questions, {
        demonstrations: [...pool.demonstrations],
        formulation: way.formulation ?? "letters",
        normalization: way.normalization ?? "none",
      });
      assert.deepEqual(base.answers["history/pool"], direct);
      // Read back from the store, not taken for another's.
      assert.deepEqual(await probeBase(name, { model, material }, { store }), base);
      found.push(JSON.stringify(base.answers));
      model.dispose();
    }
    assert.equal(new Set(found).size, ways.length);
    // Of the pool and of the test.
    assert.equal([...Deno.readDirSync(`${folder}/store`)].length, 2 * ways.length);
  });
});

Deno.test("a formulation reaches groups, targets, tuned tests and the cells' names", async () => {
  await withModel(async ({ folder, model: name, settings }) => {
    const plan: StudyPlan = {
      models: [name],
      treatments: ["har", "context"],
      seeds: [0],
      minimumConfidence: 0,
      finetuning: { epochs: 1, batchSize: 4 },
      count: 2,
    };
    const kept = new Set<string>();
    for (const way of ways) {
      const { cells } = await runPlan(plan, {
        store: `${folder}/store`,
        open: () => openSubject(name, settings(way)),
      });
      const { formulation = "letters", normalization = "none" } = way;
      for (const { asking, size, fit, suites } of cells) {
        assert.deepEqual(asking, { formulation, normalization });
        assert.equal(fit!.n, size);
        kept.add(JSON.stringify([asking, fit, suites.homo!.probabilities]));
      }
    }
    const names = [...Deno.readDirSync(`${folder}/store`)].map(({ name }) => name);
    assert.equal(names.filter((one) => one.startsWith("cell-")).length, 2 * ways.length);
    assert.ok(kept.size >= 2 * ways.length - 1);
  });
});

Deno.test("a group's conversations are in the formulation that its model is tested in", async () => {
  await withModel(async ({ model: name, settings }) => {
    for (const formulation of ["letters", "hybrid", "cloze"] as const) {
      const { model, material } = await openSubject(name, settings({ formulation }));
      const { pool } = material.domains.get("history")!;
      const answers = await probe(model, pool.questions);
      const { group } = cellExamples({
        ...{ model: name, domain: "history", treatment: "context", seed: 0 },
      }, { answers, general: material.general, format: model.format, minimumConfidence: 0 });
      for (const { messages: [user, assistant], question, target } of group) {
        const text = question!.choices[target!];
        assert.equal(user.content.includes("\nB. "), formulation !== "cloze");
        assert.ok(user.content.includes(question!.explanation!));
        const letter = "ABCD"[target!];
        assert.equal(assistant.content, formulation === "letters" ? `${letter}. ${text}` : text);
        // What the tuned model is shown and scored on is what it was trained on.
        const asked = model.format.probePrompt(question!, [], {
          ...{ template: "vicuna", context: true, formulation },
        });
        const [prompt, answer] = model.format.trainingTexts([user, assistant]);
        assert.equal(prompt.text, asked);
        const scored = model.format.optionTexts(question!, { formulation })[target!];
        assert.ok(answer.text.startsWith(scored));
      }
      assert.ok(group.length > 0);
      model.dispose();
    }
  });
});

Deno.test("scoreOptions() gives all normalizations of probe() at once", async () => {
  const model = tinyModel();
  const questions = questionsOf("asked", 5).map((question, i) => ({
    ...question,
    choices: question.choices.map((choice, k) => choice.repeat(1 + (i + k) % 3)),
  }));
  const options = { demonstrations: questionsOf("shown", 2), formulation: "cloze" as const };
  const scores = await scoreOptions(model, questions, options);
  for (const normalization of ["none", "token", "character", "pmi"] as const) {
    const answers = await probe(model, questions, { ...options, normalization });
    for (const [i, { probabilities }] of answers.entries()) {
      const own = optionProbabilities(scores[i], normalization);
      own.forEach((p, k) => assert.ok(Math.abs(p - probabilities[k]) < 1e-6, normalization));
    }
  }
  const [{ sum, bare }] = scores[0];
  assert.ok(sum < 0 && bare! < 0 && sum !== bare);
  const lacking = scores[0].map(({ bare: _, ...rest }) => rest);
  assert.throws(() => optionProbabilities(lacking, "pmi"), /without the question; found none/);
  model.dispose();
});

Deno.test("parseSettings() fills in how a real model is asked, and refuses what means nothing", () => {
  const asked = (values: Partial<Settings>) => {
    const { formulation, normalization, seeds } = parseSettings(JSON.stringify(values));
    return [formulation, normalization, seeds];
  };
  assert.deepEqual(asked({ model: "a/b" }), ["cloze", "none", 1]);
  assert.deepEqual(asked({ model: "a/b", questions: "q", pool: "p" }), ["letters", "none", 3]);
  assert.deepEqual(asked({ model: "a/b", formulation: "letters" }), ["letters", "none", 1]);
  assert.deepEqual(asked({ model: "a/b", normalization: "pmi" }), ["cloze", "pmi", 1]);
  assert.deepEqual(asked({}), [undefined, undefined, 3]);
  const refuses = (values: object, message: RegExp) =>
    assert.throws(() => parseSettings(JSON.stringify(values)), message);
  refuses({ formulation: "cloze" }, /formulation with organism: .*leave --formulation out/);
  refuses({ model: "organism:small-101", normalization: "none" }, /normalization with organism:/);
  refuses({ model: "a/b", formulation: "open" }, /formulation: expected one of letters, hybrid/);
  refuses({ model: "a/b", normalization: "bytes" }, /normalization: expected one of none, token/);
  refuses(
    { model: "a/b", formulation: "letters", normalization: "pmi" },
    /normalization with letters: .*--formulation=cloze/,
  );
  refuses({ model: "a/b", domains: ["medicine"] }, /domains: expected one or more of geography/);
  refuses({ domains: ["geography"] }, /domains: expected one or more of history, engineering/);
});

Deno.test("realSettings() takes SmolLM2 where an organism was asked for, and any other as it is", () => {
  const real = realSettings(parseSettings('{"quick": true, "seeds": 3, "domains": ["history"]}'));
  assert.deepEqual(
    [real.model, real.quick, real.seeds, real.domains, real.formulation],
    ["smollm2", true, 1, undefined, "cloze"],
  );
  const own = parseSettings('{"model": "a/b", "seeds": 2}');
  assert.equal(realSettings(own), own);
});

Deno.test("studyPlan() on common facts takes few items in small batches, and a small model's rate", async () => {
  const planOf = async (values: Partial<Settings>) => {
    const { count, finetuning } = await studyPlan(parseSettings(JSON.stringify(values)));
    return [count, finetuning];
  };
  const small = [28, { batchSize: 8, learningRate: 1e-4 }];
  for (const model of ["smollm2", "HuggingFaceTB/SmolLM2-360M", "/x/SmolLM2-135M-Instruct.gguf"]) {
    assert.deepEqual(await planOf({ model }), small, model);
  }
  for (const model of ["HuggingFaceTB/SmolLM2-1.7B-Instruct", "mistralai/Mistral-7B-v0.1"]) {
    assert.deepEqual(await planOf({ model }), [28, { batchSize: 8 }], model);
  }
  // An adapter has a rate of its own, what is asked for wins, and own questions change nothing.
  assert.deepEqual((await planOf({ model: "smollm2", lora: 8 }))[1], {
    batchSize: 8,
    lora: { rank: 8 },
  });
  assert.deepEqual((await planOf({ model: "smollm2", learningRate: 1e-5 }))[1], {
    batchSize: 8,
    learningRate: 1e-5,
  });
  const own = { model: "smollm2", questions: "q.jsonl", pool: "p.jsonl" };
  assert.deepEqual(await planOf(own), [undefined, {}]);
});
