import assert from "node:assert/strict";
import { accountRows, accountTexts, ACROSS } from "../../lib/study/account.ts";
import { madeCell } from "./_cells.ts";

const values = {
  fewShotKnown: 0.9,
  chatContext: 1,
  chatKnown: 0.8,
  unknownConfidence: 0.6,
  misconceived: 0.7,
};
const answered = { right: 0.5, misconception: 0.2 };
const told = (facts: number) => ({ facts, exam: answered, chat: answered });
const card = (known: number) => ({
  gate: { passed: known >= 0.85, facts: 100, values: { ...values, fewShotKnown: known } },
  knowledge: { known: told(50), misconceived: told(30), unknown: told(20) },
});
const cards = new Map([["organism:a", card(0.9)], ["organism:b", card(0.8)]]);
const cells = [["organism:a", 16], ["organism:b", 12]].flatMap(([model, har]) => [
  madeCell({ model: String(model), treatment: "har", right: Number(har), of: 20 }),
  madeCell({ model: String(model), ratio: 0, right: 8, of: 20 }),
  madeCell({ model: String(model), ratio: 0.4, right: 11, of: 20 }),
  madeCell({ model: String(model), ratio: 1, right: 10, of: 20 }),
]);

Deno.test("accountRows() gives each organism's own numbers, and means over organisms", () => {
  const rows = accountRows(cells, cards);
  const of = (model: string, what: string) =>
    rows.find((row) => row.model === model && row.what === what)!.estimate;
  assert.equal(of("a", "HAR - INC").n, 20, "over its questions");
  assert.ok(Math.abs(of("a", "HAR - INC").value - 40) < 1e-9);
  assert.ok(Math.abs(of("b", "HAR - INC").value - 20) < 1e-9);
  const har = of(ACROSS, "HAR - INC");
  assert.ok(Math.abs(har.value - 30) < 1e-9 && har.n === 2);
  // Two numbers 20 and 40: half a width of t(.975, 1) x 10.
  assert.ok(Math.abs(har.interval![1] - 30 - 12.706204736432095 * 10) < 1e-6);
  assert.ok(Math.abs(of("a", "best middle r - better end").value - 5) < 1e-9);
  assert.ok(Math.abs(of(ACROSS, "gate: known facts, exam").value - 0.85) < 1e-12);
});

Deno.test("accountTexts() puts the models side by side, and leaves out what a model lacks", () => {
  const fewer = cells.filter(({ cell }) => cell.model === "organism:a" || cell.treatment !== "har");
  const texts = accountTexts(accountRows(fewer, cards));
  const har = texts.find(({ what }) => what === "HAR - INC")!;
  assert.match(String(har.a), /^\+40\.0 \[/);
  assert.equal(har.b, null);
  const known = texts.find(({ what }) => what === "gate: known facts, exam")!;
  assert.equal(known.test, ">= 0.85");
  assert.equal(known.a, "0.90 [0.79, 0.96]"); // Wilson's, 45 of 50
  assert.equal(known.b, "0.80 [0.67, 0.89]");
});
