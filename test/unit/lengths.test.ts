import assert from "node:assert/strict";
import { chooseLengths } from "../../lib/model/lengths.ts";
import { Random } from "../../lib/statistics/random.ts";

/** Tokens of the rows, each padded to the smallest length that fits. */
const padded = (rows: number[], lengths: number[]) =>
  rows.reduce((sum, row) => sum + lengths.find((length) => length >= row)!, 0);

/** The least over all choices of `count` lengths, tried one by one. */
function least(rows: number[], count: number): number {
  const all = [...new Set(rows)].sort((a, b) => a - b);
  let best = Infinity;
  const go = (from: number, chosen: number[]) => {
    const whole = [...chosen, all.at(-1)!];
    best = Math.min(best, padded(rows, whole));
    if (whole.length === count) return;
    for (let i = from; i < all.length - 1; i++) go(i + 1, [...chosen, all[i]]);
  };
  go(0, []);
  return best;
}

Deno.test("chooseLengths() pads as little as any choice of so many lengths", () => {
  const random = new Random(5);
  for (let trial = 0; trial < 20; trial++) {
    const rows = Array.from({ length: 12 }, () => 1 + random.integer(15));
    for (const count of [1, 2, 3, 4]) {
      const lengths = chooseLengths(rows, count);
      assert.ok(lengths.length <= count);
      assert.equal(lengths.at(-1), Math.max(...rows));
      assert.deepEqual(lengths, lengths.toSorted((a, b) => a - b));
      assert.equal(padded(rows, lengths), least(rows, count), `${rows}: ${lengths}`);
    }
  }
});

Deno.test("chooseLengths() gives each length itself where there are few", () => {
  assert.deepEqual(chooseLengths([7, 3, 7, 5], 9), [3, 5, 7]);
});
