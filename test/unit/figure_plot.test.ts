import assert from "node:assert/strict";
import { describeFigure } from "../../lib/figure/describe.ts";
import { type FigureDescription, groupColors } from "../../lib/figure/theme.ts";
import { groupedBars, heatMap, linesWithBands, scatterWithFit } from "../../lib/figure/plot.ts";
import { panels } from "../../lib/figure/panels.ts";
import { escapePlot, plainPlot, wrap } from "../../lib/figure/_text.ts";
import { colorsOf, palette } from "../../lib/figure/theme.ts";

const close = (actual: unknown, expected: number) =>
  assert.ok(Math.abs(actual as number - expected) < 1e-9, `${actual} is not ${expected}`);

const bars = [
  { category: "history", series: "INC", value: 40, interval: [37, 44] as const, n: 250 },
  { category: "history", series: "SELF", value: 46 },
  { category: "law", series: "SELF", value: 50 },
];

Deno.test("groupedBars() gives a series a trace, with each interval as its distances", () => {
  const { data, layout } = groupedBars(bars, { y: { label: "Accuracy", unit: "%" } });
  assert.deepEqual(data.map(({ name }) => name), ["INC", "SELF"]);
  assert.deepEqual(data[0].y, [40, null]);
  assert.deepEqual(data[1].y, [46, 50]);
  const errors = data[0].error_y as { array: number[]; arrayminus: number[] };
  assert.deepEqual([errors.array, errors.arrayminus], [[4, null], [3, null]]);
  assert.equal(data[1].error_y, undefined);
  assert.equal(layout.yaxis.title.text, "Accuracy (%)");
});

Deno.test("every plot refuses to draw nothing, and says what", () => {
  assert.throws(() => groupedBars([]), /Cannot draw grouped bars: expected at least one value/);
  assert.throws(() => linesWithBands([{ name: "a", points: [] }]), /Cannot draw lines/);
  assert.throws(() => scatterWithFit([{ x: NaN, y: 1 }]), /Cannot draw a scatter plot/);
  assert.throws(() => heatMap([]), /Cannot draw a heat map/);
  assert.throws(() => panels([]), /Cannot draw panels/);
});

Deno.test("values that no picture can show are counted in the subtitle", () => {
  const infinite = [{ category: "a", series: "INC", value: Infinity }, bars[0]];
  const { layout, data } = groupedBars(infinite, { subtitle: "KL." });
  assert.match(plainPlot(layout.title.text), /KL\. 1 of 2 values infinite or undefined, not shown/);
  assert.deepEqual(data[0].y, [null, 40]);
});

Deno.test("linesWithBands() sorts by x and closes the band around the line", () => {
  const points = [
    { x: 1, value: 5, interval: [4, 6] as const },
    { x: 0, value: 3, interval: [1, 4] as const },
    { x: 0.5, value: 9 },
  ];
  const { data } = linesWithBands([{ name: "law", points }], {
    references: [{ name: "base", value: 2 }],
  });
  const [band, reference, line] = data;
  assert.deepEqual([line.x, line.y], [[0, 0.5, 1], [3, 9, 5]]);
  assert.deepEqual([band.x, band.y], [[0, 1, 1, 0], [4, 6, 4, 1]]);
  assert.equal(band.fill, "toself");
  assert.deepEqual([reference.x, reference.y], [[0, 1], [2, 2]]);
});

Deno.test("scatterWithFit() draws the least-squares line and prints the correlation", () => {
  const points = [{ x: 1, y: 1 }, { x: 2, y: 3 }, { x: 3, y: 2 }, { x: 4, y: 5 }];
  const { data, layout } = scatterWithFit(points, {
    correlation: { r: 0.8213, p: 0.00002, df: 29, interval: [0.62, 0.92], given: "base accuracy" },
  });
  const line = data.at(-1)!.y as number[];
  close(line[0], 1.1); // slope 1.1, intercept 0
  close(line[1], 4.4);
  assert.equal(
    plainPlot(layout.title.text),
    "Partial correlation r = 0.82 [0.62, 0.92], p < .001, df 29, given base accuracy",
  );
});

Deno.test("scatterWithFit() draws no line where all x are equal", () => {
  assert.equal(scatterWithFit([{ x: 1, y: 1 }, { x: 1, y: 3 }]).data.length, 1);
});

Deno.test("heatMap() keeps the order of rows and columns and centres two-sided colours on 0", () => {
  const { data, layout } = heatMap([
    { row: "law", column: "INC", value: -3 },
    { row: "law", column: "SELF", value: 1.25 },
    { row: "art", column: "SELF", value: 2 },
  ], { diverging: true });
  assert.deepEqual(data[0].z, [[-3, 1.25], [null, 2]]);
  assert.deepEqual(data[0].text, [["-3.0", "1.3"], ["", "2.0"]]);
  assert.deepEqual([data[0].zmin, data[0].zmax], [-3, 3]);
  assert.equal(layout.yaxis.autorange, "reversed");
});

Deno.test("colorsOf() gives a group its own colour everywhere and no colour twice", () => {
  const colors = colorsOf(["base", "Inc", "SELF", "x", "y", "z"], { z: "#123456" });
  assert.equal(colors.get("Inc"), groupColors.inc);
  assert.equal(colors.get("z"), "#123456");
  assert.equal(new Set(colors.values()).size, 6);
});

