import { parseExam, parseGeneral } from "./_row_texts.ts";
import assert from "node:assert/strict";
import { auditGroups, parseReleased, type ReleasedAnswer } from "../../lib/dataset/released.ts";
import { mmluSuites, splitXiezhi } from "../../lib/dataset/exams.ts";
import {
  cevalSubjects,
  cmmluSubjects,
  mmluSubjects,
  subjectDomain,
} from "../../lib/dataset/subjects.ts";
import { readGeneral } from "../../lib/study/files.ts";

import { publishedDemonstrations, PythonRandom } from "../../lib/dataset/published_order.ts";
import {
  readAnswers,
  readInstructions,
  readQuestions,
  writeAnswers,
} from "../../lib/dataset/read.ts";

const reference = new URL("../../../shared/reference-data/", import.meta.url);
const referenceThere = await Deno.stat(reference).then(() => true, () => false);
if (!referenceThere) {
  console.log("dataset.test.ts: the authors' released rows are not here, their tests are skipped");
}
const released = (name: string, fn: () => Promise<void>) =>
  Deno.test({ name, ignore: !referenceThere, fn });
/** One file of an exam. */
const parse = (exam: "mmlu" | "cmmlu" | "ceval") => (text: string, { file }: { file: string }) =>
  parseExam(exam, [{ file, text }]);
const [parseMmlu, parseCmmlu, parseCeval] = [parse("mmlu"), parse("cmmlu"), parse("ceval")];
const at = (path: string) => new URL(path, reference).pathname;

Deno.test("PythonRandom shuffles as Python's random.shuffle does", () => {
  // python3 -c "import random; random.seed(S); x = list(range(N)); random.shuffle(x); print(x)"
  assert.deepEqual(publishedDemonstrations([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]), [
    7,
    3,
    2,
    8,
    5,
    6,
    9,
    4,
    0,
    1,
  ]);
  const zero = new PythonRandom(0).shuffle(Array.from({ length: 12 }, (_, i) => i));
  assert.deepEqual(zero, [1, 9, 8, 5, 10, 2, 3, 7, 4, 0, 11, 6]);
  const large = new PythonRandom(4294967295).shuffle(Array.from({ length: 1500 }, (_, i) => i));
  assert.deepEqual(large.slice(0, 6), [1179, 176, 749, 375, 1158, 848]);
  assert.deepEqual(large.toSorted((a, b) => a - b), Array.from({ length: 1500 }, (_, i) => i));
});

released("splitXiezhi() draws the very items of the published splits", async () => {
  // Rows of each label in Xiezhi's two English files, none of which lacks four options.
  const counts = { engineering: 5089, history: 8958, science: 3872, jurisprudence: 6921 };
  const exam = (domain: string, n: number) =>
    Array.from({ length: n }, (_, id) => ({
      id,
      domain,
      question: "?",
      choices: ["a", "b", "c", "d"],
      answer: 0,
    }));
  const splits = splitXiezhi(
    Object.entries(counts).flatMap(([domain, n]) => exam(domain, n)),
  );
  for (const domain of ["engineering", "history", "jurisprudence"] as const) {
    for (const part of ["test", "dev"] as const) {
      const { questions } = await readQuestions(at(`source/${domain}/${part}.jsonl`), {
        allowRepeatedChoices: true,
      });
      assert.deepEqual(splits[domain][part].map(({ id }) => id), questions.map(({ id }) => id));
    }
    assert.equal(splits[domain].train.length, counts[domain] - 260);
  }
});

Deno.test("parseExam() puts a row of Xiezhi into each labelled domain and counts what it leaves out", () => {
  const row = (labels: string[], options = "a\nb\nc\nd", answer = "c") =>
    JSON.stringify({ question: `${labels}?`, labels, options, answer });
  const { questions, leftOut, rejected, rows } = parseExam("xiezhi", [
    { file: "x.json", text: [row(["Law", "History", "Jurisprudence"]), row(["Art"])].join("\n") },
    {
      file: "y.json",
      text: [
        row(["History"], "a\nb\nc"),
        row(["History"]),
        row(["History"], "a\nb\nc\nd", "e"),
        '{"question": "q"}',
      ].join("\n"),
    },
  ]);
  assert.deepEqual(questions.map(({ domain, id, subject }) => [domain, id, subject]), [
    ["history", 0, "Law"],
    ["jurisprudence", 0, "Law"],
    ["history", 2, undefined],
  ]);
  assert.equal(questions[0].answer, 2);
  assert.deepEqual(leftOut, {
    "of no domain of the paper": 1,
    "without exactly four options": 1,
  });
  assert.deepEqual(rejected.map(({ file, line }) => [file, line]), [["y.json", 3], ["y.json", 4]]);
  assert.match(rejected[0].reason, /^answer: .*found "e"/);
  assert.match(rejected[1].reason, /^options: /);
  assert.equal(rows, 6);
});

