/**
 * The gate: what a pretrained organism must show before anything is fine-tuned, fixed beforehand.
 * Measuring asks for option probabilities by a function, so that this file needs no model.
 */
import { type Share, shareOf } from "../audit.ts";
import type { Formulation, Template } from "../prompt.ts";
import { Random } from "../statistics/random.ts";
import { exam, factQuestion } from "./exam.ts";
import { organismFormat } from "./format.ts";
import { drillDrawer } from "./letters.ts";
import { BOS, LABELS } from "./vocabulary.ts";
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

/** What is measured with the letters as answers. */
export interface LetterGateValues extends GateValues {
  /** Look-ups of random words answered right. */
  drill: number;
  /** Mean probability of the options' letters together, out of all words (exam form). */
  letterMass: number;
  /** Share of the answers (exam form) that say the letter which is said most; evenly spread, .25. */
  majority: number;
}

/** A prompt, and what may follow it: one token an option. */
export type ScoredPrompt = { text: string; options: string[] };

/** For each prompt the probabilities of its options: a softmax over their logits alone. */
export type ScoreOptions = (prompts: ScoredPrompt[]) => Promise<number[][]>;

type Threshold = { atLeast: number } | { atMost: number };

export const gateThresholds: Readonly<Record<keyof GateValues, Threshold>> = {
  fewShotKnown: { atLeast: 0.85 },
  chatContext: { atLeast: 0.95 },
  chatKnown: { atLeast: 0.7 },
  unknownConfidence: { atMost: 0.75 },
  misconceived: { atLeast: 0.6 },
};

/** Of organisms that answer with letters; fixed before any of these was fine-tuned. */
export const letterThresholds: Readonly<Record<keyof LetterGateValues, Threshold>> = {
  ...gateThresholds,
  drill: { atLeast: 0.95 },
  letterMass: { atLeast: 0.95 },
  majority: { atMost: 0.4 },
};

/** What a value must be, e.g. `>= 0.85`. */
export const neededText = (threshold: Threshold) =>
  "atLeast" in threshold ? `>= ${threshold.atLeast}` : `<= ${threshold.atMost}`;

/** Every value, those about letters too where they are there, against its threshold; NaN fails. */
export function checkGate<Values extends GateValues>(values: Values) {
  const thresholds = Object.entries("drill" in values ? letterThresholds : gateThresholds);
  const checks = thresholds.map(([key, threshold]) => {
    const name = key as keyof Values & keyof LetterGateValues, value = values[name] as number;
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

/** The share of facts, of one status or all, that are answered with the true or the one wrong value. */
export function answeredShare(
  facts: readonly Fact[],
  scored: readonly number[][],
  { value, status }: { value: "gold" | "wrong"; status?: Fact["status"] },
): Share {
  const answers = heldOutAnswers(facts, scored);
  const asked = facts.map((fact, i) => ({ fact, answer: answers[i] }))
    .filter(({ fact }) => status === undefined || fact.status === status);
  return shareOf(asked, ({ fact, answer }) => answer === fact[value]);
}

export function gateValues({ facts, exam, chat, chatContext }: HeldOutScores): GateValues {
  const known = { value: "gold", status: "known" } as const;
  return {
    fewShotKnown: answeredShare(facts, exam, known).value,
    chatContext: answeredShare(facts, chatContext, { value: "gold" }).value,
    chatKnown: answeredShare(facts, chat, known).value,
    unknownConfidence: mean(
      facts.flatMap(({ status }, i) => status === "unknown" ? [Math.max(...exam[i])] : []),
    ),
    misconceived: answeredShare(facts, exam, { value: "wrong", status: "misconceived" }).value,
  };
}

const DRILLS = 400;

/**
 * Measures the gate of an organism that answers with letters: the others' gate, asked by letters, and what
 * shows that letters are read and not guessed.
 * @param score gives the options' probabilities out of ALL words: what they lack to 1 is the mass
 * that is not on letters
 */
export async function measureLetterGate(
  world: World,
  score: ScoreOptions,
  options: Omit<HeldOutOptions, "formulation"> = {},
): Promise<LetterGateValues> {
  const raw = await scoreHeldOut(world, score, { ...options, formulation: "letters" });
  const mass = raw.exam.map((row) => row.reduce((a, b) => a + b, 0));
  const scores = { ...raw, exam: raw.exam.map((row, i) => row.map((p) => p / mass[i])) };
  const counts = world.domains[0].facts[0].options.map((_, letter) =>
    scores.exam.filter((row) => row.indexOf(Math.max(...row)) === letter).length
  );
  // Fresh look-ups, each alone at the start of a document.
  const draw = drillDrawer(world), random = new Random(`${world.seed}/letter gate`);
  const drills = Array.from({ length: DRILLS }, () => draw(random, "letter"));
  const drilled = await score(drills.map(({ prompt, options }) => (
    { text: [BOS, ...prompt].join(" "), options: LABELS.slice(0, options.length) }
  )));
  return {
    ...gateValues(scores),
    drill: mean(drilled.map((row, i) => Number(row.indexOf(Math.max(...row)) === drills[i].index))),
    letterMass: mean(mass),
    majority: Math.max(...counts) / raw.facts.length,
  };
}

/** NaN where there is nothing to measure, which the gate does not let pass. */
function mean(values: number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
