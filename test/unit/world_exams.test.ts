import assert from "node:assert/strict";
import { createWorld } from "../../lib/world/world.ts";
import { exam, factsById } from "../../lib/world/exam.ts";
import { worldMaterial } from "../../lib/study/material.ts";
import { generalExamples } from "../../lib/world/instruction.ts";

const world = createWorld({ seed: 5 });

Deno.test("exams ask in wording 0 for HOMO and the groups, in wording 1 for ID", () => {
  for (const split of ["dev", "train", "homo"] as const) {
    const questions = exam(world, { domain: "medicine", split });
    assert.equal(questions.length, world.settings[split]);
    assert.ok(questions.every(({ question }) => /^what is the \S+ of \S+ \?$/.test(question)));
  }
  const id = exam(world, { domain: "medicine", split: "id" });
  assert.equal(id.length, 110);
  assert.ok(id.every(({ question }) => /^which one does \S+ \S+ \?$/.test(question)));
  const dev = exam(world, { domain: "medicine", split: "dev", wording: 1 });
  assert.ok(dev.every(({ question }) => question.startsWith("which one does")));
});

Deno.test("a question's answer is the fact's gold value, its explanation states it", () => {
  const facts = factsById(world);
  for (const question of exam(world, { domain: "history", split: "homo" })) {
    const fact = facts.get(String(question.id))!;
    assert.equal(question.choices[question.answer], fact.gold);
    assert.deepEqual(question.choices, fact.options);
    assert.equal(question.subject, fact.noun);
    assert.equal(question.context, undefined);
    assert.equal(question.explanation, `the ${fact.noun} of ${fact.entity} is ${fact.gold} .`);
  }
});

Deno.test("OOD is the ID exams of all other domains", () => {
  const { domains } = worldMaterial(world);
  const { homo, id, ood } = domains.get("engineering")!.suites;
  assert.deepEqual([homo, id].map((exams) => exams![0].questions.length), [110, 110]);
  assert.deepEqual(
    ood,
    ["history", "jurisprudence", "medicine"].flatMap((domain) => domains.get(domain)!.suites.id!),
  );
});

Deno.test("train, HOMO, ID, dev and mc hold different facts", () => {
  const seen = new Set<unknown>();
  for (const { name: domain } of world.domains) {
    for (const split of ["dev", "mc", "train", "homo", "id"] as const) {
      for (const { id } of exam(world, { domain, split })) {
        assert.ok(!seen.has(id));
        seen.add(id);
      }
    }
  }
  assert.equal(seen.size, 2380);
});

Deno.test("exam() names the domains where one is missing", () => {
  assert.throws(
    () => exam(world, { domain: "geology", split: "id" }),
    /the domain geology: expected one of history, engineering, jurisprudence, medicine/,
  );
});

Deno.test("generalExamples() come from their seed and touch no fact", () => {
  const examples = generalExamples(world, 50, 1);
  assert.deepEqual(generalExamples(world, 50, 1), examples);
  assert.deepEqual(generalExamples(world, 80, 1).slice(0, 50), examples);
  assert.notDeepEqual(generalExamples(world, 50, 2), examples);
  const neutral = new Set([...world.neutralWords, "repeat", "reverse", "first", "last", "from"]);
  for (const { messages, group, question } of examples) {
    assert.equal(group, "general");
    assert.equal(question, undefined);
    assert.deepEqual(messages.map(({ role }) => role), ["user", "assistant"]);
    const words = messages.flatMap(({ content }) => content.split(" "));
    assert.ok(words.every((word) => neutral.has(word)));
  }
});
