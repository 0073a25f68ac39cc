import assert from "node:assert/strict";
import { factsById } from "../../lib/world/exam.ts";
import { answerFrom } from "../../lib/question.ts";
import { exam } from "../../lib/world/exam.ts";
import { createWorld } from "../../lib/world/world.ts";
import { constructGroups } from "../../lib/groups.ts";
import { paperFormat } from "../../lib/prompt.ts";
import { titleOf } from "../../lib/figure/describe.ts";
import { liveFigure } from "../../lib/figure/display.ts";
import { tokenStrip } from "../../lib/figure/strip.ts";
import { openBackend } from "../../lib/platform/runtime/backend.ts";
import {
  brokenRows,
  followedAnswers,
  type Lesson,
  spreadRows,
  watchBeliefs,
} from "../../lib/study/followed.ts";
import { tinyModel } from "./_tiny_model.ts";

const world = createWorld({ seed: 7 });
const domain = "history", facts = factsById(world);
const questions = exam(world, { domain, split: "train" });
/** Known facts are answered right, all others wrong; with this probability. */
const believe = (probability: number, flip = (_: number) => false) =>
  questions.map((question, i) => {
    const known = facts.get(String(question.id))!.status === "known";
    const says = known !== flip(i) ? question.answer : (question.answer + 1) % 4;
    const rest = (1 - probability) / 3;
    return answerFrom(question, question.choices.map((_, j) => j === says ? probability : rest));
  });

Deno.test("followedAnswers() takes the first fact of each kind that a group trains on", () => {
  const answers = believe(0.8), format = paperFormat;
  const followed = followedAnswers(answers, { format, world });
  const kinds = ["known", "misconceived", "unknown"];
  assert.deepEqual(followed.map(({ kind }) => kind), kinds);
  const { har, inc } = constructGroups(answers, { seed: 0 });
  for (const [i, group] of [har, inc, inc].entries()) {
    const { kind, answer } = followed[i];
    const ids = group.map(({ id }) => id);
    const first = answers.find(({ id }) =>
      ids.includes(id) && facts.get(String(id))!.status === kind
    );
    assert.equal(answer.id, first!.id);
  }
  const without = followedAnswers(answers, { format });
  assert.deepEqual(without.map(({ kind }) => kind), ["right", "wrong"]);
  // Where nothing is sure no group has any: the first of each kind.
  const unsure = followedAnswers(believe(0.4), { format, world });
  assert.deepEqual(
    unsure.map(({ kind, answer: { id } }) => [kind, id]),
    kinds.map((kind) => [
      kind,
      answers.find(({ id }) => facts.get(String(id))!.status === kind)!.id,
    ]),
  );
  assert.deepEqual(followedAnswers([], { format, world }), []);
});

Deno.test("spreadRows() and brokenRows() sort the other facts by nearness", () => {
  const before = believe(0.8), trained = facts.get(String(questions[0].id))!;
  const after = believe(0.8, (i) => facts.get(String(questions[i].id))!.noun === trained.noun);
  const lesson: Lesson = { fact: trained, world, before, after };
  const rows = spreadRows(lesson);
  const share = (measure: string, distance: string, kind: string) =>
    rows.find((row) => row.measure === measure && row.distance === distance && row.facts === kind)
      ?.share as { value: number; n: number } | undefined;
  const others = (kind: string, near: boolean) =>
    questions.slice(1).map(({ id }) => facts.get(String(id))!).filter((fact) =>
      fact.status === kind && fact.entity !== trained.entity &&
      (fact.noun === trained.noun) === near
    ).length;
  for (const kind of ["known", "misconceived"]) {
    assert.equal(share("the answer changed", "same relation", kind)!.value, 100);
    assert.equal(share("the answer changed", "same relation", kind)!.n, others(kind, true));
    assert.equal(share("the answer changed", "same domain", kind)!.value, 0);
    assert.equal(share("the answer changed", "same domain", kind)!.n, others(kind, false));
  }
  assert.equal(share("lost, of those right before", "same relation", "misconceived"), undefined);
  const broken = brokenRows(lesson);
  assert.equal(
    broken.filter(({ distance }) => distance === "same relation").length,
    others("known", true),
  );
  assert.ok(broken.every(({ truth, ...row }) => truth !== row["says now"]));
});

