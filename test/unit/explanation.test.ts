import type { ReadableModel } from "../../lib/model/readable_model.ts";
import assert from "node:assert/strict";
import { parseReleased } from "../../lib/dataset/released.ts";
import { answerFrom } from "../../lib/question.ts";
import {
  countExplanations,
  explainAnswers,
  explanationPrompt,
  parseExplanation,
} from "../../lib/explanation.ts";
import type { GenerateOptions } from "../../lib/model/readable_model.ts";
import { paperFormat } from "../../lib/prompt.ts";
import { organismFormat } from "../../lib/world/format.ts";

const reference = new URL("../../../shared/reference-data/group/", import.meta.url);
const referenceThere = await Deno.stat(reference).then(() => true, () => false);
if (!referenceThere) {
  console.log("explanation.test.ts: the authors' released rows are not here, one test is skipped");
}

const question = {
  id: 7,
  domain: "history",
  question: "Who wrote it?",
  choices: ["Ann", "Ben", "Cy", "Dee"],
  answer: 0,
};
const answers = [0.6, 0.7, 0.8].map((p, id) =>
  answerFrom({ ...question, id }, [1 - p, 0, p, 0].map((x) => Number(x.toFixed(1))))
);

/** A model that writes what `write` says, and notes how it was asked. */
function fake(
  write: (prompt: string, options: GenerateOptions) => string,
  { maxPositions = 4096, format = paperFormat } = {},
) {
  const asked: { prompt: string; options: GenerateOptions }[] = [];
  const tokenizer = { encode: (text: string) => text.split(/\s+/) };
  const model = {
    name: "fake",
    format,
    config: { maxPositions },
    tokenizer,
    requireTokenizer: () => tokenizer,
    generate(prompt: string, options: GenerateOptions) {
      asked.push({ prompt, options });
      return Promise.resolve(write(prompt, options));
    },
  } as unknown as ReadableModel;
  return { model, asked };
}

Deno.test("explanationPrompt() shows one query with its answer, then asks", () => {
  const prompt = explanationPrompt(question, 2);
  assert.equal(prompt.match(/^# Instruction$/gm)!.length, 1);
  assert.equal(prompt.match(/^# Query:$/gm)!.length, 2);
  assert.equal(prompt.match(/^# Answer:$/gm)!.length, 2);
  assert.ok(prompt.endsWith("\n```\n\n# Answer:\n"));
  assert.match(prompt, /Who wrote it\?\nA\. Ann\nB\. Ben\nC\. Cy\nD\. Dee\nThe answer is C\. Cy\n/);
  assert.throws(() => explanationPrompt(question, 4), /expected one of 4 options; found 4/);
});

Deno.test("explanationPrompt() lets no text of a question close its query", () => {
  const bad = { question: "```\n\n# Answer:\n```", choices: ["```", "b", "c", "d"] };
  const count = (text: string) => text.split("```").length;
  assert.equal(count(explanationPrompt(bad, 0)), count(explanationPrompt(question, 0)));
});

Deno.test("parseExplanation() takes what stands between the first backticks", () => {
  const cases: [text: string, expected: ReturnType<typeof parseExplanation>][] = [
    ["```\n It rained.\n\nA lot. \n```\n\n", { explanation: "It rained.\n\nA lot." }],
    ["```It rained.```", { explanation: "It rained." }],
    ["\n```\nOne.\n```\n\n# Query:\n```Two?```\n```\nTwo.\n```", { explanation: "One." }],
    ["```\nIt rained, and then", { explanation: "It rained, and then", reason: "cut" }],
    ["```\n\n```", { reason: "empty" }],
    ["```\n", { reason: "empty" }],
    ["", { reason: "empty" }],
    [" \n", { reason: "empty" }],
    ["It rained.", { reason: "no fence" }],
    ["Sure!\n```\nIt rained.\n```", { reason: "text before" }],
  ];
  for (const [text, expected] of cases) assert.deepEqual(parseExplanation(text), expected, text);
});

Deno.test({
  name: "parseExplanation() cuts every published text as it was published",
  ignore: !referenceThere,
  async fn() {
    let rows = 0, empty = 0;
    for (const model of ["llama-2-7b", "llama-2-70b"]) {
      const path = new URL(
        `${model}/engineering/inconsistent-predict-model-exp.jsonl`,
        reference,
      ).pathname;
      const { answers } = parseReleased(await Deno.readTextFile(path), { file: path });
      for (const { modelGeneration, modelExplanation } of answers) {
        const { explanation, reason } = parseExplanation(modelGeneration!);
        assert.equal(explanation, modelExplanation);
        if (reason === "empty") empty++;
        rows++;
      }
    }
    assert.deepEqual([rows, empty], [738 + 712, 14]);
  },
});

Deno.test("explainAnswers() asks for the model's own answer, with a seed for each", async () => {
  const { model, asked } = fake((_, { seed }) => `\`\`\`\nReason ${seed}.\n\`\`\``);
  const all = await explainAnswers(model, answers);
  assert.deepEqual(all.map(({ id, option }) => [id, option]), [[0, 2], [1, 2], [2, 2]]);
  for (const { prompt, options } of asked) {
    assert.match(prompt, /The answer is C\. Cy/);
    assert.deepEqual(
      [options.maxNewTokens, options.temperature, options.topP],
      [256, 0.7, 0.8],
    );
  }
  assert.equal(new Set(asked.map(({ options }) => options.seed)).size, 3);
  // An answer's text is the same whichever others are asked about.
  const [last] = await explainAnswers(model, answers.slice(2));
  assert.deepEqual(last, all[2]);
  const [other] = await explainAnswers(model, answers.slice(2), { seed: 1 });
  assert.notEqual(other.raw, last.raw);
});

Deno.test("explainAnswers() keeps what it can't use, and counts it", async () => {
  const texts = ["```\nBecause.\n```", "no form at all", "```\nBecause it was so"];
  const { model } = fake(() => texts.shift()!);
  const all = await explainAnswers(model, answers);
  assert.deepEqual(all.map(({ raw }) => raw), [
    "```\nBecause.\n```",
    "no form at all",
    "```\nBecause it was so",
  ]);
  assert.deepEqual(countExplanations(all), {
    asked: 3,
    explained: 2,
    reasons: { "no fence": 1, cut: 1 },
  });
  const small = fake(() => "```\nBecause.\n```", { maxPositions: 300 });
  const none = await explainAnswers(small.model, answers);
  assert.equal(small.asked.length, 0);
  assert.deepEqual(countExplanations(none), { asked: 3, explained: 0, reasons: { "too long": 3 } });
});

Deno.test("explainAnswers() refuses an organism", async () => {
  const { model, asked } = fake(() => "", { format: organismFormat });
  await assert.rejects(
    explainAnswers(model, answers),
    /Cannot explain answers with fake: .*an organism has no words for reasons.*--explanations/,
  );
  assert.equal(asked.length, 0);
});
