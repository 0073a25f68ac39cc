import { answerFrom } from "../../lib/question.ts";
import { beliefOf, reliabilityOf, shareOf } from "../../lib/audit.ts";
import { wilsonInterval } from "../../lib/statistics/proportion.ts";

import assert from "node:assert/strict";

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
