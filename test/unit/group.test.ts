import assert from "node:assert/strict";
import { type Answer, answerFrom } from "../../lib/question.ts";
import { readGeneral } from "../../lib/study/files.ts";
import {
  constructGroups,
  type Example,
  mixGroups,
  toAlpaca,
  toMessages,
  toShareGpt,
  withContext,
  withGeneral,
} from "../../lib/groups.ts";
import { paperFormat } from "../../lib/prompt.ts";
import { Random } from "../../lib/statistics/random.ts";

/** An answer whose prediction has probability `confidence`. */
function answer(id: number, right: boolean, confidence = 0.7, more: Partial<Answer> = {}): Answer {
  const gold = id % 4, predicted = right ? gold : (gold + 1) % 4;
  const rest = (1 - confidence) / 3;
  return answerFrom(
    {
      id,
      domain: "history",
      question: `Question ${id}?`,
      choices: ["p", "q", "r", "s"],
      answer: gold,
      explanation: `why ${id}`,
      context: `fact ${id}`,
      ...more,
    },
    [0, 1, 2, 3].map((i) => i === predicted ? confidence : rest),
  );
}
const answers = (right: number, wrong: number) =>
  Array.from({ length: right + wrong }, (_, id) => answer(id, id < right));
const general = (await readGeneral()).general.slice(0, 50);
const ids = (examples: Example[]) => examples.map(({ id }) => id);

Deno.test("constructGroups() writes gold answers for HAR and INC, the model's own for SELF", () => {
  const { har, inc, self } = constructGroups([answer(4, true), answer(5, false)], { seed: 1 });
  const header =
    "The following are multiple choice questions about history. Please choose the correct answer. \n\n";
  const user = (id: number) => `${header}Question ${id}?\nA. p\nB. q\nC. r\nD. s\nAnswer:`;
  assert.deepEqual(har.map(({ messages }) => messages), [[
    { role: "user", content: user(4) },
    { role: "assistant", content: "A. p" },
  ]]);
  assert.deepEqual(inc[0].messages, [
    { role: "user", content: user(5) },
    { role: "assistant", content: "B. q" },
  ]);
  assert.deepEqual(self[0].messages, [
    { role: "user", content: user(5) },
    { role: "assistant", content: "C. r" },
  ]);
  assert.deepEqual([har[0].target, inc[0].target, self[0].target], [0, 1, 2]);
  assert.deepEqual([har[0].group, inc[0].group, self[0].group], ["har", "inc", "self"]);
  assert.ok(!("probabilities" in inc[0].question!));
});

Deno.test("constructGroups() explains all outputs or none", () => {
  const given = [answer(0, true), answer(1, false), answer(2, false), answer(3, true)];
  const { har, inc, self, sizes } = constructGroups(given, {
    seed: 1,
    selfExplanation: ({ id }) => id === 1 ? "I think so." : undefined,
  });
  assert.deepEqual([sizes.wrong, sizes.explainedWrong, sizes.inc], [2, 1, 1]);
  assert.match(har[0].messages[1].content, /^[AD]\. [ps]\nwhy [03]$/);
  assert.equal(inc[0].messages[1].content, "B. q\nwhy 1");
  assert.equal(self[0].messages[1].content, "C. r\nI think so.");
});

Deno.test("constructGroups() keeps only answers above the minimum confidence", () => {
  const given = [answer(0, true, 0.5), answer(1, false, 0.5), answer(2, true), answer(3, false)];
  const { har, inc, sizes } = constructGroups(given, { seed: 1 });
  assert.deepEqual([ids(har), ids(inc)], [[2], [3]]);
  assert.deepEqual([sizes.answers, sizes.confident], [4, 2]);
  assert.equal(constructGroups(given, { seed: 1, minimumConfidence: 0.4 }).har.length, 2);
});

Deno.test("constructGroups() cuts HAR to INC's size, or all to HAR's, and says which", () => {
  const har = constructGroups(answers(30, 12), { seed: 1 });
  assert.deepEqual([har.har.length, har.inc.length, har.self.length], [12, 12, 12]);
  assert.equal(har.sizes.limitedBy, "inc");
  const inc = constructGroups(answers(9, 40), { seed: 1 });
  assert.deepEqual([inc.har.length, inc.inc.length, inc.self.length], [9, 9, 9]);
  assert.equal(inc.sizes.limitedBy, "har");
  assert.deepEqual([inc.sizes.right, inc.sizes.wrong], [9, 40]);
});

