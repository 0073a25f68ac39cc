/** The store: what is read is held to its name, its digest and its shape; what fails is redone. */
import { number, object } from "valibot";
import { readGeneral } from "../../lib/study/files.ts";
import { openBackend } from "../../lib/platform/runtime/backend.ts";
import { sha256OfText } from "../../lib/platform/runtime/digest.ts";
import { cellSchema } from "../../lib/cell.ts";
import { runPlan } from "../../lib/study/study.ts";
import type { StudyPlan } from "../../lib/study/plan.ts";
import { Store } from "../../lib/study/store.ts";
import { withErrors } from "./_console.ts";
import { questionsOf } from "./_exam_files.ts";
import { withFolder } from "./_folder.ts";
import { tinyModel } from "./_tiny_model.ts";

import assert from "node:assert/strict";

await openBackend();

const schema = object({ a: number() });

const storeIn = (folder: string) => new Store(folder, { basis: () => Promise.resolve("code") });

/** Made by hand: a training of two questions, one of which became wrong. */
const cell = {
  cell: { model: "m", domain: "history", treatment: "inc", seed: 0 },
  size: 2,
  sizes: {
    ...{ answers: 4, confident: 4, right: 2, wrong: 2, explainedRight: 2, explainedWrong: 2 },
    ...{ har: 2, inc: 2, self: 2, domains: {} },
  },
  finetuning: {
    settings: { epochs: 1, batchSize: 4, learningRate: 1e-3 },
    ...{ steps: 1, firstLoss: 1, lastLoss: 1, tokens: 9, supervisedTokens: 4, seconds: 1 },
  },
  fit: { n: 2, share: 0.5 },
  suites: {
    homo: {
      ...{ n: 2, accuracy: 0.5, interval: [0.1, 0.9], baseAccuracy: 1, lost: 1, gained: 0 },
      ...{ kl: 0.1, cosine: 0.9, rank: 0.8, entropy: 1, baseEntropy: 1 },
      correct: [1, 0],
      probabilities: [[0.7, 0.3], [0.4, 0.6]],
      items: ["history/0", "history/1"],
    },
  },
  seconds: 1,
};

type Made = typeof cell;

/** A copy in which `change` has changed something. */
function changed(change: (copy: Made) => void): Made {
  const copy = structuredClone(cell);
  change(copy);
  return copy;
}

const set = (part: object) => (copy: Made) => void Object.assign(copy.suites.homo, part);

// deno-lint-ignore no-explicit-any
const drop = (name: string) => (copy: any) => void delete copy.suites.homo[name];

/** Records that a person could have written with a right digest, and what is said of each. */
const misshapen: [what: string, result: unknown, said: RegExp][] = [
  ["an accuracy of 1", changed(set({ accuracy: 1 })), /suites\.homo: .*follow from the answers/],
  ["no accuracy", changed(set({ accuracy: null })), /suites\.homo\.accuracy: .*null/],
  ["a field left out", changed(drop("kl")), /suites\.homo\.kl: expected "kl"; found none/],
  ["another n", changed(set({ n: 3 })), /suites\.homo: .*follow from the answers/],
  ["fewer items", changed(set({ items: ["history/0"] })), /follow from the answers/],
  ["another base", changed(set({ baseAccuracy: 0.5 })), /follow from the answers/],
  [
    "probabilities outside 0 to 1",
    changed(set({ probabilities: [[5, -4], [0.4, 0.6]] })),
    /suites\.homo\.probabilities: expected a list of rows of probabilities that sum to 1/,
  ],
  [
    "probabilities of another sum",
    changed(set({ probabilities: [[0.7, 0.2], [0.4, 0.6]] })),
    /probabilities that sum to 1/,
  ],
  ["an unknown treatment", changed((copy) => copy.cell.treatment = "inx"), /cell\.treatment/],
  ["no training", { ...cell, finetuning: undefined }, /expected a training, or why/],
  ["an empty object", {}, /cell: /],
  ["null", null, /result: .*null/],
  ["a list", [], /cell: /],
];

