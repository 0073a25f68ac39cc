import { parseAnswers } from "./_row_texts.ts";
import assert from "node:assert/strict";
import * as v from "valibot";
import { type Answer, answerFrom, type Question } from "../../lib/question.ts";
import { answerOf, formatAnswers } from "../../lib/dataset/answers.ts";
import { auditProbe, beliefOf } from "../../lib/audit.ts";
import { probabilityRows } from "../../lib/cell.ts";
import { compareAnswers } from "../../lib/evaluate.ts";
import { Random } from "../../lib/statistics/random.ts";

const question: Question = {
  id: 1,
  domain: "history",
  question: "Which?",
  choices: ["x", "y", "z", "w"],
  answer: 1,
};

Deno.test("answerFrom() finds prediction, gold probability and correctness", () => {
  const answer = answerFrom(question, [0.1, 0.2, 0.6, 0.1]);
  assert.deepEqual(answer, {
    ...question,
    probabilities: [0.1, 0.2, 0.6, 0.1],
    predicted: 2,
    correct: false,
    goldProbability: 0.2,
    predictedProbability: 0.6,
  });
  assert.equal(answerFrom(question, [0.2, 0.4, 0.4, 0]).predicted, 1); // the first of equals
  assert.equal(answerFrom(question, Float32Array.of(0.1, 0.7, 0.1, 0.1)).correct, true);
});

Deno.test("answerFrom() throws for what is no distribution, naming question and value", () => {
  assert.throws(() => answerFrom(question, [NaN, 0.5, 0.5, 0]), /question 1: probs\[0\].*NaN/);
  assert.throws(() => answerFrom(question, [-0.1, 0.5, 0.5, 0.1]), /probs\[0\].*-0\.1/);
  assert.throws(() => answerFrom(question, [0.5, 0.5, 0.5, 0]), /a sum of 1; found 1\.5/);
  assert.throws(() => answerFrom(question, [0.5, 0.5]), /expected 4 numbers.*found 2/);
  assert.throws(() => answerFrom(question, [0.703, 0.3, 0, 0]), /a sum of 1; found 1\.003/);
});

Deno.test("what counts as an answer's probabilities is measured and stored as such", () => {
  const answer = answerFrom(question, [0.7015, 0.3, 0, 0]);
  assert.ok(Math.abs(beliefOf([answer]).entropy - 0.610483) < 1e-6); // of .70045 and .29955
  assert.equal(compareAnswers([answer], [answer]).kl, 0);
  assert.ok(v.is(probabilityRows, [answer.probabilities]));
});

const row = {
  id: 1,
  domain: "history",
  question: "Which?",
  choices: ["x", "y", "z", "w"],
  answer: 1,
  probs: [0.1, 0.2, 0.6, 0.1],
};

Deno.test("answerOf() computes what a row lacks and rejects what contradicts probs", () => {
  assert.equal(answerOf(question, row).predicted, 2);
  const reject = (changes: object, reason: RegExp) =>
    assert.throws(() => answerOf(question, { ...row, ...changes }), reason);
  reject({ probs: "no" }, /^RowFault|^Error: probs: expected a list/);
  reject({ probs: [null, 0.4, 0.6, 0] }, /probs\[0\].*null/);
  reject({ pred: 0 }, /pred: expected 2, where probs are highest; found 0/);
  reject({ pred: "2" }, /pred: expected 2.*found "2"/);
  reject({ correct: true }, /correct: expected false for pred 2 and answer 1; found true/);
  reject({ golden_prob: 0.3 }, /golden_prob: expected 0\.2, as in probs; found 0\.3/);
  reject({ pred_prob: 0.61 }, /pred_prob: expected 0\.6/);
  reject({ output: 4 }, /output: expected an index 0\.\.3; found 4/);
  // Any of equal maxima may be the prediction.
  const tied = answerOf(question, { ...row, probs: [0.4, 0.1, 0.4, 0.1], pred: 2, correct: false });
  assert.equal(tied.predicted, 2);
});

