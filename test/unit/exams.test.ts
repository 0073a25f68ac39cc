/** The paper's exams as material, files of one's own, and what is set aside of both. */
import { withErrors } from "./_console.ts";
import { parseExam } from "./_row_texts.ts";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { findLeaks, nearQuestions } from "../../lib/dataset/duplicates.ts";
import { publishedDemonstrations } from "../../lib/dataset/published_order.ts";
import { readQuestions } from "../../lib/dataset/read.ts";
import { checkRejected } from "../../lib/dataset/rejected.ts";
import { paperFormat } from "../../lib/prompt.ts";
import type { Question } from "../../lib/question.ts";
import { evaluationRows } from "../../lib/study/exam_evaluation.ts";
import { paperMaterial } from "../../lib/study/exam_material.ts";
import { fileMaterial } from "../../lib/study/file_material.ts";
import { columnsOf, languageOf, parseSettings, type Settings } from "../../lib/study/settings.ts";
import { parseRequest } from "../../lib/tasks/reproduce.ts";
import { Random } from "../../lib/statistics/random.ts";
import { answerFrom } from "../../lib/question.ts";
import { withVariables } from "./_environment.ts";
import { questionsOf, writeRows } from "./_exam_files.ts";
import { paperHub, parquet } from "./_exam_hub.ts";
import { withFolder } from "./_folder.ts";

import assert from "node:assert/strict";

const request = (...args: string[]) => parseRequest(args, "/home/user").settings;

Deno.test("paperMaterial() makes the paper's pools and tests out of the published layouts", async () => {
  await using hub = await paperHub();
  await withFolder(async (folder) => {
    const mirrors = { HF_ENDPOINT: hub.endpoint, GITHUB_ENDPOINT: hub.endpoint };
    await withVariables(mirrors, async () => {
      const open = (...args: string[]) => {
        const settings = request("--exam=paper", "--model=a/b", `--output=${folder}`, ...args);
        const options = { cacheDirectory: join(folder, "cache"), limit: settings.limit };
        return withErrors(() => paperMaterial(settings, options)).then(({ value }) => value);
      };
      const { material, leaked, rejected } = await open();
      assert.deepEqual([...material.domains.keys()], [
        "history",
        "engineering",
        "jurisprudence",
        "medicine",
      ]);
      const count = (exams: readonly { questions: readonly unknown[] }[] = []) =>
        exams.reduce((sum, { questions }) => sum + questions.length, 0);
      const { pool, suites } = material.domains.get("history")!;
      // 300 of a domain: 250 test, 10 dev, the rest train; MMLU has 4 of 57 subjects for history.
      assert.deepEqual([count(suites.homo), pool.demonstrations.length], [250, 10]);
      assert.equal(pool.questions.length + leaked, 40 * 3 + 86 - sizes(material, "history"));
      assert.deepEqual([count(suites.id), count(suites.ood)], [4 * 4, 53 * 4]);
      assert.deepEqual(suites.id!.map(({ name }) => name), [
        "mmlu/high_school_european_history",
        "mmlu/high_school_us_history",
        "mmlu/high_school_world_history",
        "mmlu/prehistory",
      ]);
      assert.ok(suites.id!.every(({ questions, demonstrations }) =>
        demonstrations.length === 5 &&
        demonstrations.every(({ subject }) => subject === questions[0].subject)
      ));
      const { pool: own, suites: tests } = material.domains.get("medicine")!;
      // Of 120 rows a tenth has several answers and a tenth no explanation; ten are shown.
      assert.deepEqual([own.questions.length, own.demonstrations.length], [86, 10]);
      assert.deepEqual([count(tests.homo), count(tests.id)], [32, 8 * 4]);
      assert.ok(own.questions.every(({ explanation }) => explanation));
      assert.deepEqual([material.general.length, rejected.length], [60, 0]);
      const card = await Deno.readTextFile(join(folder, "data-card.md"));
      assert.match(card, /\| xiezhi test +\| 1200 \| +1200 \| +0 \|/);
      assert.match(card, /\| history +\| +40 \| +0 \| +\d \| left out of the pool \|/);

      const kept = await open("--keep-leaks", "--domains=history");
      assert.equal(kept.material.domains.get("history")!.pool.questions.length, 40);
      assert.equal(kept.leaked, 0);
      const few = await open("--limit=9", "--domains=history");
      const small = few.material.domains.get("history")!;
      assert.deepEqual(
        [small.pool.questions.length, count(small.suites.homo), count(small.suites.ood)],
        [9, 9, 9],
      );
      assert.ok(small.suites.ood!.every(({ name }) => name.startsWith("history/mmlu/")));
      // What is set aside of one's own instructions is told as that of the exams.
      const general = join(folder, "general.jsonl");
      await Deno.writeTextFile(
        general,
        '{"instruction": "Say a", "output": "a"}\n{"output": "b"}\n',
      );
      const mixed = await open("--domains=history", `--general=${general}`);
      assert.deepEqual(mixed.rejected.map(({ file, line }) => [file, line]), [[general, 2]]);
    });
  });
});

