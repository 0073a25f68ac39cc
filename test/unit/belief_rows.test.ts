import {
  auditRows,
  baseRows,
  beliefRows,
  changeRows,
  choiceRows,
  optionRows,
  outcomeRows,
  reliabilityRows,
} from "../../lib/study/belief_rows.ts";
import { answerFrom } from "../../lib/question.ts";
import { wilsonInterval } from "../../lib/statistics/proportion.ts";

import assert from "node:assert/strict";

const question = { id: 1, domain: "d", question: "q", choices: ["w", "x", "y", "z"], answer: 1 };

const probabilities = [
  [0.1, 0.7, 0.1, 0.1], // sure and right
  [0.8, 0.1, 0.05, 0.05], // sure and wrong
  [0.3, 0.4, 0.2, 0.1], // unsure and right
  [0.1, 0.1, 0.45, 0.35], // unsure and wrong
  [0.1, 0.2, 0.6, 0.1], // sure and wrong
];

const answers = probabilities.map((row, id) => answerFrom({ ...question, id }, row));

const groups = new Map([["all", answers]]);

const share = (right: number, of = 5) => ({
  value: 100 * right / of,
  interval: wilsonInterval(right, of).map((bound) => 100 * bound),
  n: of,
});

Deno.test("optionRows() marks the true option and the chosen one", () => {
  assert.deepEqual(optionRows(answers[0]).map(({ is }) => is), [
    "",
    "true, the model's answer",
    "",
    "",
  ]);
  assert.deepEqual(optionRows(answers[1])[0], {
    option: "w",
    probability: 80,
    is: "the model's answer",
  });
});

Deno.test("beliefRows() counts belief above the minimum, and further shares", () => {
  const [row] = beliefRows(groups, { shares: { "said w": ({ predicted }) => predicted === 0 } });
  assert.deepEqual(row.right, share(2));
  assert.deepEqual(row.sure, share(3));
  assert.deepEqual(row.sureWrong, share(2));
  assert.deepEqual(row["said w"], share(1));
  assert.ok(Math.abs(row.confidence as number - 59) < 1e-9); // (70 + 80 + 40 + 45 + 60) / 5
  assert.deepEqual(beliefRows(groups, { minimumConfidence: 0.75 })[0].sure, share(1));
});

Deno.test("outcomeRows() parts answers into right and wrong, sure and unsure", () => {
  const shares = (minimumConfidence?: number) =>
    outcomeRows(groups, { minimumConfidence }).map(({ outcome, share }) => [
      outcome,
      (share as { value: number }).value,
    ]);
  assert.deepEqual(shares(), [
    ["right, sure", 20],
    ["right, unsure", 20],
    ["wrong, unsure", 20],
    ["wrong, sure", 40],
  ]);
  assert.deepEqual(shares(0.75).map(([, value]) => value), [0, 40, 40, 20]);
});

Deno.test("choiceRows() has right answers, and how often each place is chosen", () => {
  const rows = choiceRows(groups);
  assert.deepEqual(rows.map(({ choice }) => choice), [
    "right",
    ..."ABCD".split("").map((letter) => `chose ${letter}`),
  ]);
  assert.deepEqual(rows.map((row) => row.share), [2, 1, 2, 2, 0].map((n) => share(n)));
  assert.deepEqual(choiceRows(new Map()), []);
});

Deno.test("auditRows() says what one constant letter would get", () => {
  const [row] = auditRows(groups);
  assert.equal(row.chance, 25);
  assert.equal(row.constant, 100); // every right answer is B
  assert.equal(row.constantLetter, "B");
  assert.equal(row.knowledge, false);
});

Deno.test("reliabilityRows() leaves out bins of few answers", () => {
  // .65, wrong, lies in the bin of .7, which is right.
  const rows = reliabilityRows([...answers, answerFrom(question, [0.65, 0.15, 0.1, 0.1])]);
  assert.deepEqual(rows.map(({ right }) => right.n), [1, 1, 1, 2, 1]);
  const few = reliabilityRows([...answers, answerFrom(question, [0.65, 0.15, 0.1, 0.1])], {
    minimumAnswers: 2,
  });
  assert.deepEqual(few.map(({ right }) => right), [share(1, 2)]);
  assert.ok(Math.abs(few[0].confidence - 67.5) < 1e-9);
});

Deno.test("changeRows() compares each state with the one before", () => {
  const after = answers.map((answer, i) =>
    answerFrom(answer, i === 1 ? [0.1, 0.8, 0.05, 0.05] : probabilities[i])
  );
  const [same, changed] = changeRows(answers, new Map([["base", answers], ["tuned", after]]));
  assert.equal(same.kl, 0);
  assert.equal(same["newly right"], 0);
  assert.deepEqual(changed.accuracy, share(3));
  // One of five questions moved: KL is .8 ln 8 + .1 ln (1/8), over five.
  assert.ok(Math.abs(changed.kl as number - 0.7 * Math.log(8) / 5) < 1e-6);
  assert.equal(changed["newly right"], 1);
  assert.equal(changed["newly wrong"], 0);
});

Deno.test("baseRows() has a row for each test that is there", () => {
  const exam = (name: string) => ({ name, questions: [], demonstrations: [] });
  const base = {
    model: "organism:a",
    digest: "",
    parameters: 1,
    asking: { formulation: "hybrid", normalization: "none" } as const,
    answers: { "d/homo": answers, "e/id": answers.slice(0, 2), "f/id": answers.slice(2) },
  };
  const material = {
    domains: new Map([["d", {
      pool: exam("d/train"),
      suites: { homo: [exam("d/homo")], ood: [exam("e/id"), exam("f/id")] },
    }]]),
    general: [],
  };
  assert.deepEqual(baseRows([{ model: "a", base, material }]), [
    { model: "a", domain: "d", test: "HOMO", accuracy: share(2) },
    { model: "a", domain: "d", test: "OOD", accuracy: share(2) },
  ]);
});
