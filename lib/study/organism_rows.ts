/** Rows on the organisms: their facts, their gates, what they know, and how they learnt it. */
import labels from "../../data/labels.json" with { type: "json" };
import { suiteLabels } from "../contrast.ts";
import type { Column } from "../figure/column.ts";
import { inPoints } from "../figure/number.ts";
import type { Row } from "../figure/rows.ts";
import type { OrganismCard } from "../organism/card.ts";
import type { FactAnswers } from "../organism/recall.ts";
import type { PretrainingRun } from "../organism/registry.ts";
import { wilsonInterval } from "../statistics/proportion.ts";
import { answeredShare, gateThresholds, type LetterGateValues, neededText } from "../world/gate.ts";
import { factMentions, type Tally } from "../world/mentions.ts";
import type { Fact, Status, World } from "../world/world.ts";

/** A share of `n` in points, with Wilson's interval. */
export const shareIn = (value: number, n: number) =>
  inPoints({ value, interval: wilsonInterval(Math.round(value * n), n), n });

/** A row for each fact: what is true, and what the training text says. */
export function factRows(facts: readonly Fact[]) {
  return facts.map(({ entity, noun, gold, wrong, status, split }) => ({
    fact: `the ${noun} of ${entity}`,
    truth: gold,
    said: { known: gold, misconceived: `mostly ${wrong}`, unknown: "nothing" }[status],
    status,
    split: split === "homo" || split === "id" ? `${suiteLabels[split]} test` : split,
  }));
}

/** The same, with how often a corpus of so many `tokens` says it. */
export function mentionRows(world: World, facts: readonly Fact[], options: { tokens: number }) {
  const rows = factRows(facts);
  return facts.map((fact, i) => {
    const { statements, open, exams, readings } = factMentions(world, fact, options);
    const said = (value: string) =>
      [...statements, open].reduce((sum, tally: Tally) => sum + (tally.get(value) ?? 0), 0);
    return { ...rows[i], saidTrue: said(fact.gold), saidWrong: said(fact.wrong), exams, readings };
  });
}

/** A row for each way to look and kind of belief: how many facts have it, in points. */
export function wayRows({ facts, ways }: FactAnswers) {
  const beliefs = [
    ["known: the truth", "known", "gold"],
    ["misconceived: the wrong value", "misconceived", "wrong"],
    ["unknown: the truth", "unknown", "gold"],
  ] as const;
  return [...ways].flatMap(([way, probabilities]) =>
    beliefs.map(([belief, status, value]) => ({
      way,
      belief,
      share: inPoints(answeredShare(facts, probabilities, { status, value })),
    }))
  );
}

/** Rows for some facts: how likely each option is, looked at in each way. */
export function factOptionRows({ facts, ways }: FactAnswers, chosen: readonly Fact[]) {
  const mark = ({ gold, wrong, status }: Fact, option: string) =>
    option === gold ? "✓" : option === wrong && status === "misconceived" ? "✗" : "";
  return chosen.flatMap((fact) =>
    [...ways].flatMap(([way, probabilities]) =>
      probabilities[facts.indexOf(fact)].map((probability, i) => ({
        fact: `${fact.status}: ${fact.noun} of ${fact.entity}`,
        way,
        option: mark(fact, fact.options[i]) + fact.options[i],
        probability: 100 * probability,
      }))
    )
  );
}

/** What the gates' values are called. */
export const gateLabels: Readonly<Record<keyof LetterGateValues, string>> = labels.gate;

/** The gate's columns, with what each value must be. */
export const gateColumns: readonly Column[] = Object.entries(gateThresholds).map((
  [key, threshold],
) => ({
  key,
  label: `${gateLabels[key as keyof typeof gateThresholds]} (${neededText(threshold)})`,
  digits: 2,
}));

/** A row for each organism: its gate. */
export function gateRows(cards: readonly OrganismCard[]): Row[] {
  return cards.map(({ name: model, parameters, gate: { values, passed } }) => (
    { model, parameters, ...values, passed }
  ));
}

/** A row for each pretraining that was run: its gate, and whether its organism ships. */
export function pretrainingRows(
  runs: readonly PretrainingRun[],
  cards: readonly Pick<OrganismCard, "files">[],
): Row[] {
  const shipped = new Set(cards.map(({ files }) => files["model.safetensors"]));
  return runs.map(({ name: run, gate, passed, model = "", tokens }) => (
    { run, tokens, ...gate, passed, shipped: shipped.has(model) }
  ));
}

/** A row for each organism and status of facts: what it answers. */
export function knowledgeRows(cards: readonly Pick<OrganismCard, "name" | "knowledge">[]) {
  return cards.flatMap(({ name, knowledge }) =>
    (["known", "misconceived", "unknown"] satisfies Status[]).map((status) => {
      const { facts, exam, chat } = knowledge[status];
      return {
        ...{ model: name, status, facts },
        ...{ exam: shareIn(exam.right, facts), chat: shareIn(chat.right, facts) },
        examWrong: shareIn(exam.misconception, facts),
        chatWrong: shareIn(chat.misconception, facts),
      };
    })
  );
}

const abilities = ["fewShotKnown", "chatKnown", "chatContext", "misconceived"] as const;

/** Loss and abilities of an organism over the tokens that it had read, in millions. */
export function learningRows({ curve, pretraining }: OrganismCard): Row[] {
  const perStep = pretraining.tokens / pretraining.steps / 1e6;
  return [
    ...curve.loss.map(([step, value]) => (
      { panel: "loss (nats)", line: "loss", tokens: step * perStep, value }
    )),
    ...abilities.flatMap((key) =>
      curve.gate.map((point) => ({
        ...{ panel: "what it can do (%)", line: gateLabels[key] },
        ...{ tokens: point.tokens / 1e6, value: 100 * point[key] },
      }))
    ),
  ];
}
