import assert from "node:assert/strict";
import { JSDOM } from "jsdom";
import { Resvg } from "@resvg/resvg-js";
import { type FigureDescription } from "../../lib/figure/theme.ts";
import { bars, lines, scatter } from "../../lib/figure/chart.ts";
import { heatmap } from "../../lib/figure/heatmap.ts";
import { tokenStrip } from "../../lib/figure/strip.ts";
import { table } from "../../lib/figure/table.ts";
import { roundNumbers } from "../../lib/figure/number.ts";
import { saveFigure, saveTable, toPng, toSvg } from "../../lib/figure/export.ts";
import { Random } from "../../lib/statistics/random.ts";
import { assertApart, faultsOf } from "./_texts.ts";

const random = new Random("figures");
const domains = ["history", "law", "medicine", "engineering"];
const groups = ["HAR", "INC", "SELF"];
const rows = domains.flatMap((domain) =>
  groups.map((group, i) => {
    const accuracy = 40 + 20 * random.next();
    const interval: [number, number] = [accuracy - 3, accuracy + 4];
    return {
      domain,
      group,
      place: 3 * domains.indexOf(domain) + i,
      value: { value: accuracy, interval },
    };
  })
);
const curves = domains.flatMap((domain, i) =>
  [0, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1].map((share) => {
    const accuracy = 40 + 4 * i + random.normal();
    const interval: [number, number] = [accuracy - 1, accuracy + 1];
    return { domain, share, value: { value: accuracy, interval } };
  })
);
const options = {
  ...{ xLabel: "The x axis", xUnit: "nats", label: "The y axis", unit: "%" },
  ...{ title: "A title", subtitle: "A line below it" },
};
const titles = ["A title", "A line below it", "The x axis (nats)", "The y axis (%)"];

/** Each kind of plot, the texts it must show, and how many of which mark. */
const kinds: Record<string, [FigureDescription, string[], Record<string, number>]> = {
  "bars": [
    bars(rows, { ...options, x: "domain", color: "group" }),
    [...titles, ...domains, ...groups],
    { ".bars .point path": 12, ".errorbar path": 12 },
  ],
  "lines with bands": [
    lines(curves, {
      ...{ ...options, x: "share", color: "domain" },
      reference: { name: "base model", value: 45 },
    }),
    [...titles, ...domains, "base model"],
    {
      ".cartesianlayer .js-line": 8,
      ".cartesianlayer .js-fill": 4,
      ".cartesianlayer .points path": 32,
      ".shapelayer path": 1,
    },
  ],
  "a scatter with its fit": [
    scatter(rows, { ...options, x: "place", color: "group", fit: true }),
    [...titles, ...groups, "least squares"],
    { ".cartesianlayer .points path": 12, ".cartesianlayer .js-line": 1 },
  ],
  "a heat map": [
    heatmap(rows, { ...options, x: "group", y: "domain", digits: 1 }),
    [...titles.slice(0, 3), ...domains, ...groups, "The y axis", rows[0].value.value.toFixed(1)],
    { ".hm image": 1, ".heatmap-label": 12 },
  ],
  "panels": [
    bars(["HOMO", "ID", "OOD"].flatMap((test) => rows.map((row) => ({ ...row, test }))), {
      ...{ ...options, x: "domain", color: "group", facet: "test" },
    }),
    [...titles, "HOMO", "ID", "OOD", ...groups],
    { ".bars .point path": 36, ".legend .traces": 3 },
  ],
};

/** Width, height and RGBA pixels of a png. */
function decode(png: Uint8Array) {
  const view = new DataView(png.buffer, png.byteOffset);
  const [width, height] = [view.getUint32(16), view.getUint32(20)];
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}">` +
    `<image href="data:image/png;base64,${png.toBase64()}" width="${width}" height="${height}"` +
    ` image-rendering="optimizeSpeed"/></svg>`;
  return { width, height, pixels: new Resvg(svg).render().pixels };
}

