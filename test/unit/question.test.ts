import { parseQuestions } from "./_row_texts.ts";
import assert from "node:assert/strict";
import { answerFrom, domainName, optionLetter } from "../../lib/question.ts";
import type { ParsedQuestions } from "../../lib/dataset/questions.ts";
import { readAnswers, readQuestions, writeAnswers } from "../../lib/dataset/read.ts";

const good = { id: 7, question: "Which?", choices: ["x", "y", "z"], answer: "B" };
const file = "exams/history/test.jsonl";

function parse(text: string, options = {}): ParsedQuestions {
  return parseQuestions(text, { file, ...options });
}

/** The reason for which the row `good` with `changes` is rejected. */
function reason(changes: Record<string, unknown>, options = {}): string {
  const { questions, rejected } = parse(JSON.stringify({ ...good, ...changes }), options);
  assert.equal(questions.length, 0, "the row was accepted");
  assert.equal(rejected.length, 1);
  assert.equal(rejected[0].line, 1);
  assert.equal(rejected[0].file, file);
  return rejected[0].reason;
}

Deno.test("parseQuestions() reads a row and leaves unknown fields behind", () => {
  const row = { ...good, explanation: "why", context: "fact", raw: { a: 1 }, __proto__x: 2 };
  assert.deepEqual(parse(JSON.stringify(row)).questions, [{
    id: 7,
    domain: "history",
    question: "Which?",
    choices: ["x", "y", "z"],
    answer: 1,
    explanation: "why",
    context: "fact",
  }]);
});

Deno.test("parseQuestions() takes the domain from the row, then the option, then the folder", () => {
  const domains = (row: object, options = {}) =>
    parse(JSON.stringify(row), options).questions[0].domain;
  assert.equal(domains({ ...good, domain: "law" }, { domain: "given" }), "law");
  assert.equal(domains(good, { domain: "given" }), "given");
  assert.equal(domains(good), "history");
  assert.equal(domains({ ...good, domain: "" }), "history");
  assert.match(parse(JSON.stringify(good), { file: "a.jsonl" }).rejected[0].reason, /^domain: /);
});

Deno.test("parseQuestions() rejects a bad field, naming it and its value", () => {
  assert.match(reason({ question: "  " }), /^question: expected a text; found " {2}"/);
  assert.match(reason({ question: undefined }), /^question: expected a text; found nothing/);
  assert.match(reason({ question: 5 }), /^question: .*found 5/);
  assert.match(reason({ question: "a\0b" }), /^question: expected no NUL character/);
  assert.match(reason({ question: "a\uD800b" }), /^question: expected whole Unicode/);
  assert.match(reason({ choices: "x" }), /^choices: .*found "x"/);
  assert.match(reason({ choices: ["x"] }), /^choices: expected 2 to 26 options; found 1/);
  assert.match(
    reason({ choices: Array.from({ length: 27 }, (_, i) => `o${i}`) }),
    /^choices: .*found 27/,
  );
  assert.match(reason({ choices: ["x", "", "z"] }), /^choices\[1\]: expected a text; found ""/);
  assert.match(reason({ choices: ["x", null, "z"] }), /^choices\[1\]: .*found null/);
  assert.match(
    reason({ choices: ["x", "y", "x "] }),
    /^choices\[2\]: expected another text than choices\[0\]; found "x "/,
  );
  for (const answer of [4, -1, 1.5, true, null, "D", "BC", "q", "4"]) {
    assert.match(reason({ answer }), /^answer: expected an index 0\.\.2, a letter A\.\.C or an/);
  }
  assert.match(reason({ id: {} }), /^id: /);
  assert.match(reason({ id: "" }), /^id: /);
  assert.match(reason({ domain: 3 }), /^domain: expected a text; found 3/);
  assert.match(reason({ context: 3 }), /^context: /);
});

Deno.test("parseQuestions() accepts 26 options and keeps repeated ones when asked", () => {
  const choices = Array.from({ length: 26 }, (_, i) => `o${i}`);
  assert.equal(
    parse(JSON.stringify({ ...good, choices, answer: "Z" })).questions[0].answer,
    25,
  );
  const repeated = JSON.stringify({ ...good, choices: ["x", "y", "x"] });
  assert.equal(parse(repeated, { allowRepeatedChoices: true }).questions.length, 1);
});

