/** How a file writes its answers is told from all of its rows; expected indices are worked out by hand. */
import { parseAnswers, parseQuestions } from "./_row_texts.ts";
import assert from "node:assert/strict";

import type { ParseOptions } from "../../lib/dataset/questions.ts";

const FOUR = ["ant", "bee", "cat", "dog"];
type Row = [answer: unknown, choices?: unknown[]];

const jsonl = (rows: Row[]) =>
  rows.map(([answer, choices = FOUR], id) =>
    JSON.stringify({ id, question: `Which ${id}?`, choices, answer })
  ).join("\n");
const csv = (rows: Row[]) =>
  [
    "question,A,B,C,D,answer",
    ...rows.map(([answer, choices = FOUR], id) => [`Which ${id}?`, ...choices, answer].join(",")),
  ].join("\n");

function parse(text: string, options: Partial<ParseOptions> = {}) {
  const file = text.startsWith("question,") ? "exams/zoo/test.csv" : "exams/zoo/test.jsonl";
  const { questions, rejected, answers } = parseQuestions(text, { file, ...options });
  return { indices: questions.map(({ answer }) => answer), rejected, answers };
}
const read = (text: string, options: Partial<ParseOptions> = {}) => {
  const { indices, rejected, answers } = parse(text, options);
  assert.deepEqual(rejected, []);
  return [answers, ...indices];
};
/** The one reason for which all rows are set aside. */
function refusal(text: string, rows: number, options: Partial<ParseOptions> = {}): string {
  const { indices, rejected, answers } = parse(text, options);
  assert.deepEqual([indices.length, rejected.length, answers], [0, rows, undefined]);
  assert.equal(new Set(rejected.map(({ reason }) => reason)).size, 1);
  return rejected[0].reason;
}

Deno.test("answers are told from the whole file: letters, indices from 0 or 1, texts", () => {
  for (const write of [jsonl, csv]) {
    assert.deepEqual(read(write([["B"], ["D"], ["A"]])), ["letter", 1, 3, 0]);
    assert.deepEqual(read(write([["b"], ["d"], ["a"]])), ["letter", 1, 3, 0]);
    assert.deepEqual(read(write([[3], [0], [1]])), ["index0", 3, 0, 1]);
    assert.deepEqual(read(write([["3"], ["0"], ["1"]])), ["index0", 3, 0, 1]);
    assert.deepEqual(read(write([[4], [1], [2], [4]])), ["index1", 3, 0, 1, 3]);
    assert.deepEqual(read(write([["dog"], ["ant"], [" bee "]])), ["text", 3, 0, 1]);
  }
  for (
    const answers of [
      "B. D. A.",
      "(B) (D) (A)",
      "[b] [d] [a]",
      "B: D: A:",
      "Ｂ Ｄ Ａ",
      "（B） D） A、",
    ]
  ) {
    assert.deepEqual(
      read(csv(answers.split(" ").map((one) => [one]))),
      ["letter", 1, 3, 0],
      answers,
    );
  }
  assert.deepEqual(read(csv([["１"], ["４"], ["４"]])), ["index1", 0, 3, 3]);
  // What pandas writes of a column of whole numbers with gaps.
  assert.deepEqual(read(csv([["3.0"], ["0.0"]])), ["index0", 3, 0]);
  // The count of options differs by row: 3 of 3 and 4 of 4 tell.
  assert.deepEqual(read(jsonl([[3, ["x", "y", "z"]], [4], [1]])), ["index1", 2, 3, 0]);
});

Deno.test("a file that leaves open how its answers are written is refused, and read as told", () => {
  for (const write of [jsonl, csv]) {
    const open = write([[1], [3], [2]]);
    const reason = refusal(open, 3);
    assert.match(reason, /^answer: expected .*; found "?1"? on line [12], which may be index0/);
    assert.match(reason, /index0 \("bee"\) or index1 \("ant"\).*--answers=FORM/);
    assert.deepEqual(read(open, { answers: "index0" }), ["index0", 1, 3, 2]);
    assert.deepEqual(read(open, { answers: "index1" }), ["index1", 0, 2, 1]);
    // One row alone may be an error, and of a 0 and a 4 either.
    refusal(write([[1], [4], [2], [3]]), 4);
    refusal(write([[1], [4], [0], [3]]), 4);
  }
  refusal(jsonl([["B"], ["dog"]]), 2);
  const many = Array.from({ length: 40 }, (_, i): Row => [i % 5]);
  assert.match(
    refusal(jsonl(many), 40),
    /found of 40 answers 32 that fit index0, 32 that fit index1/,
  );
  // A form that no row has says nothing of this file.
  assert.deepEqual(read(jsonl([["B"], ["D"]]), { answers: "index1" }), ["letter", 1, 3]);
});

