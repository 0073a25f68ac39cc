import assert from "node:assert/strict";
import { basename, join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Locator, Page } from "playwright-core";
import { codeCells, readNotebook } from "../../lib/platform/notebook/notebook.ts";
import {
  choose,
  find,
  isRunning,
  openBrowser,
  openLab,
  reasonWithout,
  runPython,
  until,
} from "./_lab.ts";

const ignore = reasonWithout !== undefined;

interface Box {
  left: number;
  top: number;
  right: number;
  bottom: number;
}

const boxOf = (place: Locator): Promise<Box> =>
  place.evaluate((element) => {
    const { left, top, right, bottom } = element.getBoundingClientRect();
    return { left, top, right, bottom };
  });

/** @throws where `inner` is not a box within `outer` */
function assertWithin(inner: Box, outer: Box, what: string) {
  assert.ok(inner.right - inner.left > 10, `${what} is not there: ${JSON.stringify(inner)}`);
  const inside = inner.left >= outer.left - 1 && inner.right <= outer.right + 1 &&
    inner.top >= outer.top - 1 && inner.bottom <= outer.bottom + 1;
  assert.ok(inside, `${what} passes its column: ${JSON.stringify([inner, outer])}`);
}

/**
 * The figure fits its column before and after the mouse enters it, and so does its legend; whether it
 * has one.
 */
async function assertFigure(page: Page, output: Locator): Promise<boolean> {
  const picture = output.locator("img.plot-img"), drawn = output.locator(".main-svg").first();
  const centre = async () => {
    await output.evaluate((element) => element.scrollIntoView({ block: "center" }));
    return await boxOf(picture);
  };
  await until("the picture", 60, async () => (await centre()).right > 0);
  const before = await centre();
  assertWithin(before, await boxOf(output), "the picture");
  const shape = await picture.evaluate((image: HTMLImageElement) =>
    image.naturalHeight / image.naturalWidth
  );
  const stretched = (before.bottom - before.top) / (before.right - before.left) / shape;
  assert.ok(Math.abs(stretched - 1) < 0.02, `the picture is stretched by ${stretched}`);
  // Again and again, for what is drawn above may move the picture away.
  await until("the interactive figure", 60, async () => {
    const { left, right, top, bottom } = await centre();
    await page.mouse.move((left + right) / 2, (top + bottom) / 2);
    await page.waitForTimeout(300);
    return await drawn.count() > 0;
  });
  await page.mouse.move(0, 0);
  const legend = output.locator(".legend").first();
  const column = await boxOf(output);
  assertWithin(await boxOf(drawn), column, "the interactive figure");
  if (await legend.count() === 0) return false;
  assert.ok(await output.locator(".legendtext").count() > 1, "the legend names several");
  assertWithin(await boxOf(legend), column, "the legend");
  return true;
}

/** A table fits, or it scrolls and its first column stays in sight. */
async function tableState(table: Locator) {
  return await table.evaluate(async (element) => {
    let frame = element.parentElement!;
    while (getComputedStyle(frame).overflowX === "visible") frame = frame.parentElement!;
    const hidden = frame.scrollWidth - frame.clientWidth;
    const first = element.querySelector("td")!;
    const at = () => first.getBoundingClientRect().left - frame.getBoundingClientRect().left;
    const before = at();
    frame.scrollLeft = hidden;
    await new Promise((resolve) => setTimeout(resolve, 100));
    const moved = before - at(), scrolled = frame.scrollLeft;
    const last = getComputedStyle(element.querySelector("td:last-child")!);
    frame.scrollLeft = 0;
    return {
      scrolls: ["auto", "scroll"].includes(getComputedStyle(frame).overflowX),
      ...{ hidden, moved, scrolled, align: last.textAlign, text: first.textContent },
    };
  });
}

/** Checks all tables that the notebook shows; gives how many had to scroll with a fixed column. */
async function assertTables(page: Page): Promise<number> {
  let fixed = 0;
  const tables = await page.locator(".jp-OutputArea-output table").all();
  assert.ok(tables.length > 0, "the notebook shows tables");
  for (const table of tables) {
    if (!await table.isVisible()) continue; // folded
    const { scrolls, hidden, moved, scrolled, text } = await tableState(table);
    assert.ok(scrolls || hidden <= 0, `the table of ${text} is cut off`);
    if (hidden <= 0 || moved > 1) continue;
    assert.ok(scrolled > 0, `the table of ${text} does not scroll: ${hidden} px`);
    fixed++;
  }
  return fixed;
}

/** Scrolls through the whole notebook until nothing more is drawn. */
async function drawAll(page: Page) {
  const drawn = () => page.locator(".jp-OutputArea-output").count();
  for (let before = -1, now = await drawn(); now > before || now === 0; now = await drawn()) {
    before = now;
    await page.locator(".jp-WindowedPanel-outer").first().evaluate(async (pane) => {
      for (let y = 0; y < pane.scrollHeight; y += pane.clientHeight) {
        pane.scrollTop = y;
        await new Promise((resolve) => setTimeout(resolve, 60));
      }
    });
  }
}