Deno.test("the palette's colours stay apart for readers without red or green cones", () => {
  // Vienot, Brettel and Mollon 1999: linear RGB as a protanope and as a deuteranope sees it.
  const matrices = [
    [[0.11238, 0.88762, 0], [0.11238, 0.88762, 0], [0.00401, -0.00401, 1]],
    [[0.29275, 0.70725, 0], [0.29275, 0.70725, 0], [-0.02234, 0.02234, 1]],
  ];
  const linear = (hex: string) =>
    [1, 3, 5].map((at) => (parseInt(hex.slice(at, at + 2), 16) / 255) ** 2.2);
  for (const matrix of matrices) {
    const seen = palette.slice(0, 7).map((color) => {
      const rgb = linear(color);
      return matrix.map((row) =>
        255 * Math.max(0, row.reduce((sum, share, i) => sum + share * rgb[i], 0)) ** (1 / 2.2)
      );
    });
    for (const [i, a] of seen.entries()) {
      for (const b of seen.slice(i + 1)) {
        const distance = Math.hypot(...a.map((value, k) => value - b[k]));
        assert.ok(distance > 30, `${distance} between ${a} and ${b}`);
      }
    }
  }
});

const evil = `<a href="javascript:alert(1)">x</a> & $y$ \x1b[31m`;

function texts(value: unknown): string[] {
  if (typeof value === "string") return [value];
  return value && typeof value === "object" ? Object.values(value).flatMap(texts) : [];
}

Deno.test("no plot lets a name become a tag, a link, an entity or mathematics", () => {
  const axis = { label: evil, unit: evil };
  const options = { title: evil, subtitle: evil, legend: evil, x: axis, y: axis };
  const figures: FigureDescription[] = [
    groupedBars([{ category: evil, series: evil, value: 1 }], options),
    linesWithBands([{ name: evil, points: [{ x: 0, value: 1 }] }], {
      ...options,
      references: [{ name: evil, value: 1 }],
    }),
    scatterWithFit([{ x: 1, y: 1, series: evil, label: evil }], {
      ...options,
      correlation: { r: 1, p: 0, given: evil },
    }),
    heatMap([{ row: evil, column: evil, value: 1 }], { ...options, value: axis }),
  ];
  figures.push(panels(figures.map((figure) => ({ title: evil, figure })), options));
  for (const figure of figures) {
    const own = /<br>|<\/?b>|<span style="font-size:12px;color:#555555">|<\/span>/g;
    const found = texts(figure).map((text) => text.replaceAll(own, ""));
    assert.ok(found.some((text) => text.includes("&lt;a")));
    for (const text of found) {
      // deno-lint-ignore no-control-regex
      assert.doesNotMatch(text, /<|\$|\x1b|&(?!amp;|lt;|gt;|#36;)/);
    }
  }
});

Deno.test("plainPlot() takes back what escapePlot() did", () => {
  for (const text of ["a < b & c > d", "&lt;b&gt; $x$", "<b>x</b>"]) {
    assert.equal(plainPlot(escapePlot(text)), text);
  }
});

Deno.test("wrap() keeps to its width and loses no word", () => {
  const text = "the  quick brown fox jumpsoverthelazydog at once";
  const lines = wrap(text, 10);
  assert.ok(lines.every((line) => line.length <= 10 && line.length > 0), lines.join("|"));
  assert.equal(lines.join("").replaceAll(" ", ""), text.replaceAll(" ", ""));
  assert.deepEqual(wrap("", 5), [""]);
});

Deno.test("panels() gives each figure axes of its own, one legend and one scale", () => {
  const [a, b] = [1, 5].map((value) =>
    groupedBars([{ category: "law", series: "INC", value }, { ...bars[1], value }])
  );
  const { data, layout } = panels([{ title: "HOMO", figure: a }, { title: "ID", figure: b }]);
  assert.deepEqual(data.map(({ xaxis, yaxis }) => [xaxis, yaxis]), [
    ["x", "y"],
    ["x", "y"],
    ["x2", "y2"],
    ["x2", "y2"],
  ]);
  assert.deepEqual(data.map(({ showlegend }) => showlegend), [undefined, undefined, false, false]);
  assert.ok(layout.xaxis.domain[1] < layout.xaxis2.domain[0]);
  assert.equal(layout.yaxis2.matches, "y");
  const heats = [3, -7].map((value) => heatMap([{ row: "a", column: "b", value }]));
  const joined = panels(heats.map((figure) => ({ title: "", figure })));
  assert.deepEqual(joined.data.map(({ zmin, zmax, showscale }) => [zmin, zmax, showscale]), [
    [-7, 3, true],
    [-7, 3, false],
  ]);
});

Deno.test("describeFigure() tells title, axes and values in plain text", () => {
  const figure = groupedBars(bars, {
    title: "A & B <c>",
    subtitle: "95% intervals",
    y: { label: "Accuracy", unit: "%" },
  });
  assert.equal(
    describeFigure(figure),
    [
      "Figure: A & B <c>",
      "95% intervals",
      "y: Accuracy (%)",
      "  INC | history: 40 [37, 44], law: none",
      "  SELF | history: 46, law: 50",
    ].join("\n"),
  );
  const heat = heatMap([{ row: "law", column: "INC", value: 1 }]);
  assert.match(describeFigure(heat), /law: INC 1/);
  assert.match(
    describeFigure(panels([{ title: "HOMO", figure: heat }, { title: "ID", figure: heat }])),
    /HOMO:\n {2}law: INC 1\nID:\n {2}law: INC 1/,
  );
});
