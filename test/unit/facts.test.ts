import assert from "node:assert/strict";
import { parseCsv } from "../../lib/dataset/_rows.ts";
import { factTables, formatQuestions, makeFactExam } from "../../data/facts/exam.ts";
import { factDomains, factSplits } from "../../lib/dataset/facts.ts";
import { readQuestions } from "../../lib/dataset/read.ts";
import type { Question } from "../../lib/question.ts";
import { factMaterial } from "../../lib/study/facts.ts";

const folder = new URL("../../data/facts/", import.meta.url).pathname;
const tables = new Map(
  factTables.map((name) => [name, Deno.readTextFileSync(`${folder}tables/${name}.csv`)]),
);
const exams = makeFactExam(tables);
const everything = [...exams.values()].flatMap((exam) => Object.values(exam).flat());

/** Rows of each table, by column. */
const parsed = new Map(
  [...tables].map(([name, text]) => {
    const [header, ...rows] = parseCsv(text);
    const named = rows.map(({ cells }): Record<string, string> =>
      Object.fromEntries(header.cells.map((column, i) => [column, cells[i]]))
    );
    return [name, named];
  }),
);
const rowsOf = (name: string) => parsed.get(name)!;

/** The table and columns of a relation, written down here a second time. */
const columns: Record<string, [table: string, from: string, to: string]> = {
  capital: ["countries", "country", "capital"],
  city: ["cities", "city", "country"],
  currency: ["countries", "country", "currency"],
  language: ["languages", "country", "language"],
  symbol: ["elements", "element", "symbol"],
  number: ["elements", "element", "number"],
  formula: ["compounds", "compound", "formula"],
  family: ["families", "element", "family"],
  discoverer: ["discoverers", "element", "discoverer"],
  author: ["works", "work", "author"],
  character: ["characters", "character", "work"],
  country: ["authors", "author", "country"],
  leader: ["leaders", "leader", "country"],
  year: ["events", "event", "year"],
  discovery: ["inventions", "invention", "inventor"],
  war: ["battles", "battle", "war"],
};

Deno.test("the exam of facts is made again to the byte, and its files can be read", async () => {
  for (const [domain, exam] of exams) {
    for (const split of factSplits) {
      const path = `${folder}exam/${domain}/${split}.jsonl`;
      assert.equal(await Deno.readTextFile(path), formatQuestions(exam[split]), path);
      const { questions, rejected } = await readQuestions(path);
      assert.deepEqual([questions, rejected], [exam[split], []]);
    }
  }
  const other = makeFactExam(tables, { seed: 1 }).get("geography")!;
  assert.notDeepEqual(other.homo, exams.get("geography")!.homo);
});

Deno.test("the exam of facts is as large as it says", async () => {
  assert.ok(everything.length >= 1500);
  assert.deepEqual([...exams.keys()], [...factDomains]);
  for (const { dev, pool, homo, id, ...rest } of exams.values()) {
    assert.deepEqual([dev.length, rest["id-dev"].length, homo.length, id.length], [5, 5, 80, 80]);
    assert.ok(pool.length >= 250);
  }
  const card = await Deno.readTextFile(`${folder}README.md`);
  assert.ok(card.includes(`${everything.length.toLocaleString("en-US")} questions`));
  for (const [domain, { pool }] of exams) {
    assert.match(card, new RegExp(`\\| ${domain} .*\\| +${pool.length} \\| +80 \\| +80 \\|`));
  }
  for (const name of factTables) assert.match(card, new RegExp(`${name}\\.csv.*\\| MIT`));
});

Deno.test("a question of facts has one true option, and three of the same kind that are not", () => {
  for (const { id, subject, choices, answer, question, explanation } of everything) {
    const [table, from, to] = columns[subject!];
    const asked = String(id).slice(subject!.length + 1);
    const rows = rowsOf(table);
    const own = rows.filter((row) => row[from] === asked);
    assert.ok(own.some((row) => row[to] === choices[answer]), `${id}: ${choices[answer]}`);
    assert.equal(new Set(choices.map((text) => text.toLowerCase())).size, 4, String(id));
    const true_ = own.flatMap((row) => [row[to], ...(row.also ?? "").split(";")]);
    for (const wrong of choices.toSpliced(answer, 1)) {
      assert.ok(!true_.includes(wrong), `${id}: ${wrong} is true too`);
      assert.ok(rows.some((row) => row[to] === wrong), `${id}: ${wrong} is of another kind`);
    }
    assert.ok(question.includes(asked) && explanation!.includes(choices[answer]), String(id));
    // What gives the answer away must not be a matter of the question's words.
    assert.ok(!["capital", "currency"].includes(subject!) || !question.includes(choices[answer]));
  }
});

