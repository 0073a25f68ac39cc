import assert from "node:assert/strict";
import { bars } from "../../lib/figure/chart.ts";
import { saveFigure, saveTable } from "../../lib/figure/export.ts";
import { table } from "../../lib/figure/table.ts";
import { agree, isStable, writeStable } from "../../lib/figure/stable.ts";

Deno.test("agree() takes numbers within 1e-4 for the same, and nothing else", () => {
  assert.ok(agree("a,0.50000,x", "a,0.50004,x"));
  assert.ok(!agree("a,0.50000,x", "a,0.50006,x"));
  assert.ok(agree("1.00001e-7", "1e-7"));
  assert.ok(agree("[0,0.5]", "[1e-16,0.5]")); // a zero and its rounding
  assert.ok(!agree("0.5,", "0.5,0.5"));
  assert.ok(!agree("+0.5", "-0.5"));
  assert.ok(!agree("0.5 nats", "0.5 points"));
});

Deno.test("agree() wants counts, names, versions and digests to the letter", () => {
  const different = [
    ["n = 100000", "n = 100001"],
    ["small-100001", "small-100002"],
    ["4.22.0", "4.22.1"],
    ["a1000000.5e", "a1000000.6e"],
    ["null", "0.5"],
  ];
  for (const [a, b] of different) assert.ok(!agree(a, b), `${a} ${b}`);
});

Deno.test("agree() lets a printed digit flip by one where numbers are rounded", () => {
  assert.ok(agree("+8.4 [+5.2, +11.6], p = .012", "+8.5 [+5.1, +11.6], p = .013", true));
  assert.ok(!agree("8.4", "8.6", true));
  assert.ok(!agree("n = 250", "n = 251", true));
  assert.ok(!agree("8.4", "8.5"));
});

async function inFolder(action: (folder: string) => Promise<void>) {
  const folder = await Deno.makeTempDir();
  try {
    await action(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("writeStable() leaves a file whose numbers agree, and writes any other", async () => {
  await inFolder(async (folder) => {
    const path = `${folder}/deep/a.csv`;
    await writeStable(path, "kl\n0.123456\n");
    await writeStable(path, "kl\n0.123457\n");
    assert.equal(await Deno.readTextFile(path), "kl\n0.123456\n");
    await writeStable(path, "kl\n0.1236\n");
    assert.equal(await Deno.readTextFile(path), "kl\n0.1236\n");
    const text = `${folder}/a.md`;
    await writeStable(text, "| kl   |\n| ---: |\n|  9.9 |\n");
    assert.ok(await isStable(text, "| kl    |\n| ----: |\n|  10.0 |\n")); // wider by a digit
    assert.ok(!await isStable(text, "| KL   |\n| ---: |\n|  9.9 |\n"));
  });
});

const mark = (value: number) => ({ group: "INC", accuracy: value });

Deno.test("a table's text stays only where its numbers do", async () => {
  await inFolder(async (folder) => {
    const save = (value: number) => saveTable(folder, "t", table([mark(value)]));
    const [csv, md] = await save(52.34999);
    const first = await Deno.readTextFile(md);
    await save(52.35001); // the text would flip from 52.3 to 52.4
    assert.equal(await Deno.readTextFile(md), first);
    await save(52.4);
    assert.match(await Deno.readTextFile(md), /52\.4/);
    assert.match(await Deno.readTextFile(csv), /52\.4/);
  });
});

Deno.test("a figure's three files stay where its numbers do, and come back where one is gone", async () => {
  await inFolder(async (folder) => {
    const save = (value: number) =>
      saveFigure(folder, "f", bars([mark(value)], { x: "group", y: "accuracy" }));
    const paths = await save(40);
    const times = () => Promise.all(paths.map(async (path) => (await Deno.stat(path)).ino));
    const first = await times();
    await save(40.001);
    assert.deepEqual(await times(), first);
    await save(41);
    const second = await times();
    assert.ok(second.every((ino, i) => ino !== first[i]));
    await Deno.remove(paths[1]);
    await save(41);
    assert.ok((await Deno.stat(paths[1])).size > 1000);
  });
});
