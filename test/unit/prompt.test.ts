import assert from "node:assert/strict";
import { createPaperFormat, type Message, paperFormat } from "../../lib/prompt.ts";
import type { Question } from "../../lib/question.ts";
import { Random } from "../../lib/statistics/random.ts";

const asked: Question = {
  id: 1,
  domain: "history",
  question: "Who built it?",
  choices: ["Ann", "Bob", "Cy", "Di"],
  answer: 2,
  context: "Cy built it.",
};
const shown: Question[] = [
  {
    id: 2,
    domain: "history",
    question: "When?",
    choices: ["1900", "1910", "1920", "1930"],
    answer: 0,
    context: "hidden",
  },
  { id: 3, domain: "history", question: "Where?", choices: ["Rome", "Oslo"], answer: 1 },
];

Deno.test("probePrompt() gives the published few-shot text to the byte", () => {
  assert.equal(
    paperFormat.probePrompt(asked, shown),
    "The following are multiple choice questions about history. Please choose the correct answer. \n\n" +
      "When?\nA. 1900\nB. 1910\nC. 1920\nD. 1930\nAnswer:A. 1900\n\n" +
      "Where?\nA. Rome\nB. Oslo\nAnswer:B. Oslo\n\n" +
      "Who built it?\nA. Ann\nB. Bob\nC. Cy\nD. Di\nAnswer:",
  );
  assert.deepEqual(paperFormat.optionTexts(asked), ["A", "B", "C", "D"]);
});

Deno.test("probePrompt() shows MedMCQA as medicine, and benchmarks' subjects as the authors' code", () => {
  const about = (question: Partial<Question>, format = paperFormat) =>
    format.probePrompt({ ...asked, ...question }, []).split("\n")[0];
  assert.match(about({ domain: "medmcqa" }), /about medicine\. Please/);
  assert.match(about({ domain: "truthfulqa" }), /about true or false statements\. Please/);
  assert.match(about({ subject: "abstract_algebra" }), /about {2}abstract algebra\. Please/);
  assert.match(about({ subject: "Anatomy", domain: "medicine" }), /about medicine\. Please/);
  const chinese = createPaperFormat({ language: "zh" });
  assert.equal(
    about({ subject: "anatomy" }, chinese),
    "以下是中国关于解剖学的单项选择题，请选出其中的正确答案。",
  );
  assert.match(about({ subject: "fire_engineer" }, chinese), /关于注册消防工程师的/);
  assert.ok(chinese.probePrompt(asked, shown).endsWith("D. Di\n答案："));
  assert.match(chinese.probePrompt(asked, shown), /\n答案：A\. 1900\n\nWhere/);
});

const system =
  "A chat between a curious user and an artificial intelligence assistant. The assistant gives helpful, detailed, and polite answers to the user's questions. ";

Deno.test("probePrompt() keeps the header inside an open Vicuna turn", () => {
  assert.equal(
    paperFormat.probePrompt(asked, [], { template: "vicuna" }),
    system +
      "USER: The following are multiple choice questions about history. Please choose the correct answer. \n\n" +
      "Who built it?\nA. Ann\nB. Bob\nC. Cy\nD. Di\nAnswer: ASSISTANT: ",
  );
});

Deno.test("probePrompt() scores option texts with a leading space (hybrid) and unlisted (cloze)", () => {
  const hybrid = paperFormat.probePrompt(asked, shown.slice(1), { formulation: "hybrid" });
  assert.ok(hybrid.endsWith(
    "Where?\nA. Rome\nB. Oslo\nAnswer: Oslo\n\nWho built it?\nA. Ann\nB. Bob\nC. Cy\nD. Di\nAnswer:",
  ));
  const cloze = paperFormat.probePrompt(asked, shown.slice(1), { formulation: "cloze" });
  assert.ok(cloze.endsWith("\n\nWhere?\nAnswer: Oslo\n\nWho built it?\nAnswer:"));
  assert.ok(!cloze.includes("A. "));
  for (const formulation of ["hybrid", "cloze"] as const) {
    assert.deepEqual(paperFormat.optionTexts(asked, { formulation }), [
      " Ann",
      " Bob",
      " Cy",
      " Di",
    ]);
    const open = paperFormat.probePrompt(asked, [], { formulation, template: "vicuna" });
    assert.ok(open.endsWith("Answer: ASSISTANT:"));
  }
});

