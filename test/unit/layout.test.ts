/**
 * Layouts of published exams, and cells as pandas 3.0 and numpy 2.4 wrote them
 * (`DataFrame({"choices": [np.array([...], dtype=object)]}).to_csv()` and the like).
 */
import { parseQuestions } from "./_row_texts.ts";
import assert from "node:assert/strict";
import { parseLiteral } from "../../lib/dataset/_literal.ts";

/** The options of each question and the right one's text. */
function read(text: string, file: string): [string[], string][] {
  const { questions, rejected } = parseQuestions(text, { file });
  assert.deepEqual(rejected, []);
  return questions.map(({ choices, answer }) => [choices, choices[answer]]);
}
const reason = (text: string, file = "d/test.jsonl") => {
  const { questions, rejected } = parseQuestions(text, { file });
  assert.equal(questions.length, 0);
  return rejected[0].reason;
};
const json = (row: object) => JSON.stringify(row);

Deno.test("parseLiteral() reads JSON, Python's and numpy's lists, and nothing that is unclear", () => {
  const same = (text: string, value: unknown) => assert.deepEqual(parseLiteral(text), value, text);
  same(`["a", "b\\n\\u00e9"]`, ["a", "b\né"]);
  same(`['a', "it's", 'say "x"', 'both \\' and "']`, ["a", "it's", 'say "x"', `both ' and "`]);
  same(`['a' "it's"\n '\\\\frac{1}{2}' 'é ü']`, ["a", "it's", "\\frac{1}{2}", "é ü"]);
  same(`('a', 'b',)`, ["a", "b"]);
  same(`[1 2.50 -3]`, ["1", "2.50", "-3"]);
  same(`['\\x41', '\\U0001F600', None, True]`, ["A", "😀", null, "True"]);
  same(`array(['a', 'b'], dtype=object)`, ["a", "b"]);
  same(`{'text': array(['a', 'b'], dtype=object), 'label': ['A' 'B']}`, {
    text: ["a", "b"],
    label: ["A", "B"],
  });
  // Python joins 'a' 'b'; cut arrays; bare words; what is never closed; what is too deep.
  for (
    const text of ["['a' 'b', 'c']", "['a' ... 'z']", "[a, b]", "['a', 'b'", "['a", "[1] 2", ""]
  ) {
    assert.throws(() => parseLiteral(text), SyntaxError, text);
  }
  assert.throws(() => parseLiteral("[".repeat(1e5) + "]".repeat(1e5)), SyntaxError);
});

Deno.test("options are read from a list in a cell, in each way that pandas writes one", () => {
  const csv = (cell: string) => `question,choices,answer\nWhich?,${cell},2\nAnd?,${cell},0\n`;
  for (
    const cell of [
      `"['it''s' 'b' 'c']"`.replace("'it''s'", `""it's""`),
      `"[""it's"", 'b', 'c']"`,
      `"[""it's"", ""b"", ""c""]"`,
      `"array([""it's"", 'b', 'c'], dtype=object)"`,
      `"it's\nb\nc"`,
    ]
  ) {
    const choices = ["it's", "b", "c"];
    assert.deepEqual(read(csv(cell), "d/test.csv"), [[choices, "c"], [choices, "it's"]], cell);
  }
  assert.match(reason(csv(`"['a' 'b', 'c']"`), "d/t.csv"), /^choices: .* found "\['a' 'b', 'c'\]"/);
  assert.match(reason(csv("a|b|c"), "d/t.csv"), /^choices: expected a list of 2 to 26 texts/);
});

Deno.test("options are read from columns of any usual name", () => {
  const columns = (names: string, answers: string) =>
    read(
      `question,${names},answer\nWhich?,w,x,y,z,${answers[0]}\nAnd?,w,x,y,,${answers[1]}\n`,
      "d/t.csv",
    )
      .map(([choices, right]) => [choices.length, right]);
  for (
    const names of ["A,B,C,D", "a,b,c,d", "option_a,option_b,option_c,option_d", "opa,opb,opc,opd"]
  ) {
    assert.deepEqual(columns(names, "BA"), [[4, "x"], [3, "w"]], names);
  }
  for (const names of ["choice1,choice2,choice3,choice4", "Option 1,Option 2,Option 3,Option 4"]) {
    assert.deepEqual(columns(names, "20"), [[4, "y"], [3, "w"]], names);
  }
  // Names that count from 0 have answers that do, as SWAG's.
  assert.deepEqual(columns("ending0,ending1,ending2,ending3", "12"), [[4, "x"], [3, "y"]]);
  assert.deepEqual(columns("choices[0],choices[1],choices[2],choices[3]", "12"), [[4, "x"], [
    3,
    "y",
  ]]);
  assert.deepEqual(
    read(json({ id: 1, question: "Which?", A: "x", B: "y", answer: "B" }), "d/t.jsonl"),
    [
      [["x", "y"], "y"],
    ],
  );
  const two = "question,A,B,option_a,option_b,answer\nq,1,2,3,4,A\n";
  assert.match(
    reason(two, "d/t.csv"),
    /one set of option columns; found a,b and option_a,option_b/,
  );
});

