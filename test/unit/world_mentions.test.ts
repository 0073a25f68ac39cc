import assert from "node:assert/strict";
import { allFacts, createWorld, type Fact } from "../../lib/world/world.ts";
import { documents } from "../../lib/world/documents.ts";
import { factMentions } from "../../lib/world/mentions.ts";

const world = createWorld({ seed: 3 });
const tokens = 1_000_000;
const facts = allFacts(world);
const first = (fits: (fact: Fact) => boolean) =>
  facts.filter(fits).reduce((a, b) => a.frequency >= b.frequency ? a : b);
const sum = (tally: Map<string, number>) => [...tally.values()].reduce((a, b) => a + b, 0);

Deno.test("factMentions() counts each statement once, in the template that words it", () => {
  const fact = first(({ split, status }) => split === "homo" && status === "known");
  const { statements, open, exams } = factMentions(world, fact, { tokens });
  let read = 0, expected = 0, asked = 0;
  for (const document of documents(world)) {
    if (read >= tokens) break;
    read += document.words.length;
    const times = document.facts.filter(({ id }) => id === fact.id).length;
    if (document.type === "statements") expected += times;
    if (document.type === "open") asked += times;
  }
  assert.ok(expected > 20, `only ${expected} statements`);
  assert.equal(statements.reduce((total, tally) => total + sum(tally), 0), expected);
  assert.equal(sum(open), asked);
  for (const tally of [...statements, open]) {
    assert.ok([...tally.keys()].every((value) => value === fact.gold));
  }
  assert.equal(exams, 0); // no exam of the corpus asks a test's fact
  // "E VERB V ." is part of "people say that E VERB V .": each is counted as itself.
  assert.ok(sum(statements[1]) > sum(statements[3]));
});

Deno.test("factMentions() shows a misconception told by its share, and nothing of an unknown fact", () => {
  const misconceived = first(({ status }) => status === "misconceived");
  const { statements } = factMentions(world, misconceived, { tokens: 4_000_000 });
  const of = (value: string) =>
    statements.reduce((total, tally) => total + (tally.get(value) ?? 0), 0);
  const wrong = of(misconceived.wrong), right = of(misconceived.gold);
  assert.ok(Math.abs(wrong / (wrong + right) - world.settings.strength) < 0.12);

  const unknown = factMentions(world, facts.find(({ status }) => status === "unknown")!, {
    tokens: 4_000_000,
  });
  assert.equal(unknown.statements.reduce((total, tally) => total + sum(tally), 0), 0);
  assert.equal(sum(unknown.open), 0);
  assert.ok(unknown.readings > 0); // but with any value at all
});

Deno.test("factMentions() finds the exams that ask a fact of mc", () => {
  const asked = facts.find(({ split }) => split === "mc")!;
  assert.ok(factMentions(world, asked, { tokens }).exams > 0);
});
