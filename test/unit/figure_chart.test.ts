import assert from "node:assert/strict";
import { JSDOM } from "jsdom";
import { bars, lines, scatter } from "../../lib/figure/chart.ts";
import { altText, describeFigure } from "../../lib/figure/describe.ts";
import { heatmap } from "../../lib/figure/heatmap.ts";
import { toSvg } from "../../lib/figure/export.ts";
import type { FigureDescription } from "../../lib/figure/theme.ts";
import { escapePlot, plainPlot, wrap } from "../../lib/figure/_text.ts";
import { colorsOf, groupColors, palette } from "../../lib/figure/theme.ts";
import { assertApart, faultsOf } from "./_texts.ts";

const measured = (value: number) => ({
  value,
  interval: [value - 3.8, value + 3.8] as [number, number],
  n: 7,
});
const tests = ["HOMO", "ID", "OOD"];
const names = (count: number, name: (i: number) => string) =>
  Array.from({ length: count }, (_, i) => name(i));
const accuracies = (facets: readonly string[], groups: readonly string[]) =>
  facets.flatMap((model) =>
    tests.flatMap((test, i) =>
      groups.map((group, j) => ({ model, test, group, accuracy: measured(50.8 + i - j) }))
    )
  );
const long = (word: string) => `${word} and a good deal more of text than fits into a line`;

const chart = { x: "test", y: "accuracy", color: "group", title: "A title" };
const curves = tests.flatMap((test) =>
  ["small-101", "medium-202", "all models"].flatMap((model) =>
    [0, 0.2, 1].map((ratio) => ({ test, model, ratio, accuracy: measured(50 + ratio) }))
  )
);
const points = curves.map((row, i) => ({ ...row, rank: i / 30, domain: "law" }));

const figures: Record<string, FigureDescription> = {
  "seven bars in three panels": bars(accuracies(tests.map(long), names(7, (i) => `group-${i}`)), {
    ...chart,
    facet: "model",
    reference: { name: "a guess", value: 25 },
  }),
  "twelve panels": bars(accuracies(names(12, (i) => `model ${i}`), ["HAR", "INC"]), {
    ...chart,
    facet: "model",
  }),
  "long names": bars(
    accuracies(["a"], ["HAR", "INC", "SELF"].map(long))
      .map((row) => ({ ...row, test: long(row.test) })),
    { ...chart, title: long("A title") + long("that"), subtitle: long("One") + long("more") },
  ),
  "lines with bands": lines(curves, {
    ...{ x: "ratio", y: "accuracy", color: "model", facet: "test", title: "A title" },
    references: [{ name: "base", value: 49, facet: "ID" }],
  }),
  "a scatter with its fit": scatter(points, {
    ...{ x: "rank", y: "accuracy", color: "model", facet: "test", title: "A title" },
    ...{ hover: ["domain", "ratio"], fit: true, facetTitle: (test) => `${test}: r = .82` },
  }),
  "a legend just too long for a row": bars(
    accuracies(["a", "b"], names(5, (i) => `medium-20${i}`)),
    { ...chart, facet: "model" },
  ),
  "a heat map": heatmap(points.filter(({ test }) => test === "ID"), {
    ...{ x: "ratio", y: "model", value: "accuracy", title: "A title" },
  }),
};

for (const [name, figure] of Object.entries(figures)) {
  Deno.test(`${name}: fits a column; no text overlaps another or the plots, none is cut`, async () => {
    const { width, height, margin } = figure.layout;
    assert.equal(width, 720);
    const svg = await toSvg(figure);
    const boxes = assertApart(svg, width, height);
    const legend = new Set(
      [...new JSDOM(svg, { contentType: "image/svg+xml" }).window.document.querySelectorAll(
        ".legendtext",
      )].map((text) => text.textContent),
    );
    assert.equal(legend.size > 0, name !== "a heat map");
    const title = boxes.find(({ text }) => text.startsWith("A title"))!;
    const panels = (figure.layout.annotations as { text: string }[]).map(({ text }) =>
      plainPlot(text)
    );
    const tops = boxes.filter(({ text }) => panels.includes(text)).map(({ top }) => top);
    const end = Math.min(margin.t, ...tops);
    for (const { text, top, bottom } of boxes.filter(({ text }) => legend.has(text))) {
      assert.ok(top > title.bottom && bottom + 9 < end, `${text} between title and panels`);
    }
  });

  Deno.test(`plotly's own checker finds no fault in ${name}`, async () => {
    const { legend, ...layout } = figure.layout;
    const shown = figure.layout.showlegend ? { ...layout, legend } : layout;
    const faults = await faultsOf(figure.data, shown);
    // The checker does not know a shared colour axis, which is drawn all the same.
    assert.equal(faults.filter((fault) => !fault.includes("key coloraxis")).join(), "");
  });
}