/** Questions of all pools but one. */
const sizes = (
  { domains }: { domains: ReadonlyMap<string, { pool: { questions: readonly unknown[] } }> },
  but: string,
) =>
  [...domains].reduce(
    (sum, [name, { pool }]) => sum + (name === but ? 0 : pool.questions.length),
    0,
  );

Deno.test("--exam needs a model that reads words, and no files beside it", () => {
  assert.throws(
    () => request("--exam=paper"),
    /exam with organism: an organism reads the words of/,
  );
  assert.throws(
    () => request("--exam=paper", "--model=a/b", "--questions=q.jsonl"),
    /setting exam with questions: .*one source.*leave --exam out/,
  );
  assert.throws(() => request("--exam=pape", "--model=a/b"), /exam: expected one of paper, xiezhi/);
  assert.throws(
    () => request("--exam=paper", "--model=a/b", "--domains=chemistry"),
    /domains: expected one or more of history, engineering/,
  );
  assert.deepEqual(
    ["cmmlu", "ceval", "mmlu"].map((exam) => languageOf(request(`--exam=${exam}`, "--model=a/b"))),
    ["zh", "zh", "en"],
  );
  assert.equal(languageOf(request("--exam=cmmlu", "--model=a/b", "--language=en")), "en");
  const { formulation, seeds, exam } = request("--exam=paper", "--model=a/b");
  assert.deepEqual([formulation, seeds, exam], ["letters", 3, "paper"]);
  assert.deepEqual(
    ["0", "1", "text"].map((form) =>
      request("--model=a/b", "--questions=q.csv", `--answers=${form}`).answers
    ),
    ["index0", "index1", "text"],
  );
});

const good = (id: number) => ({ ...questionsOf("asked", 30)[id % 30], id });

/** Twelve kinds of rows that are no questions, and what is said of each. */
const broken: [name: string, line: string, reason: RegExp][] = [
  ["bad JSON", '{"id": 1, question: "x"}', /^unreadable JSON/],
  ["empty", "{}", /^question: expected a text; found nothing/],
  ["missing field", '{"question":"Why?","choices":["a","b"]}', /^answer: .*found nothing/],
  ["answer out of range", JSON.stringify({ ...good(0), answer: 9 }), /^answer: .*found 9/],
  ["answer NaN", JSON.stringify({ ...good(0), answer: "NaN" }), /^answer: .*found "NaN"/],
  ["one option", JSON.stringify({ ...good(0), choices: ["a"] }), /^choices: expected 2 to 26/],
  [
    "27 options",
    JSON.stringify({ ...good(0), choices: Array.from({ length: 27 }, (_, i) => `o${i}`) }),
    /^choices: expected 2 to 26 options; found 27/,
  ],
  ["duplicate id", JSON.stringify(good(1)), /^id: 1 stands on line \d+ already/],
  [
    "duplicate option",
    JSON.stringify({ ...good(0), choices: ["a", "b", "a", "c"] }),
    /^choices\[2\]: expected another text than choices\[0\]/,
  ],
  [
    "lone surrogate",
    `{"question":"\\ud800?","choices":["a","b"],"answer":0}`,
    /^question: expected whole Unicode/,
  ],
  [
    "a line of 10 MB",
    JSON.stringify({ ...good(0), question: "x".repeat(10_000_000) }),
    /^line: expected at most 1000000 characters; found more/,
  ],
  ["wrong type", "17", /^row: expected an object/],
];
const CUT = '{"id": 99, "question": "Wh';

