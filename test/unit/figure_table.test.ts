import assert from "node:assert/strict";
import { JSDOM } from "jsdom";
import { Random } from "../../lib/statistics/random.ts";
import { toHtml } from "../../lib/figure/html_table.ts";
import { flatten, table, toCsv, toMarkdown } from "../../lib/figure/table.ts";
import { formatMeasurement, formatNumber, inPoints } from "../../lib/figure/number.ts";
import { melt, pivot } from "../../lib/figure/rows.ts";
import { disarm, rearm } from "../../lib/figure/_text.ts";
import { pValue } from "../../lib/statistics/p_value.ts";

const nasty = [
  `<script>alert("x")</script>`,
  "a | b \\| c \\",
  'He said "no", twice',
  "two\nlines",
  '=HYPERLINK("http://evil")',
  "+1",
  "-1",
  "@SUM(A1)",
  "'=quoted",
  " =padded",
  "\t=tab",
  "**bold** _it_ `code` [x](http://a.b) $x^2$ ~~no~~ &amp; <b>",
  "www.example.com",
  "日本語 ± é",
  "007",
  "1e5",
  "true",
  "",
];

Deno.test("table() reads columns of measurements like a standard one, whatever their names", () => {
  const rows = [{ test: "HOMO", base: { value: 1.25, interval: [-0.04, 2.5] as const }, n: 3 }];
  assert.match(toMarkdown(table(rows, { like: "difference" })), /test +\| +base \| +n \|/);
  assert.match(
    toMarkdown(table(rows, { like: "difference" })),
    /\+1\.3 \\\[0\.0, \+2\.5\\\] \| +3 \|/,
  );
  assert.match(toMarkdown(table(rows)), /base accuracy \(%\)/);
});

Deno.test("table() finds each column's kind and digits", () => {
  const made = table([
    { domain: "history", accuracy: null, items: 250, done: true },
    { domain: "law", accuracy: { value: 52.34, interval: [49.2, 55.5] }, items: 12, done: false },
  ]);
  assert.deepEqual(made.columns.map(({ kind }) => kind), [
    "text",
    "measurement",
    "number",
    "boolean",
  ]);
  assert.deepEqual(made.columns.map(({ digits }) => digits), [0, 1, 0, 0]);
});

Deno.test("table() leaves a cell that a row lacks empty, and refuses a column that no row has", () => {
  const rows = [{ a: 1, b: 2 }, { a: 1 }];
  assert.equal(toCsv(table(rows)), "a,b\n1,2\n1,\n");
  assert.throws(
    () => table(rows, { columns: ["A"] }),
    /columns a, b; found A \(did you mean a\?\)/,
  );
  assert.throws(() => table([{ a: 1 }, { a: "x" }]), /expected number in column a, found "x"/);
  const odd = [{ a: 1 }, { a: [1] }] as unknown as { a: number }[];
  assert.throws(() => table(odd), /in column a; found \[1\] in row 2/);
});

Deno.test("formatMeasurement() shows a symmetric interval with ±, another with its bounds", () => {
  assert.equal(formatMeasurement({ value: 52.31, interval: [49.2, 55.42] }), "52.3 ± 3.1");
  assert.equal(formatMeasurement({ value: 52.3, interval: [48.1, 55] }), "52.3 [48.1, 55.0]");
  assert.equal(formatMeasurement({ value: 52.3 }), "52.3");
  const counted = { value: 52.31, interval: [49.2, 55.42], n: 250 } as const;
  assert.equal(formatMeasurement(counted, 1, true), "52.3 ± 3.1 (n = 250)");
  // A bootstrap interval may lie to one side of the value: ± would hide that.
  assert.equal(formatMeasurement({ value: 1, interval: [1.5, 0.5] }), "1.0 [1.5, 0.5]");
});

Deno.test("formatNumber() shows -0, infinity and NaN as a reader expects", () => {
  assert.equal(formatNumber(-0.04, 1), "0.0");
  assert.equal(formatNumber(Infinity, 1), "∞");
  assert.equal(formatNumber(NaN, 1), "undefined");
});

Deno.test("inPoints() scales value and interval and keeps n", () => {
  assert.deepEqual(inPoints({ value: 0.5, interval: [0.25, 0.75], n: 8 }), {
    value: 50,
    interval: [25, 75],
    n: 8,
  });
  assert.deepEqual(inPoints({ value: 0.5 }), { value: 50 });
});

