/**
 * The gate: what a pretrained organism must show before anything is fine-tuned, fixed beforehand.
 * Measuring asks for option probabilities by a function, so that this file needs no model.
 */
import { exam, factQuestion } from "./exam.ts";
import type { Formulation, Template } from "../prompt.ts";
import { organismFormat } from "./format.ts";
import { allFacts, type Fact, type World } from "./world.ts";

/** What is measured on the train, HOMO and ID facts, which no exam of the corpus asks. */
export interface GateValues {
  /** Known facts answered right in the exam form after 5 demonstrations. */
  fewShotKnown: number;
  /** All facts answered right in the chat form, the fact being the context. */
  chatContext: number;
  /** Known facts answered right in the chat form. */
  chatKnown: number;
  /** Mean largest option probability on unknown facts (exam form): over-confidence. */
  unknownConfidence: number;
  /** Misconceived facts answered with the misconception (exam form). */
  misconceived: number;
}

/** A prompt, and what may follow it: one token an option. */
export interface ScoredPrompt {
  text: string;
  options: string[];
}

/** For each prompt the probabilities of its options: a softmax over their logits alone. */
export type ScoreOptions = (prompts: ScoredPrompt[]) => Promise<number[][]>;

export const gateThresholds: Thresholds<keyof GateValues> = {
  fewShotKnown: { atLeast: 0.85 },
  chatContext: { atLeast: 0.95 },
  chatKnown: { atLeast: 0.7 },
  unknownConfidence: { atMost: 0.75 },
  misconceived: { atLeast: 0.6 },
};

type Threshold = { atLeast: number } | { atMost: number };

export type Thresholds<Name extends string> = Readonly<Record<Name, Threshold>>;

/** What a value must be, e.g. `>= 0.85`. */
export const neededText = (threshold: Threshold) =>
  "atLeast" in threshold ? `>= ${threshold.atLeast}` : `<= ${threshold.atMost}`;

export interface GateCheck<Name extends string = keyof GateValues> {
  name: Name;
  value: number;
  /** E.g. `>= 0.85`. */
  needed: string;
  passed: boolean;
}

/** Every value against its threshold; a value that is no number fails. */
export function checkGate(values: GateValues): { passed: boolean; checks: GateCheck[] } {
  return checkThresholds(values, gateThresholds);
}

export function checkThresholds<Name extends string>(
  values: Record<Name, number>,
  thresholds: Thresholds<Name>,
): { passed: boolean; checks: GateCheck<Name>[] } {
  const checks = (Object.keys(thresholds) as Name[]).map((name): GateCheck<Name> => {
    const threshold = thresholds[name], value = values[name];
    const passed = "atLeast" in threshold ? value >= threshold.atLeast : value <= threshold.atMost;
    return { name, value, needed: neededText(threshold), passed };
  });
  return { passed: checks.every((check) => check.passed), checks };
}

export interface HeldOutOptions {
  /** Which facts are asked. Default: those of pool and tests. */
  facts?: readonly Fact[];
  /** At most so many facts, spread evenly over all. Default: all. */
  limit?: number;
  /** How it is asked. Default: `hybrid`. */
  formulation?: Formulation;
}

/**
 * Asks a model the facts that no exam of the corpus asks: those of train, HOMO and ID.
 * @param score is called three times, with some thousand prompts at the small size.
 */
export async function scoreHeldOut(
  world: World,
  score: ScoreOptions,
  { limit = Infinity, formulation = "hybrid", facts: chosen }: HeldOutOptions = {},
) {
  const heldOut = chosen ??
    allFacts(world).filter(({ split }) => split !== "dev" && split !== "mc");
  const count = Math.min(limit, heldOut.length);
  const facts = Array.from(
    { length: count },
    (_, i) => heldOut[Math.floor(i * heldOut.length / count)],
  );
  const demonstrations = ([0, 1] as const).map((wording) =>
    new Map(
      world.domains.map(({ name: domain }) => [
        domain,
        exam(world, { domain, split: "dev", wording }),
      ]),
    )
  );
  const scoreAll = async (template: Template, context: boolean) => {
    const prompts = facts.map((fact): ScoredPrompt => {
      const wording = fact.split === "id" ? 1 : 0, plain = factQuestion(fact, wording);
      const question = { ...plain, context: plain.explanation };
      const shots = template === "plain" ? demonstrations[wording].get(fact.domain)! : [];
      const how = { template, formulation, context };
      const options = organismFormat.optionTexts(question, how);
      return { text: organismFormat.probePrompt(question, shots, how), options };
    });
    return await score(prompts);
  };
  return {
    facts,
    /** After 5 demonstrations. */
    exam: await scoreAll("plain", false),
    /** The fact being the context. */
    chatContext: await scoreAll("vicuna", true),
    chat: await scoreAll("vicuna", false),
  };
}

/** The held-out facts, and the probabilities of their options in three forms of prompt. */
export type HeldOutScores = Awaited<ReturnType<typeof scoreHeldOut>>;

/** The option with the highest probability, of each fact; the first one of equals. */
export function heldOutAnswers(facts: readonly Fact[], scored: readonly number[][]): string[] {
  return scored.map((row, i) => facts[i].options[row.indexOf(Math.max(...row))]);
}

export function gateValues({ facts, exam, chat, chatContext }: HeldOutScores): GateValues {
  const shareOf = (scored: number[][], value: "gold" | "wrong", status?: Fact["status"]) => {
    const answers = heldOutAnswers(facts, scored);
    return mean(
      facts.flatMap((fact, i) =>
        (status ?? fact.status) === fact.status ? [Number(answers[i] === fact[value])] : []
      ),
    );
  };
  return {
    fewShotKnown: shareOf(exam, "gold", "known"),
    chatContext: shareOf(chatContext, "gold"),
    chatKnown: shareOf(chat, "gold", "known"),
    unknownConfidence: mean(
      facts.flatMap(({ status }, i) => status === "unknown" ? [Math.max(...exam[i])] : []),
    ),
    misconceived: shareOf(exam, "wrong", "misconceived"),
  };
}

/** NaN where there is nothing to measure, which the gate does not let pass. */
export function mean(values: number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
