import assert from "node:assert/strict";
import { JSDOM } from "jsdom";
import { Random } from "../../lib/random.ts";
import {
  flatten,
  formatMeasurement,
  formatNumber,
  fromCsv,
  fromDataFrame,
  inPoints,
  makeTable,
  toCsv,
  toDataFrame,
  toHtml,
  toMarkdown,
} from "../../lib/figure/mod.ts";
import { disarm, rearm } from "../../lib/figure/_text.ts";
import { pValue } from "../../lib/statistics/mod.ts";

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

Deno.test("makeTable() finds each column's kind and digits", () => {
  const table = makeTable([
    { domain: "history", accuracy: null, items: 250, done: true },
    { domain: "law", accuracy: { value: 52.34, interval: [49.2, 55.5] }, items: 12, done: false },
  ]);
  assert.deepEqual(table.columns.map(({ kind }) => kind), [
    "text",
    "measurement",
    "number",
    "boolean",
  ]);
  assert.deepEqual(table.columns.map(({ digits }) => digits), [0, 1, 0, 0]);
});

Deno.test("makeTable() refuses a missing field and a cell of another kind", () => {
  assert.throws(() => makeTable([{ a: 1, b: 2 }, { a: 1 }]), /the field b in row 2/);
  assert.throws(() => makeTable([{ a: 1 }, { a: "x" }]), /expected number in column a, found "x"/);
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

Deno.test("fromCsv() reads back what toCsv() wrote, to the last digit", () => {
  const rows = nasty.map((text, i) => ({
    text: text || null, // csv knows no difference between empty and missing
    number: i === 3 ? null : i === 4 ? Infinity : Math.sqrt(i) * (i % 2 ? -1 : 1),
    flag: i % 2 === 0,
    accuracy: i === 5
      ? null
      : { value: i / 3, interval: [i / 3 - 0.1, i / 3 + 0.2] as [number, number], n: i },
  }));
  const csv = toCsv(makeTable(rows));
  assert.deepEqual(fromCsv(csv).rows, rows);
  assert.equal(
    csv.split("\n")[0],
    "text,number,flag,accuracy,accuracy_low,accuracy_high,accuracy_n",
  );
});

Deno.test("fromCsv() keeps numbers as text in a column that is said to be text", () => {
  const table = makeTable([{ id: "12" }, { id: "1e3" }]);
  assert.deepEqual(fromCsv(toCsv(table)).rows, [{ id: 12 }, { id: 1000 }]);
  const columns = [{ key: "id", kind: "text" as const }];
  assert.deepEqual(fromCsv(toCsv(table), { columns }).rows, table.rows);
});

Deno.test("fromCsv() refuses a row of another length and an open quote", () => {
  assert.throws(() => fromCsv("a,b\n1,2\n3\n"), /expected 2 cells in each row, found 1 in row 2/);
  assert.throws(() => fromCsv('a,b\n"1,2\n'), /expected quoted cells to be closed/);
});

Deno.test("flatten() refuses two columns of one name", () => {
  const table = makeTable([{ kl: { value: 1, n: 2 }, kl_n: 3 }]);
  assert.throws(() => flatten(table), /expected different column names/);
});

Deno.test("toCsv() lets no text or header start a formula, and leaves numbers alone", () => {
  const table = makeTable([
    { "=evil": "=1+1", b: -1.5 },
    { "=evil": '@x,"y"', b: 2 },
    { "=evil": "  +3", b: 3 },
    { "=evil": "plain - text", b: 4 },
  ]);
  const lines = toCsv(table).trimEnd().split("\n");
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
  const table = makeTable(
    [
      { group: "INC", accuracy: { value: 41.26, interval: [39.06, 43.46] } },
      { group: "SELF", accuracy: null },
    ],
    { columns: ["group", { key: "accuracy", label: "Accuracy", unit: "%" }], notes: ["± 95%"] },
  );
  assert.equal(
    toMarkdown(table),
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
  const markdown = toMarkdown(makeTable(nasty.map((text) => ({ text, other: text }))));
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
  const table = makeTable(nasty.map((text) => ({ [`k<i>"`]: text, n: 1 })), {
    caption: "<img src=x onerror=alert(1)>",
    notes: ["<b>note</b>"],
  });
  const { document } = new JSDOM(toHtml(table)).window;
  const cells = [...document.querySelectorAll("td:first-child")];
  assert.deepEqual(cells.map((cell) => cell.textContent), nasty);
  assert.equal(document.querySelector("th")!.textContent, `k<i>"`);
  assert.equal(document.querySelector("caption")!.textContent, table.caption);
  assert.equal(document.querySelectorAll("script, img, b, i, a").length, 0);
});

Deno.test("control characters and half surrogates are shown as U+FFFD", () => {
  const table = makeTable([{ text: "a\x1b[31m\x00b\ud800" }]);
  for (const text of [toMarkdown(table), toHtml(table)]) {
    assert.match(text, /a\ufffd\\?\[31m\ufffdb\ufffd/);
    // deno-lint-ignore no-control-regex
    assert.doesNotMatch(text, /[\x00-\x09\x0b-\x1f]/);
  }
});

Deno.test("toDataFrame() and fromDataFrame() are each other's inverse", async () => {
  const rows = [
    { group: "INC", kl: 0.37, ok: true, accuracy: { value: 41.2, interval: [39, 43.4], n: 250 } },
    { group: "SELF", kl: null, ok: false, accuracy: { value: 47, interval: [44, 50], n: 250 } },
    { group: "=HAR|", kl: 0.1, ok: true, accuracy: null },
  ] as const;
  const frame = await toDataFrame(makeTable(rows));
  assert.deepEqual(frame.shape, [3, 7]);
  assert.deepEqual(fromDataFrame(frame).rows, rows);
  await assert.rejects(() => toDataFrame(makeTable([])), /expected at least one row/);
});

Deno.test("danfojs's means by group agree with the table's own", async () => {
  const random = new Random(5);
  const rows = Array.from({ length: 60 }, (_, i) => ({
    domain: ["history", "law", "medicine"][i % 3],
    group: random.pick(["INC", "SELF"]),
    accuracy: { value: random.next() * 100, n: 250 },
  }));
  const frame = await toDataFrame(makeTable(rows));
  const means = fromDataFrame(frame.groupby(["domain", "group"]).col(["accuracy"]).mean());
  assert.equal(means.rows.length, 6);
  for (const { domain, group, accuracy_mean } of means.rows) {
    const own = rows.filter((row) => row.domain === domain && row.group === group)
      .map((row) => row.accuracy.value);
    const mean = own.reduce((sum, value) => sum + value, 0) / own.length;
    assert.ok(Math.abs(accuracy_mean as number - mean) < 1e-9, `${domain} ${group}`);
  }
});

Deno.test("toDataFrame() makes a missing number spoil a mean, not count as 0", async () => {
  const frame = await toDataFrame(makeTable([{ g: "a", v: 4 }, { g: "a", v: null }]));
  assert.ok(Number.isNaN(frame.groupby(["g"]).col(["v"]).mean().values.flat()[1]));
});

Deno.test("a number with a format of its own is shown so, and whole in csv", () => {
  const table = makeTable([{ p: 0.0004 }, { p: 0.0231 }, { p: null }], {
    columns: [{ key: "p", kind: "number", format: pValue }],
  });
  assert.match(toMarkdown(table), /\| &lt; \.001 \|\n\| +\.023 \|/);
  assert.equal(toCsv(table), "p\n0.0004\n0.0231\n\n");
});

Deno.test("toHtml() leaves no two ends of a formula in one piece of text", () => {
  const texts = ["$5 and $6", "$$x$$", "\\(x\\)", "\\begin{align}y\\end{align}"];
  const html = toHtml(makeTable(texts.map((text) => ({ text }))));
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
    assert.ok(shown(makeTable([{ text }])).includes("a\ufffdb\ufffdc\u200fd"));
  }
});