Deno.test("Store gives back what was written, under a name that all inputs fix", async () => {
  await withFolder(async (folder) => {
    const store = storeIn(folder);
    const key = await store.key("cell", { a: 1, b: [2] });
    assert.match(key, /^cell-[0-9a-f]{24}$/);
    assert.equal(await store.key("cell", { b: [2], a: 1, c: undefined }), key);
    for (const other of [{ a: 1, b: [3] }, { a: 1 }, { a: 1, b: ["2"] }, { a: 1, b: [[2]] }]) {
      assert.notEqual(await store.key("cell", other), key);
    }
    assert.notEqual(await store.key("x", Infinity), await store.key("x", null));
    assert.notEqual(await store.key("x", new Map([["a", 1]])), await store.key("x", new Map()));
    const other = new Store(folder, { basis: () => Promise.resolve("other code") });
    assert.notEqual(await other.key("cell", { a: 1, b: [2] }), key);
    assert.equal(await store.read(key, cellSchema), undefined);
    await store.write(key, cell);
    assert.deepEqual(await store.read(key, cellSchema), cell);
  });
});

for (const [what, result, expected] of misshapen) {
  Deno.test(`Store refuses a cell with ${what}, and names it`, async () => {
    await withFolder(async (folder) => {
      const store = storeIn(folder);
      await store.write("cell-1", result);
      const { value, said } = await withErrors(() => store.read("cell-1", cellSchema));
      assert.equal(value, undefined);
      assert.equal(said.length, 1);
      assert.match(said[0], /cell-1\.json is damaged and is computed again/);
      assert.match(said[0], expected);
    });
  });
}

/** What can happen to a file in a store: by its path and that of another cell. */
const damage: Record<string, (path: string, other: string) => Promise<unknown>> = {
  "cut off": async (path) => Deno.truncate(path, (await Deno.stat(path)).size - 20),
  "empty": (path) => Deno.writeTextFile(path, ""),
  "of other bytes": (path) => Deno.writeFile(path, new Uint8Array([0, 255, 254, 128])),
  "null": (path) => Deno.writeTextFile(path, "null"),
  "an empty list": (path) => Deno.writeTextFile(path, "[]"),
  "an empty object": (path) => Deno.writeTextFile(path, "{}"),
  "of another cell": (path, other) => Deno.copyFile(other, path),
  "edited": async (path) => {
    const text = await Deno.readTextFile(path);
    await Deno.writeTextFile(
      path,
      text.replace(/\d(?=[^\d]*$)/, (digit) => digit === "1" ? "2" : "1"),
    );
  },
  "with a letter flipped in a field's name": async (path) => {
    const text = await Deno.readTextFile(path);
    await Deno.writeTextFile(path, text.replace('"result"', '"resulu"'));
  },
  "a folder": async (path) => {
    await Deno.remove(path);
    await Deno.mkdir(`${path}/sub`, { recursive: true });
  },
  ...(Deno.build.os === "windows" ? {} : {
    "no file but a device": async (path) => {
      await Deno.remove(path);
      await Deno.symlink("/dev/zero", path);
    },
  }),
};

for (const [what, harm] of Object.entries(damage)) {
  Deno.test(`Store computes again what is ${what}`, async () => {
    await withFolder(async (folder) => {
      const store = storeIn(folder);
      const keep = (a: number) =>
        store.keep("sum", a, { schema, compute: () => Promise.resolve({ a }) });
      await keep(1);
      await keep(2);
      const [one, two] = [`${folder}/${await store.key("sum", 1)}.json`, await store.key("sum", 2)];
      await harm(one, `${folder}/${two}.json`);
      const { value, said } = await withErrors(() => keep(1));
      assert.deepEqual(value, { a: 1 });
      assert.equal(said.length, 1, said.join());
      assert.ok(said[0].startsWith(`${one} is damaged and is computed again: `), said[0]);
      // It is whole again, and no leftover lies beside it.
      assert.deepEqual(await withErrors(() => keep(1)), { value: { a: 1 }, said: [] });
      assert.equal([...Deno.readDirSync(folder)].length, 2);
    });
  });
}

