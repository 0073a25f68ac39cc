import assert from "node:assert/strict";
import {
  auditTable,
  beliefTable,
  outcomeBars,
  percentAxis,
  placePanels,
  reliabilityDiagram,
} from "../../lib/figure/knowledge.ts";
import { toCsv } from "../../lib/figure/table.ts";
import { answerFrom } from "../../lib/question.ts";
import { reliabilityOf } from "../../lib/study/belief.ts";
import { wilsonInterval } from "../../lib/statistics/proportion.ts";

const question = { id: 1, domain: "d", question: "q", choices: ["w", "x", "y", "z"], answer: 1 };
const answers = [
  answerFrom(question, [0.1, 0.7, 0.1, 0.1]), // sure and right
  answerFrom(question, [0.8, 0.1, 0.05, 0.05]), // sure and wrong
  answerFrom(question, [0.3, 0.4, 0.2, 0.1]), // unsure and right
  answerFrom(question, [0.1, 0.1, 0.45, 0.35]), // unsure and wrong
  answerFrom(question, [0.1, 0.2, 0.6, 0.1]), // sure and wrong
];
const group = { name: "all", answers };

Deno.test("reliabilityDiagram() draws each bin where its answers lie, beside the diagonal", () => {
  const reliability = reliabilityOf(answers.slice(0, 2), { bins: 2 });
  const { data } = reliabilityDiagram(reliability, { minimumAnswers: 2 });
  const line = data.find(({ name }) => name === "answers")!;
  assert.deepEqual(line.x, [75]);
  assert.deepEqual(line.y, [50]);
  assert.deepEqual(data.find(({ name }) => name === "calibrated")!.y, [0, 100]);
  assert.deepEqual(reliabilityDiagram(reliability).data.map(({ x }) => x), [[], [0, 100]]);
});

Deno.test("outcomeBars() parts answers into right and wrong, sure and unsure", () => {
  const shares = (minimumConfidence?: number) =>
    outcomeBars([group], { minimumConfidence }).data.map(({ name, y }) => [name, y]);
  assert.deepEqual(shares(), [
    ["right, sure", [20]],
    ["right, unsure", [20]],
    ["wrong, unsure", [20]],
    ["wrong, sure", [40]],
  ]);
  assert.deepEqual(shares(0.75).map(([, y]) => y), [[0], [40], [40], [20]]);
});

Deno.test("placePanels() shows accuracy beside a guess, and each place's share", () => {
  const bars = placePanels([group]).data;
  const value = (name: string) => (bars.find((bar) => bar.name === name)!.y as number[])[0];
  assert.equal(value("right"), 40);
  assert.equal(value("a guess"), 25);
  assert.deepEqual(["A", "B", "C", "D"].map((letter) => value(`chose ${letter}`)), [20, 40, 40, 0]);
});

Deno.test("beliefTable() has shares with intervals, and further shares under their headings", () => {
  const table = beliefTable([group], { shares: { "said w": ({ predicted }) => predicted === 0 } });
  const [row] = table.rows;
  assert.deepEqual(row.right, {
    value: 40,
    interval: wilsonInterval(2, 5).map((bound) => 100 * bound),
    n: 5,
  });
  assert.equal((row.wrong as { value: number }).value, 40);
  assert.equal((row["said w"] as { value: number }).value, 20);
  assert.match(toCsv(table), /^answers,right,right_low,right_high,right_n,sure,/);
});

Deno.test("auditTable() says what one constant letter would get", () => {
  const [row] = auditTable([group]).rows;
  assert.equal(row.guess, 25);
  assert.equal(row.constant, 100); // every right answer is B
  assert.equal(row.constantLetter, "B");
  assert.equal(row.knowledge, "no");
});

Deno.test("percentAxis() has room for a mark at 100%", () => {
  const { range, ticks, unit } = percentAxis("Right");
  assert.ok(range![1] > 100 && range![0] === 0);
  assert.deepEqual([ticks!.at(-1), unit], [100, "%"]);
});