/** Runs all cells, and waits for the last; `meanwhile` runs beside. */
async function runAll(page: Page, meanwhile: () => Promise<void> = () => Promise.resolve()) {
  await page.getByText(/Deno \| Idle/).waitFor();
  await choose(page, "Run", "Run All Cells");
  await meanwhile();
  await until("the notebook", 300, async () => !await isRunning(page));
  await page.getByText(/Deno \| Idle/).waitFor();
}

/** The notebook as saved by JupyterLab: every cell was run once, and none failed. */
async function assertSaved(page: Page, path: string) {
  await page.keyboard.press("Control+s");
  await page.waitForTimeout(1000);
  const cells = codeCells(await readNotebook(path));
  assert.deepEqual(cells.map(({ execution_count }) => execution_count), cells.map((_, i) => i + 1));
  const failed = cells.filter(({ outputs }) =>
    outputs.some(({ output_type }) => output_type === "error")
  );
  assert.deepEqual(failed.map(({ source }) => source), [], basename(path));
}

Deno.test({ name: "JupyterLab runs notebooks 00 and 05", ignore }, async (t) => {
  await using lab = await openLab();

  await t.step("00 as shipped, before anything is run", async () => {
    const page = await lab.open("lab/tree/notebooks/00-start.ipynb");
    const figure = await find(page, page.locator(".jp-RenderedPlotly"));
    assert.ok(await assertFigure(page, figure), "it has a legend");
    await page.close();
  });

  await t.step("00: all cells on its own settings", async () => {
    const page = await lab.open("lab/tree/notebooks/00-start.ipynb");
    await runAll(page);
    await drawAll(page);
    await assertFigure(page, await find(page, page.locator(".jp-RenderedPlotly")));
    await assertTables(page);
    const words = page.locator("details", { hasText: "The figure in words" });
    for (const kind of [/Lines of .* Highest: .* Lowest: /, /Bars of .* Highest: .* Lowest: /]) {
      assert.match((await words.filter({ hasText: kind }).first().textContent())!, kind);
    }
    await assertSaved(page, join(lab.folder, "notebooks", "00-start.ipynb"));
    await page.close();
  });

  await t.step("05: the progress moves, and its tables and figures fit", async () => {
    const page = await lab.open("lab/tree/notebooks/05-evaluation.ipynb");
    const seen = new Set<string>();
    await runAll(page, async () => {
      await find(page, page.locator("progress"), 120);
      for (const start = performance.now(); seen.size < 4 && performance.now() - start < 60_000;) {
        const lines = page.locator("div:has(> progress)");
        seen.add((await lines.allTextContents()).join());
        await page.waitForTimeout(100);
      }
    });
    assert.ok(seen.size >= 4, `the progress stands still: ${[...seen]}`);
    await drawAll(page);
    let legends = 0;
    for (const figure of await page.locator(".jp-RenderedPlotly").all()) {
      if (await assertFigure(page, figure)) legends++;
    }
    assert.ok(legends > 1, `${legends} figures have a legend`);
    await assertTables(page);
    await assertSaved(page, join(lab.folder, "notebooks", "05-evaluation.ipynb"));
    await page.close();
  });

  await t.step("a copy that is not trusted keeps its first columns in sight", async () => {
    const path = join(lab.folder, "notebooks", "05-evaluation.ipynb");
    const copy = await Deno.readTextFile(path);
    await Deno.writeTextFile(
      path.replace("05-", "copy-"),
      copy.replace("Findings", "The findings"),
    );
    const page = await lab.open("lab/tree/notebooks/copy-evaluation.ipynb");
    await page.setViewportSize({ width: 700, height: 900 });
    await drawAll(page);
    assert.ok(await assertTables(page) > 0, "some tables scroll with a column that stays");
    await page.close();
  });

  await t.step("nbconvert's page fits a telephone", async () => {
    const path = join(lab.folder, "notebooks", "05-evaluation.ipynb");
    await runPython("nbconvert", "--to=html", path);
    const browser = await openBrowser();
    try {
      const page = await browser.newPage({ viewport: { width: 390, height: 800 } });
      await page.goto(pathToFileURL(path.replace(".ipynb", ".html")).href);
      const wide = await page.evaluate(() => document.documentElement.scrollWidth);
      assert.ok(wide <= 390, `the page is ${wide} px wide`);
      assert.ok(await assertTables(page) > 0, "some tables scroll with a column that stays");
      for (const picture of await page.locator(".jp-RenderedImage img").all()) {
        assertWithin(await boxOf(picture), await boxOf(picture.locator("..")), "a picture");
      }
      const words = page.locator("details", { hasText: "The figure in words" });
      assert.equal(await words.count(), await page.locator(".jp-RenderedImage img").count());
      assert.match((await words.first().textContent())!, /Highest: .* Lowest: /);
    } finally {
      await browser.close();
    }
  });
});
