/** Three facts that notebooks follow, how a training moves them, and what it does to all others. */
import type { Answer, Example } from "../question.ts";
import { lines } from "../figure/chart.ts";
import { liveFigure, type Place } from "../figure/display.ts";
import { inPoints } from "../figure/number.ts";
import type { Row } from "../figure/rows.ts";
import type { FigureDescription } from "../figure/theme.ts";
import { shareOf } from "../audit.ts";
import type { Material } from "../cell.ts";
import { finetune } from "../finetune.ts";
import { constructGroups } from "../groups.ts";
import type { LanguageModel } from "../model/language_model.ts";
import { probe } from "../probe.ts";
import type { PromptFormat } from "../prompt.ts";
import { factsById } from "../world/exam.ts";
import type { Fact, World } from "../world/world.ts";

/** One followed question, and the base's belief about it. */
export type Followed = { kind: string; answer: Answer };

/**
 * Of each kind of fact the first of a pool that a group (seed 0) trains on: a known one of HAR, a
 * misconceived and an unknown one of INC; where a group has none, the first of the pool. Of other models
 * than organisms nobody knows the kind: the first of HAR (`right`) and of INC (`wrong`).
 * @param answers to one domain's pool
 */
export function followedAnswers(
  answers: readonly Answer[],
  { format, minimumConfidence, world }: {
    format: PromptFormat;
    minimumConfidence?: number;
    world?: World;
  },
): Followed[] {
  const { har, inc } = constructGroups(answers, { seed: 0, format, minimumConfidence });
  const facts = world && factsById(world);
  const isOf = (kind: string) => ({ id, correct }: Answer) =>
    facts ? facts.get(String(id))?.status === kind : correct === (kind === "right");
  const wanted: [string, Example[]][] = facts
    ? [["known", har], ["misconceived", inc], ["unknown", inc]]
    : [["right", har], ["wrong", inc]];
  return wanted.flatMap(([kind, group]) => {
    const ids = new Set(group.map(({ id }) => id)), own = answers.filter(isOf(kind));
    const answer = own.find(({ id }) => ids.has(id)) ?? own[0];
    return answer ? [{ kind, answer }] : [];
  });
}

const colors = {
  "the truth": "#009E73",
  "what it said before": "#D55E00",
  "the others": "#767676",
};

/** How probable the options of followed facts are now, in percent. */
function beliefRows({ answer: before }: Followed, { probabilities }: Answer) {
  const nameOf = (option: number) =>
    option === before.answer
      ? "the truth"
      : option === before.predicted
      ? "what it said before"
      : "the others";
  return Object.keys(colors).flatMap((option) => {
    const own = probabilities.filter((_, i) => nameOf(i) === option);
    return own.length ? [{ option, probability: 100 * own.reduce((sum, p) => sum + p) }] : [];
  });
}

/**
 * Draws, while a model is fine-tuned, how probable it finds the options of followed facts: a row of panels
 * for each group, a panel for each fact. Asked in the chat form.
 */
export function watchBeliefs(
  model: LanguageModel,
  followed: readonly Followed[],
  { groups, ...titles }: {
    /** By label: a panel says whether its fact is trained on. */
    groups: ReadonlyMap<string, readonly Example[]>;
    title: string;
    subtitle: string;
  },
) {
  const picture = liveFigure();
  /** What the model said of the followed facts after one step. */
  const looks: { group: string; step: number; answers: Answer[] }[] = [];
  let last = 1;
  const rowsOf = ({ group, step, answers }: typeof looks[0]) =>
    answers.flatMap((answer, i) => {
      const own = groups.get(group)?.some(({ id }) => id === answer.id) ? ", trained" : "";
      const panel = `${group} ${followed[i].kind}${own}`;
      return beliefRows(followed[i], answer).map((row) => ({ panel, step, ...row }));
    });
  const draw = (): FigureDescription =>
    lines(looks.flatMap(rowsOf), {
      ...{ x: "step", y: "probability", color: "option", facet: "panel", colors },
      ...{ ...titles, height: 150, range: [-2, 102], xRange: [0, last] },
      columns: Math.max(1, followed.length) as 1 | 2 | 3,
    });
  return {
    looks,
    /** Asks the model after `step` of `steps`; 0: before the first. */
    async look(group: string, step = 0, steps = last) {
      if (followed.length === 0) return;
      last = steps;
      const questions = followed.map(({ answer }) => answer);
      looks.push({ group, step, answers: await probe(model, questions, { template: "vicuna" }) });
      await picture.draw(draw);
    },
    figure: draw,
    finish: (place?: Place) => picture.finish(draw(), place),
  };
}

/** How near a fact is to the trained one: the first that fits. */
const distances: [name: string, fits: (fact: Fact, trained: Fact) => boolean][] = [
  ["the fact itself", (fact, trained) => fact.id === trained.id],
  ["same entity", (fact, trained) => fact.entity === trained.entity],
  ["same relation", ({ domain, noun }, one) => domain === one.domain && noun === one.noun],
  ["same domain", ({ domain }, trained) => domain === trained.domain],
  ["other domains", () => true],
];

/**
 * Trains an organism on one example for ten steps, and asks everything before and after: the questions of
 * all domains' pools and HOMO tests, in the chat form.
 */
export async function teachOneFact(
  model: LanguageModel,
  example: Example,
  { world, material, seed }: { world: World; material: Material; seed: number },
) {
  const questions = [...material.domains.values()]
    .flatMap(({ pool, suites }) => [...pool.questions, ...suites.homo![0].questions]);
  const ask = () => probe(model, questions, { template: "vicuna" });
  const before = await ask();
  await finetune(model, [example], { epochs: 10, batchSize: 1, seed });
  return { fact: factsById(world).get(String(example.id))!, world, before, after: await ask() };
}

export type Lesson = Awaited<ReturnType<typeof teachOneFact>>;

/** What became of each question: how near its fact is to the trained one, and its answers. */
function movedBy({ fact: trained, world, before, after }: Lesson) {
  const facts = factsById(world);
  return after.map((answer, i) => {
    const fact = facts.get(String(answer.id))!;
    const [distance] = distances.find(([, fits]) => fits(fact, trained))!;
    return { distance, fact, before: before[i], after: answer };
  });
}

/**
 * The map of what training on one fact did: by distance and kind of the other facts the share of answers
 * that changed, and of right ones that were lost, in % with Wilson's intervals.
 */
export function spreadRows(lesson: Lesson): Row[] {
  const all = movedBy(lesson);
  const measures = {
    "the answer changed": all,
    "lost, of those right before": all.filter(({ before }) => before.correct),
  };
  return Object.entries(measures).flatMap(([measure, counted]) =>
    ["known", "misconceived", "unknown"].flatMap((facts) =>
      distances.slice(1).flatMap(([distance]) => {
        const own = counted.filter((one) => one.distance === distance && one.fact.status === facts);
        const share = shareOf(own, ({ before, after }) => before.predicted !== after.predicted);
        return own.length > 0 ? [{ measure, distance, facts, share: inPoints(share) }] : [];
      })
    )
  );
}

/** The answers that training on one fact broke, the nearest first. */
export function brokenRows(lesson: Lesson): Row[] {
  const places = distances.map(([name]) => name);
  return movedBy(lesson)
    .filter(({ before, after }) => before.correct && !after.correct)
    .toSorted((a, b) => places.indexOf(a.distance) - places.indexOf(b.distance))
    .map(({ distance, fact, after }) => ({
      fact: `the ${fact.noun} of ${fact.entity}`,
      ...{ distance, kind: fact.status, truth: fact.gold },
      "says now": after.choices[after.predicted],
    }));
}
