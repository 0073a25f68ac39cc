import assert from "node:assert/strict";
import { frame, join, rowsOf } from "../../lib/figure/frame.ts";

const rows = [
  { group: "INC", kl: 0.37, ok: true, accuracy: { value: 41, interval: [39, 43], n: 250 } },
  { group: "SELF", kl: null, ok: false, accuracy: { value: 47, interval: [44, 50], n: 250 } },
  { group: "<b>$x$", kl: 0.1, ok: true, accuracy: null },
] as const;

Deno.test("frame() and rowsOf() are each other's inverse", async () => {
  const made = await frame(rows);
  assert.deepEqual(made.columns, [
    ...["group", "kl", "ok", "accuracy", "accuracy_low", "accuracy_high", "accuracy_n"],
  ]);
  assert.deepEqual(rowsOf(made), rows);
  assert.deepEqual(rowsOf(await frame([])), []);
});

Deno.test("a frame is filtered, grouped and joined as in pandas", async () => {
  const made = await frame([
    { model: "a", group: "INC", value: 1 },
    { model: "b", group: "INC", value: 3 },
    { model: "a", group: "HAR", value: 5 },
  ]);
  const inc = made.query(made["group"].eq("INC"));
  assert.deepEqual(rowsOf(inc).map(({ value }) => value), [1, 3]);
  const means = rowsOf(made.groupby(["group"]).col(["value"]).mean());
  assert.deepEqual(means, [{ group: "INC", value_mean: 2 }, { group: "HAR", value_mean: 5 }]);
  const sizes = await frame([{ model: "a", size: 7 }]);
  assert.deepEqual(rowsOf(await join(made, sizes, { on: "model", how: "left" })), [
    { model: "a", group: "INC", value: 1, size: 7 },
    { model: "a", group: "HAR", value: 5, size: 7 },
    { model: "b", group: "INC", value: 3, size: null },
  ]);
});

type Shown = Record<symbol, () => Record<string, string>>;
const shown = (made: unknown) => (made as Shown)[Symbol.for("Jupyter.display")]();

Deno.test("a frame shows itself, and what is derived from it: escaped, ten rows, the shape", async () => {
  const made = await frame(Array.from({ length: 12 }, (_, i) => ({ text: `<b>${i}`, i })));
  const bundle = shown(made);
  assert.match(bundle["text/html"], /&lt;b&gt;9/);
  assert.doesNotMatch(bundle["text/html"], /<b>|&lt;b&gt;10/);
  assert.match(bundle["text/plain"], /12 rows x 2 columns, the first 10 shown/);
  assert.match(shown(made.query(made["i"].lt(2)))["text/plain"], /2 rows x 2 columns\n/);
  assert.match(shown(made.query(made["i"].lt(-1)))["text/plain"], /0 rows x 2 columns/);
});

Deno.test("what danfojs 1.1.2 computes wrongly is still wrong, and kept away or refused", async () => {
  const { DataFrame } = await import("danfojs-node");
  const raw = (cells: unknown[][], columns: string[]) => new DataFrame(cells, { columns });
  const mean = (made: InstanceType<typeof DataFrame>, key = "g") =>
    (made.groupby([key]).col(["v"]).mean().values as unknown[][]).map(([, value]) => value);
  // A missing number counts as 0 in a group's mean; a frame's NaN spoils it for all to see.
  assert.deepEqual(mean(raw([["a", 4], ["a", null], ["b", 1]], ["g", "v"])), [2, 1]);
  const made = await frame([{ g: "a", v: 4 }, { g: "a", v: null }, { g: "b", v: 1 }]);
  assert.deepEqual(mean(made), [NaN, 1]);
  // One row has no deviation: 0 here, NaN in pandas.
  const one = made.groupby(["g"]).col(["v"]).std().values as unknown[][];
  assert.deepEqual(one[1], ["b", 0]);
  // Rows around a missing number are not sorted.
  assert.throws(() => made.sortValues("v"), /expected a number in each row, found 1 missing/);
  const whole = made.query(made["v"].gt(-Infinity)).sortValues("v");
  assert.deepEqual(rowsOf(whole).map(({ v }) => v), [1, 4]);
  // Rows of a filtered frame are looked for by their labels: the second one comes for the first.
  const rest = raw([[1], [2], [-3]], ["v"]).loc({ rows: [1, 2] });
  assert.deepEqual(rest.iloc({ rows: [true, false] as unknown as number[] }).values, [[-3]]);
  const half = (await frame([{ v: 1 }, { v: 2 }, { v: -3 }, { v: 4 }])).query([
    false,
    true,
    true,
    true,
  ]);
  assert.deepEqual(rowsOf(half.query(half["v"].gt(0))).map(({ v }) => v), [2, 4]);
  assert.deepEqual(rowsOf(half.query(half["v"].gt(9))), []);
  assert.deepEqual(rowsOf(half.sortValues("v").query([true, false, false])), [{ v: -3 }]);
  // Keys are glued: two groups, or two places, become one.
  const glued = await frame([{ g: "a-b", h: "c", v: 1 }, { g: "a", h: "b-c", v: 3 }]);
  assert.throws(() => glued.groupby(["g", "h"]), /found \["a-b","c"\] and \["a","b-c"\]/);
  const [left, right] = [await frame([{ g: "a_b", h: "c" }]), await frame([{ g: "a", h: "b_c" }])];
  await assert.rejects(() => join(left, right, { on: ["g", "h"] }), /which it glues with "_"/);
  assert.equal(rowsOf(await join(left, right, { on: "g" })).length, 0);
});