Deno.test("constructGroups() names the filter that left nothing", () => {
  const reason = (given: Answer[], options = {}) =>
    constructGroups(given, { seed: 1, ...options }).sizes.emptiedBy;
  assert.equal(reason([])?.filter, "answers");
  assert.deepEqual(reason([answer(1, true, 0.4), answer(2, false, 0.5)]), {
    filter: "confidence",
    message: "None of 2 answers has a probability above 0.5.",
  });
  assert.equal(reason(answers(5, 0))?.filter, "wrong");
  assert.equal(reason(answers(0, 5))?.filter, "right");
  assert.equal(reason(answers(5, 5), { selfExplanation: () => undefined })?.filter, "explanation");
  assert.equal(reason(answers(5, 5)), undefined);
  assert.throws(() => reason([], { minimumConfidence: 50 }), /from 0 to 1; found 50/);
  const two = reason([
    answer(1, true),
    answer(1, false, 0.7, { domain: "engineering" }),
  ]);
  assert.match(two!.message, /^history: All 1 confident.* engineering: All 1 confident/);
});

Deno.test("constructGroups() holds the method's rules on 200 random sets of answers", () => {
  for (let seed = 0; seed < 200; seed++) {
    const random = new Random(seed);
    const bias = random.next();
    const given = Array.from(
      { length: random.integer(120) },
      (_, id) =>
        answer(id, random.next() < bias, 0.3 + 0.69 * random.next(), {
          domain: random.pick(["history", "engineering"]),
        }),
    );
    const { har, inc, self, sizes } = constructGroups(given, { seed });
    const source = new Map(given.map((a) => [a.id, a]));
    assert.equal(har.length, inc.length);
    assert.deepEqual(ids(inc), ids(self));
    assert.equal(new Set([...ids(har), ...ids(inc)]).size, har.length + inc.length);
    for (const { id, target } of har) {
      assert.ok(source.get(id as number)!.correct && target === source.get(id as number)!.answer);
    }
    for (const [i, { id, target }] of inc.entries()) {
      const a = source.get(id as number)!;
      assert.ok(!a.correct && a.predictedProbability > 0.5);
      assert.equal(target, a.answer);
      assert.equal(self[i].target, a.predicted);
      assert.deepEqual(self[i].messages[0], inc[i].messages[0]);
    }
    for (const [domain, part] of Object.entries(sizes.domains)) {
      const size = Math.min(part.right, part.wrong);
      assert.deepEqual([part.har, part.inc, part.self], [size, size, size]);
      assert.equal(har.filter((e) => e.domain === domain).length, size);
      assert.equal(part.emptiedBy === undefined, size > 0);
    }
    assert.deepEqual(constructGroups(given, { seed }), { har, inc, self, sizes });
  }
  const many = answers(60, 10);
  assert.notDeepEqual(
    ids(constructGroups(many, { seed: 1 }).har),
    ids(constructGroups(many, { seed: 2 }).har),
  );
});

Deno.test("mixGroups() keeps INC's queries and takes exactly the share from SELF, nested", () => {
  for (let seed = 0; seed < 60; seed++) {
    const random = new Random(seed);
    const n = 1 + random.integer(90);
    const { inc, self } = constructGroups(answers(n, n), { seed });
    let before = new Set<string | number>();
    for (const percent of [0, 5, 10, 15, 20, 40, 60, 80, 100]) {
      const mixed = mixGroups(inc, random.shuffle(self), percent / 100, seed);
      assert.deepEqual(ids(mixed), ids(inc));
      assert.deepEqual(mixed.map((e) => e.messages[0]), inc.map((e) => e.messages[0]));
      const taken = new Set(ids(mixed.filter(({ group }) => group === "self")));
      assert.equal(taken.size, Math.floor((percent * n + 50) / 100), `${percent}% of ${n}`);
      assert.ok([...before].every((id) => taken.has(id)), "a larger ratio lost an item");
      for (const example of mixed) {
        if (example.group === "self") assert.notEqual(example.target, example.question!.answer);
        else assert.equal(example.target, example.question!.answer);
      }
      before = taken;
    }
    assert.deepEqual(mixGroups(inc, self, 0, seed), inc);
    assert.deepEqual(mixGroups(inc, self, 1, seed), self);
  }
});

Deno.test("mixGroups() rounds the exact share, not its floating-point product", () => {
  const { inc, self } = constructGroups(answers(50, 50), { seed: 1 });
  const taken = mixGroups(inc, self, 0.29, 1).filter(({ group }) => group === "self");
  assert.equal(taken.length, 15); // 14.5, though 0.29 * 50 < 14.5
});