Deno.test("no fact is in two splits, and ID asks for other relations than the pool", () => {
  const repeated = (of: (question: Question) => string) =>
    everything.length - new Set(everything.map(of)).size;
  assert.equal(repeated(({ domain, id }) => `${domain}/${id}`), 0);
  assert.equal(repeated(({ question }) => question.toLowerCase()), 0);
  assert.equal(repeated(({ explanation }) => explanation!.toLowerCase()), 0);
  const subjects = (questions: Question[]) => new Set(questions.map(({ subject }) => subject!));
  for (const { dev, pool, homo, id, ...rest } of exams.values()) {
    assert.deepEqual([...subjects(pool)].sort(), [...subjects(homo)].sort());
    assert.deepEqual([...subjects(dev)].sort(), [...subjects(homo)].sort());
    assert.deepEqual([...subjects(rest["id-dev"])].sort(), [...subjects(id)].sort());
    assert.equal([...subjects(id)].filter((one) => subjects(pool).has(one)).length, 0);
  }
  for (const name of factTables) {
    const keys = rowsOf(name).map((row) => Object.values(row)[0]);
    assert.equal(new Set(keys).size, keys.length, `${name} asks about one thing twice`);
  }
});

Deno.test("the right option of facts stands at each place alike, and a number's rank tells nothing", () => {
  for (const exam of exams.values()) {
    for (const questions of Object.values(exam)) {
      const counts = [0, 1, 2, 3].map((i) => questions.filter((q) => q.answer === i).length);
      assert.ok(Math.max(...counts) - Math.min(...counts) <= 1, String(counts));
    }
  }
  // The right number or year is neither always the middle one nor ever the largest alone.
  const numbers = everything.filter(({ subject }) => subject === "number" || subject === "year");
  const ranks = numbers.map(({ choices, answer }) =>
    choices.filter((choice) => Number(choice) < Number(choices[answer])).length
  );
  for (const rank of [0, 1, 2, 3]) {
    const share = ranks.filter((one) => one === rank).length / ranks.length;
    assert.ok(share > 0.1 && share < 0.45, `rank ${rank}: ${share}`);
  }
});

Deno.test("makeFactExam() names the table that is missing or broken", () => {
  assert.throws(() => makeFactExam(new Map()), /expected a table of countries; found none/);
  const broken = new Map(tables).set("battles", "battle,war,kind\nBattle of A,the B War\n");
  assert.throws(() => makeFactExam(broken), /battles\.csv, line 2: expected 3 cells; found 2/);
  const poor = new Map(tables).set("battles", "battle,war,kind\nBattle of A,the B War,old\n");
  assert.throws(() => makeFactExam(poor), /war of Battle of A: expected 3 other values; found 0/);
});

Deno.test("factMaterial() has the domains asked for, OOD of all others, and less when quick", async () => {
  const settings = { quick: false, full: false };
  const all = await factMaterial(settings);
  assert.deepEqual([...all.domains.keys()], [...factDomains]);
  const { pool, suites: { homo, id, ood } } = all.domains.get("history")!;
  assert.ok(pool.questions.length >= 250);
  assert.deepEqual([homo![0].questions.length, id![0].questions.length], [80, 80]);
  assert.deepEqual(ood!.map(({ questions }) => questions.length), [20, 20, 20]);
  assert.ok(ood!.every(({ questions }) => questions.every(({ domain }) => domain !== "history")));
  assert.notDeepEqual(homo![0].demonstrations, id![0].demonstrations);
  const one = await factMaterial({ ...settings, domains: ["chemistry"], limit: 7 });
  assert.deepEqual([...one.domains.keys()], ["chemistry"]);
  assert.equal(one.domains.get("chemistry")!.suites.homo![0].questions.length, 7);
  const full = await factMaterial({ ...settings, full: true });
  assert.equal(full.domains.get("history")!.suites.ood![0].questions.length, 80);
  const quick = await factMaterial({ ...settings, quick: true });
  assert.equal(quick.domains.size, 1);
});