Deno.test("parseAnswers() gives formatAnswers()'s answers back, and lines of bad rows", () => {
  const random = new Random(3);
  const answers = Array.from({ length: 200 }, (_, id) => {
    const weights = question.choices.map(() => random.next());
    const sum = weights.reduce((a, b) => a + b, 0);
    return answerFrom({ ...question, id, answer: id % 4 }, weights.map((w) => w / sum));
  });
  const text = formatAnswers(answers);
  assert.ok(text.endsWith("}\n"));
  assert.deepEqual(parseAnswers(text, { file: "a/b.jsonl" }), { answers, rejected: [] });
  const { rejected } = parseAnswers(`${text}{"id": 9}\n${JSON.stringify(row)}`, {
    file: "a/b.jsonl",
  });
  assert.deepEqual(rejected.map(({ line }) => line), [201, 202]);
  assert.deepEqual(parseAnswers("", { file: "b" }), { answers: [], rejected: [] });
});

/** `n` answers whose gold options go round, right in `right` of them, else one place behind. */
function made(n: number, right: number, options = 4): Answer[] {
  return Array.from({ length: n }, (_, id) => {
    const gold = id % options;
    const predicted = id < right ? gold : (gold + 1) % options;
    const choices = Array.from({ length: options }, (_, i) => `o${i}`);
    return answerFrom(
      { ...question, id, choices, answer: gold },
      choices.map((_, i) => i === predicted ? 1 : 0),
    );
  });
}

Deno.test("auditProbe() gives the exact binomial tail against chance and the majority letter", () => {
  // From exact fractions: the sum of C(40, i) 3^(40 - i) / 4^40 for i from 16 (and 12) to 40.
  const audit = auditProbe(made(40, 16));
  assert.ok(Math.abs(audit.chanceP - 0.026244884083742915) < 1e-12, String(audit.chanceP));
  assert.equal(audit.accuracy, 0.4);
  assert.equal(audit.chance, 0.25);
  assert.deepEqual(audit.majority, { letter: "A", rate: 0.25 });
  assert.ok(audit.meaningful);
  assert.match(audit.verdict, /40\.0% of 40 answers are right .*groups built on it mean something/);
  const low = auditProbe(made(40, 12));
  assert.ok(Math.abs(low.chanceP - 0.28485560710188584) < 1e-12, String(low.chanceP));
  assert.ok(!low.meaningful);
  assert.match(low.verdict, /does not show knowledge, and groups built on it would not mean/);
});

Deno.test("auditProbe() is not fooled by a letter that is often right", () => {
  // 70 of 100 gold answers are A, and the model always says A: far above chance, no knowledge.
  const answers = Array.from(
    { length: 100 },
    (_, id) => answerFrom({ ...question, id, answer: id < 70 ? 0 : 1 }, [1, 0, 0, 0]),
  );
  const audit = auditProbe(answers);
  assert.ok(audit.chanceP < 1e-15);
  assert.ok(audit.majorityP > 0.4);
  assert.ok(!audit.meaningful);
  assert.deepEqual(audit.mostPredicted, { letter: "A", share: 1 });
  assert.match(audit.verdict, /100\.0% of the answers are A/);
});

Deno.test("auditProbe() takes each question's own number of options, and no answers", () => {
  const audit = auditProbe([...made(1, 1, 2), ...made(1, 1, 4)]);
  assert.equal(audit.chance, 0.375);
  assert.ok(Math.abs(audit.chanceP - 0.125) < 1e-15); // 1/2 x 1/4
  const none = auditProbe([]);
  assert.deepEqual([none.n, none.meaningful, none.interval], [0, false, [0, 1]]);
  assert.match(none.verdict, /no answers/);
});

Deno.test("auditProbe() keeps to its level for a guessing model, over 400 seeded probes", () => {
  let alarms = 0;
  for (let seed = 0; seed < 400; seed++) {
    const random = new Random(seed);
    const answers = Array.from({ length: 80 }, (_, id) => {
      const predicted = random.integer(4);
      return answerFrom(
        { ...question, id, answer: random.integer(4) },
        [0, 1, 2, 3].map((i) => i === predicted ? 1 : 0),
      );
    });
    if (auditProbe(answers).meaningful) alarms++;
  }
  assert.ok(alarms <= 20, `${alarms} of 400 guessing probes were called meaningful`);
});