Deno.test("bars() draws each series in a pattern of its own", async () => {
  const svg = await toSvg(figures["seven bars in three panels"]);
  const { document } = new JSDOM(svg, { contentType: "image/svg+xml" }).window;
  const filled = [...document.querySelectorAll(".bars .point path")]
    .map((bar) => /fill: ([^;]*)/.exec(bar.getAttribute("style")!)![1]);
  assert.equal(filled.length, 7 * 3 * 3);
  assert.equal(filled.filter((fill) => fill.includes("url(#")).length, 6 * 3 * 3); // one is plain
  assert.equal(new Set(filled).size, 6 * 3 + 1); // a panel has patterns of its own
  const shapes = figures["seven bars in three panels"].data.slice(0, 7)
    .map(({ marker }) => (marker as { pattern: { shape: string } }).pattern.shape);
  assert.equal(new Set(shapes).size, 7);
});

Deno.test("altText() says what is drawn, and its highest and lowest marks", () => {
  const few = bars(accuracies(["a", "b"], ["HAR", "INC"]), { ...chart, facet: "model" });
  assert.equal(
    altText(few),
    "A title. Bars of accuracy (%) for HAR, INC in 2 panels (a, b). " +
      "Highest: b: HAR on OOD: 52.8% [49.0, 56.6], n = 7. " +
      "Lowest: a: INC on HOMO: 49.8% [46.0, 53.6], n = 7.",
  );
  assert.match(
    altText(figures["a heat map"]),
    /Coloured cells of accuracy \(%\)\. Highest: .* n = 7\./,
  );
  const own = bars(accuracies(["a <b>", "b"], ["HAR"]), {
    ...chart,
    facet: "model",
    sharedY: false,
  });
  assert.equal(altText(own), "A title. Bars of accuracy (%) in 2 panels (a <b>, b).");
});

Deno.test("what is told at a mark is a sentence", () => {
  const at = (name: string, trace = 0, i = 0) =>
    (figures[name].data.filter(({ hoverinfo }) => hoverinfo === "text")[trace]
      .hovertext as string[])[i];
  assert.equal(at("twelve panels"), "model 0: HAR on HOMO: 50.8% [47.0, 54.6], n = 7");
  assert.equal(
    at("lines with bands", 0, 1),
    "HOMO: small-101 at share r of SELF 0.2: 50.2% [46.4, 54.0],<br>n = 7",
  );
  assert.equal(
    at("a scatter with its fit", 0, 1).replaceAll("<br>", " "),
    "HOMO, small-101, law, share r of SELF 0.2: rank consistency 0.033, accuracy 50.2% [46.4, 54.0], n = 7",
  );
  const plain = bars([{ group: "INC", difference: 1.5 }], { x: "group", y: "difference" });
  assert.deepEqual(plain.data[0].hovertext, ["INC: 1.5 points"]);
});

Deno.test("bars() keeps values, intervals and the order of appearance", () => {
  const rows = [
    { domain: "law", group: "INC", value: { value: 40, interval: [37, 44] as [number, number] } },
    { domain: "art", group: "INC", value: null },
    { domain: "art", group: "SELF", value: 50 },
    { domain: "law", group: "SELF", value: { value: 1, interval: [2, 3] as [number, number] } },
  ];
  const { data, layout } = bars(rows, { x: "domain", color: "group", label: "right", unit: "%" });
  assert.deepEqual(data.map(({ name, x, y }) => [name, x, y]), [
    ["INC", ["law", "art"], [40, null]],
    ["SELF", ["law", "art"], [1, 50]],
  ]);
  const errors = data.map(({ error_y }) => error_y as { array: number[]; arrayminus: number[] });
  assert.deepEqual([errors[0].array, errors[0].arrayminus], [[4, null], [3, null]]);
  assert.deepEqual([errors[1].array, errors[1].arrayminus], [[2, null], [0, null]]); // all above
  assert.equal(layout.yaxis.title.text, "right (%)");
});

