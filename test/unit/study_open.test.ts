import { openBackend } from "../../lib/platform/runtime/backend.ts";
import { organismNames } from "../../lib/model/files/source.ts";
import { constructGroups } from "../../lib/mod.ts";
import { openFirst } from "../../lib/study/subjects.ts";
import { keepBase } from "../../lib/study/study.ts";
import { mainPlans, studiedModels, studyPlan } from "../../lib/study/plans.ts";
import { openOrganism, openSubject } from "../../lib/study/subjects.ts";
import { parseSettings, type Settings } from "../../lib/study/settings.ts";
import { probeBase } from "../../lib/study/study.ts";
import { Store } from "../../lib/study/store.ts";
import { fileMaterial } from "../../lib/study/file_material.ts";
import { withErrors } from "./_console.ts";
import { questionsOf, releasedRows, writeReleased, writeRows } from "./_exam_files.ts";
import { tinyModel } from "./_tiny_model.ts";

import assert from "node:assert/strict";

/** Runs `test` with a folder of an exam of four questions, two demonstrations and a pool of six. */
async function withExam(
  test: (exam: {
    folder: string;
    settings: (changes?: Partial<Settings>) => Settings;
  }) => Promise<void>,
) {
  const folder = await Deno.makeTempDir();
  try {
    await writeRows(`${folder}/test.jsonl`, questionsOf("test", 4));
    await writeRows(`${folder}/dev.jsonl`, questionsOf("shown", 2));
    await writeRows(`${folder}/pool.jsonl`, questionsOf("pool", 6));
    const settings = (changes: Partial<Settings> = {}) =>
      parseSettings(JSON.stringify({
        model: "tiny",
        questions: `${folder}/test.jsonl`,
        pool: `${folder}/pool.jsonl`,
        ...changes,
      }));
    await test({ folder, settings });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("fileMaterial() leaves out of the pool what a test or a demonstration asks", async () => {
  await withExam(async ({ folder, settings }) => {
    const [test, other] = questionsOf("test", 2), [shown] = questionsOf("shown", 1);
    const [id] = questionsOf("id", 1), [ood] = questionsOf("ood", 1, "chess");
    const pool = [
      ...questionsOf("pool", 6),
      // The same question in other letters, with its options in another order.
      {
        ...test,
        id: 10,
        question: ` ${test.question.toUpperCase()} `,
        choices: test.choices.toReversed(),
      },
      { ...shown, id: 11 },
      { ...id, id: 12 },
      { ...ood, id: 13 },
      // Another question with the same text.
      { ...other, id: 14, choices: ["w", "x", "y", "z"] },
    ];
    await writeRows(`${folder}/pool.jsonl`, pool);
    await writeRows(`${folder}/id.jsonl`, [id]);
    await writeRows(`${folder}/ood.jsonl`, [ood]);
    const { material, leaked, rejected } = await fileMaterial(
      settings({ id: `${folder}/id.jsonl`, ood: `${folder}/ood.jsonl` }),
    );
    const domain = material.domains.get("history")!;
    assert.deepEqual(domain.pool.questions.map((one) => one.id), [0, 1, 2, 3, 4, 5, 14]);
    assert.deepEqual([leaked, rejected.length], [4, 0]);
    const { homo, id: own, ood: others } = domain.suites;
    assert.deepEqual([homo![0].questions.length, own![0].questions.length], [4, 1]);
    assert.equal(homo![0].demonstrations.length, 2);
    assert.equal(others![0].questions[0].domain, "chess");
  });
});

Deno.test("fileMaterial() counts the rows that it sets aside, with their file and line", async () => {
  await withExam(async ({ folder, settings }) => {
    const [a, b, c] = questionsOf("test", 3);
    await writeRows(`${folder}/test.jsonl`, [a, { ...b, answer: 4 }, c, { ...c, question: "x?" }]);
    await Deno.writeTextFile(`${folder}/pool.jsonl`, `${JSON.stringify(a)}\n{"question":\n`, {
      append: true,
    });
    const { material, rejected, leaked } = await fileMaterial(settings());
    assert.deepEqual(
      rejected.map(({ file, line }) => `${file.split("/").at(-1)}:${line}`),
      // Id 2 stands twice in the test; a pool's line 7 repeats id 0 and line 8 is no JSON.
      ["test.jsonl:2", "test.jsonl:4", "pool.jsonl:7", "pool.jsonl:8"],
    );
    assert.match(rejected[1].reason, /id: 2 stands on line 3 already/);
    const { suites, pool } = material.domains.get("history")!;
    assert.deepEqual(suites.homo![0].questions.map(({ id }) => id), [0, 2]);
    assert.deepEqual([pool.questions.length, leaked], [6, 0]);
  });
});

Deno.test("fileMaterial() names the missing file and the flag that gives it", async () => {
  await withExam(async ({ folder, settings }) => {
    const none = `${folder}/none.jsonl`;
    const refuses = (changes: Partial<Settings>, message: RegExp) =>
      assert.rejects(fileMaterial(settings(changes)), message);
    for (const flag of ["questions", "demonstrations", "pool", "id", "ood"] as const) {
      await refuses({ [flag]: none }, new RegExp(`none.jsonl: .*give --${flag}=FILE`));
    }
    await refuses({ general: none }, /general instructions from .*give --general=FILE/);
    await refuses({ pool: undefined }, /Cannot study tiny: .*groups from; found none.*--pool=FILE/);
    await refuses({ questions: undefined }, /questions to test with; .*give --questions=FILE/);
    await refuses({ pool: `${folder}/test.jsonl` }, /no test .* asks; found none of 4; .*--pool/);
    await Deno.writeTextFile(none, '{"question": "?"}\n');
    await refuses({ id: none }, /expected questions in .*none, 1 rows set aside, line 1: .*--id=/);
    await Deno.writeTextFile(none, "");
    await refuses({ pool: none }, /expected questions in .*; found none; give --pool=FILE/);
    await Deno.mkdir(`${folder}/empty`);
    await refuses({ pool: `${folder}/empty` }, /expected \.jsonl files of released rows/);
    await Deno.remove(`${folder}/dev.jsonl`);
    await refuses({}, /dev.jsonl: .*give --demonstrations=FILE/);
  });
});

Deno.test("fileMaterial() keeps questions apart whose ids count anew in each domain", async () => {
  await withExam(async ({ folder, settings }) => {
    const two = (name: string) => [
      ...questionsOf(name, 3),
      ...questionsOf(`${name} of chess`, 3, "chess"),
    ];
    await writeRows(`${folder}/test.jsonl`, two("test"));
    await writeRows(`${folder}/pool.jsonl`, two("pool"));
    const { material, rejected } = await fileMaterial(settings());
    assert.deepEqual(rejected, []);
    const { suites: { homo }, pool } = material.domains.get("history")!;
    for (const { questions } of [homo![0], pool]) {
      assert.deepEqual(
        questions.map(({ domain, id }) => `${domain} ${id}`),
        ["history", "chess"].flatMap((d) => [0, 1, 2].map((i) => `history ${d}/${i}`)),
      );
    }
    // Ids that don't repeat stay as they are, for results name items by them.
    const { material: plain } = await fileMaterial(
      settings({ questions: `${folder}/dev.jsonl`, demonstrations: `${folder}/test.jsonl` }),
    );
    assert.deepEqual(plain.domains.get("history")!.suites.homo![0].questions.map((q) => q.id), [
      0,
      1,
    ]);
  });
});

Deno.test("fileMaterial() takes the questions of a folder of released rows, explained", async () => {
  await withExam(async ({ folder, settings }) => {
    await writeReleased(`${folder}/history`, releasedRows(3));
    const { material } = await fileMaterial(settings({ pool: `${folder}/history` }));
    const { pool, released } = material.domains.get("history")!;
    assert.equal(released, undefined);
    assert.deepEqual(
      pool.questions.map(({ id, explanation }) => [id, explanation]).toSorted(),
      [0, 1, 2].flatMap((i) => [[i, `Gold wrong ${i}.`], [100 + i, `Gold right ${i}.`]]).toSorted(),
    );
  });
});

Deno.test("fileMaterial() cuts the pool and the tests to a limit", async () => {
  await withExam(async ({ settings }) => {
    const { material } = await fileMaterial(settings(), 3);
    const { pool, suites } = material.domains.get("history")!;
    assert.deepEqual([pool.questions.length, suites.homo![0].questions.length], [3, 3]);
  });
});

Deno.test("fileMaterial() refuses general instructions that it can't read, before a model is there", async () => {
  await withExam(async ({ folder, settings }) => {
    const general = await writeRows(`${folder}/general.jsonl`, [{ prompt: "Hi", response: "Ho" }]);
    await assert.rejects(
      fileMaterial(settings({ general })),
      /Cannot read general instructions from .*found none, 1 rows set aside, line 1: row: .*"prompt, response"; give --general=FILE with rows of instruction/,
    );
    await assert.rejects(openSubject(`${folder}/none`, settings({ general })), /read general/);
    const conversations = [{ from: "human", value: "Hi" }, { from: "gpt", value: "Ho" }];
    await writeRows(general, [{ conversations }, { conversations: [] }]);
    const { material, rejected } = await fileMaterial(settings({ general }));
    assert.deepEqual(material.general.map(({ messages }) => messages[1].content), ["Ho"]);
    assert.deepEqual(rejected.map(({ line }) => line), [2]);
  });
});

Deno.test("fileMaterial() reads a file that leaves its answers open as the files beside it, and says so", async () => {
  await withExam(async ({ folder, settings }) => {
    const bare = (name: string, answers: number[]) =>
      questionsOf(name, answers.length).map(({ domain: _, ...row }, i) => ({
        ...row,
        answer: answers[i],
      }));
    await writeRows(`${folder}/test.jsonl`, bare("test", [4, 1, 4, 2]));
    await writeRows(`${folder}/pool.jsonl`, bare("pool", [3, 4, 4, 1, 2]));
    await writeRows(`${folder}/dev.jsonl`, bare("shown", [1, 3]));
    const { value: { material }, said: told } = await withErrors(() => fileMaterial(settings()));
    const [{ suites, pool }] = material.domains.values();
    const indices = (list: readonly { answer: number }[]) => list.map(({ answer }) => answer);
    assert.deepEqual(indices(suites.homo![0].demonstrations), [0, 2]);
    assert.deepEqual([indices(suites.homo![0].questions), indices(pool.questions)], [
      [3, 0, 3, 1],
      [2, 3, 3, 0, 1],
    ]);
    assert.match(told.join(), /dev\.jsonl leaves open how answers are written; read as index1/);

    // Rows with a domain count from 0; beside files that count from 1 that is not believed.
    await writeRows(
      `${folder}/dev.jsonl`,
      bare("shown", [1, 3]).map((row) => ({ ...row, domain: "history" })),
    );
    await assert.rejects(
      fileMaterial(settings()),
      /whether the answers of .*dev\.jsonl count from 0; found no 0, and .*pool\.jsonl beside it/,
    );
    const said = await fileMaterial(settings({ answers: "index1" }));
    const [{ pool: { demonstrations: counted } }] = said.material.domains.values();
    assert.deepEqual(indices(counted), [0, 2]);

    await writeRows(`${folder}/dev.jsonl`, bare("shown", [1, 3]));
    const elsewhere = await Deno.makeTempDir({ dir: folder });
    const demonstrations = `${elsewhere}/dev.jsonl`;
    await Deno.rename(`${folder}/dev.jsonl`, demonstrations);
    await assert.rejects(
      fileMaterial(settings({ demonstrations })),
      /expected questions in .*dev\.jsonl; found none, 2 rows set aside, line 1: answer: .*--answers=/,
    );
    const given = await fileMaterial(settings({ demonstrations, answers: "index1" }));
    const [{ pool: { demonstrations: shown } }] = given.material.domains.values();
    assert.deepEqual(indices(shown), [0, 2]);
  });
});

Deno.test("a limit spreads what is kept over subjects and domains, and the run says so", async () => {
  await withExam(async ({ folder, settings }) => {
    const subjects = [["algebra", 100], ["botany", 10], ["chess", 6], ["drama", 4]] as const;
    const all = subjects.flatMap(([subject, count], i) =>
      questionsOf(subject, count, i < 2 ? "science" : "arts").map((question) => ({
        ...question,
        id: `${subject}/${question.id}`,
        subject,
      }))
    );
    const ood = await writeRows(`${folder}/ood.jsonl`, all);
    const told: string[] = [];
    const kept = async (limit: number) => {
      const { value, said } = await withErrors(() => fileMaterial(settings({ ood }), limit));
      told.push(...said);
      const [{ suites }] = value.material.domains.values();
      return suites.ood![0].questions;
    };
    const [four, twelve, again, most] = [
      await kept(4),
      await kept(12),
      await kept(12),
      await kept(60),
    ];
    assert.deepEqual(four.map(({ subject }) => subject), subjects.map(([name]) => name));
    const counts = subjects.map(([name]) => most.filter(({ subject }) => subject === name).length);
    // Half of each subject, worked out from 60 of 120: one more or less by the draw's order.
    for (const [i, [, count]] of subjects.entries()) {
      assert.ok(Math.abs(counts[i] - count / 2) <= 1.5);
    }
    assert.deepEqual(twelve, again);
    const within = (some: readonly { id: unknown }[], more: readonly { id: unknown }[]) =>
      some.every(({ id }) => more.some((one) => one.id === id));
    assert.ok(within(four, twelve) && within(twelve, most));
    assert.notDeepEqual(most.map(({ id }) => id), all.slice(0, 60).map(({ id }) => id));
    assert.match(
      told[1],
      /At most 12 questions .*history\/ood 12 of 120 questions \(4 of 4 subjects\)/,
    );
    // A domain is a text of the file's: a terminal must not obey it.
    const questions = await writeRows(`${folder}/red.jsonl`, questionsOf("red", 4, "a\x1b[31mb"));
    const { said } = await withErrors(() => fileMaterial(settings({ questions }), 3));
    assert.match(said.join(), /: a\ufffd\[31mb\/homo 3 of 4 questions/);
  });
});

Deno.test("openSubject() loads a model's folder with the material of the files", async () => {
  await openBackend();
  await withExam(async ({ folder, settings }) => {
    const made = tinyModel();
    await made.save(`${folder}/model`);
    made.dispose();
    const name = `${folder}/model`;
    const { model, material, leaked } = await openSubject(name, settings({ model: name }));
    assert.equal(leaked, 0);
    const store = new Store(`${folder}/store`);
    const base = await probeBase(name, { model, material }, { store });
    assert.deepEqual(Object.keys(base.answers), ["history/pool", "history/homo"]);
    const groups = constructGroups(base.answers["history/pool"], { seed: 0, minimumConfidence: 0 });
    assert.equal(groups.sizes.answers, 6);
    model.dispose();
    await assert.rejects(
      openSubject("organism:none", parseSettings('{"model": "organism:none"}')),
      /Cannot load the organism none: expected one of/,
    );
  });
});

Deno.test("studiedModels() takes all organisms, the smallest first, or what is named", async () => {
  const names = await organismNames();
  const all = await studiedModels(parseSettings());
  assert.deepEqual(all.toSorted(), names.map((name) => `organism:${name}`).toSorted());
  const sizes = all.map((name) => ["small", "medium", "large"].indexOf(name.split(/[:-]/)[1]));
  assert.deepEqual(sizes, sizes.toSorted((a, b) => a - b));
  assert.ok(sizes[0] === 0, all[0]);
  assert.deepEqual(await studiedModels(parseSettings('{"quick": true}')), all.slice(0, 1));
  const named = parseSettings('{"model": "organism:small-101"}');
  assert.deepEqual(await studiedModels(named), ["organism:small-101"]);
  assert.deepEqual(await studiedModels(parseSettings('{"model": "a/b"}')), ["a/b"]);
});

Deno.test("studyPlan() says what the settings say, and changes win", async () => {
  const plan = await studyPlan(parseSettings(JSON.stringify({
    model: "organism:small-101",
    ...{ seeds: 2, domains: ["history"], groups: ["har", "inc"], learningRate: 5e-4, epochs: 2 },
    ...{ minimumConfidence: 0.6 },
  })));
  assert.deepEqual(plan, {
    models: ["organism:small-101"],
    domains: ["history"],
    treatments: ["har", "inc"],
    seeds: [0, 1],
    finetuning: { learningRate: 5e-4, epochs: 2 },
    minimumConfidence: 0.6,
  });
  const changed = await studyPlan(parseSettings('{"model": "a/b"}'), { seeds: [7] });
  assert.deepEqual([changed.seeds, changed.domains], [[7], undefined]);
  assert.deepEqual(changed.treatments, ["har", "inc", "self", "context"]);
  assert.equal(changed.explanations, undefined);
  // One's own questions bring their domain: the material has no other.
  const own = await studyPlan(
    parseSettings('{"model": "a/b", "questions": "q.jsonl"}'),
  );
  assert.equal(own.domains, undefined);
  const explained = await studyPlan(parseSettings('{"model": "a/b", "explanations": true}'));
  assert.equal(explained.explanations, true);
});

Deno.test("mainPlans() mixes where INC and SELF are, and runs larger organisms once", async () => {
  const plans = await mainPlans(parseSettings());
  const small = plans[0];
  assert.ok(small.models.length > 0 && small.models.every((name) => /:small/.test(name)));
  assert.ok(small.treatments.includes("mix") && small.seeds.length === 3);
  for (const larger of plans.slice(1)) {
    assert.ok(!larger.treatments.includes("mix") && larger.seeds.length === 1);
  }
  const [bare] = await mainPlans(parseSettings('{"groups": ["har", "inc"]}'));
  assert.deepEqual(bare.treatments, ["har", "inc"]);
  const [full] = await mainPlans(parseSettings('{"model": "a/b", "full": true}'));
  assert.ok(full.treatments.includes("mix") && full.treatments.includes("context-har"));
  const [real] = await mainPlans(parseSettings('{"model": "a/b"}'));
  assert.deepEqual(real.treatments, ["har", "inc", "self", "context"]);
});

Deno.test("openFirst() opens the first model of a run with its first domain", async () => {
  const settings = parseSettings('{"model": "organism:small-101", "limit": 5}');
  const { model, label, domain, pool, test } = await openFirst(settings, openSubject);
  model.dispose();
  assert.deepEqual([label, domain, pool.name], ["small-101", "history", "history/train"]);
  assert.deepEqual([test.name, test.questions.length], ["history/homo", 5]);
  const asked = await openFirst(settings, (name) => openSubject(name, { ...settings, limit: 2 }));
  asked.model.dispose();
  assert.equal(asked.test.questions.length, 2);
});

Deno.test("openOrganism() takes the run's, or the smallest of those that ship", async () => {
  for (const [model, name] of [["organism:small-102", "small-102"], ["a/b", "small-101"]]) {
    const found = await openOrganism(parseSettings(JSON.stringify({ model })));
    found.model.dispose();
    assert.equal(found.card.name, name);
  }
});

Deno.test("keepBase() puts the weights back", async () => {
  await openBackend();
  const model = tinyModel();
  const [variable] = model.parameters.values();
  const before = await variable.data();
  const base = keepBase(model, undefined);
  const zeros = variable.mul(0);
  variable.assign(zeros);
  zeros.dispose();
  assert.notDeepEqual(await variable.data(), before);
  base.restore();
  assert.deepEqual(await variable.data(), before);
  base.dispose();
  model.dispose();
});
