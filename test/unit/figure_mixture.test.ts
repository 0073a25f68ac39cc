import assert from "node:assert/strict";
import { panels } from "../../lib/figure/panels.ts";
import { ratioFigure } from "../../lib/figure/mixture.ts";

const curve = [[0, 40], [0.4, 60], [1, 50]].map(([ratio, value]) => ({
  ratio,
  estimate: { value, interval: [value - 5, value + 5] as [number, number], n: 2 },
  models: [{ model: "a", value: value - 4 }, { model: "b", value: value + 4 }],
}));

Deno.test("ratioFigure() draws each model thinly, and marks the best ratio with its range", () => {
  const best = { ratio: 0.4, range: [0.4, 1] as const };
  const { data } = ratioFigure([{ name: "mean", curve }], { models: true, best });
  const thin = data.filter(({ name }) => name === "single models");
  assert.deepEqual(thin.map(({ y }) => y), [[36, 56, 46], [44, 64, 54]]);
  const star = data.at(-1)!;
  assert.deepEqual([star.x, star.y], [[0.4], [60]]);
  const { array, arrayminus } = star.error_x as { array: number[]; arrayminus: number[] };
  assert.deepEqual([array, arrayminus], [[0.6], [0]]);
});

Deno.test("ratioFigure() draws no thin line of a single model, and one legend entry in panels", () => {
  const alone = curve.map((point) => ({ ...point, models: point.models.slice(0, 1) }));
  const one = ratioFigure([{ name: "mean", curve: alone }], { models: true });
  assert.ok(one.data.every(({ name }) => name !== "single models"));
  const figure = ratioFigure([{ name: "mean", curve }], { models: true });
  const { data } = panels([{ title: "x", figure }, { title: "y", figure }]);
  const shown = data.filter((trace) =>
    trace.name === "single models" && trace.showlegend !== false
  );
  assert.equal(shown.length, 1);
});