Deno.test("lines() sorts by x, closes the band, and draws the faint ones behind", () => {
  const rows = [
    { model: "mean", ratio: 1, value: { value: 5, interval: [4, 6] as [number, number] } },
    { model: "mean", ratio: 0, value: { value: 3, interval: [1, 4] as [number, number] } },
    { model: "a", ratio: 0, value: 2 },
  ];
  const { data } = lines(rows, { x: "ratio", color: "model", faint: ["a"] });
  assert.deepEqual(data.map(({ name, x, y }) => [name, x, y]), [
    [undefined, [0, 1, 1, 0], [4, 6, 4, 1]],
    ["each model", [0], [2]],
    ["mean", [0, 1], [3, 5]],
  ]);
});

Deno.test("scatter() draws the least-squares line of each panel", () => {
  const rows = [[1, 1], [2, 3], [3, 2], [4, 5]].map(([x, value]) => ({ x, value }));
  const line = scatter(rows, { x: "x", fit: true }).data.at(-1)!;
  const [low, high] = line.y as number[]; // slope 1.1, intercept 0, worked out by hand
  assert.ok(Math.abs(low - 1.1) < 1e-12 && Math.abs(high - 4.4) < 1e-12, `${low} ${high}`);
  assert.equal(scatter([rows[0], { x: 1, value: 3 }], { x: "x", fit: true }).data.length, 1);
});

Deno.test("panels share an axis, a legend and a scale unless told otherwise", () => {
  const figure = figures["seven bars in three panels"];
  assert.equal(figure.layout.yaxis2.matches, "y");
  assert.equal(figure.data.filter(({ showlegend }) => showlegend).length, 7);
  assert.ok(figure.layout.xaxis2.domain[0] > figure.layout.xaxis.domain[1]);
  assert.ok(figure.layout.yaxis3.domain[1] < figure.layout.yaxis.domain[0]);
  const own = bars(accuracies(["a", "b"], ["INC"]), { ...chart, facet: "model", sharedY: false });
  assert.equal(own.layout.yaxis2.matches, undefined);
  const alone = bars(accuracies(["a", "b"], ["INC"]), { ...chart, facet: "model", columns: 1 });
  assert.equal(alone.layout.width, 720);
});

/** Relative luminance and contrast of WCAG 2.2. */
function contrast(a: number[], b: number[]): number {
  const [x, y] = [a, b].map((rgb) => {
    const [red, green, blue] = rgb.map((value) => {
      const share = value / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  }).sort((p, q) => q - p);
  return (x + 0.05) / (y + 0.05);
}
const rgb = (hex: string) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));

Deno.test("what is written on a heat map's cells has a contrast of 4.5 : 1 on every colour", () => {
  for (const diverging of [false, true]) {
    const rows = [-2, 0, 2].map((value) => ({ x: value, y: "row", value }));
    const { data, layout } = heatmap(rows, { x: "x", y: "y", diverging });
    const ink = rgb((data[0].textfont as { color: string }).color);
    const scale = layout.coloraxis.colorscale as [number, string][];
    for (const [i, [, high]] of scale.entries()) {
      const low = rgb(scale[Math.max(0, i - 1)][1]);
      for (let k = 0; k <= 20; k++) {
        const color = rgb(high).map((value, j) => low[j] + (value - low[j]) * k / 20);
        assert.ok(contrast(ink, color) >= 4.5, `${contrast(ink, color)}`);
      }
    }
    assert.deepEqual(
      [layout.coloraxis.cmin, layout.coloraxis.cmax],
      diverging ? [-2, 2] : [undefined, undefined],
    );
  }
});