Deno.test("readQuestions() quarantines twelve kinds of broken rows and a cut last line, and counts add up", async () => {
  await withFolder(async (folder) => {
    const rows = Array.from({ length: 30 }, (_, i) => JSON.stringify(good(i)));
    const lines = [...rows.slice(0, 20), ...broken.map(([, line]) => line), ...rows.slice(20), CUT];
    for (const [end, start] of [["\n", ""], ["\r\n", "\uFEFF"]]) {
      const path = join(folder, "history.jsonl");
      await Deno.writeTextFile(path, start + lines.join(end));
      const { questions, rejected, rows: read } = await readQuestions(path, { domain: "history" });
      assert.equal(read, lines.length);
      assert.deepEqual([questions.length, rejected.length], [30, broken.length + 1]);
      assert.deepEqual(questions.map(({ id }) => id), rows.map((_, id) => id));
      for (const [i, { file, line, reason }] of rejected.entries()) {
        const [name, , wanted] = broken[i] ?? ["cut", "", /^unreadable JSON/];
        assert.match(reason, wanted, name);
        assert.deepEqual([file, line], [path, i < broken.length ? 21 + i : lines.length], name);
      }
      // The same rows, one a line, as an array: of a cut one the rest is kept.
      const array = join(folder, "array.json");
      await Deno.writeTextFile(array, `${start}[${end}${lines.join(`,${end}`)}`);
      const other = await readQuestions(array, { domain: "history" });
      assert.deepEqual(other.questions.length, 30);
      assert.deepEqual(
        other.rejected.map(({ reason }) => reason.replace(/line \d+|\d{8}/g, "")),
        [
          ...rejected.slice(0, -1).map(({ reason }) => reason.replace(/line \d+|\d{8}/g, "")),
          other
            .rejected.at(-1)!.reason,
        ],
      );
    }
  });
});

Deno.test("a run stops where more than the stated share of a file's rows is set aside", async () => {
  await withFolder(async (folder) => {
    const rows = questionsOf("asked", 60).map((row, i) => i < 12 ? { ...row, answer: 7 } : row);
    await writeRows(join(folder, "test.jsonl"), rows);
    await writeRows(join(folder, "dev.jsonl"), questionsOf("shown", 3));
    await writeRows(join(folder, "pool.jsonl"), questionsOf("pool", 20));
    const open = (changes: Partial<Settings> = {}) =>
      fileMaterial(parseSettings(JSON.stringify({
        ...{ model: "tiny", questions: join(folder, "test.jsonl") },
        ...{ pool: join(folder, "pool.jsonl"), ...changes },
      })));
    await assert.rejects(
      open(),
      /expected at most 6 of 60 rows set aside.*found 12 set aside; 12 as .*test.jsonl line 1: answer: .*--max-rejected=SHARE/s,
    );
    const { rejected } = await open({ maxRejected: 0.2, output: join(folder, "out") });
    assert.equal(rejected.length, 12);
    const card = await Deno.readTextFile(join(folder, "out", "data-card.md"));
    assert.match(card, /\| own files questions +\| +60 \| +48 \| +12 \|/);
    assert.match(card, /\| history +\| +20 \| +0 \| +0 \| left out of the pool \|/);
    assert.match(card, /test.jsonl \| +12 \| answer: expected .*; found 7/);
    // A few rows of a short file are set aside, unless the share that is stated forbids it.
    const few = { questions: [1], rejected: rejected.slice(0, 2), rows: 10 };
    checkRejected(few, { from: "x" });
    assert.throws(() => checkRejected(few, { from: "x", most: 0 }), /at most 0 of 10 rows/);
    const all = { questions: [], rejected, rows: 12 };
    assert.throws(() => checkRejected(all, { from: "x", most: 0.99 }), /and a question left/);
  });
});

