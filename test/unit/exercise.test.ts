import assert from "node:assert/strict";
import { checkAnswer } from "../../lib/figure/exercise.ts";

Deno.test("checkAnswer() tells an untouched exercise from a wrong and a right one", () => {
  for (const start of [NaN, undefined]) assert.equal(checkAnswer(start, 1), "Not tried yet.");
  assert.equal(checkAnswer("", "A"), "Not tried yet.");
  assert.equal(checkAnswer([], [1]), "Not tried yet.");
  assert.equal(checkAnswer([NaN, NaN], [1, 2]), "Not tried yet.");
  assert.equal(checkAnswer(0, 1), "Not yet: found 0.");
  assert.equal(checkAnswer(1.004, 1), "Right.");
  assert.equal(checkAnswer(1.1, 1, { hint: "Round." }), "Not yet: found 1.1. Round.");
  assert.equal(checkAnswer(1.1, 1, { tolerance: 0.2 }), "Right.");
});

Deno.test("checkAnswer() compares texts and lists item by item", () => {
  assert.equal(checkAnswer("B", "B"), "Right.");
  assert.match(checkAnswer("A", "B"), /^Not yet: found A/);
  assert.equal(checkAnswer([1, 2.001], [1, 2]), "Right.");
  assert.match(checkAnswer([1], [1, 2]), /^Not yet: found \[1\]/);
  assert.match(checkAnswer([1, "x"] as unknown[], [1, 2]), /^Not yet/);
});