Deno.test("flatten() refuses two columns of one name", () => {
  const made = table([{ kl: { value: 1, n: 2 }, kl_n: 3 }]);
  assert.throws(() => flatten(made), /expected different column names/);
});

Deno.test("toCsv() lets no text or header start a formula, and leaves numbers alone", () => {
  const made = table([
    { "=evil": "=1+1", b: -1.5 },
    { "=evil": '@x,"y"', b: 2 },
    { "=evil": "  +3", b: 3 },
    { "=evil": "plain - text", b: 4 },
  ]);
  const lines = toCsv(made).trimEnd().split("\n");
  assert.deepEqual(lines, [
    "'=evil,b",
    "'=1+1,-1.5",
    `"'@x,""y""",2`,
    "'  +3,3",
    "plain - text,4",
  ]);
});

Deno.test("rearm() takes back what disarm() did on any text", () => {
  const random = new Random("csv");
  for (let i = 0; i < 2000; i++) {
    const characters = Array.from(
      { length: random.integer(6) },
      () => random.pick([..."='+-@ \t\n\"a,＝"]),
    );
    const text = characters.join("");
    assert.equal(rearm(disarm(text)), text);
    assert.doesNotMatch(disarm(text), /^\s*[=+\-@＝]/);
  }
});

Deno.test("toMarkdown() gives a table of plain text that reads well in a terminal too", () => {
  const made = table(
    [
      { group: "INC", accuracy: { value: 41.26, interval: [39.06, 43.46] } },
      { group: "SELF", accuracy: null },
    ],
    { columns: ["group", { key: "accuracy", label: "Accuracy", unit: "%" }], notes: ["± 95%"] },
  );
  assert.equal(
    toMarkdown(made),
    [
      "| group | Accuracy (%) |",
      "| ----- | -----------: |",
      "| INC   |   41.3 ± 2.2 |",
      "| SELF  |              |",
      "",
      "± 95%",
      "",
    ].join("\n"),
  );
});