Deno.test("parseExam() reads Xiezhi's Chinese labels, CRLF, and answers that look like letters", () => {
  const row = (labels: string[], options = "B\n2\nA\n1") =>
    JSON.stringify({ question: `${labels}?`, labels, options, answer: "A" });
  const text = [["历史学", "考古学"], ["法学"], ["工学", "理学"], ["艺术学"]].map((one) =>
    row(one)
  );
  const { questions, leftOut } = parseExam("xiezhi", [
    { file: "x.json", text: [...text, row(["法学"], "w\r\nA\r\ny\r\nz")].join("\r\n") },
  ]);
  assert.deepEqual(
    questions.map(({ domain, subject, answer }) => [domain, subject, answer]),
    [
      ["history", "考古学", 2],
      ["jurisprudence", undefined, 2],
      ["engineering", undefined, 2],
      ["science", undefined, 2],
      ["jurisprudence", undefined, 1],
    ],
  );
  assert.deepEqual(questions[4].choices, ["w", "A", "y", "z"]);
  assert.deepEqual(leftOut, { "of no domain of the paper": 1 });
});

Deno.test("parseExam() tells what MedMCQA's cop counts from, or asks", () => {
  const row = (id: string, cop: number, more = {}) => ({
    id,
    question: "Dose?",
    opa: "1",
    opb: "2",
    opc: "3",
    opd: "4",
    cop,
    exp: "Because.",
    choice_type: "single",
    subject_name: "Anatomy",
    ...more,
  });
  const read = (rows: object[], options = {}) =>
    parseExam("medmcqa", [
      { file: "dev.json", text: rows.map((r) => JSON.stringify(r)).join("\n") },
    ], options);
  const one = read([row("a", 1), row("b", 4), row("c", 4)]);
  // The options read as numbers, and are not taken for answers.
  assert.deepEqual(one.questions.map(({ answer }) => answer), [0, 3, 3]);
  const [{ domain, explanation, subject }] = one.questions;
  assert.deepEqual([domain, explanation, subject], ["medicine", "Because.", "Anatomy"]);
  assert.deepEqual(read([row("a", 0), row("b", 3)]).questions.map(({ answer }) => answer), [0, 3]);
  const open = read([row("a", 1), row("b", 2)]);
  assert.equal(open.questions.length, 0);
  assert.match(
    open.rejected[0].reason,
    /index0 \("2"\) or index1 \("1"\), and the other rows do not tell/,
  );
  assert.match(
    read([row("a", 1), row("b", 4), row("c", 4), row("d", -1)]).rejected[0].reason,
    /^answer: expected .*; found -1/,
  );
  const test = read([row("a", -1), row("b", -1)]);
  assert.deepEqual([test.questions.length, test.rejected.length, test.unlabelled], [0, 2, true]);
  assert.match(test.rejected[1].reason, /found -1; no row of this file has an answer/);
  const published = read([
    row("a", 0),
    row("b", 3, { choice_type: "multi" }),
    row("c", 3, { exp: null }),
    row("d", 3),
  ], { published: true });
  // The paper's exam counts the rows of the file.
  assert.deepEqual(published.questions.map(({ id }) => id), [0, 3]);
  assert.deepEqual(published.leftOut, { "with several answers, or unexplained": 2 });
});

Deno.test("mmluSubjects gives the paper's domains to 28 of the 57 subjects", () => {
  assert.equal(mmluSubjects.size, 57);
  const by = new Map<string, number>();
  for (const { domain } of mmluSubjects.values()) {
    by.set(domain ?? "none", (by.get(domain ?? "none") ?? 0) + 1);
  }
  // Counted from the subcategories: health 8; engineering 1; history 4; politics 4 + culture 2 +
  // economics 3 + geography 1 + psychology 2 + law 3.
  assert.deepEqual(Object.fromEntries(by), {
    medicine: 8,
    engineering: 1,
    history: 4,
    jurisprudence: 15,
    none: 29,
  });
  assert.equal(subjectDomain(mmluSubjects, "virology"), "medicine");
  assert.equal(subjectDomain(mmluSubjects, "abstract_algebra"), "math");
  assert.equal(subjectDomain(mmluSubjects, "alchemy"), undefined);
});

