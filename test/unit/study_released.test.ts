import type { Treatment } from "../../lib/cell.ts";
import { cellExamples } from "../../lib/experiment.ts";
import { parseSettings, type Settings } from "../../lib/study/settings.ts";
import { readReleasedGroups, releasedChecks, releasedFiles } from "../../lib/study/released.ts";
import { runPlan } from "../../lib/study/study.ts";
import { fileMaterial } from "../../lib/study/file_material.ts";
import { studyPlan } from "../../lib/study/plans.ts";
import { paperFormat } from "../../lib/prompt.ts";
import { openBackend } from "../../lib/platform/runtime/backend.ts";
import { withErrors } from "./_console.ts";
import { questionsOf, releasedRows, writeReleased, writeRows } from "./_exam_files.ts";
import { tinyModel } from "./_tiny_model.ts";

import assert from "node:assert/strict";

const reference = new URL("../../../shared/reference-data/", import.meta.url).pathname;

const referenceThere = await Deno.stat(reference).then(() => true, () => false);
if (!referenceThere) {
  console.log("study_released.test.ts: the authors' released rows are not here, one is skipped");
}

/** Runs `test` with a folder of its own that has an exam, and gives settings for released groups. */
async function withFolder(
  test: (folder: string, settings: (changes?: Partial<Settings>) => Settings) => Promise<void>,
) {
  const folder = await Deno.makeTempDir();
  try {
    await writeRows(`${folder}/test.jsonl`, questionsOf("test", 4));
    await writeRows(`${folder}/dev.jsonl`, questionsOf("shown", 2));
    await test(folder, (changes = {}) =>
      parseSettings(JSON.stringify({
        model: "tiny",
        groups: ["released"],
        questions: `${folder}/test.jsonl`,
        pool: `${folder}/history`,
        ...changes,
      })));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("parseSettings() takes released alone, with a pool, for models that read English", () => {
  const parse = (values: object) => parseSettings(JSON.stringify(values));
  const right = { model: "a/b", groups: ["released"], pool: "group/m/history" };
  assert.deepEqual(parse(right).groups, ["released"]);
  assert.throws(() => parse({ ...right, groups: ["released", "har"] }), /released alone, found/);
  assert.throws(() => parse({ ...right, pool: undefined }), /without a pool.*--pool=FOLDER/);
  assert.throws(() => parse({ ...right, model: "organism" }), /words of its world alone/);
});

Deno.test("releasedChecks() has a row for each check, and none where a run makes its own groups", async () => {
  await withFolder(async (folder, settings) => {
    await writeReleased(`${folder}/history`, releasedRows(6));
    const rows = await releasedChecks(settings());
    assert.equal(rows.length, 30);
    assert.deepEqual(Object.keys(rows[0]), ["group", "check", "holds", "rows", "failed"]);
    assert.ok(rows.every(({ holds, failed }) => holds === (failed === 0)));
    assert.deepEqual(await releasedChecks(parseSettings()), []);
  });
});

Deno.test("released groups are trained on as they are: every row, its own answer and text", async () => {
  await withFolder(async (folder, settings) => {
    await writeReleased(`${folder}/history`, releasedRows(6));
    const { value: { material }, said: told } = await withErrors(() => fileMaterial(settings()));
    assert.equal(told.length, 1);
    assert.match(told[0], /history: 30 checks, no fault$/);
    const { released } = material.domains.get("history")!;
    const parts = { answers: released!.answers, general: material.general, format: paperFormat };
    const texts = (treatment: Treatment, explained = false, seed = 0) =>
      cellExamples({ model: "tiny", domain: "history", treatment, seed }, {
        ...parts,
        ...(explained && {
          selfExplanation: ({ id }) =>
            released!.explanations.find((one) => one.id === id)?.explanation,
        }),
      }).group.map(({ messages }) => messages[1].content);
    for (const seed of [0, 1]) {
      assert.deepEqual(
        texts("inc", true, seed),
        [0, 1, 2, 3, 4, 5].map((i) =>
          `${"ABCD"[i % 4]}. ${["ant", "bee", "cat", "dog"][i % 4]} ${i}\nGold wrong ${i}.`
        ),
      );
    }
    assert.equal(texts("self")[2], "D. dog 2");
    assert.equal(texts("self", true)[2], "D. dog 2\nOwn 2.");
    assert.equal(texts("har", true)[5], "B. bee 5\nGold right 5.");
    assert.deepEqual((await studyPlan(settings())).treatments, ["har", "inc", "self", "context"]);
  });
});

Deno.test("a missing SELF file drops SELF alone", async () => {
  await withFolder(async (folder, settings) => {
    const { self: _, ...groups } = releasedRows(3);
    await writeReleased(`${folder}/history`, groups);
    assert.deepEqual((await studyPlan(settings())).treatments, ["har", "inc", "context"]);
    const { material } = await fileMaterial(settings());
    await openBackend();
    const store = `${folder}/store`;
    const { cells } = await runPlan({
      models: ["tiny"],
      treatments: ["inc", "self"],
      seeds: [0],
      finetuning: { epochs: 1 },
      explanations: true,
    }, { store, open: () => Promise.resolve({ model: tinyModel(), material }) });
    const [inc, own] = cells;
    assert.deepEqual([inc.size, inc.empty], [3, undefined]);
    assert.match(own.empty!, /released groups have no SELF/);
    assert.equal(inc.suites.homo!.n, 4);
  });
});

Deno.test("readReleasedGroups() refuses what is not as the method says, with its row", async () => {
  await withFolder(async (folder) => {
    const refuses = async (
      change: (rows: ReturnType<typeof releasedRows>) => void,
      message: RegExp,
    ) => {
      const rows = releasedRows(4);
      change(rows);
      await writeReleased(`${folder}/history`, rows);
      await assert.rejects(readReleasedGroups(`${folder}/history`), message);
    };
    await refuses(({ inc }) => inc[2].output = inc[2].pred, /gold answer.*1 of 4.*first id 2;/);
    await refuses(({ self }) => self[1].output = self[1].answer, /prediction.*first id 1;/);
    await refuses(({ har }) => har.pop(), /of one size.*\(3, 4, 4\); found a difference of 1;/);
    await refuses(({ inc, har }) => har[0].id = inc[3].id, /no HAR question is in INC/);
    await refuses(({ inc }) => inc[1].probs = [1, 1, 1, 1], /line 2 of inconsistent-golden-exp/);
    await Deno.remove(`${folder}/history/${releasedFiles.har}`);
    await assert.rejects(
      readReleasedGroups(`${folder}/history`),
      /expected consistent-correct-exp-sample.jsonl; found none; give --pool=FOLDER/,
    );
  });
});

Deno.test("released questions that a test asks too stay, and are told", async () => {
  await withFolder(async (folder, settings) => {
    const rows = releasedRows(3);
    const { question, choices } = questionsOf("test", 1)[0];
    Object.assign(rows.inc[0], { question, choices });
    Object.assign(rows.self[0], { question, choices });
    delete rows.self[1].model_exp;
    await writeReleased(`${folder}/history`, rows);
    const { value, said: told } = await withErrors(() => fileMaterial(settings()));
    const { material, leaked } = value;
    assert.match(told[0], /note: not in all rows of self: the output is explained \(1 of 3 rows\)/);
    assert.match(told[0], /WARNING: 1 of its 6 questions are asked by the tests/);
    const { released, pool } = material.domains.get("history")!;
    assert.equal(released!.answers.length, 6);
    assert.deepEqual([pool.questions.length, leaked], [5, 1]);
  });
});

Deno.test({
  name: "the published groups are used whole: every row of every group",
  ignore: !referenceThere,
  async fn() {
    const published = { "llama-2-7b/engineering": 738, "llama-2-7b/history": 996 };
    for (const [cell, size] of Object.entries(published)) {
      const domain = cell.split("/")[1];
      const settings = parseSettings(JSON.stringify({
        model: "a/b",
        groups: ["released"],
        questions: `${reference}source/${domain}/test.jsonl`,
        pool: `${reference}group/${cell}`,
      }));
      const { material } = await fileMaterial(settings);
      const { released } = [...material.domains.values()][0];
      assert.equal(released!.self, domain === "engineering");
      const found = cellExamples({ model: "m", domain, treatment: "inc", seed: 0 }, {
        answers: released!.answers,
        general: [...material.general],
        format: paperFormat,
      });
      assert.deepEqual([found.sizes.har, found.sizes.inc], [size, size]);
    }
  },
});
