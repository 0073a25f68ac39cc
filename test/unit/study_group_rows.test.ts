import { type Answer, answerFrom } from "../../lib/question.ts";
import { paperGroupSizes } from "../../lib/dataset/paper.ts";
import { constructGroups, withContext } from "../../lib/groups.ts";
import { paperFormat } from "../../lib/prompt.ts";
import {
  emptyTexts,
  exampleRows,
  exportRows,
  filterRows,
  kindRows,
  sizeRows,
  thresholdRows,
} from "../../lib/study/group_rows.ts";
import { createWorld } from "../../lib/world/world.ts";
import { factQuestion } from "../../lib/world/exam.ts";

import assert from "node:assert/strict";

const question = { question: "q", choices: ["w", "x", "y", "z"], answer: 0, explanation: "Why." };
const probabilities = [
  [0.9, 0.1, 0, 0], // sure and right
  [0.8, 0.1, 0.1, 0],
  [0.2, 0.7, 0.1, 0], // sure and wrong
  [0.3, 0.4, 0.2, 0.1], // unsure
];
const law = probabilities.map((row, id) => answerFrom({ ...question, id, domain: "law" }, row));
const art = [answerFrom({ ...question, id: 0, domain: "art" }, [0.9, 0.1, 0, 0])];
const groups = new Map([["m", constructGroups([...law, ...art], { seed: 0 })]]);

Deno.test("filterRows() tells what each filter left of a domain's answers", () => {
  const [first, second] = filterRows(groups);
  assert.deepEqual(first, {
    ...{ model: "m", domain: "law", answers: 4, confident: 3 },
    ...{ "confident, right": 2, "confident, wrong": 1, items: 1, "limited by": "INC" },
  });
  assert.deepEqual([second.domain, second.items, second["limited by"]], ["art", 0, null]);
});

Deno.test("sizeRows() sets this run's groups above the paper's; no group is null", () => {
  const [ours, theirs] = sizeRows(groups);
  assert.deepEqual([ours.source, ours.law, ours.art], ["this run", 1, null]);
  const [{ model, domains }] = paperGroupSizes;
  assert.deepEqual([theirs.source, theirs.model, theirs.law], ["paper", model, null]);
  for (const [domain, items] of Object.entries(domains)) assert.equal(theirs[domain], items);
});

Deno.test("emptyTexts() names the filter that left a domain no groups", () => {
  assert.deepEqual(emptyTexts(groups), [
    "m, art: no groups. All 1 confident answers are right: INC and SELF need wrong ones.",
  ]);
});

Deno.test("thresholdRows() counts INC's items above each threshold", () => {
  const rows = thresholdRows({ answers: new Map([["law", law]]), format: paperFormat }, [0, 0.75]);
  assert.deepEqual(rows.map(({ minimumConfidence, items }) => [minimumConfidence, items]), [
    [0, 2],
    [0.75, 0],
  ]);
});

Deno.test("kindRows() shares the questions out by what the world told of their facts", () => {
  const world = createWorld({ seed: 5 });
  const [{ name, facts }] = world.domains;
  const pick = (status: string, count: number) =>
    facts.filter((fact) => fact.status === status).slice(0, count).map((fact) =>
      factQuestion(fact, 0)
    );
  const answered = (sure: "right" | "wrong") => (asked: ReturnType<typeof factQuestion>): Answer =>
    answerFrom(
      asked,
      asked.choices.map((_, i) =>
        Number(i === (sure === "right" ? asked.answer : (asked.answer + 1) % asked.choices.length))
      ),
    );
  const answers = [
    ...pick("known", 2).map(answered("right")),
    ...pick("misconceived", 1).map(answered("wrong")),
    ...pick("unknown", 1).map(answered("wrong")),
  ];
  const made = new Map([["m", constructGroups(answers, { seed: 0 })]]);
  const base = { model: "m", answers: new Map([[name, answers]]), world };
  const values = Map.groupBy(kindRows([base], made), ({ group }) => group);
  const sharesOf = (group: string) => values.get(group)!.map(({ share }) => share.value);
  assert.deepEqual(sharesOf("all questions"), [50, 25, 25]);
  assert.deepEqual(sharesOf("HAR"), [100, 0, 0]);
  assert.deepEqual(sharesOf("INC and SELF"), [0, 50, 50]);
  assert.deepEqual(kindRows([{ ...base, world: undefined }], made), []);
});

Deno.test("exampleRows() parts what is read from what is trained on", () => {
  const { inc, self } = groups.get("m")!;
  const rows = exampleRows([...inc, ...self, ...withContext(inc)], paperFormat);
  assert.deepEqual(rows.map(({ group }) => group), ["INC", "SELF", "CON (INC)"]);
  assert.deepEqual(rows.map(({ written }) => written.trim().slice(0, 4)), ["A. w", "B. x", "A. w"]);
  assert.ok(!rows[0].read.includes("Why.") && rows[2].read.includes("Why."));
});

Deno.test("exportRows() shows the first example only, and none of an empty group", () => {
  const { inc } = groups.get("m")!;
  const [alpaca] = exportRows([...inc, ...inc]);
  assert.equal(JSON.parse(alpaca.first).output, inc[0].messages[1].content);
  assert.deepEqual(exportRows([]).map(({ first }) => first), ["null", "null", "null"]);
});