Deno.test("files of one's own: columns by name, CSV, JSON and Parquet, and no form guessed where two fit", async () => {
  await withFolder(async (folder) => {
    const rows = questionsOf("asked", 8).map(({ question, choices: [a, b, c, d], answer }) => ({
      ...{ q: question, gold: answer + 1, first: a, second: b, third: c, fourth: d, answer: "no" },
    }));
    const map = "question:q,answer:gold,A:first,B:second,C:third,D:fourth";
    const columns = columnsOf(request("--model=a/b", "--questions=q.csv", `--columns=${map}`));
    const header = Object.keys(rows[0]);
    const csv = [header, ...rows.map((row) => Object.values(row))].map((row) => row.join(",")).join(
      "\n",
    );
    const files: [string, string | Uint8Array][] = [
      ["x.csv", csv],
      ["x.jsonl", rows.map((row) => JSON.stringify(row)).join("\n")],
      ["x.json", JSON.stringify(rows)],
      ["x.parquet", parquet(rows.map((row) => ({ ...row, gold: BigInt(row.gold) })), 3)],
    ];
    for (const [name, data] of files) {
      const path = join(folder, name);
      await (typeof data === "string"
        ? Deno.writeTextFile(path, data)
        : Deno.writeFile(path, data));
      const { questions, rejected, answers } = await readQuestions(path, {
        ...{ domain: "history", columns },
      });
      assert.deepEqual([rejected, answers], [[], "index1"], name);
      assert.deepEqual(
        questions.map(({ question, choices, answer }) => [question, choices, answer]),
        questionsOf("asked", 8).map(({ question, choices, answer }) => [question, choices, answer]),
        name,
      );
    }
    const wrong = new Map([["question", "query"]]);
    const { rejected } = await readQuestions(join(folder, "x.csv"), { columns: wrong });
    assert.match(
      rejected[0].reason,
      /^question: expected the column "query"; found "q, gold, first/,
    );
    assert.throws(
      () => request("--model=a/b", "--columns=q:question"),
      /columns: expected pairs such/,
    );

    // 1, 2 and 3 of four fit an index from 0 and a number from 1.
    const open = questionsOf("asked", 6).map(({ answer, domain: _, ...row }) => ({
      ...row,
      answer: 1 + answer % 3,
    }));
    const path = await writeRows(join(folder, "open.jsonl"), open);
    const refused = await readQuestions(path);
    assert.equal(refused.questions.length, 0);
    assert.match(
      refused.rejected[0].reason,
      /index0 \(".*"\) or index1 \(".*"\).*say which by --answers=/,
    );
    for (const [form, shift] of [["index0", 0], ["index1", -1]] as const) {
      const { questions } = await readQuestions(path, { answers: form });
      assert.deepEqual(
        questions.map(({ answer }) => answer),
        open.map(({ answer }) => answer + shift),
      );
    }
  });
});

Deno.test("options that are single letters are options, in every layout", () => {
  const csv = "What is it?,B,A,D,C,A\nAnd this?,i,ii,iii,iv,D\nWhich letter?,A,B,C,D,C\n";
  const { questions, rejected } = parseExam("mmlu", [{
    file: "test/virology_test.csv",
    text: csv,
  }]);
  assert.deepEqual(rejected, []);
  assert.deepEqual(questions.map(({ answer }) => answer), [0, 3, 2]);
  const cmmlu = ",Question,A,B,C,D,Answer\n0,甲？,B,D,A,C,B\n1,乙？,C,B,A,D,A\n";
  assert.deepEqual(
    parseExam("cmmlu", [{ file: "test/agronomy.csv", text: cmmlu }]).questions.map((q) => q.answer),
    [1, 0],
  );
});

Deno.test("nearQuestions() finds what comparing every pair finds", () => {
  const random = new Random("near");
  const words = Array.from({ length: 60 }, (_, i) => `w${i}`);
  const make = (id: number): Question => ({
    ...{ id, domain: "d", answer: 0 },
    question: random.shuffle(words).slice(0, 3 + id % 9).join(" "),
    choices: [0, 1].map(() => random.pick(words)),
  });
  const asked = Array.from({ length: 300 }, (_, i) => make(i));
  const pool = Array.from({ length: 300 }, (_, i) => {
    const { question, choices } = asked[i];
    if (i % 3 > 0) return make(i);
    return { ...make(i), question: `${question} ${i % 2 ? random.pick(words) : ""}`, choices };
  });
  const wordsOf = ({ question, choices }: Question) =>
    new Set([question, ...choices].join(" ").split(/\s+/).filter((word) => word !== ""));
  const expected = pool.map((one) => {
    const own = wordsOf(one);
    return asked.find((other) => {
      const set = wordsOf(other), common = own.intersection(set).size;
      return common / (own.size + set.size - common) >= 0.8 - 1e-12;
    });
  });
  assert.ok(expected.filter((one) => one !== undefined).length > 60);
  assert.deepEqual(nearQuestions(pool, asked), expected);
});

