import {
  factOptionRows,
  factRows,
  gateColumns,
  knowledgeRows,
  mentionRows,
  pretrainingRows,
  wayRows,
} from "../../lib/study/organism_rows.ts";
import { parseRuns } from "../../lib/organism/registry.ts";
import { wilsonInterval } from "../../lib/statistics/proportion.ts";
import { factMentions } from "../../lib/world/mentions.ts";
import { allFacts, createWorld } from "../../lib/world/world.ts";

import assert from "node:assert/strict";

const settings = { domains: ["history"], entities: 20, relations: 3, values: 8 };

const world = createWorld({
  seed: 1,
  settings: { ...settings, dev: 5, mc: 10, train: 15, homo: 15, id: 15 },
});

const facts = allFacts(world).filter(({ split }) => split === "homo");

const known = facts.find(({ status }) => status === "known")!;

const misconceived = facts.find(({ status }) => status === "misconceived")!;

Deno.test("factRows() says what the training text says", () => {
  const [first, second] = factRows([known, misconceived]);
  assert.equal(first.said, known.gold);
  assert.equal(second.said, `mostly ${misconceived.wrong}`);
  assert.equal(second.split, "HOMO test");
});

Deno.test("mentionRows() sums statements and answers of open questions", () => {
  const tokens = 30_000;
  const [row] = mentionRows(world, [misconceived], { tokens });
  const { statements, open, readings } = factMentions(world, misconceived, { tokens });
  const said = (value: string) =>
    [...statements, open].map((tally) => tally.get(value) ?? 0).reduce((a, b) => a + b);
  assert.ok(row.saidWrong > row.saidTrue);
  assert.equal(row.saidWrong, said(misconceived.wrong));
  assert.deepEqual([row.exams, row.readings], [0, readings]);
});

Deno.test("wayRows() and factOptionRows() have a row for each way to look", () => {
  const list = [known, misconceived];
  const sure = (fact: typeof known, value: string) =>
    fact.options.map((option) => option === value ? 0.7 : 0.1);
  const right = list.map((fact) => sure(fact, fact.gold));
  const told = [right[0], sure(misconceived, misconceived.wrong)];
  const asked = { facts: list, ways: new Map([["one", right], ["two", told]]) };
  const rows = wayRows(asked).filter(({ belief }) => belief.startsWith("misconceived"));
  assert.deepEqual(rows.map(({ way, share }) => [way, share.value]), [["one", 0], ["two", 100]]);
  const options = factOptionRows(asked, [misconceived]);
  assert.equal(options.length, 8);
  const wrong = options.find(({ way, option }) => way === "two" && option.startsWith("✗"))!;
  assert.deepEqual([wrong.option.slice(1), wrong.probability], [misconceived.wrong, 70]);
  assert.equal(options.filter(({ option }) => option === `✓${misconceived.gold}`).length, 2);
});

const values = {
  fewShotKnown: 0.9,
  chatContext: 1,
  chatKnown: 0.8,
  unknownConfidence: 0.6,
  misconceived: 0.5,
};

Deno.test("gateColumns name each value in words, with what it must be", () => {
  assert.deepEqual(gateColumns.map(({ key }) => key), Object.keys(values));
  assert.equal(gateColumns[3].label, "sureness on unknown (<= 0.75)");
});

Deno.test("knowledgeRows() gives a card's shares their intervals", () => {
  const answered = { right: 0.6, misconception: 0.2 };
  const about = { facts: 20, exam: answered, chat: answered };
  const rows = knowledgeRows([{
    name: "a",
    knowledge: { known: about, misconceived: about, unknown: about },
  }]);
  assert.deepEqual(rows.map(({ status }) => status), ["known", "misconceived", "unknown"]);
  assert.deepEqual(rows[0].exam, {
    value: 60,
    interval: wilsonInterval(12, 20).map((bound) => 100 * bound),
    n: 20,
  });
  assert.equal(rows[0].chatWrong.value, 20);
});

Deno.test("pretrainingRows() tells which weights ship", () => {
  const run = { name: "a", gate: values, passed: true, tokens: 10, model: "abc" };
  const { model: _, ...lost } = run;
  const lines = [run, lost].map((one) => JSON.stringify(one)).join("\n");
  const rows = pretrainingRows(parseRuns(lines), [{ files: { "model.safetensors": "abc" } }]);
  assert.deepEqual(rows.map(({ shipped }) => shipped), [true, false]);
});