Deno.test("numbers as options: an index is never taken for a text in one row and not in another", () => {
  // By text the answers would be "0", "3" and none.
  const rows: Row[] = [[0, [3, 2, 1, 0]], [3, [1, 0, 3, 2]], [1, [9, 8, 7, 6]]];
  assert.deepEqual(read(csv(rows)), ["index0", 0, 3, 1]);
  assert.match(refusal(csv(rows.slice(0, 2)), 2), /text \("0"\) or index0 \("3"\)/);
  assert.deepEqual(read(csv(rows.slice(0, 2)), { answers: "text" }), ["text", 3, 2]);
  assert.deepEqual(read(csv([[12, [10, 11, 12, 13]], [2, [5, 4, 3, 2]]])), ["text", 2, 3]);
});

Deno.test("options that are letters: the column's letter counts in columns, else the whole file", () => {
  const rows: Row[] = [["B", ["B", "C", "x", "y"]], ["A", ["C", "B", "D", "A"]]];
  assert.deepEqual(read(csv(rows)), ["letter", 1, 0]);
  assert.deepEqual(
    read(csv(rows).split("\n").slice(1).join("\n"), { file: "zoo/test.csv" }),
    ["letter", 1, 0],
  );
  assert.match(refusal(jsonl(rows), 2), /letter \("C"\) or text \("B"\)/);
  assert.deepEqual(read(jsonl([...rows, ["C"]])), ["letter", 1, 0, 2]);
  assert.deepEqual(read(jsonl([...rows, ["cat"], ["dog"], ["x", ["x", "y"]]])), [
    "text",
    0,
    3,
    2,
    3,
    0,
  ]);
  // Letters that mean themselves are the same either way.
  assert.deepEqual(read(jsonl([["B", ["A", "B"]]])), ["letter", 1]);
});

Deno.test("single rows that do not fit are set aside with their line", () => {
  const { indices, rejected, answers } = parse(
    jsonl([[0], [4], [null], ["??"], [2], [3], [0], ["dog"], ["bee"]]),
  );
  assert.deepEqual([answers, ...indices], [undefined]);
  assert.equal(rejected.length, 9);
  const most = parse(jsonl([[0], [4], [null], ["??"], [2], [3], [0]]));
  assert.deepEqual([most.answers, ...most.indices], ["index0", 0, 2, 3, 0]);
  assert.deepEqual(most.rejected.map(({ line }) => line), [2, 3, 4]);
  assert.match(
    most.rejected[0].reason,
    /^answer: expected an index 0\.\.3, as in the other rows; found 4/,
  );
  assert.match(
    most.rejected[1].reason,
    /^answer: expected an index 0\.\.3, a letter A\.\.D or.*null$/,
  );
});

Deno.test("a file without answers says so", () => {
  for (const answer of [null, "", -1, "-1", "nan", "N/A"]) {
    assert.match(
      refusal(jsonl([[answer], [answer]]), 2),
      /no row of this file has an answer, as in a test split: take a split that has them, or name their field answer$/,
    );
  }
  // An option that reads like a missing answer makes none of it.
  for (const answer of [-1, "None"]) {
    const rows: Row[] = [[answer, ["-1", "0", "None", "1"]], [answer]];
    for (const write of [jsonl, csv]) {
      const { indices, rejected } = parse(write(rows));
      assert.deepEqual([indices.length, rejected.length], [0, 2]);
      assert.match(rejected[0].reason, /no row of this file has an answer/);
    }
  }
  assert.deepEqual(read(jsonl([[-1, ["-1", "0", "1"]], ["dog"]])), ["text", 0, 3]);
  const reason = refusal("question,A,B,answer\nq,1,2,\nr,1,2,\n", 2);
  assert.match(reason, /found ""; no row of this file has an answer/);
});

Deno.test("rows of known layouts count from 0 where no row tells", () => {
  const row = { id: 1, question: "Which?", choices: FOUR, answer: 2 };
  const one = (more: object) => read(JSON.stringify({ ...row, ...more }));
  refusal(JSON.stringify(row), 1);
  assert.deepEqual(one({ domain: "zoo" }), ["index0", 2]); // this project's questions
  assert.deepEqual(one({ raw: { labels: [] } }), ["index0", 2]); // the authors' exams
  assert.deepEqual(one({ subject: "zoo", id: undefined }), ["index0", 2]); // MMLU on the hub
});

Deno.test("parseAnswers() takes no answer that counts from 1 for one that counts from 0", () => {
  const row = (answer: number, more = {}) =>
    JSON.stringify({
      id: answer,
      question: "?",
      choices: FOUR,
      answer,
      probs: [.1, .2, .3, .4],
      ...more,
    });
  const parse = (...rows: string[]) => {
    const { answers, rejected } = parseAnswers(rows.join("\n"), { file: "exams/zoo/a.jsonl" });
    return [answers.map(({ answer }) => answer), rejected.length];
  };
  assert.deepEqual(parse(row(0), row(3)), [[0, 3], 0]);
  assert.deepEqual(parse(row(1), row(3)), [[], 2]);
  assert.deepEqual(parse(row(1, { golden_prob: .2 }), row(3, { golden_prob: .4 })), [[1, 3], 0]);
  // The gold option's probability contradicts an answer from 0.
  assert.deepEqual(parse(row(1, { golden_prob: .1 }), row(3, { golden_prob: .3 })), [[], 2]);
});
