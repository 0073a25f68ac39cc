import assert from "node:assert/strict";
import { JSDOM } from "jsdom";
import { Resvg } from "@resvg/resvg-js";
import { type FigureDescription } from "../../lib/figure/theme.ts";
import { groupedBars, heatMap, linesWithBands, scatterWithFit } from "../../lib/figure/plot.ts";
import { table as makeTable } from "../../lib/figure/table.ts";
import { panels } from "../../lib/figure/panels.ts";
import { roundNumbers } from "../../lib/figure/number.ts";
import { saveFigure, saveTable, toPng, toSvg } from "../../lib/figure/export.ts";
import { openBrowser } from "../../lib/figure/_browser.ts";
import { encodeBase64, encodePng } from "../../lib/figure/_canvas.ts";
import { Random } from "../../lib/statistics/random.ts";
import { assertApart } from "./_texts.ts";

const random = new Random("figures");
const domains = ["history", "law", "medicine", "engineering"];
const groups = ["HAR", "INC", "SELF"];
const bars = domains.flatMap((category) =>
  groups.map((series) => {
    const value = 40 + 20 * random.next();
    return { category, series, value, interval: [value - 3, value + 4] as const };
  })
);
const lines = domains.map((name, i) => ({
  name,
  points: [0, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1].map((x) => {
    const value = 40 + 4 * i + random.normal();
    return { x, value, interval: [value - 1, value + 1] as const };
  }),
}));
const axes = {
  x: { label: "The x axis", unit: "nats" },
  y: { label: "The y axis", unit: "%" },
  title: "A title",
  subtitle: "A line below it",
};
const head = ["A title", "A line below it"];
const titles = [...head, "The x axis (nats)", "The y axis (%)"];