Deno.test("parseQuestions() reports the lines of unreadable rows among good ones", () => {
  const row = (id: number) => JSON.stringify({ ...good, id });
  const text = `\uFEFF${row(1)}\r\n\r\n{broken\r\n${row(2)}\r\n[1]\n"text"\n${row(1)}\n   \n${
    "x".repeat(1_000_001)
  }\n${row(3)}`;
  const { questions, rejected } = parse(text);
  assert.deepEqual(questions.map(({ id }) => id), [1, 2, 3]);
  assert.deepEqual(rejected.map(({ line }) => line), [3, 5, 6, 7, 9]);
  assert.match(rejected[0].reason, /^unreadable JSON: /);
  assert.match(rejected[1].reason, /^row: expected an object/);
  assert.match(rejected[3].reason, /^id: 1 stands on line 1 already/);
  assert.match(rejected[4].reason, /^line: expected at most 1000000 characters; found more/);
});

Deno.test("parseQuestions() lets an id stand in two domains, and names rows without one", () => {
  const rows = [{ ...good, domain: "a" }, { ...good, domain: "b" }, { ...good, id: undefined }];
  const { questions, rejected } = parse(rows.map((row) => JSON.stringify(row)).join("\n"));
  assert.equal(rejected.length, 0);
  assert.deepEqual(questions.map(({ id }) => id), [7, 7, "test:3"]);
});

Deno.test("parseQuestions() reads a JSON array and finds the lines of its rows", () => {
  const text = `  [\n  ${JSON.stringify({ ...good, question: 'a "[{" b' })},\n\n  {"id": 2},` +
    ` 5,\n${JSON.stringify({ ...good, id: 3 }, null, 2)}\n]`;
  const { questions, rejected } = parse(text);
  assert.deepEqual(questions.map(({ id }) => id), [7, 3]);
  assert.deepEqual(rejected.map(({ line }) => line), [4, 4]);
  // A broken element is set aside alone; of one that is cut, the rows before it are kept.
  const row = JSON.stringify(good);
  const broken = parse(`[{"id": },\n${row}]`);
  assert.deepEqual([broken.questions.length, broken.rejected.map(({ line }) => line)], [1, [1]]);
  assert.match(broken.rejected[0].reason, /^unreadable JSON: /);
  const cut = parse(`[${row},\n{"id": 8, "question": "Wh`);
  assert.deepEqual([cut.questions.length, cut.rejected.map(({ line }) => line)], [1, [2]]);
  assert.match(cut.rejected[0].reason, /^unreadable JSON: the text ends inside the array/);
  assert.match(parse(`[${row}]\n${row}`).rejected[0].reason, /goes on behind the array/);
  assert.deepEqual(parse("[]"), { questions: [], rejected: [], rows: 0 });
  assert.deepEqual(parse(""), { questions: [], rejected: [], rows: 0 });
});

Deno.test("parseQuestions() reads CSV with quoted cells and reports the right lines", () => {
  const text = '\uFEFFquestion,A,B,C,D,answer,note\r\n"Two,\nlines?",1,2,3,4,B,ignored\r\n' +
    "Bad?,1,2,3,4,E,\r\n\r\nFew?,1,2,,,A,\r\nShort,1\r\n";
  const { questions, rejected } = parse(text, { file: "math/algebra.csv" });
  assert.deepEqual(questions.map((q) => [q.id, q.question, q.choices, q.answer]), [
    ["algebra:1", "Two,\nlines?", ["1", "2", "3", "4"], 1],
    ["algebra:3", "Few?", ["1", "2"], 0],
  ]);
  assert.equal(questions[0].domain, "math");
  assert.deepEqual(rejected.map(({ line }) => line), [4, 7]);
  assert.match(rejected[0].reason, /^answer: .*found "E"/);
  assert.match(rejected[1].reason, /^cells: expected 7; found 2/);
});