for (const [name, [figure, texts, marks]] of Object.entries(kinds)) {
  Deno.test(`toSvg() draws ${name} with all its labels and marks`, async () => {
    const svg = await toSvg(figure);
    const { document } = new JSDOM(svg, { contentType: "image/svg+xml" }).window;
    const shown = [...document.querySelectorAll("text")].map((text) => text.textContent);
    for (const text of texts) {
      assert.ok(shown.some((item) => item?.includes(text)), `${text} in ${shown.join(" | ")}`);
    }
    for (const [selector, count] of Object.entries(marks)) {
      assert.equal(document.querySelectorAll(selector).length, count, selector);
    }
    assert.equal(svg.match(/NaN|="undefined"|url\(['&].{20}/)?.[0], undefined);
  });

  Deno.test(`toPng() draws ${name} at the figure's size, with ink and within the edges`, async () => {
    const { width, height, pixels } = decode(await toPng(figure, 1));
    assert.deepEqual([width, height], [figure.layout.width, figure.layout.height]);
    let inked = 0, atEdge = 0;
    const colors = new Set<number>();
    for (let i = 0; i < width * height; i++) {
      const [red, green, blue] = pixels.subarray(i * 4, i * 4 + 3);
      if (red + green + blue === 765) continue;
      inked++;
      colors.add(red << 16 | green << 8 | blue);
      const [x, y] = [i % width, Math.floor(i / width)];
      if (x < 2 || y < 2 || x >= width - 2 || y >= height - 2) atEdge++;
    }
    assert.ok(inked > 0.02 * width * height, `${inked} of ${width * height} pixels`);
    assert.ok(colors.size > 50, `${colors.size} colours`);
    assert.equal(atEdge, 0, "something is cut off at the picture's edge");
  });
}

Deno.test("plotly's own checker does find a misspelt attribute", async () => {
  const faults = await faultsOf([{ type: "bar", y: [1], colour: "red" }], {});
  assert.match(faults.join(), /colour is not part of the schema/);
});

Deno.test("texts that overlap or are cut off are found", () => {
  assert.throws(() => assertApart(overlapping, 100, 50), /overlap/);
  assert.throws(() => assertApart(overlapping, 20, 50), /cut off/);
});

const overlapping = `<svg xmlns="http://www.w3.org/2000/svg" width="100" height="50">` +
  `<text x="5" y="20">first</text><text x="10" y="22">second</text></svg>`;

Deno.test("toSvg() is the same file each time", async () => {
  const [figure] = kinds["lines with bands"];
  assert.equal(await toSvg(figure), await toSvg(structuredClone(figure)));
});

Deno.test("toSvg() leaves the description as it was", async () => {
  const figure = kinds["a heat map"][0];
  const before = structuredClone(figure);
  await toSvg(figure);
  assert.deepEqual(figure, before);
});

Deno.test("a name with markup is shown as it is, and the svg holds no element of it", async () => {
  const evil = `<a href="x">&lt;b&gt;</a>]]><script>alert(1)</script>`;
  const svg = await toSvg(
    bars([{ domain: evil, group: evil, value: 1 }, { ...rows[0], group: "b" }], {
      ...{ x: "domain", color: "group", title: evil },
    }),
  );
  const { document } = new JSDOM(svg, { contentType: "image/svg+xml" }).window;
  assert.equal(document.querySelectorAll("a, script, parsererror").length, 0);
  const title = document.querySelector(".gtitle")!.textContent;
  assert.equal(title, evil);
  assert.equal(document.querySelector("title")!.textContent, evil);
});

Deno.test("a heat map's cells have the colours of their values", async () => {
  const cells = [-1, 0, 1].map((value) => ({ row: "r", column: `c${value}`, value }));
  const drawn = heatmap(cells, { x: "column", y: "row", diverging: true });
  const { width, pixels } = decode(await toPng(drawn, 1));
  const counts = new Map<string, number>();
  for (let i = 0; i < pixels.length; i += 4) {
    const color = pixels.subarray(i, i + 3).join();
    counts.set(color, (counts.get(color) ?? 0) + 1);
  }
  // A third of the plot each: #5BA3D0 and #EE9355 (white is the background's too).
  assert.ok(counts.get("91,163,208")! > 30 * width, `${counts.get("91,163,208")}`);
  assert.ok(counts.get("238,147,85")! > 30 * width, `${counts.get("238,147,85")}`);
});

Deno.test("toSvg() draws a token strip's arrows: what is said at a place, and what it is held against", async () => {
  const tokens = ["USER:", "why", "ASSISTANT:", "so"].map((text, i) => ({
    text,
    trained: i === 3,
  }));
  const { document } = new JSDOM(await toSvg(tokenStrip(new Map([["a row", tokens]]), {}))).window;
  const lines = [...document.querySelectorAll(".annotation-arrow-g > path:first-child")]
    .map((path) => path.getAttribute("d")!.match(/[\d.]+/g)!.map(Number));
  assert.equal(lines.length, 2);
  for (const line of lines) assert.ok(line.every(Number.isFinite) && line.length === 4, `${line}`);
});

Deno.test("saveFigure() and saveTable() write whole files under a plain name only", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const figure = kinds["bars"][0];
    const paths = await saveFigure(`${folder}/04`, "kl", figure);
    assert.deepEqual(paths.map((path) => path.slice(folder.length)), [
      "/04/kl.svg",
      "/04/kl.png",
      "/04/kl.json",
    ]);
    assert.equal(await Deno.readTextFile(paths[0]), await toSvg(roundNumbers(figure)));
    const { width, height } = decode(await Deno.readFile(paths[1]));
    assert.deepEqual([width, height], [2 * figure.layout.width, 2 * figure.layout.height]);
    assert.deepEqual(
      JSON.parse(await Deno.readTextFile(paths[2])),
      JSON.parse(JSON.stringify(roundNumbers(figure))),
    );
    const one = table([{ a: 1 }]);
    await saveTable(`${folder}/04`, "t", one);
    assert.equal(await Deno.readTextFile(`${folder}/04/t.csv`), "a\n1\n");
    assert.equal([...Deno.readDirSync(`${folder}/04`)].length, 5); // nothing partial is left
    for (const name of ["../up", "a/b", "", ".hidden", "a b"]) {
      await assert.rejects(
        () => saveFigure(folder, name, figure),
        /expected a file name of letters/,
      );
      await assert.rejects(() => saveTable(folder, name, one), /expected a file name of letters/);
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