Deno.test("toMarkdown() keeps text from becoming markup, cells or lines", () => {
  const markdown = toMarkdown(table(nasty.map((text) => ({ text, other: text }))));
  const lines = markdown.trimEnd().split("\n");
  assert.equal(lines.length, nasty.length + 2);
  for (const [i, line] of lines.slice(2).entries()) {
    const cells = line.slice(2, -2).split(/(?<=(?<!\\)(?:\\\\)*) \| /);
    assert.equal(cells.length, 2, line);
    assert.doesNotMatch(cells[0].replaceAll("<br>", ""), /<|:\/\/|www\./);
    assert.doesNotMatch(cells[0].replaceAll(/\\./g, ""), /[*`[\]$~|]/);
    const back = cells[0].trimEnd().replaceAll("<br>", "\n").replaceAll(/\\([^a-z0-9\s])/gi, "$1")
      .replaceAll("&lt;", "<").replaceAll("&#58;", ":").replaceAll("&#46;", ".")
      .replaceAll("&amp;", "&");
    assert.equal(back, nasty[i]);
  }
});

Deno.test("toHtml() shows every text as it is and nothing of it as markup", () => {
  const made = table(nasty.map((text) => ({ [`k<i>"`]: text, n: 1 })), {
    caption: "<img src=x onerror=alert(1)>",
    notes: ["<b>note</b>"],
  });
  const { document } = new JSDOM(toHtml(made)).window;
  const cells = [...document.querySelectorAll("td:first-child")];
  assert.deepEqual(cells.map((cell) => cell.textContent), nasty);
  assert.equal(document.querySelector("th")!.textContent, `k<i>"`);
  assert.equal(document.querySelector("caption")!.textContent, made.caption);
  assert.equal(document.querySelectorAll("script, img, b, i, a").length, 0);
});

Deno.test("control characters and half surrogates are shown as U+FFFD", () => {
  const made = table([{ text: "a\x1b[31m\x00b\ud800" }]);
  for (const text of [toMarkdown(made), toHtml(made)]) {
    assert.match(text, /a\ufffd\\?\[31m\ufffdb\ufffd/);
    // deno-lint-ignore no-control-regex
    assert.doesNotMatch(text, /[\x00-\x09\x0b-\x1f]/);
  }
});

Deno.test("table() needs no more than a standard column's name", () => {
  const rows = [
    { group: "INC", kl: 0.37, r: 0.5, p: 0.00004, difference: 8.41, learningRate: 2e-5 },
    { group: "SELF", kl: null, r: -1, p: 0.0123, difference: -0.01, learningRate: 1e-3 },
  ];
  const lines = toMarkdown(table(rows)).split("\n").map((line) =>
    line.split("|").slice(1, -1).map((cell) => cell.trim())
  );
  assert.deepEqual([lines[0], lines[2], lines[3]], [
    ["group", "KL from the base (nats)", "r", "p", "difference (points)", "learning rate"],
    ["INC", "0.370", ".50", "&lt; .001", "+8.4", "2e-5"],
    ["SELF", "", "-1.00", ".012", "0.0", "0.001"],
  ]);
});

Deno.test("digits are enough to tell small values from 0, where none are given", () => {
  assert.match(toMarkdown(table([{ rate: 2e-5 }, { rate: 4e-6 }])), /0\.0000200.*\n.*0\.0000040/);
});

Deno.test("a column of numbers and measurements is one of measurements", () => {
  const made = table([{ kl: 1 }, { kl: { value: 2, interval: [1, 3] as [number, number] } }]);
  assert.equal(toCsv(made), "kl,kl_low,kl_high,kl_n\n1,,,\n2,1,3,\n");
});

Deno.test("toCsv() holds six digits of a number, and counts whole", () => {
  const csv = toCsv(table([{ a: 1 / 3, b: 12345678, c: 1.23456789e-7, d: 123456.789 }]));
  assert.equal(csv, "a,b,c,d\n0.333333,12345678,1.23457e-7,123457\n");
});

Deno.test("pivot() makes wide rows in the order in which things first appear", () => {
  const rows = [
    { test: "ID", seed: 1, group: "INC", value: 1 },
    { test: "ID", seed: 0, group: "INC", value: { value: 2, n: 5 } },
    { test: "HOMO", seed: 1, group: "INC", value: 3 },
    { test: "HOMO", seed: 1, group: "HAR", value: null },
  ];
  const wide = pivot(rows, { index: ["test", "group"], columns: "seed", values: "value" });
  assert.deepEqual(wide, [
    { test: "ID", group: "INC", "seed 1": 1, "seed 0": { value: 2, n: 5 } },
    { test: "HOMO", group: "INC", "seed 1": 3, "seed 0": null },
    { test: "HOMO", group: "HAR", "seed 1": null, "seed 0": null },
  ]);
  assert.deepEqual(Object.keys(wide[0]), ["test", "group", "seed 1", "seed 0"]);
  assert.deepEqual(pivot([], { index: "test", columns: "seed" }), []);
});

Deno.test("melt() makes long rows, and pivot() wide ones again", () => {
  const wide = [{ test: "ID", INC: { value: 1, n: 2 }, HAR: 3 }, {
    test: "OOD",
    INC: null,
    HAR: 4,
  }];
  const long = melt(wide, ["INC", "HAR"], { names: "group", values: "accuracy" });
  assert.deepEqual(long, [
    { test: "ID", group: "INC", accuracy: { value: 1, n: 2 } },
    { test: "ID", group: "HAR", accuracy: 3 },
    { test: "OOD", group: "HAR", accuracy: 4 },
  ]);
  assert.deepEqual(pivot(long, { index: "test", columns: "group", values: "accuracy" }), wide);
  assert.deepEqual(melt([], ["INC"]), []);
  assert.throws(() => melt(wide, ["SELF"]), /Cannot melt rows: expected one of the columns/);
});

Deno.test("pivot() refuses two rows for one cell, a name taken twice and an unknown column", () => {
  const rows = [{ test: "ID", group: "INC", value: 1 }, { test: "ID", group: "INC", value: 2 }];
  const index = "test";
  assert.throws(() => pivot(rows, { index, columns: "group" }), /found two for ID, INC/);
  const taken = [{ test: "ID", group: "test", value: 1 }];
  assert.throws(() => pivot(taken, { index, columns: "group" }), /found test; rename/);
  assert.throws(() => pivot(rows, { index, columns: "Group" }), /Group \(did you mean group\?\)/);
});

Deno.test("a number with a format of its own is shown so, and whole in csv", () => {
  const made = table([{ p: 0.0004 }, { p: 0.0231 }, { p: null }], {
    columns: [{ key: "p", kind: "number", format: pValue }],
  });
  assert.match(toMarkdown(made), /\| &lt; \.001 \|\n\| +\.023 \|/);
  assert.equal(toCsv(made), "p\n0.0004\n0.0231\n\n");
});

Deno.test("toHtml() leaves no two ends of a formula in one piece of text", () => {
  const texts = ["$5 and $6", "$$x$$", "\\(x\\)", "\\begin{align}y\\end{align}"];
  const html = toHtml(table(texts.map((text) => ({ text }))));
  const { document } = new JSDOM(html).window;
  const cells = [...document.querySelectorAll("td")];
  assert.deepEqual(cells.map((cell) => cell.textContent), texts);
  const pieces = (node: Node): string[] =>
    node.nodeType === 3 ? [node.textContent!] : [...node.childNodes].flatMap(pieces);
  for (const piece of cells.flatMap(pieces)) {
    assert.ok(piece === "$" || piece === "\\" || !/[$\\]/.test(piece), piece);
  }
});

Deno.test("what turns the text after it round is shown as U+FFFD, a mark of direction is kept", () => {
  const text = "a\u202eb\u2066c\u200fd";
  for (const shown of [toHtml, toMarkdown]) {
    assert.ok(shown(table([{ text }])).includes("a\ufffdb\ufffdc\u200fd"));
  }
});

/** The tables of an HTML text: cells with their styles. */
const tablesOf = (html: string) =>
  [...new JSDOM(html).window.document.querySelectorAll("table")].map((shown) => ({
    folded: shown.closest("details") !== null,
    rows: [...shown.querySelectorAll("tr")].map((row) =>
      [...row.children].map((cell) => ({
        text: cell.textContent,
        style: (cell as HTMLElement).style,
      }))
    ),
  }));

Deno.test("toHtml() keeps the first columns of a wide table in sight, and numbers in one piece", () => {
  const value = { value: 8.4, interval: [5.2, 11.7] as const };
  const measures = Object.fromEntries(["a", "b", "c", "d"].map((name) => [name, value]));
  const row = { model: "small-101", test: "HOMO", ...measures, p: "< .001", said: "a ".repeat(30) };
  const [{ rows }] = tablesOf(toHtml(table([row])));
  const [model, , a, , , , , said] = rows[1];
  assert.deepEqual(rows.map((cells) => cells.map(({ style }) => style.position === "sticky")), [
    [true, true, ...Array(6).fill(false)],
    [true, true, ...Array(6).fill(false)],
  ]);
  // The second column begins where the first ends: its width and half an em on each side.
  assert.equal(model.style.left, "0em");
  assert.equal(rows[1][1].style.left, `${parseFloat(model.style.minWidth) + 1}em`);
  assert.deepEqual([model.style.whiteSpace, said.style.whiteSpace], ["nowrap", ""]);
  assert.equal(a.text, "8.400 [5.200,\u00a011.700]");
  assert.equal(a.style.textAlign, "right");
  const [narrow] = tablesOf(toHtml(table([{ model: "small-101", items: 3 }])));
  assert.equal(narrow.rows[1][0].style.position, "");
});

Deno.test("toHtml() shows rows over all models first and folds many others; files keep the order", () => {
  const models = [...Array.from({ length: 9 }, (_, i) => `small-${i}`), "all models"];
  const made = table(models.map((model, i) => ({ model, n: i })));
  const shown = tablesOf(toHtml(made));
  assert.deepEqual(
    shown.map(({ folded, rows }) => [folded, rows.slice(1).map(([{ text }]) => text)]),
    [[false, ["all models"]], [true, models.slice(0, 9)]],
  );
  assert.match(toHtml(made), /<summary>the other 9 rows, by model<\/summary>/);
  assert.match(toCsv(made), /^model,n\nsmall-0,0\n/);
  const few = table(made.rows.slice(5));
  assert.deepEqual(tablesOf(toHtml(few)).map(({ folded }) => folded), [false]);
});