Deno.test("parseQuestions() reads CSV without a header in MMLU's columns, and no other", () => {
  const options = { file: "math/x.csv" };
  assert.equal(parse("Q1?,1,2,3,4,A\nQ2?,1,2,3,4,D\n", options).questions[1].answer, 3);
  assert.match(parse("a,b\n1,2\n", options).rejected[0].reason, /^header: expected question,A/);
  assert.match(
    parse("question,A,A,answer\nq,1,2,A\n", options).rejected[0].reason,
    /^header: column "a" stands twice/,
  );
  const open = parse('question,A,B,answer\n"open,1,2,A\nq,1,2,A\n', options);
  assert.equal(open.questions.length, 0);
  assert.match(open.rejected[0].reason, /^unreadable CSV: .*never closed/);
});

Deno.test("optionLetter() and domainName() give the paper's names", () => {
  assert.equal(optionLetter(0) + optionLetter(25), "AZ");
  assert.throws(() => optionLetter(26), /expected an index 0\.\.25/);
  assert.equal(domainName("medmcqa"), "medicine");
  assert.equal(domainName("medmcqa-exp"), "medicine");
  assert.equal(domainName("history"), "history");
});

Deno.test("readQuestions() takes the folder's name and says what to do when there is no file", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.mkdir(`${folder}/history`);
    const path = `${folder}/history/dev.jsonl`;
    await Deno.writeTextFile(path, JSON.stringify(good));
    assert.equal((await readQuestions(path)).questions[0].domain, "history");
    assert.equal((await readQuestions(path, { domain: "law" })).questions[0].domain, "law");
    await assert.rejects(readQuestions(`${folder}/none.jsonl`), {
      message: `Cannot read questions from ${folder}/none.jsonl: expected a file; found none; ` +
        "give --questions=FILE",
    });
    await assert.rejects(readQuestions(folder), /expected a file; found a folder; give/);
    await assert.rejects(readAnswers(`${folder}/none.jsonl`), /Cannot read answers .*--answers=/);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("readQuestions() sets aside the rows whose bytes are not UTF-8", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const path = `${folder}/x.jsonl`;
    const rows = [
      JSON.stringify({ ...good, id: 1 }),
      JSON.stringify({ ...good, id: 2, question: "caf#" }),
      JSON.stringify({ ...good, id: 3, question: "café" }),
    ];
    const bytes = new TextEncoder().encode(rows.join("\n"));
    bytes[bytes.indexOf("#".charCodeAt(0))] = 0xE9; // é of Latin-1
    await Deno.writeFile(path, bytes);
    const { questions, rejected } = await readQuestions(path, { domain: "d" });
    assert.deepEqual(questions.map(({ id }) => id), [1, 3]);
    assert.deepEqual(rejected.map(({ line }) => line), [2]);
    assert.match(rejected[0].reason, /^question: expected UTF-8 text/);
    await Deno.writeFile(path, new Uint8Array([0xFF, 0xFE, 0x5B, 0]));
    await assert.rejects(readQuestions(path), /found UTF-16 text; save it as UTF-8/);
    await Deno.writeFile(path, new Uint8Array([0x50, 0x4B, 3, 4, 20, 0]));
    await assert.rejects(readQuestions(path), /found an Excel file or .*; save its table as CSV/);
    await Deno.writeTextFile(path, "PAR1\x15\x04");
    await assert.rejects(readQuestions(path), /found Parquet that can't be read .*; take it again/);
    // Longer than a text may be; a file with a hole takes no room.
    const long = `${folder}/x.json`;
    await Deno.writeTextFile(long, "[");
    await Deno.truncate(long, 600e6);
    await assert.rejects(readQuestions(long), /at most 500.*; found 600.*; save it as JSON/);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("writeAnswers() and readAnswers() give the same answers back", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const question = parse(JSON.stringify({ ...good, context: "fact" })).questions[0];
    const answers = [
      { ...answerFrom(question, [0.25, 0.25, 0.5]), output: 1 },
      answerFrom({ ...question, id: "8", subject: "s" }, Float32Array.of(0.1, 0.7, 0.2)),
    ];
    const path = `${folder}/deep/answers.jsonl`;
    await writeAnswers(path, answers);
    assert.deepEqual(await readAnswers(path), { answers, rejected: [] });
    const row = JSON.parse((await Deno.readTextFile(path)).split("\n")[0]);
    assert.deepEqual([row.pred, row.correct, row.golden_prob, row.pred_prob, row.output], [
      2,
      false,
      0.25,
      0.5,
      1,
    ]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