Deno.test("probePrompt() shows the asked question's context only on demand, never another's", () => {
  assert.ok(!paperFormat.probePrompt(asked, shown).includes("Cy built it."));
  const text = paperFormat.probePrompt(asked, shown, { context: true });
  assert.ok(text.endsWith(
    "\n\nCy built it.\n\nWho built it?\nA. Ann\nB. Bob\nC. Cy\nD. Di\nAnswer:",
  ));
  assert.ok(!text.includes("hidden"));
});

Deno.test("questionText() and answerText() are what the evaluation shows and scores", () => {
  const { context: _, ...plain } = asked;
  assert.equal(paperFormat.questionText(plain), paperFormat.probePrompt(plain, []));
  assert.ok(
    paperFormat.questionText(asked).includes("answer. \n\nCy built it.\n\nWho built it?\n"),
  );
  assert.equal(paperFormat.answerText(asked, 2), "C. Cy");
  assert.equal(
    paperFormat.answerText(asked, 1, { explanation: "Bob did." }),
    "B. Bob\nBob did.",
  );
});

Deno.test("trainingTexts() ends each assistant's turn, and only these are supervised", () => {
  const messages: Message[] = [
    { role: "user", content: "Hi" },
    { role: "assistant", content: "Hello" },
    { role: "user", content: "Bye" },
    { role: "assistant", content: "See you" },
  ];
  assert.deepEqual(paperFormat.trainingTexts(messages), [
    { text: `${system}USER: Hi ASSISTANT: `, supervised: false },
    { text: "Hello</s>", supervised: true },
    { text: "USER: Bye ASSISTANT: ", supervised: false },
    { text: "See you</s>", supervised: true },
  ]);
  for (
    const bad of [[], messages.slice(0, 1), messages.slice(1), [messages[0], messages[0]]]
  ) {
    assert.throws(() => paperFormat.trainingTexts(bad), /Cannot write a conversation: expected/);
  }
});

Deno.test("trainingTexts() meets where the evaluation's prompt ends, in every formulation", () => {
  for (const formulation of ["letters", "hybrid", "cloze"] as const) {
    const format = createPaperFormat({ formulation, stop: "<|im_end|>" });
    const question = { ...asked, context: undefined };
    const [prompt, answer] = format.trainingTexts([
      { role: "user", content: format.questionText(question) },
      { role: "assistant", content: format.answerText(question, 2) },
    ]);
    const options = { template: "vicuna", formulation } as const;
    assert.equal(prompt.text, format.probePrompt(question, [], options));
    assert.ok(answer.text.startsWith(format.optionTexts(question, options)[2]));
    assert.ok(answer.text.endsWith("<|im_end|>"));
  }
});

Deno.test("trainingTexts() and probePrompt() let no data end a turn", () => {
  const random = new Random(5);
  const pieces = ["</s>", "USER:", " ", "</", "s>", "ASSISTANT:", "x", "\n"];
  for (let i = 0; i < 200; i++) {
    const nasty = Array.from({ length: 8 }, () => random.pick(pieces)).join("");
    const text = paperFormat.trainingTexts([
      { role: "user", content: nasty },
      { role: "assistant", content: nasty },
    ]).map((part) => part.text).join("");
    assert.equal(text.split("</s>").length, 2);
    const question = { ...asked, question: nasty, choices: [nasty, `${nasty}2`] };
    const prompt = paperFormat.probePrompt(question, [question], { template: "vicuna" });
    assert.ok(!prompt.includes("</s>"));
  }
  assert.throws(() => createPaperFormat({ stop: "" }), /expected stop to be an end token's text/);
});