Deno.test("watchBeliefs() keeps what was said after each step", async () => {
  await openBackend();
  const model = tinyModel();
  const answers = believe(0.8), { har } = constructGroups(answers, { seed: 0 });
  const followed = followedAnswers(answers, { format: paperFormat, world });
  const about = { title: "Beliefs", subtitle: "" };
  const watch = watchBeliefs(model, followed, { groups: new Map([["HAR", har]]), ...about });
  await watch.look("HAR");
  await watch.look("HAR", 1, 2);
  assert.deepEqual(watch.looks.map(({ step }) => step), [0, 1]);
  assert.equal(watch.looks[0].answers.length, 3);
  const figure = watch.figure();
  const panels = (figure.layout.annotations as { text: string }[]).map(({ text }) => text);
  assert.deepEqual(panels, [
    "<b>HAR known, trained</b>",
    "<b>HAR misconceived</b>",
    "<b>HAR unknown</b>",
  ]);
  const nothing = watchBeliefs(model, [], { groups: new Map(), ...about });
  await nothing.look("HAR", 1, 2);
  assert.deepEqual(nothing.figure().data, []);
  model.dispose();
});

Deno.test("A live figure is updated in place, and rests between two pictures", async () => {
  const sent: [string, string][] = [];
  let clock = 0;
  const jupyter = {
    broadcast: (type: string, { transient }: Record<string, unknown>) => {
      clock += 100; // ms that a picture takes
      sent.push([type, (transient as { display_id: string }).display_id]);
    },
  };
  const holder = Deno as unknown as { jupyter?: unknown };
  holder.jupyter = jupyter;
  try {
    const live = liveFigure({ interval: 50, now: () => clock });
    const strip = tokenStrip(new Map([["a", [{ text: "b", trained: true }]]]), { title: "T" });
    await live.draw(() => strip);
    clock += 199;
    await live.draw(() => assert.fail("drawn too soon"));
    clock += 1;
    await live.draw(() => strip);
    await live.finish(strip);
    assert.deepEqual(sent.map(([type]) => type), [
      "display_data",
      "update_display_data",
      "update_display_data",
      "display_data", // in words
    ]);
    assert.equal(new Set(sent.slice(0, 3).map(([, id]) => id)).size, 1);
  } finally {
    holder.jupyter = undefined;
  }
});

Deno.test("tokenStrip() shades what is trained and says it one position earlier", () => {
  const tokens = ["USER:", "a<b", "ASSISTANT:", "yes", "</s>"]
    .map((text, i) => ({ text, trained: i > 2 }));
  const strip = tokenStrip(new Map([["A row", tokens]]), { title: "Mask" });
  const boxes = (strip.layout.annotations as Record<string, unknown>[]).filter(({ bgcolor }) =>
    bgcolor
  );
  const of = (color: string) => boxes.filter(({ bgcolor }) => bgcolor === color);
  assert.deepEqual(of("#F6C08F").map(({ text }) => text), ["yes", "&lt;/s&gt;"]);
  assert.deepEqual(of("#F1F3F5").map(({ text }) => text), ["USER:", "a&lt;b", "ASSISTANT:"]);
  const said = of("#FFFFFF");
  assert.deepEqual(said.map(({ text }) => text), ["yes", "&lt;/s&gt;"]);
  const place = (text: string, color: string) => of(color).find((box) => box.text === text)!.x;
  assert.equal(said[0].x, place("ASSISTANT:", "#F1F3F5"));
  assert.equal(said[1].x, place("yes", "#F6C08F"));
  assert.equal(titleOf(strip).title, "Mask");
  const long = Array.from({ length: 40 }, () => ({ text: "stethemor", trained: false }));
  assert.ok(tokenStrip(new Map([["long", long]]), {}).layout.height > 100);
});
