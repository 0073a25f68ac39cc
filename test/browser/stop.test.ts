import assert from "node:assert/strict";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { ROOT } from "../../lib/platform/native/native.ts";
import { exists } from "../../lib/platform/runtime/files.ts";
import {
  choose,
  find,
  isRunning,
  type Lab,
  openLab,
  reasonWithout,
  runPython,
  until,
} from "./_lab.ts";

// Remove with the first kernelspec by which Stop works.
const stops = exists(join(ROOT, "lib", "platform", "notebook", "kernelspec.ts"));
if (!stops) console.log("The tests of the Stop button are skipped: the kernelspec has none yet");

/** How many cells of the study the live line tells of, of how many. */
async function progressOf(page: Page): Promise<[done: number, total: number]> {
  const lines = await page.locator("div:has(> progress)").allTextContents();
  const found = lines.map((line) => /cells (\d+)\/(\d+)/.exec(line)).find(Boolean);
  return [Number(found?.[1] ?? -1), Number(found?.[2] ?? 0)];
}

const press = (page: Page) =>
  page.locator('.jp-NotebookPanel-toolbar [data-jp-item-name="interrupt"]').click();

/** Stops the study of 05 in `page`, and goes on with it in the same kernel. */
async function stopAndGoOn(lab: Lab, page: Page) {
  await page.locator('.jp-Notebook-ExecutionIndicator[data-status="idle"]').waitFor();
  await choose(page, "Run", "Run All Cells");
  await find(page, page.locator("progress"), 120);
  await until("the study's start", 120, async () => (await progressOf(page))[0] >= 2);
  const kernels = async () =>
    (await lab.ask("kernels") as { id: string }[]).map(({ id }) => id).sort();
  const before = await kernels();

  await press(page);
  await until("the end of what runs", 20, async () => !await isRunning(page));
  const errors = await page.locator('[data-mime-type="application/vnd.jupyter.error"]').or(
    page.locator('[data-mime-type="application/vnd.jupyter.stderr"]'),
  ).allTextContents();
  assert.match(errors.join("\n"), /Interrupted: Stopped the study; finished cells are kept/);
  const [stopped, total] = await progressOf(page);
  assert.ok(stopped >= 2 && stopped < total, `${stopped} of ${total}`);

  await choose(page, "Run", "Run All Cells");
  await until("going on", 60, () => isRunning(page));
  await find(page, page.locator("progress"), 60);
  let first = -1;
  await until("the study's first line", 60, async () => {
    [first] = await progressOf(page);
    return first > 0;
  });
  assert.ok(first >= stopped, `it begins again at ${first}, after ${stopped}`);
  await until("the next cell", 60, async () => (await progressOf(page))[0] > first);
  assert.deepEqual(await kernels(), before, "the kernel is the same");
  await press(page);
  await until("the end of what runs", 20, async () => !await isRunning(page));
}

Deno.test({
  name: "Stop ends a study, and running it again goes on in the same kernel",
  ignore: reasonWithout !== undefined || !stops,
  async fn(t) {
    await runPython("pip", "install", "--quiet", "--disable-pip-version-check", "notebook==7.6.5");
    await using lab = await openLab();
    await t.step("in JupyterLab", async () => {
      const page = await lab.open("lab/tree/notebooks/05-evaluation.ipynb");
      await stopAndGoOn(lab, page);
      await page.close();
    });
    await t.step("in Notebook 7", async () => {
      await Deno.remove(`${lab.folder}/.cache/study`, { recursive: true });
      await stopAndGoOn(lab, await lab.open("notebooks/notebooks/05-evaluation.ipynb"));
    });
  },
});