Deno.test("findLeaks() counts what a test asks exactly and nearly, also without spaces", () => {
  const text = "下列关于中国古代历史上丝绸之路的说法正确的是哪一项请选择",
    choices = ["甲乙", "丙丁"];
  const one = (question: string): Question => ({
    id: 0,
    domain: "d",
    answer: 0,
    question,
    choices,
  });
  const { exact, near, clean } = findLeaks(
    [one(`${text} `), one(text.replace("正确", "准确")), one("世界上最高的山峰是什么")],
    [one(text)],
  );
  assert.deepEqual([exact, near, clean.map(({ question }) => question)], [1, 1, [
    "世界上最高的山峰是什么",
  ]]);
  assert.deepEqual(findLeaks([], []), { exact: 0, near: 0, clean: [] });
});

Deno.test("evaluationRows() means over questions, by subject, subcategory and category", () => {
  const answer = (subject: string, id: number, right: boolean) =>
    answerFrom(
      { id, domain: "d", subject, question: "?", choices: ["a", "b"], answer: 0 },
      right ? [0.9, 0.1] : [0.1, 0.9],
    );
  const answers = [
    ...[true, true, false].map((right, i) => answer("ancient_chinese", i, right)),
    answer("modern_chinese", 0, true),
    answer("agronomy", 0, false),
  ];
  const rows = evaluationRows("cmmlu", answers).map((
    { level, name, questions, accuracy },
  ) => [level, name, questions, Math.round(accuracy.value)]);
  assert.deepEqual(rows, [
    ["subject", "agronomy", 1, 0],
    ["subject", "ancient_chinese", 3, 67],
    ["subject", "modern_chinese", 1, 100],
    ["subcategory", "linguistics", 4, 75],
    ["subcategory", "other", 1, 0],
    ["category", "China specific", 4, 75],
    ["category", "other", 1, 0],
    ["category", "social sciences", 4, 75],
    ["all", "cmmlu", 5, 60],
  ]);
  assert.deepEqual(
    evaluationRows("mmlu", [answer("virology", 0, true)]).map(({ level, name }) =>
      `${level} ${name}`
    ),
    ["subject virology", "subcategory health", "category other", "all mmlu"],
  );
});

const reference = fileURLToPath(new URL("../../../shared/reference-data/source/", import.meta.url));
const referenceThere = await Deno.stat(reference).then(() => true, () => false);
if (!referenceThere) {
  console.log(
    "exams.test.ts: the authors' exams are not here, the test of their prompts is skipped",
  );
}

Deno.test({
  name: "the published layouts of the authors' rows give the method's prompts, byte for byte",
  ignore: !referenceThere,
  async fn() {
    for (const domain of ["history", "engineering", "jurisprudence", "medmcqa"]) {
      type Row = {
        question: string;
        choices: string[];
        answer: number;
        raw: Record<string, unknown>;
      };
      const rows = async (split: string): Promise<Row[]> =>
        (await Deno.readTextFile(join(reference, domain, `${split}.jsonl`))).trim().split("\n")
          .map((line) => JSON.parse(line));
      const name = domain === "medmcqa" ? "medicine" : domain;
      const exam = name === "medicine" ? "medmcqa" : "xiezhi";
      // Each row's own layout is read again, as the exam's files have it.
      const parse = (list: Row[]) => {
        const text = list.map(({ raw }) => JSON.stringify(raw)).join("\n");
        const { questions, rejected } = parseExam(exam, [{ file: "x.json", text }]);
        assert.deepEqual(rejected, []);
        return questions.filter((question) => question.domain === name);
      };
      const [dev, test] = [await rows("dev"), await rows("test")];
      const asked = parse([...dev, ...test]), shown = asked.slice(0, dev.length);
      const letter = (i: number) => "ABCD"[i];
      const item = ({ question, choices }: Row) =>
        `${question}\n${choices.map((text, i) => `${letter(i)}. ${text}`).join("\n")}\nAnswer:`;
      const before = publishedDemonstrations(dev).slice(0, 5).map((row) =>
        `${item(row)}${letter(row.answer)}. ${row.choices[row.answer]}\n\n`
      ).join("");
      const header =
        `The following are multiple choice questions about ${name}. Please choose the correct answer. \n\n`;
      const demonstrations = publishedDemonstrations(shown).slice(0, 5);
      assert.equal(asked.length, dev.length + test.length);
      for (const [i, row] of test.entries()) {
        const question = asked[dev.length + i];
        assert.equal(question.answer, row.answer);
        assert.equal(
          paperFormat.probePrompt(question, demonstrations),
          header + before + item(row),
        );
      }
    }
  },
});
