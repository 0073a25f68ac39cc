/** Studies by several processes, on a shipped organism with few questions. */
import assert from "node:assert/strict";
import { parseSettings } from "../../lib/study/settings.ts";
import { runStudy } from "../../lib/study/run.ts";
import { studiedModels } from "../../lib/study/plans.ts";
import { dealCells, precompute } from "../../lib/study/parallel.ts";
import type { StudyPlan } from "../../lib/study/plan.ts";
import type { Study } from "../../lib/study/study.ts";

const [organism] = await studiedModels(parseSettings('{"quick": true}'));

const settings = parseSettings(JSON.stringify({ model: organism, domains: ["history"], limit: 8 }));

// With so few questions not every belief would leave a group.
const plan: StudyPlan = {
  models: [organism],
  treatments: ["har", "inc"],
  seeds: [0, 1],
  minimumConfidence: 0,
};

/** The processes that this one started as workers, by Linux's list of processes. */
function workerIds(): number[] {
  return [...Deno.readDirSync("/proc")].flatMap(({ name }) => {
    try {
      const parent = /\) \S (\d+)/.exec(Deno.readTextFileSync(`/proc/${name}/stat`))?.[1];
      const worker = Number(parent) === Deno.pid &&
        Deno.readTextFileSync(`/proc/${name}/cmdline`).includes("parallel.ts");
      return worker ? [Number(name)] : [];
    } catch {
      return []; // no process, or one that has ended
    }
  });
}