/** Each kind of plot, the texts it must show, and how many of which mark. */
const kinds: Record<string, [FigureDescription, string[], Record<string, number>]> = {
  "grouped bars": [
    groupedBars(bars, { ...axes, legend: "Group" }),
    [...titles, ...domains, ...groups, "Group"],
    { ".bars .point path": 12, ".errorbar path": 12 },
  ],
  "lines with bands": [
    linesWithBands(lines, { ...axes, references: [{ name: "base model", value: 45 }] }),
    [...titles, ...domains, "base model"],
    {
      ".cartesianlayer .js-line": 9,
      ".cartesianlayer .js-fill": 4,
      ".cartesianlayer .points path": 32,
    },
  ],
  "a scatter with its fit": [
    scatterWithFit(bars.map((bar, i) => ({ x: i, y: bar.value, series: bar.series })), {
      ...axes,
      correlation: { r: 0.5, p: 0.2, df: 9, given: "base accuracy" },
      subtitle: undefined,
    }),
    [titles[0], ...titles.slice(2), ...groups, "least squares"],
    { ".cartesianlayer .points path": 12, ".cartesianlayer .js-line": 1 },
  ],
  "a heat map": [
    heatMap(bars.map((bar) => ({ row: bar.category, column: bar.series, value: bar.value })), {
      ...axes,
      value: { label: "Accuracy" },
    }),
    [...titles, ...domains, ...groups, "Accuracy", bars[0].value.toFixed(1)],
    { ".hm image": 1, ".heatmap-label": 12 },
  ],
  "panels": [
    panels(["HOMO", "ID", "OOD"].map((title) => ({ title, figure: groupedBars(bars, axes) })), {
      title: "A title",
      subtitle: "A line below it",
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
    `<image href="data:image/png;base64,${encodeBase64(png)}" width="${width}" height="${height}"` +
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

  Deno.test(`plotly's own checker finds no fault in ${name}`, async () => {
    const { legend, ...layout } = figure.layout;
    // The checker stumbles over a legend that is not shown.
    const shown = figure.data.some(({ type }) => type === "bar" || type === "scatter");
    const browser = await openBrowser();
    assert.equal(browser.faults(figure.data, shown ? { ...layout, legend } : layout).join(), "");
  });
}

Deno.test("plotly's own checker does find a misspelt attribute", async () => {
  const faults = (await openBrowser()).faults([{ type: "bar", y: [1], colour: "red" }], {});
  assert.match(faults.join(), /colour is not part of the schema/);
});

for (const [name, [figure]] of Object.entries(kinds)) {
  if (name === "panels") continue; // slanted labels: their upright boxes overlap, they do not
  Deno.test(`no two texts of ${name} overlap, and none is cut off`, async () => {
    const boxes = assertApart(await toSvg(figure), figure.layout.width, figure.layout.height);
    assert.ok(boxes.length >= 10, `${boxes.length} texts`);
  });
}

Deno.test("long names, titles and legends wrap, apart from each other", async () => {
  const long = (word: string) => `${word} and a good deal more of text`;
  const figure = groupedBars(
    bars.map((bar) => ({ ...bar, category: long(bar.category), series: long(bar.series) })),
    {
      ...axes,
      title: "A title so long that it has to go on over a second line, for it says a great deal",
      subtitle: `${long("Error bars")}, ${long("intervals")}, ${long("seeds")}, ${long("items")}`,
      legend: long("Group"),
    },
  );
  const boxes = assertApart(await toSvg(figure), 720, 440);
  const heading = boxes.find(({ text }) => text.startsWith("A title"))!;
  assert.ok(heading.bottom - heading.top > 60); // two lines of title and two below it
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
    groupedBars([{ category: evil, series: evil, value: 1 }, { ...bars[0], series: "b" }], {
      title: evil,
    }),
  );
  const { document } = new JSDOM(svg, { contentType: "image/svg+xml" }).window;
  assert.equal(document.querySelectorAll("a, script, parsererror").length, 0);
  const title = document.querySelector(".gtitle")!.textContent;
  assert.equal(title, evil);
  assert.equal(document.querySelector("title")!.textContent, evil);
});

Deno.test("toSvg() refuses 3-D, WebGL, map and image traces by their name", async () => {
  const refused = ["scatter3d", "surface", "mesh3d", "scattergl", "scatterpolargl", "splom"]
    .concat("parcoords", "choropleth", "scattergeo", "scattermap", "densitymapbox", "image");
  for (const type of refused) {
    const figure = { data: [{ type }], layout: { width: 300, height: 200 } };
    const message = new RegExp(`Cannot draw a ${type} trace to a file: expected one of bar, box`);
    await assert.rejects(() => toSvg(figure), message);
    await assert.rejects(() => saveFigure("never/made", "x", figure), message);
  }
  await assert.rejects(() => Deno.stat("never"), Deno.errors.NotFound);
  const layout = { width: 300, height: 200, images: [{ source: "http://x.y/z.png" }] };
  await assert.rejects(() => toSvg({ data: [], layout }), /a layout with images/);
});

Deno.test("a heat map's cells have the colours of their values", async () => {
  const cells = [-1, 0, 1].map((value) => ({ row: "r", column: `c${value}`, value }));
  const { width, pixels } = decode(await toPng(heatMap(cells, { diverging: true }), 1));
  const counts = new Map<string, number>();
  for (let i = 0; i < pixels.length; i += 4) {
    const color = pixels.subarray(i, i + 3).join();
    counts.set(color, (counts.get(color) ?? 0) + 1);
  }
  // A third of the plot each: #0067A3 and #B54B00 (white is the background's too).
  assert.ok(counts.get("0,103,163")! > 30 * width, `${counts.get("0,103,163")}`);
  assert.ok(counts.get("181,75,0")! > 30 * width, `${counts.get("181,75,0")}`);
});

Deno.test("encodePng() writes a png that a decoder reads back", () => {
  const pixels = Uint8Array.from({ length: 3 * 2 * 4 }, (_, i) => i % 4 === 3 ? 255 : i * 10);
  const png = encodePng(pixels, 3, 2);
  assert.deepEqual([...png.subarray(0, 8)], [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  assert.deepEqual([...decode(png).pixels], [...pixels]);
});

Deno.test("saveFigure() and saveTable() write whole files under a plain name only", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const figure = kinds["grouped bars"][0];
    const paths = await saveFigure(`${folder}/04`, "kl", figure);
    assert.deepEqual(paths.map((path) => path.slice(folder.length)), [
      "/04/kl.svg",
      "/04/kl.png",
      "/04/kl.json",
    ]);
    assert.equal(await Deno.readTextFile(paths[0]), await toSvg(roundNumbers(figure)));
    const { width, height } = decode(await Deno.readFile(paths[1]));
    assert.deepEqual([width, height], [1440, 880]);
    assert.deepEqual(
      JSON.parse(await Deno.readTextFile(paths[2])),
      JSON.parse(JSON.stringify(roundNumbers(figure))),
    );
    const table = makeTable([{ a: 1 }]);
    await saveTable(`${folder}/04`, "t", table);
    assert.equal(await Deno.readTextFile(`${folder}/04/t.csv`), "a\n1\n");
    assert.equal([...Deno.readDirSync(`${folder}/04`)].length, 5); // nothing partial is left
    for (const name of ["../up", "a/b", "", ".hidden", "a b"]) {
      await assert.rejects(
        () => saveFigure(folder, name, figure),
        /expected a file name of letters/,
      );
      await assert.rejects(() => saveTable(folder, name, table), /expected a file name of letters/);
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
