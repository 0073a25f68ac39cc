import assert from "node:assert/strict";
import { join } from "node:path";
import type { Page } from "playwright-core";
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

/** How many cells of the study the live line tells of, of how many. */
async function progressOf(page: Page): Promise<[done: number, total: number]> {
  const lines = await page.locator("div:has(> progress)").allTextContents();
  const found = lines.map((line) => /cells (\d+)\/(\d+)/.exec(line)).find(Boolean);
  return [Number(found?.[1] ?? -1), Number(found?.[2] ?? 0)];
}

const press = (page: Page) =>
  page.locator('.jp-NotebookPanel-toolbar [data-jp-item-name="interrupt"]').click();

/** The study's finished parts, with the time at which each was written. */
function storeOf(lab: Lab): Map<string, number> {
  const folder = join(lab.folder, ".cache", "study");
  return new Map(
    [...Deno.readDirSync(folder)].filter(({ name }) => name.endsWith(".json")).map((
      { name },
    ) => [name, Number(Deno.statSync(join(folder, name)).mtime)]),
  );
}

/** Stops the study of 05, opened at `address`, and goes on with it in the same kernel. */
async function stopAndGoOn(lab: Lab, address: string) {
  const page = await lab.open(address);
  const kernel = async () => {
    const sessions = await lab.ask("sessions") as { path: string; kernel: Kernel }[];
    return sessions.find(({ path }) => address.endsWith(path))?.kernel;
  };
  await until("the kernel's start", 60, async () => (await kernel())?.execution_state === "idle");
  const { id } = (await kernel())!;
  await page.waitForTimeout(1000); // until the page knows it too
  await choose(page, "Run", "Run All Cells");
  await find(page, page.locator("progress"), 120);
  await until("the study's start", 120, async () => (await progressOf(page))[0] >= 2);

  await press(page);
  await until("the end of what runs", 20, async () => !await isRunning(page));
  const outputs = (await page.locator(".jp-OutputArea-output").allTextContents()).join("\n");
  assert.match(outputs, /Interrupted: Stopped the study; finished cells are kept/);
  const [stopped, total] = await progressOf(page);
  assert.ok(stopped >= 2 && stopped < total, `${stopped} of ${total}`);

  const kept = storeOf(lab);
  await choose(page, "Run", "Run All Cells");
  await until("going on", 60, () => isRunning(page));
  await find(page, page.locator("progress"), 60);
  await until("the study's next cell", 120, async () => (await progressOf(page))[0] > stopped);
  assert.equal((await kernel())!.id, id, "the kernel is the same");
  const now = storeOf(lab);
  assert.ok(kept.size >= stopped && now.size > kept.size, `${kept.size} kept, then ${now.size}`);
  for (const [name, time] of kept) assert.equal(now.get(name), time, `${name} was made again`);
  await press(page);
  await until("the end of what runs", 20, async () => !await isRunning(page));
  await page.close();
}

interface Kernel {
  id: string;
  execution_state: string;
}

Deno.test({
  name: "Stop ends a study, and running it again goes on in the same kernel",
  ignore: reasonWithout !== undefined,
  async fn(t) {
    await runPython("pip", "install", "--quiet", "--disable-pip-version-check", "notebook==7.6.5");
    await using lab = await openLab();
    const path = join(lab.folder, "notebooks", "05-evaluation.ipynb");
    await Deno.copyFile(path, path.replace("05-", "second-"));
    await t.step(
      "in JupyterLab",
      () => stopAndGoOn(lab, "lab/tree/notebooks/05-evaluation.ipynb"),
    );
    await Deno.remove(join(lab.folder, ".cache", "study"), { recursive: true });
    await t.step(
      "in Notebook 7",
      () => stopAndGoOn(lab, "notebooks/notebooks/second-evaluation.ipynb"),
    );
  },
});
