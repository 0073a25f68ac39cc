import assert from "node:assert/strict";
import {
  answerFrom,
  beliefOf,
  probeExams,
  reliabilityOf,
  shareOf,
} from "../../lib/knowledge/mod.ts";
import type { LanguageModel } from "../../lib/model/language_model.ts";
import { wilsonInterval } from "../../lib/statistics/mod.ts";
import { organismFormat, WordTokenizer } from "../../lib/world/mod.ts";

const question = { id: 1, domain: "d", question: "q ?", choices: ["w", "x", "y", "z"], answer: 1 };
const answers = [
  answerFrom(question, [0.1, 0.7, 0.1, 0.1]), // sure and right
  answerFrom(question, [0.8, 0.1, 0.05, 0.05]), // sure and wrong
  answerFrom(question, [0.3, 0.4, 0.2, 0.1]), // unsure and right
  answerFrom(question, [0.5, 0.3, 0.1, 0.1]), // .5 is not above .5
];
const near = (found: number, expected: number) => assert.ok(Math.abs(found - expected) < 1e-12);

Deno.test("beliefOf() counts what is right, confident, and both wrong and confident", () => {
  const belief = beliefOf(answers);
  assert.deepEqual(belief.right, { value: 0.5, interval: wilsonInterval(2, 4), n: 4 });
  assert.equal(belief.confident.value, 0.5);
  assert.equal(belief.confidentWrong.value, 0.25);
  near(belief.confidence, 0.6);
  assert.ok(belief.entropy > 0 && belief.entropy < Math.log(4));
  assert.equal(beliefOf(answers, { minimumConfidence: 0.45 }).confidentWrong.value, 0.5);
});

Deno.test("beliefOf() and shareOf() of nothing are NaN, and could be anything", () => {
  const { right, confidence, entropy } = beliefOf([]);
  assert.deepEqual(right, { value: NaN, interval: [0, 1], n: 0 });
  assert.ok(Number.isNaN(confidence) && Number.isNaN(entropy));
  assert.equal(shareOf(answers, ({ predicted }) => predicted === 0).value, 0.5);
});

Deno.test("reliabilityOf() gives each filled bin its accuracy's interval", () => {
  const { error, bins } = reliabilityOf(answers, { bins: 5 });
  assert.deepEqual(bins.map(({ low, n, accuracy }) => [low, n, accuracy]), [
    [0.2, 1, 1], // .4
    [0.4, 1, 0], // .5
    [0.6, 2, 0.5], // .7 and .8
  ]);
  assert.deepEqual(bins[2].interval, wilsonInterval(1, 2));
  near(error, (0.6 + 0.5 + 2 * 0.25) / 4);
});

/** A model that finds every word alike. */
const even = (asked: number[][][]) =>
  ({
    format: organismFormat,
    config: { maxPositions: 256 },
    requireTokenizer: () => tokenizer,
    tokenizer,
    nextTokenLogits: (rows: number[][]) => {
      asked.push(rows);
      return Promise.resolve(rows.map(() => new Float32Array(tokenizer.vocabularySize)));
    },
  }) as unknown as LanguageModel;
const tokenizer = new WordTokenizer([
  ..."<s> </s> <pad> <unk> q ? A. B. C. D. w x y z Question: Answer:".split(" "),
]);

Deno.test("probeExams() asks an exam of several tests once, with its own demonstrations", async () => {
  const asked: number[][][] = [], told: string[] = [];
  const exam = { name: "a", questions: [question, question], demonstrations: [question] };
  const other = { name: "b", questions: [question], demonstrations: [] };
  const found = await probeExams(even(asked), [exam, other, exam], {
    onExam: (name, done, total) => told.push(`${name} ${done}/${total}`),
  });
  assert.deepEqual([...found].map(([name, list]) => [name, list.length]), [["a", 2], ["b", 1]]);
  assert.deepEqual(told, ["a 0/2", "b 1/2"]);
  assert.deepEqual(found.get("b")![0].probabilities, [0.25, 0.25, 0.25, 0.25]);
  assert.ok(asked[0][0].length > asked[1][0].length); // by the demonstration
});

Deno.test("probeExams() refuses one name for two exams", async () => {
  const exam = { name: "a", questions: [question], demonstrations: [] };
  await assert.rejects(
    () => probeExams(even([]), [exam, { ...exam, questions: [] }]),
    /exam a: expected one exam of that name; found one of 1 and one of 0/,
  );
});
