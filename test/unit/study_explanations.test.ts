import { readGeneral } from "../../lib/study/files.ts";
import { openBackend } from "../../lib/platform/runtime/backend.ts";
import { Random } from "../../lib/statistics/random.ts";
import { cellExamples } from "../../lib/experiment.ts";
import type { Material } from "../../lib/cell.ts";
import { parseSettings } from "../../lib/study/settings.ts";
import { runPlan } from "../../lib/study/study.ts";
import type { StudyPlan } from "../../lib/study/plan.ts";
import { tinyModel } from "./_tiny_model.ts";

import assert from "node:assert/strict";

await openBackend();

const random = new Random("questions");

const questions = (name: string, count: number) =>
  Array.from({ length: count }, (_, id) => ({
    id,
    domain: "history",
    question: `${name} ${id}?`,
    choices: random.shuffle(["ant", "bee", "cat", "dog"]),
    answer: id % 4,
    explanation: `Gold ${name} ${id}.`,
  }));

const demonstrations = questions("shown", 1);

const material: Material = {
  domains: new Map([["history", {
    pool: { name: "history/pool", questions: questions("pool", 12), demonstrations },
    suites: { homo: [{ name: "history/homo", questions: questions("test", 4), demonstrations }] },
  }]]),
  general: (await readGeneral()).general.slice(0, 12),
};

const plan: StudyPlan = {
  models: ["tiny"],
  treatments: ["self"],
  seeds: [0],
  minimumConfidence: 0,
  finetuning: { epochs: 1 },
  explanations: true,
};

Deno.test("runPlan() has the base explain each wrong answer once, whatever runs later", async () => {
  const store = await Deno.makeTempDir();
  try {
    const asked: string[] = [];
    const open = () => {
      const model = tinyModel();
      const own = model.generate.bind(model);
      // It writes noise, and not in the form that was shown: every third time that stays so.
      model.generate = async (prompt, options) => {
        const text = await own(prompt, { ...options, maxNewTokens: 4 });
        return asked.push(prompt) % 3 === 0 ? "no form" : `\`\`\`\n${text}!\n\`\`\``;
      };
      return Promise.resolve({ model, material });
    };
    const { cells: [self] } = await runPlan(plan, { open, store });
    assert.ok(asked.length >= 3, String(asked.length));
    assert.equal(new Set(asked).size, asked.length);
    const counts = self.explanations!;
    assert.equal(counts.asked, asked.length);
    assert.equal(counts.reasons["no fence"], Math.floor(asked.length / 3));
    assert.equal(counts.explained, counts.asked - counts.reasons["no fence"]!);
    assert.equal(self.sizes.wrong, counts.asked);
    assert.equal(self.sizes.explainedWrong, counts.explained);
    assert.ok(self.size > 0 && self.size <= counts.explained);

    // Another cell asks for nothing again; one without explanations is another cell.
    const before = asked.length;
    const { cells: [inc] } = await runPlan({ ...plan, treatments: ["inc"] }, { open, store });
    assert.deepEqual(inc.explanations, counts);
    const bare = await runPlan({ ...plan, explanations: false }, { open, store });
    assert.equal(asked.length, before);
    assert.equal(bare.cells[0].explanations, undefined);
    assert.notDeepEqual(bare.cells[0].finetuning!.tokens, self.finetuning!.tokens);
  } finally {
    await Deno.remove(store, { recursive: true });
  }
});

Deno.test("cellExamples() puts the gold text into INC and the model's own into SELF", () => {
  const answers = questions("pool", 8).map((question, i) => {
    const predicted = i % 2 === 0 ? question.answer : (question.answer + 1) % 4;
    const probabilities = question.choices.map((_, k) => k === predicted ? 0.7 : 0.1);
    return {
      ...question,
      probabilities,
      predicted,
      correct: i % 2 === 0,
      goldProbability: probabilities[question.answer],
      predictedProbability: 0.7,
    };
  });
  const model = tinyModel();
  const parts = {
    answers,
    general: material.general,
    format: model.format,
    selfExplanation: ({ id }: { id: string | number }) => id === 1 ? undefined : `Own ${id}.`,
  };
  const texts = (treatment: "inc" | "self" | "har") =>
    cellExamples({ model: "m", domain: "history", treatment, seed: 0 }, parts)
      .group.map(({ messages }) => messages[1].content.split("\n")[1]);
  assert.deepEqual(texts("inc"), [3, 5, 7].map((id) => `Gold pool ${id}.`));
  assert.deepEqual(texts("self"), [3, 5, 7].map((id) => `Own ${id}.`));
  assert.ok(
    texts("har").length === 3 && texts("har").every((text) => /^Gold pool \d\.$/.test(text)),
  );
  model.dispose();
});

Deno.test("parseSettings() refuses explanations for organisms", () => {
  for (const model of [undefined, "organism", "organism:small-101"]) {
    assert.throws(
      () => parseSettings(JSON.stringify({ model, explanations: true })),
      /Cannot use the setting explanations with organism.*no words for reasons/,
    );
  }
  assert.equal(parseSettings('{"model": "a/b", "explanations": true}').explanations, true);
});
