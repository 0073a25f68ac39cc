import assert from "node:assert/strict";
import { bars } from "../../lib/figure/chart.ts";
import { frame } from "../../lib/figure/frame.ts";
import { note, show } from "../../lib/figure/display.ts";
import { table } from "../../lib/figure/table.ts";

/** What is printed where there is no notebook, while `action` runs. */
async function printed(action: () => Promise<void>): Promise<string[]> {
  const lines: string[] = [];
  const log = console.log;
  console.log = (...values) => void lines.push(values.join(" "));
  try {
    await action();
  } finally {
    console.log = log;
  }
  return lines;
}

const rows = [{ group: "INC", accuracy: 41.5 }];
const chart = { x: "group", y: "accuracy", title: "Accuracy" };

async function inFolder(action: (folder: string) => Promise<void>) {
  const folder = await Deno.makeTempDir();
  try {
    await action(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const filesOf = (folder: string) => [...Deno.readDirSync(folder)].map(({ name }) => name).sort();

Deno.test("show() saves each kind of item as its files, and shows it", async () => {
  await inFolder(async (folder) => {
    const lines = await printed(async () => {
      await show(rows, { folder, name: "rows" });
      await show(table(rows), { folder, name: "table" });
      await show(await frame(rows), { folder, name: "frame" });
      await show(bars(rows, chart), { folder, name: "figure" });
      await show("what was found: 3", { folder, name: "findings.txt" });
    });
    assert.deepEqual(filesOf(folder), [
      ...["figure.json", "figure.png", "figure.svg", "findings.txt", "frame.csv", "frame.md"],
      ...["rows.csv", "rows.md", "table.csv", "table.md"],
    ]);
    assert.match(lines[0], /INC/);
    assert.match(lines[2], /1 row x 2 columns/);
    assert.match(lines[3], /^Figure: Accuracy\n/);
    assert.equal(lines[4], "what was found: 3");
    assert.equal(await Deno.readTextFile(`${folder}/frame.csv`), "group,accuracy\nINC,41.5\n");
  });
});

Deno.test("a saved frame is whole, however little of it is shown", async () => {
  await inFolder(async (folder) => {
    const made = await frame(Array.from({ length: 30 }, (_, i) => ({ i })));
    await printed(() => show(made, { folder, name: "frame" }));
    assert.equal((await Deno.readTextFile(`${folder}/frame.csv`)).split("\n").length, 32);
  });
});

Deno.test("an empty item is left out by its name, without files", async () => {
  await inFolder(async (folder) => {
    const place = { folder, name: "nothing" };
    const lines = await printed(async () => {
      await show([], place);
      await show(table([], { caption: "Contrasts" }), place);
      await show(bars([], chart), place);
      await show(bars([{ group: "INC", accuracy: null }], chart), place);
      await show(undefined, place);
      await show("", place);
      await show(undefined);
      await show(await frame([]), place);
    });
    assert.deepEqual(lines, [
      "Left out: nothing. This run has no rows for it.",
      "Left out: Contrasts. This run has no rows for it.",
      "Left out: Accuracy. This run has no values to draw.",
      "Left out: Accuracy. This run has no values to draw.",
      "Left out: nothing. This run has nothing to show.",
      "Left out: nothing. This run has nothing to show.",
      "Left out. This run has nothing to show.",
      "Left out: nothing. This run has no rows for it.",
    ]);
    assert.deepEqual(filesOf(folder), []);
  });
});

Deno.test("show() refuses names that lead out of the folder", async () => {
  await inFolder(async (folder) => {
    await assert.rejects(() => show(rows, { folder, name: "../a" }), /expected a file name/);
    await assert.rejects(() => show("text", { folder, name: "../a.txt" }), /expected a file name/);
    assert.deepEqual(filesOf(folder), []);
  });
});

Deno.test("note() shows a sentence on one line, and nothing for undefined", async () => {
  const lines = await printed(async () => {
    await note("left\nout");
    await note(undefined);
  });
  assert.deepEqual(lines, ["left out"]);
});