Deno.test("Store removes what a killed process left behind, but nothing that may be written now", async () => {
  await withFolder(async (folder) => {
    const old = new Date(Date.now() - 7 * 3600 * 1000);
    for (const name of ["cell-1.json.a.partial", "cell-1.json.b.partial", "cell-2.json"]) {
      await Deno.writeTextFile(`${folder}/${name}`, "{");
    }
    for (const name of ["cell-1.json.a.partial", "cell-2.json"]) {
      await Deno.utime(`${folder}/${name}`, old, old);
    }
    new Store(folder);
    assert.deepEqual([...Deno.readDirSync(folder)].map(({ name }) => name).sort(), [
      "cell-1.json.b.partial",
      "cell-2.json",
    ]);
    new Store(`${folder}/none`); // which is not there
  });
});

Deno.test("runPlan() believes no file that was tampered with, and ends with the same numbers", async () => {
  await withFolder(async (folder) => {
    const exam = (name: string, count: number) => ({
      name: `history/${name}`,
      questions: questionsOf(name, count),
      demonstrations: questionsOf("shown", 1),
    });
    const material = {
      domains: new Map([["history", {
        pool: exam("pool", 8),
        suites: { homo: [exam("homo", 4)] },
      }]]),
      general: (await readGeneral()).general.slice(0, 12),
    };
    const plan: StudyPlan = {
      models: ["tiny"],
      treatments: ["har", "inc"],
      seeds: [0],
      minimumConfidence: 0,
      finetuning: { epochs: 1, batchSize: 4 },
    };
    const run = () =>
      withErrors(() =>
        runPlan(plan, {
          store: folder,
          open: () => Promise.resolve({ model: tinyModel(), material }),
        })
      );
    const { value: first } = await run();
    const paths = [...Deno.readDirSync(folder)].map(({ name }) => `${folder}/${name}`).sort();
    assert.equal(paths.length, 4);
    const read = () => Promise.all(paths.map((path) => Deno.readTextFile(path)));
    const texts = await read();
    const results = texts.map((text) => JSON.parse(text).result);
    const forge = async (path: string, text: string, result: unknown) => {
      const sha256 = sha256OfText(JSON.stringify(result));
      await Deno.writeTextFile(path, JSON.stringify({ ...JSON.parse(text), sha256, result }));
    };
    const tampering: (() => Promise<unknown>)[] = [
      // The two bases for one another, and the two cells.
      () => Promise.all(paths.map((path, i) => Deno.writeTextFile(path, texts[i ^ 1]))),
      // Rows of answers moved on by one, with their old digest.
      async () => {
        for (const [i, { probabilities: [row, ...rows] }] of results.slice(0, 2).entries()) {
          const result = { probabilities: [...rows, row] };
          await Deno.writeTextFile(paths[i], JSON.stringify({ ...JSON.parse(texts[i]), result }));
        }
        for (const [i, text] of texts.slice(2).entries()) {
          await Deno.writeTextFile(paths[2 + i], text.replace(/"accuracy":[\d.]+/, '"accuracy":1'));
        }
      },
      // With a digest that fits: too few answers, and accuracies that do not follow.
      async () => {
        for (const [i, result] of results.entries()) {
          if (i < 2) {
            await forge(paths[i], texts[i], { probabilities: result.probabilities.slice(1) });
          } else {
            const { accuracy, ...homo } = result.suites.homo;
            const other = { ...homo, accuracy: accuracy === 1 ? 0 : 1 };
            await forge(paths[i], texts[i], { ...result, suites: { homo: other } });
          }
        }
      },
    ];
    for (const tamper of tampering) {
      await tamper();
      const { value: again, said } = await run();
      assert.equal(said.length, 4, said.join("\n"));
      assert.deepEqual(
        paths.filter((path) => said.some((line) => line.startsWith(`${path} is damaged`))),
        paths,
      );
      assert.deepEqual(again.bases, first.bases);
      assert.deepEqual(
        again.cells.map(({ cell, suites, fit }) => [cell, suites, fit]),
        first.cells.map(({ cell, suites, fit }) => [cell, suites, fit]),
      );
      assert.deepEqual((await run()).said, []);
    }
  });
});