Deno.test("mmluSuites() parts the questions into the domain's own and all others", () => {
  const csv = "Q1?,1,2,3,4,A\nQ2?,1,2,3,4,D\n";
  const questions = ["virology", "prehistory", "marketing"].flatMap((subject) =>
    parseMmlu(csv, { file: `mmlu/test/${subject}_test.csv` }).questions
  );
  assert.equal(questions.length, 6);
  const { id, ood } = mmluSuites(questions, "medmcqa");
  assert.deepEqual(id.map((question) => question.id), ["virology/1", "virology/2"]);
  assert.deepEqual(
    new Set(ood.map(({ subject }) => subject)),
    new Set(["prehistory", "marketing"]),
  );
  assert.throws(() => mmluSuites(questions, "engineering"), /expected questions of its subjects/);
});

Deno.test("parseMmlu() reads rows with a subject each, and rejects unknown subjects", () => {
  const rows = [
    { subject: "virology", question: "Q?", choices: ["1", "2", "3", "4"], answer: 3 },
    { subject: "alchemy", question: "Q?", choices: ["1", "2", "3", "4"], answer: 3 },
  ].map((row) => JSON.stringify(row)).join("\n");
  const { questions, rejected } = parseMmlu(rows, { file: "test.jsonl" });
  assert.deepEqual([questions[0].domain, questions[0].answer], ["medicine", 3]);
  assert.match(rejected[0].reason, /^subject: expected a subject of MMLU; found "alchemy"/);
});

Deno.test("the benchmarks' answers are letters, or the hub's indices, whatever the options are", () => {
  const letters = "Which?,B,C,D,A,B\nIs it?,C,B,D,A,A\n";
  assert.deepEqual(
    parseMmlu(letters, { file: "test/virology_test.csv" }).questions.map(({ answer }) => answer),
    [1, 0],
  );
  const hub = (answer: number) => JSON.stringify({ question: "?", choices: [..."3210"], answer });
  const read = (...answers: number[]) =>
    parseMmlu(answers.map(hub).join("\n"), { file: "virology_test.jsonl" });
  assert.deepEqual(read(1, 2).questions.map(({ answer }) => answer), [1, 2]);
  assert.deepEqual(read(4, 2, 4).questions.map(({ answer }) => answer), [3, 1, 3]);
  assert.equal(read(4, 2).questions.length, 0);
});

Deno.test("parseCeval() takes no option of a test split for an answer", () => {
  const rows = "0,Where?,C,A,D,B\n1,When?,w,x,y,z\n";
  const { questions, rejected } = parseCeval(`id,question,A,B,C,D\n${rows}`, {
    file: "test/physician_test.csv",
  });
  assert.deepEqual([questions.length, rejected.map(({ line }) => line)], [0, [2, 3]]);
  assert.match(rejected[0].reason, /^answer: .*found nothing; no row of this file has an answer/);
});