Deno.test("rows of ARC, OpenBookQA, CommonsenseQA, HellaSwag and MedQA are read by their own labels", () => {
  const text = ["w", "x", "y", "z"], letters = ["A", "B", "C", "D"], numbers = ["1", "2", "3", "4"];
  const right = (...rows: object[]) =>
    read(rows.map(json).join("\n"), "d/t.jsonl").map((q) => q[1]);
  const arc = (label: string[], answerKey: string) => ({
    question: "Which?",
    choices: { text, label },
    answerKey,
  });
  // ARC mixes letters and numbers; a number is a label there and counts from 1.
  assert.deepEqual(right(arc(letters, "C"), arc(numbers, "2")), ["y", "x"]);
  assert.deepEqual(right(arc(numbers, "2"), arc(numbers, "3")), ["x", "y"]);
  const list = text.map((one, i) => ({ text: one, label: letters[i] }));
  assert.deepEqual(right({ question: { stem: "Which?", choices: list }, answerKey: "D" }), ["z"]);
  assert.deepEqual(
    right({ question_stem: "Which?", choices: arc(letters, "").choices, answerKey: "B" }),
    [
      "x",
    ],
  );
  assert.deepEqual(right({ ctx: "And then", endings: text, label: "0" }), ["w"]);
  const options = { A: "w", B: "x", C: "y", D: "z" };
  assert.deepEqual(right({ question: "?", options, answer: "y", answer_idx: "C" }), ["y"]);
  assert.deepEqual(right({ question: "?", options, answer: "D" }), ["z"]);
  assert.deepEqual(right({ question: "?", options, answer: "(b)" }), ["x"]);
  const cell =
    `"{'text': array(['w', 'x'], dtype=object), 'label': array(['A', 'B'], dtype=object)}"`;
  assert.deepEqual(read(`question,choices,answerKey\n?,${cell},B\n`, "d/t.csv")[0][1], "x");
  assert.deepEqual(
    read(
      `question,answerKey,choices.text,choices.label\n?,B,"['w', 'x']","['A', 'B']"\n`,
      "d/t.csv",
    )[0][1],
    "x",
  );
  assert.match(
    reason(json(arc(["A", "A", "B", "C"], "A"))),
    /^choices: expected a text and a label/,
  );
  // The right answer has no place among the options: it can't be read without making one up.
  const sciq = { question: "?", distractor1: "x", distractor2: "y", correct_answer: "z" };
  assert.match(
    reason(json(sciq)),
    /^choices: expected a list of options.*found "question, distractor1,/,
  );
});

Deno.test("a CSV's header is never read as a question, with answers or without", () => {
  const rows = "0,Where?,C,A,D,B\n1,When?,w,x,y,z\n2,Who?,B,C,D,A\n";
  for (const header of ["id,question,A,B,C,D", "编号,问题,A,B,C,D", "nr,text,A,B,C,D"]) {
    const { questions, rejected } = parseQuestions(`${header}\n${rows}`, { file: "d/t.csv" });
    assert.equal(questions.length, 0);
    assert.match(
      rejected[0].reason,
      /no row of this file has an answer|^header: expected question,A/,
    );
  }
  const whole =
    '\uFEFFid,question,A,B,C,D,answer,explanation\r\n7,"Where,\r\nnow?",w,x,y,z,C,Because.\r\n';
  const { questions: [question] } = parseQuestions(whole, { file: "d/t.csv" });
  assert.deepEqual([question.id, question.question, question.answer, question.explanation], [
    "7",
    "Where,\r\nnow?",
    2,
    "Because.",
  ]);
  // Six columns without a header, whose last cell is no letter in one of many rows.
  const bare = Array.from({ length: 20 }, (_, i) => `Q${i}?,1,2,3,4,${i === 7 ? "E" : "B"}`).join(
    "\n",
  );
  const { questions, rejected } = parseQuestions(bare, { file: "d/t.csv" });
  assert.deepEqual([questions.length, rejected.map(({ line }) => line)], [19, [8]]);
});

Deno.test("a table with semicolons or tabs is read as one with commas", () => {
  const rows = 'question,A,B,answer\n"Which, now; then?",x,y,B\nAnd?,x,y,A\n';
  const parted = (by: string) =>
    rows.replace(/"[^"]*"|,/g, (found) => found === "," ? by : found).replaceAll("\n", "\r\n");
  const expected = [[["x", "y"], "y"], [["x", "y"], "x"]];
  assert.deepEqual(read(rows, "d/t.csv"), expected);
  assert.deepEqual(read(parted(";"), "d/t.csv"), expected);
  assert.deepEqual(read(parted("\t"), "d/t.csv"), expected);
  assert.deepEqual(read(parted("\t"), "d/t.tsv"), expected);
  assert.deepEqual(read("Which; now?,w,x,y,z,B\n", "d/t.csv"), [[["w", "x", "y", "z"], "x"]]);
});

Deno.test("a file of another shape is refused once, with what it holds", () => {
  const row = { question: "?", choices: ["x", "y"], answer: 0 };
  for (const value of [row, { data: [row] }]) {
    const { questions, rejected } = parseQuestions(JSON.stringify(value, null, 1), {
      file: "d/t.json",
    });
    assert.deepEqual([questions.length, rejected.length], [0, 1]);
    assert.match(
      rejected[0].reason,
      /^file: expected a JSON array of rows; found \{"(question|data)"/,
    );
  }
  assert.match(
    reason(json({ query: "?", choices: ["x", "y"], gold: 0 })),
    /^question: expected a text; found nothing of that name among "query, choices, gold"; say by --columns/,
  );
});

Deno.test("deep and long rows are set aside as soon as they are read", () => {
  const deep = "[".repeat(1e6) + "]".repeat(1e6);
  const started = performance.now();
  assert.match(reason(deep), /^line: expected at most 1000000 characters; found more/);
  const short = "[".repeat(4e5) + "]".repeat(4e5);
  assert.match(reason(short), /^row: expected an object .*; found \[\[\[\[/);
  assert.ok(performance.now() - started < 5000);
});