Deno.test("bars are never as black as their error bars", () => {
  const rows = names(7, (i) => `g${i}`).map((group) => ({ test: "ID", group, value: measured(1) }));
  const colors = bars(rows, { x: "test", color: "group" }).data
    .map(({ marker }) => (marker as { color: string }).color);
  assert.equal(new Set(colors).size, 7);
  assert.ok(palette.includes("#000000") && !colors.includes("#000000"));
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

Deno.test("rows that cannot be drawn as asked are refused by name", () => {
  const rows = [{ test: "ID", group: "INC", value: 1 }, { test: "ID", group: "SELF", value: 2 }];
  assert.throws(() => bars(rows, { x: "test" }), /one row for each test; found two for ID/);
  assert.throws(() => bars(rows, { x: "Test" }), /found Test \(did you mean test\?\)/);
  assert.throws(
    () => bars(rows, { x: "test", y: "group" }),
    /a number in column group, found "INC"/,
  );
  assert.throws(
    () => lines(rows, { x: "test", color: "group" }),
    /a number in column test, found "ID"/,
  );
  assert.throws(() => heatmap(rows, { x: "test", y: "test" }), /found two for ID, ID/);
  assert.throws(() => scatter(rows, { x: "value", hover: "nix" }), /found nix/);
});

Deno.test("lines() tells places apart that read alike", () => {
  const rows = [0.123411, 0.123414].map((x) => ({ x, value: x }));
  assert.deepEqual(lines(rows, { x: "x" }).data[0].x, [0.123411, 0.123414]);
  assert.throws(() => bars(rows, { x: "x" }), /found two for 0.1234/);
});

Deno.test("no rows give a figure without values, and infinite ones are counted", async () => {
  for (const figure of [bars([], chart), lines([], chart), heatmap([], { x: "x", y: "y" })]) {
    assert.equal(figure.data.length, 0);
    assert.match(await toSvg(figure), /<svg/);
  }
  const rows = [{ test: "ID", value: Infinity }, { test: "OOD", value: 2 }];
  assert.match(bars(rows, { x: "test" }).layout.title.text, /1 of 2 values infinite or undefined/);
});

const evil = `<a href="javascript:alert(1)">x</a> & $y$ \x1b[31m`;

function texts(value: unknown): string[] {
  if (typeof value === "string") return [value];
  return value && typeof value === "object" ? Object.values(value).flatMap(texts) : [];
}

Deno.test("no name of a row becomes a tag, a link, an entity or mathematics", () => {
  const rows = [0, 1].map((i) => ({ x: evil + i, c: evil, f: evil, ratio: i, value: i }));
  const options = { color: "c", facet: "f", title: evil, subtitle: evil, label: evil, unit: evil };
  const reference = { name: evil, value: 1 };
  const made = [
    bars(rows, { ...options, x: "x", xLabel: evil, reference }),
    lines(rows, { ...options, x: "ratio", xLabel: evil, reference }),
    scatter(rows, { ...options, x: "ratio", hover: ["x"] }),
    heatmap(rows, { ...options, x: "x", y: "c" }),
  ];
  const own = /<br>|<\/?b>|<span style="font-size:12px;color:#555555">|<\/span>/g;
  for (const figure of made) {
    const shown = { ...figure, layout: { ...figure.layout } };
    const found = texts(shown).map((text) => text.replaceAll(own, ""));
    assert.ok(found.some((text) => text.includes("&lt;a")));
    for (const text of found) {
      // deno-lint-ignore no-control-regex
      assert.doesNotMatch(text, /<|\$|\x1b|&(?!amp;|lt;|gt;|#36;)/);
    }
  }
});

Deno.test("describeFigure() tells panels, levels and values", () => {
  const rows = accuracies(["a"], ["INC"]);
  const figure = bars(rows, {
    ...chart,
    facet: "model",
    reference: { name: "a guess", value: 25 },
  });
  assert.equal(
    describeFigure(figure),
    [
      "Figure: A title",
      "x: test; y: accuracy (%)",
      "  a guess | 25",
      "a:",
      "  INC | HOMO: 50.8 [47, 54.6], ID: 51.8 [48, 55.6], OOD: 52.8 [49, 56.6]",
    ].join("\n"),
  );
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
  // Characters of two and more units are never cut.
  const long = wrap("𠀀𠀁𠀂 a👍🏽b👩‍👩‍👧", 3);
  assert.deepEqual(long, ["𠀀", "𠀁", "𠀂", "a", "👍🏽", "b", "👩‍👩‍👧"]);
});