/** Kills a worker as soon as there is one. */
async function killOne(): Promise<void> {
  const end = Date.now() + 10_000;
  while (Date.now() < end) {
    const [found] = workerIds();
    if (found !== undefined) return Deno.kill(found, "SIGKILL");
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error("Cannot kill a worker: expected one to be started; found none in 10 s");
}

function sameCells(found: Study, expected: Study): void {
  assert.deepEqual(found.cells.map(({ cell }) => cell), expected.cells.map(({ cell }) => cell));
  for (const [i, { size, sizes, suites }] of expected.cells.entries()) {
    assert.ok(size > 0, "a cell without items compares nothing");
    assert.deepEqual([found.cells[i].size, found.cells[i].sizes], [size, sizes]);
    for (const name of ["homo", "id", "ood"] as const) {
      const { items, probabilities } = suites[name]!;
      const other = found.cells[i].suites[name]!;
      assert.deepEqual(other.items, items);
      // Threads sum in another order; training carries that on.
      probabilities.forEach((row, k) =>
        row.forEach((p, option) =>
          assert.ok(
            Math.abs(p - other.probabilities[k][option]) < 1e-3,
            `${name} ${items[k]}: ${p} and ${other.probabilities[k][option]}`,
          )
        )
      );
    }
  }
}

Deno.test({
  name: "runStudy() tells of a killed worker at once, and stops the other",
  ignore: Deno.build.os !== "linux",
  async fn() {
    const store = await Deno.makeTempDir();
    try {
      // Twenty cells a worker: the other is far from done when the first is killed.
      const long = { ...plan, seeds: Array.from({ length: 20 }, (_, seed) => seed) };
      const killing = killOne();
      await assert.rejects(
        runStudy(long, { settings, store, workers: 2 }),
        /Cannot finish the study: a process ended early: it was killed.*run the same command again/,
      );
      await killing;
      assert.deepEqual(workerIds(), []);
      const cells = [...Deno.readDirSync(store)].filter(({ name }) => name.startsWith("cell-"));
      assert.ok(cells.length < 15, String(cells.length));
    } finally {
      await Deno.remove(store, { recursive: true });
    }
  },
});

Deno.test("runStudy() finishes what is there in part, and gives one process's cells", async () => {
  const [one, two] = [await Deno.makeTempDir(), await Deno.makeTempDir()];
  try {
    await runStudy({ ...plan, seeds: [0] }, { settings, store: two, workers: 1 });
    const kept = [...Deno.readDirSync(two)].map(({ name }) => name);
    const told: number[] = [];
    const again = await runStudy(plan, {
      ...{ settings, store: two, workers: 2 },
      onProgress: ({ done, total }) => {
        assert.equal(total, 4);
        told.push(done);
      },
    });
    assert.deepEqual(told, [1, 2, 3, 4]);
    // What was finished stayed as it was: nothing partial, nothing twice.
    const files = [...Deno.readDirSync(two)].map(({ name }) => name).sort();
    assert.ok(kept.every((name) => files.includes(name)));
    // Pool, HOMO, ID and those of the three other domains.
    assert.deepEqual(files.map((name) => name.split("-")[0]), [
      ...Array(6).fill("base"),
      ...Array(4).fill("cell"),
    ]);
    sameCells(again, await runStudy(plan, { settings, store: one, workers: 1 }));
    assert.deepEqual([...Deno.readDirSync(one)].map(({ name }) => name).sort(), files);
  } finally {
    for (const folder of [one, two]) await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("precompute() lets processes fill a store again of which many cells are lost", async () => {
  const store = await Deno.makeTempDir();
  const cellFiles = () =>
    [...Deno.readDirSync(store)].map(({ name }) => name).filter((name) => name.startsWith("cell-"));
  try {
    const many = { ...plan, finetuning: { epochs: 1 }, seeds: [...Array(20).keys()] };
    const fill = () => precompute([many], { settings, store });
    if (!await fill()) return; // one core, or a card: there is one process alone
    assert.equal(cellFiles().length, 40);
    assert.equal(await fill(), false);
    const [first, second, ...others] = cellFiles();
    await Deno.remove(`${store}/${first}`);
    assert.equal(await fill(), false, "one cell is not worth processes");
    await Deno.writeTextFile(`${store}/${second}`, "cut");
    for (const name of others) await Deno.remove(`${store}/${name}`);
    assert.equal(await fill(), true);
    assert.equal(cellFiles().length, 40);
    assert.equal(await fill(), false);
  } finally {
    await Deno.remove(store, { recursive: true });
  }
});

Deno.test("runStudy() passes on what a worker failed with", async () => {
  const store = await Deno.makeTempDir();
  try {
    await assert.rejects(
      runStudy({ ...plan, domains: ["chess"] }, { settings, store, workers: 2 }),
      /a process ended early: .*Cannot run har in chess: expected one of history.*run the same/,
    );
  } finally {
    await Deno.remove(store, { recursive: true });
  }
});

Deno.test("dealCells() deals each cell once, a worker's own model first, the longest before others", () => {
  const plans: StudyPlan[] = [
    { models: ["a", "b"], domains: ["one"], treatments: ["har"], seeds: [...Array(40).keys()] },
    { models: ["b", "c"], domains: ["one"], treatments: ["inc"], seeds: [...Array(10).keys()] },
  ];
  const deal = dealCells(plans, { costs: new Map([["a", 1], ["b", 1], ["c", 9]]), of: 2 });
  const dealt = new Map<string, number[]>();
  const open: (string | null)[] = [null, null];
  const opened: string[][] = [[], []];
  for (let turn = 0;; turn++) {
    const share = deal(open[turn % 2]);
    if (share === null) break;
    const { plan, model, from, to = plan === 0 ? 40 : 10 } = share;
    const places = dealt.get(`${model}/${plan}`) ?? [];
    for (let place = from; place < to; place++) places.push(place);
    dealt.set(`${model}/${plan}`, places);
    if (open[turn % 2] !== model) opened[turn % 2].push(model);
    open[turn % 2] = model;
  }
  const places = (count: number) => [...Array(count).keys()];
  assert.deepEqual(
    Object.fromEntries([...dealt].toSorted()),
    { "a/0": places(40), "b/0": places(40), "b/1": places(10), "c/1": places(10) },
  );
  // 90 for c, 50 for b, 40 for a: who has finished c takes a, and nobody comes to a model in use before.
  assert.deepEqual(opened.map(([first]) => first), ["c", "b"]);
  assert.equal(opened.flat().indexOf("a") > 0, true);
});