Deno.test("readQuestions() names the subject of a benchmark's file, not the folder of its split", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const place = async (path: string) => {
      await Deno.mkdir(`${folder}/${path.split("/").slice(0, -1).join("/")}`, { recursive: true });
      await Deno.writeTextFile(`${folder}/${path}`, "Q?,1,2,3,4,A\n");
      const { questions: [{ domain, subject }] } = await readQuestions(`${folder}/${path}`);
      return [domain, subject];
    };
    assert.deepEqual(await place("data/test/virology_test.csv"), ["medicine", "virology"]);
    assert.deepEqual(await place("x/marketing_dev.csv"), ["business", "marketing"]);
    assert.deepEqual(await place("cmmlu/dev/chinese_history.csv"), ["history", "chinese_history"]);
    assert.deepEqual(await place("val/physician_val.csv"), ["medicine", "physician"]);
    assert.deepEqual(await place("exams/test/chess_test.csv"), ["chess", undefined]);
    assert.deepEqual(await place("chess/test/test.csv"), ["chess", undefined]);
    assert.deepEqual(await place("chess/virology.csv"), ["chess", undefined]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("parseCmmlu() and parseCeval() read their headers; C-Eval's test rows have no answer", () => {
  assert.equal(cmmluSubjects.size, 67);
  assert.equal(cevalSubjects.size, 52);
  const cmmlu = parseCmmlu(",Question,A,B,C,D,Answer\n0,甲？,一,二,三,四,C\n", {
    file: "dev/world_history.csv",
  }).questions[0];
  assert.deepEqual([cmmlu.domain, cmmlu.answer, cmmlu.id], ["history", 2, "world_history/1"]);
  const ceval = parseCeval(
    "id,question,A,B,C,D,answer,explanation\n0,甲？,一,二,三,四,B,因为\n1,乙？,一,二,三,四,,\n",
    { file: "val/physician_val.csv" },
  );
  assert.deepEqual(
    ceval.questions.map(({ id, domain, explanation }) => [id, domain, explanation]),
    [
      ["physician/0", "medicine", "因为"],
    ],
  );
  assert.match(ceval.rejected[0].reason, /^answer: .*found ""/);
  for (const subject of cmmluSubjects.keys()) assert.ok(subjectDomain(cmmluSubjects, subject));
  for (const subject of cevalSubjects.keys()) assert.ok(subjectDomain(cevalSubjects, subject));
});

Deno.test("parseGeneral() reads Alpaca's rows, ShareGPT's and chat messages", () => {
  const read = (...rows: unknown[]) => parseGeneral(JSON.stringify(rows), { file: "g.json" });
  const turns = (from: string, value: string, ...said: [string, string][]) =>
    said.map(([who, words]) => ({ [from]: who, [value]: words }));
  const { examples, rejected } = read(
    { instruction: "Add.", input: "1 2", output: "3" },
    { instruction: "Hi", input: "", output: "Hello" },
    { id: "s", conversations: turns("from", "value", ["human", "Hi"], ["gpt", "Hello"]) },
    {
      messages: turns("role", "content", ["user", "1?"], ["assistant", "2"], ["user", "3?"], [
        "assistant",
        "4",
      ]),
    },
    { instruction: "Hi", input: "", output: "" },
    { conversations: turns("from", "value", ["system", "Be kind"], ["human", "Hi"]) },
    { conversations: turns("from", "value", ["human", "Hi"]) },
    { messages: turns("role", "content", ["user", "1"], ["tool", "2"]) },
    { prompt: "Hi", response: "Hello" },
    {
      messages: turns("role", "content", ["system", "Be kind"], ["user", "1"], ["assistant", "2"]),
    },
  );
  assert.deepEqual(examples.map(({ messages }) => messages.map(({ content }) => content)), [
    ["Add.\n1 2", "3"],
    ["Hi", "Hello"],
    ["Hi", "Hello"],
    ["1?", "2", "3?", "4"],
  ]);
  assert.deepEqual(examples.map(({ id }) => id), ["general:1", "general:2", "s", "general:4"]);
  for (const { group, messages } of examples) {
    assert.equal(group, "general");
    assert.ok(messages.every(({ role }, i) => role === ["user", "assistant"][i % 2]));
  }
  const reasons = rejected.map(({ reason }) => reason);
  assert.match(reasons[0], /^output: expected a text; found ""/);
  assert.match(reasons[1], /^conversations\[0\]\.from: expected the user; found "system"/);
  assert.match(reasons[2], /^conversations: .*the assistant's last; found 1/);
  assert.match(reasons[3], /^messages\[1\]\.role: expected the assistant; found "tool"/);
  assert.match(reasons[4], /^row: expected instruction and output, .*found "prompt, response"/);
  assert.match(reasons[5], /^messages\[0\]\.role: expected the user; found "system"/);
});

Deno.test("readInstructions() takes an array of more rows than a call takes arguments", async () => {
  const path = await Deno.makeTempFile({ suffix: ".json" });
  try {
    const row = '{"instruction": "Say a", "output": "a"}';
    await Deno.writeTextFile(path, `[${Array(200_000).fill(row).join(",\n")}]`);
    const { examples, rejected, rows } = await readInstructions(path);
    assert.deepEqual([examples.length, rejected.length, rows], [200_000, 0, 200_000]);
  } finally {
    await Deno.remove(path);
  }
});

const shipped = await readGeneral();

Deno.test("readGeneral() reads the shipped instructions: distinct pairs", () => {
  const { general, rejected } = shipped;
  assert.deepEqual([general.length, rejected.length], [2000, 0]);
  assert.equal(new Set(general.map(({ messages }) => messages[0].content)).size, 2000);
  assert.deepEqual(general.map(({ id }) => id), general.map((_, i) => `general:${i}`));
  for (const { messages } of general) {
    assert.deepEqual(messages.map(({ role }) => role), ["user", "assistant"]);
    for (const { content } of messages) assert.ok(content.trim() === content && content.length > 0);
  }
});

Deno.test("the shipped instructions are answered right, as checked by other means", () => {
  const checked: Record<string, number> = {};
  const hit = (kind: string) => checked[kind] = (checked[kind] ?? 0) + 1;
  for (const { messages: [{ content: asked }, { content: said }] } of shipped.general) {
    let m: RegExpMatchArray | null;
    if ((m = asked.match(/(\d+) rows with (\d+)/))) {
      assert.ok(said.startsWith(`That is ${Number(m[1]) * Number(m[2])} `), said);
      hit("product");
    } else if ((m = asked.match(/^What is (\d+) (\w+) plus (\d+) \w+\?$/))) {
      assert.equal(said, `${Number(m[1]) + Number(m[3])} ${m[2]}`);
      hit("sum");
    } else if ((m = asked.match(/has (\d+) \w+ and gives (\d+)/))) {
      const left = Number(m[1]) - Number(m[2]);
      assert.ok(left > 0 && said.startsWith(`${left} `), said);
      hit("difference");
    } else if ((m = asked.match(/^Which number comes next\? (\d+), (\d+), (\d+), (\d+)$/))) {
      assert.equal(Number(said), 2 * Number(m[4]) - Number(m[3]));
      hit("sequence");
    } else if ((m = asked.match(/^Today is (\w+)\. Which day will it be in (\d) days\?$/))) {
      // 5 January 1970 was a Monday.
      const start = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split(" ").indexOf(
        m[1],
      );
      const day = new Date(Date.UTC(1970, 0, 5 + start + Number(m[2])));
      const name = day.toLocaleDateString("en-US", { weekday: "long", timeZone: "UTC" });
      assert.equal(said, `It will be ${name}.`);
      hit("day");
    } else if ((m = asked.match(/^Which month follows (\w+)\?$/))) {
      const i = new Date(`${m[1]} 15, 2001`).getMonth();
      const next = new Date(2001, i + 1, 15).toLocaleDateString("en-US", { month: "long" });
      assert.ok(said.startsWith(`${next} follows`), said);
      hit("month");
    } else if ((m = asked.match(/alphabetical\w*(?: order)?: (.+)$/))) {
      const words = said.split(", ");
      assert.deepEqual(new Set(words), new Set(m[1].split(", ")));
      assert.ok(words.every((word, i) => i === 0 || words[i - 1].localeCompare(word) < 0), said);
      hit("alphabet");
    } else if ((m = asked.match(/^Write the word "(\w+)" backwards\.$/))) {
      assert.ok([...m[1]].every((letter, i) => letter === said.at(-1 - i)));
      hit("backwards");
    }
  }
  assert.deepEqual(
    Object.keys(checked).length,
    8,
    `some kinds of instruction were never made: ${JSON.stringify(checked)}`,
  );
});

released("readQuestions() reads the published exams, and sets aside repeated options", async () => {
  let total = 0, repeated = 0;
  for (const domain of ["history", "engineering", "jurisprudence", "medmcqa"]) {
    const path = at(`source/${domain}/test.jsonl`);
    const strict = await readQuestions(path);
    const all = await readQuestions(path, { allowRepeatedChoices: true });
    assert.equal(all.rejected.length, 0);
    assert.equal(all.questions.length, domain === "medmcqa" ? 1462 : 250);
    assert.equal(strict.questions.length + strict.rejected.length, all.questions.length);
    for (const { reason } of strict.rejected) assert.match(reason, /expected another text than/);
    assert.equal(all.questions[0].domain, domain);
    total += all.questions.length;
    repeated += strict.rejected.length;
  }
  assert.deepEqual([total, repeated], [2212, 10]);
});

const files = {
  har: "consistent-correct-exp-sample.jsonl",
  inc: "inconsistent-golden-exp.jsonl",
  self: "inconsistent-predict-model-exp.jsonl",
};
const cells = {
  "llama-2-7b/engineering": 738,
  "llama-2-7b/history": 996,
  "llama-2-70b/engineering": 712,
};

async function group(cell: string, name: keyof typeof files): Promise<ReleasedAnswer[]> {
  const path = at(`group/${cell}/${files[name]}`);
  const { answers, rejected } = parseReleased(await Deno.readTextFile(path), { file: path });
  assert.deepEqual(rejected, []);
  return answers;
}

released("writeAnswers() gives every released row back, field by field", async () => {
  const folder = await Deno.makeTempDir();
  try {
    let rows = 0;
    for (const cell of Object.keys(cells)) {
      for (const name of Object.values(files)) {
        const path = at(`group/${cell}/${name}`);
        if (!(await Deno.stat(path).then(() => true, () => false))) continue;
        const { answers, rejected } = await readAnswers(path);
        assert.deepEqual(rejected, []);
        await writeAnswers(`${folder}/a.jsonl`, answers);
        assert.deepEqual((await readAnswers(`${folder}/a.jsonl`)).answers, answers);
        const lines = (file: string) =>
          Deno.readTextFileSync(file).trim().split("\n").map((line) => JSON.parse(line));
        const [theirs, ours] = [lines(path), lines(`${folder}/a.jsonl`)];
        assert.equal(ours.length, theirs.length);
        for (
          const [i, { raw: _, gen_exp: __, model_exp_gen: ___, model_exp: ____, ...row }] of theirs
            .entries()
        ) {
          if (row.explanation === null) delete row.explanation;
          assert.deepEqual(ours[i], { ...row, domain: cell.split("/")[1] });
          rows++;
        }
      }
    }
    assert.equal(rows, 3 * 738 + 2 * 996 + 3 * 712);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

released("parseReleased() keeps the model's explanations", async () => {
  const cell = "llama-2-7b/engineering";
  const self = await group(cell, "self");
  const theirs = (await Deno.readTextFile(at(`group/${cell}/${files.self}`))).trim().split("\n");
  for (const [i, answer] of self.entries()) {
    const row = JSON.parse(theirs[i]);
    assert.equal(answer.modelExplanation, row.model_exp || undefined);
    assert.equal(answer.modelGeneration, row.model_exp_gen || undefined);
  }
});

released("auditGroups() finds no fault in the released groups", async () => {
  for (const [cell, size] of Object.entries(cells)) {
    const groups = {
      har: await group(cell, "har"),
      inc: await group(cell, "inc"),
      ...(cell === "llama-2-7b/history" ? {} : { self: await group(cell, "self") }),
    };
    assert.equal(groups.inc.length, size);
    const { passed, findings } = auditGroups(groups);
    assert.deepEqual(findings.filter(({ ok, severity }) => !ok && severity === "fault"), []);
    assert.ok(passed);
  }
});

released("auditGroups() finds each fault that is put into the released groups", async () => {
  const cell = "llama-2-70b/engineering";
  const clean = {
    har: await group(cell, "har"),
    inc: await group(cell, "inc"),
    self: await group(cell, "self"),
  };
  type Name = keyof typeof clean;
  const spoil = (name: Name, change: (rows: ReleasedAnswer[]) => void) => {
    const rows = clean[name].map((row) => ({ ...row }));
    change(rows);
    const { passed, findings } = auditGroups({ ...clean, [name]: rows });
    assert.ok(!passed);
    return findings.filter(({ ok, severity }) => !ok && severity === "fault")
      .map(({ group, check }) => `${group} ${check}`);
  };
  assert.deepEqual(spoil("har", (r) => r[3].correct = false), ["har correctness"]);
  assert.deepEqual(spoil("inc", (r) => r[3].output = r[3].predicted), ["inc output"]);
  assert.deepEqual(spoil("self", (r) => r[3].output = r[3].answer), ["self output"]);
  assert.deepEqual(spoil("inc", (r) => r[0].predictedProbability = 0.5), ["inc confidence"]);
  assert.deepEqual(
    spoil("inc", (r) => r[0].probabilities = r[0].probabilities.map((p) => p * 0.999)),
    ["inc sum"],
  );
  assert.deepEqual(spoil("har", (r) => r.pop()), ["all size"]);
  assert.deepEqual(spoil("har", (r) => r[1] = r[0]), ["har ids"]);
  assert.deepEqual(spoil("har", (r) => r[0].id = clean.inc[5].id), ["har disjoint"]);
  assert.deepEqual(spoil("self", (r) => r.reverse()), ["self queries"]);
  assert.deepEqual(spoil("self", (r) => r[0].predicted = (r[0].predicted + 1) % 4), [
    "self output",
    "self argmax",
  ]);
});
