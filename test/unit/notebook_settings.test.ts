import assert from "node:assert/strict";
import { headerText, notebook, settingsOf } from "../../lib/study/notebook.ts";
import { outputPath, parseSettings, SETTINGS_VARIABLE } from "../../lib/study/settings.ts";
import type { Backend } from "../../lib/platform/runtime/backend.ts";

const backend: Backend = {
  name: "wasm",
  precision: "float32",
  device: "a processor",
  threads: 1,
  versions: { deno: "2.9.6", tfjs: "4.22.0", package: "x 1" },
  passedOver: [],
};

Deno.test("a cell's settings are checked, and go to a folder named after them", () => {
  const run = settingsOf({ model: "organism:small-101", seeds: 1 });
  assert.match(run.output, /^\.cache\/runs\/organism-small-101-[0-9a-f]{6}$/);
  assert.equal(run.seeds, 1);
  assert.equal(settingsOf({ seeds: 1, model: "organism:small-101" }).output, run.output);
  assert.notEqual(settingsOf({ model: "organism:small-101", seeds: 2 }).output, run.output);
  assert.match(settingsOf({}).output, /^\.cache\/runs\/[0-9a-f]{6}$/);
  const misspelt = { learning_rate: 1e-3 } as Parameters<typeof settingsOf>[0];
  assert.throws(
    () => settingsOf(misspelt),
    /setting learning_rate: .*\(did you mean learningRate\?\)/,
  );
  assert.throws(() => settingsOf({ seeds: 0 }), /seeds.*whole number/);
});

Deno.test("a run's settings win over the cell's, whole", () => {
  const json = JSON.stringify(parseSettings('{"quick": true}'));
  const run = settingsOf({ model: "organism:small-101", limit: 5 }, json);
  assert.deepEqual(run, parseSettings('{"quick": true}'));
  // Without a folder of its own a run does not touch the published files.
  assert.match(settingsOf({}, '{"limit": 9}').output, /^\.cache\/runs\//);
  assert.throws(
    () => settingsOf({ lr: 1 } as Parameters<typeof settingsOf>[0], json),
    /setting lr/,
  );
});

Deno.test("a cell can't send its files to the published folder", () => {
  for (const output of ["figures", "./figures", outputPath({ output: "figures" })]) {
    assert.throws(() => settingsOf({ output }), /other than the published/);
  }
  assert.equal(settingsOf({ output: "/tmp/elsewhere" }).output, "/tmp/elsewhere");
});

Deno.test("a notebook on a real model keeps it where the run is on organisms", () => {
  const json = JSON.stringify(parseSettings('{"quick": true}'));
  const run = settingsOf({ model: "smollm2" }, json);
  assert.deepEqual([run.model, run.quick, run.output], ["smollm2", true, "figures"]);
  const other = JSON.stringify(parseSettings('{"model": "a/b"}'));
  assert.equal(settingsOf({ model: "smollm2" }, other).model, "a/b");
});

Deno.test("the header tells backend, what is not the default, seeds and folder", () => {
  const run = settingsOf({
    model: "organism:small-101",
    seeds: 2,
    domains: ["history"],
    limit: 50,
  });
  assert.equal(
    headerText(run, backend, outputPath({ output: ".cache/runs/x" }, "05")),
    "backend: wasm 4.22.0 (a processor, 1 thread, float32)\n" +
      "model: organism:small-101; seeds: 0, 1; domains history; limit 50\n" +
      "files: .cache/runs/x/05",
  );
});

Deno.test("notebook() keeps results with what they rest on, and leaves those that agree", async () => {
  const folder = await Deno.makeTempDir();
  const log = console.log;
  const before = ["SELF_ALIGNING_BACKEND", SETTINGS_VARIABLE].map((key) => Deno.env.get(key));
  Deno.env.set("SELF_ALIGNING_BACKEND", "cpu");
  Deno.env.delete(SETTINGS_VARIABLE);
  const lines: string[] = [];
  console.log = (line) => void lines.push(line);
  try {
    const { keep, show } = await notebook("05", { seeds: 2, output: folder });
    await show([{ a: 1 }], "rows");
    const path = `${folder}/05/results.json`;
    await keep([{ name: "x", value: 1 / 3, n: 7 }]);
    const kept = JSON.parse(await Deno.readTextFile(path));
    assert.deepEqual(kept.results, [{ name: "x", value: 0.333333, n: 7 }]);
    assert.deepEqual([kept.seeds, kept.backend, kept.precision], [[0, 1], "cpu", "float32"]);
    assert.equal(kept.settings.output, undefined);
    // As another processor would have it: the file stays.
    const first = await Deno.readTextFile(path);
    await keep([{ name: "x", value: 0.33334, n: 7 }]);
    assert.equal(await Deno.readTextFile(path), first);
    await keep([{ name: "x", value: 0.34, n: 7 }]);
    assert.equal(JSON.parse(await Deno.readTextFile(path)).results[0].value, 0.34);
    assert.equal(await Deno.readTextFile(`${folder}/05/rows.csv`), "a\n1\n");
    assert.match(lines[0], /^backend: cpu/);
  } finally {
    console.log = log;
    ["SELF_ALIGNING_BACKEND", SETTINGS_VARIABLE].forEach((key, i) =>
      before[i] === undefined ? Deno.env.delete(key) : Deno.env.set(key, before[i]!)
    );
    await Deno.remove(folder, { recursive: true });
  }
});