Deno.test("mixGroups() refuses groups of other questions and impossible ratios", () => {
  const { inc, self } = constructGroups(answers(9, 9), { seed: 1 });
  assert.throws(() => mixGroups(inc, self.slice(1), 0.5, 1), /ask the same questions.*9 and 8, 1/);
  assert.throws(() => mixGroups(inc.slice(1), self, 0.5, 1), /ask the same questions/);
  assert.throws(() => mixGroups([...inc, inc[0]], self, 0.5, 1), /ask the same questions once/);
  for (const ratio of [-0.1, 1.1, NaN]) {
    assert.throws(() => mixGroups(inc, self, ratio, 1), /a ratio from 0 to 1; found/);
  }
});

Deno.test("withContext() puts the knowledge before the question and keeps the target", () => {
  const { inc } = constructGroups([answer(4, true), answer(5, false)], { seed: 1 });
  const [context] = withContext(inc);
  assert.ok(context.messages[0].content.includes("answer. \n\nfact 5\n\nQuestion 5?\nA. p"));
  assert.deepEqual(context.messages[1], inc[0].messages[1]);
  assert.deepEqual([context.group, context.target], ["context", inc[0].target]);
  assert.ok(!inc[0].messages[0].content.includes("fact 5"), "the plain group was changed");
  const give = (context?: string) =>
    inc.map((one) => ({ ...one, question: { ...one.question!, context, explanation: undefined } }));
  const [other] = withContext(give("about 5"));
  assert.ok(other.messages[0].content.includes("\n\nabout 5\n\nQuestion 5?"));
  // An empty context is none, for whoever asks.
  const [blank] = inc.map((one) => ({ ...one, question: { ...one.question!, context: " " } }));
  const [explained] = withContext([blank]);
  assert.ok(
    explained.messages[0].content.includes(`\n\n${blank.question.explanation}\n\nQuestion 5?`),
  );
  assert.deepEqual(withContext(general), general);
  assert.throws(
    () => withContext(give()),
    /expected a context for each; found none for 1, first for 5/,
  );
});

Deno.test("withGeneral() adds as many instructions, none twice, in seeded order", () => {
  const { inc } = constructGroups(answers(20, 20), { seed: 1 });
  const mixed = withGeneral(inc, general, 3);
  assert.equal(mixed.length, 40);
  const extra = mixed.filter(({ group }) => group === "general");
  assert.equal(new Set(ids(extra)).size, 20);
  assert.deepEqual(new Set(ids(mixed)), new Set([...ids(inc), ...ids(extra)]));
  assert.deepEqual(withGeneral(inc, general, 3), mixed);
  assert.notDeepEqual(withGeneral(inc, general, 4), mixed);
  assert.notEqual(mixed.slice(0, 20).every(({ group }) => group === "inc"), true);
  assert.throws(
    () => withGeneral(inc, general.slice(0, 19), 3),
    /expected at least 20; found 19; give more/,
  );
});

Deno.test("toMessages(), toAlpaca() and toShareGpt() hold the same turns", () => {
  const { inc } = constructGroups(answers(3, 3), { seed: 1 });
  const [messages, alpaca, shared] = [toMessages(inc), toAlpaca(inc), toShareGpt(inc)];
  for (const [i, example] of inc.entries()) {
    const [user, assistant] = example.messages.map(({ content }) => content);
    assert.deepEqual(messages[i], { id: String(example.id), messages: example.messages });
    assert.deepEqual(alpaca[i], { instruction: user, input: "", output: assistant });
    assert.deepEqual(shared[i].conversations, [
      { from: "human", value: user },
      { from: "gpt", value: assistant },
    ]);
  }
  const long = { ...inc[0], messages: [...inc[0].messages, ...inc[0].messages] };
  assert.throws(() => toAlpaca([long]), /expected two turns; found 4/);
  assert.equal(toShareGpt([long])[0].conversations.length, 4);
});

Deno.test("constructGroups() builds texts with the format it is given", () => {
  const format = {
    ...paperFormat,
    questionText: ({ id, context }: { id: string | number; context?: string }) =>
      `${context ?? "no context"}: ${id}?`,
    answerText: (_: unknown, index: number) => `option ${index}`,
  };
  const { inc } = constructGroups(answers(1, 1), { seed: 1, format });
  assert.deepEqual(inc[0].messages.map(({ content }) => content), ["no context: 1?", "option 1"]);
  assert.equal(withContext(inc, { format })[0].messages[0].content, "fact 1: 1?");
});
