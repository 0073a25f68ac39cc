/**
 * Evaluation on the three tests of a domain (paper, section 4.1): HOMO, the domain's own test; ID, the
 * same domain in another exam; OOD, other domains. Means are over items (micro).
 */
import type { Answer, Question } from "./question.ts";
import { probe, type ProbeOptions } from "./probe.ts";
import type { ReadableModel } from "./model/readable_model.ts";
import { cosineSimilarity, entropy, klDivergence } from "./statistics/divergence.ts";
import type { Interval } from "./statistics/_check.ts";
import { mean } from "./statistics/mean.ts";
import { wilsonInterval } from "./statistics/proportion.ts";
import { NotFiniteError } from "./statistics/not_finite.ts";
import { rankConsistency } from "./statistics/rank.ts";

export const suiteNames = ["homo", "id", "ood"] as const;

export type SuiteName = typeof suiteNames[number];

/** The tests of a domain; one that is not at hand is left out. */
export type Suites = Partial<Record<SuiteName, readonly Question[]>>;

/** What a model answers to one test. */
export interface SuiteResult {
  n: number;
  correct: number;
  /** Share of right answers, 0 to 1. */
  accuracy: number;
  /** Wilson's 95% interval of the accuracy. */
  interval: Interval;
  answers: Answer[];
}

export type Evaluation = Partial<Record<SuiteName, SuiteResult>>;

/** Accuracy of answers, with its interval. */
export function scoreAnswers(answers: Answer[]): SuiteResult {
  const correct = answers.filter((answer) => answer.correct).length;
  return {
    n: answers.length,
    correct,
    accuracy: answers.length === 0 ? NaN : correct / answers.length,
    interval: wilsonInterval(correct, answers.length),
    answers,
  };
}

/**
 * Asks the model all questions of the suites. The default is how a fine-tuned model is tested: 0-shot,
 * inside the conversation's template. A base model is tested with `demonstrations` and the template
 * "plain".
 */
export async function evaluate(
  model: ReadableModel,
  suites: Suites,
  options: ProbeOptions = {},
): Promise<Evaluation> {
  const settings: ProbeOptions = {
    template: options.demonstrations?.length ? "plain" : "vicuna",
    ...options,
  };
  const names = suiteNames.filter((name) => suites[name] !== undefined);
  const asked = names.flatMap((name) => [...suites[name]!]);
  // The start that all prompts of a call share is read once.
  const parts = model.format.groupByDomain
    ? [...Map.groupBy(asked, ({ domain }) => domain).values()]
    : [asked];
  const found = new Map<Question, Answer>();
  for (const part of parts) {
    const onProgress = (share: number) =>
      options.onProgress?.((found.size + share * part.length) / asked.length);
    const given = await probe(model, part, { ...settings, onProgress });
    part.forEach((question, i) => found.set(question, given[i]));
  }
  const answersTo = (name: SuiteName) => suites[name]!.map((question) => found.get(question)!);
  return Object.fromEntries(names.map((name) => [name, scoreAnswers(answersTo(name))]));
}

/** How far two models' answers to the same questions lie apart: means over the questions. */
export interface Consistency {
  n: number;
  /** KL(base || tuned), in nats. */
  kl: number;
  cosine: number;
  /** Rank consistency, Pearson of the dense descending ranks, -1 to 1. */
  rank: number;
  /** Mean entropy of the option probabilities, in nats: low is sharp. */
  entropyBefore: number;
  entropyAfter: number;
  /** Questions right before and wrong after, and the other way. */
  lost: number;
  gained: number;
  /** Each question's own. */
  items: { id: Answer["id"]; kl: number; cosine: number; rank: number }[];
}

/**
 * Compares answers to the same questions.
 * @throws naming the question, where the two lists differ in questions or number of options, or where
 *   KL is infinite
 */
export function compareAnswers(before: readonly Answer[], after: readonly Answer[]): Consistency {
  const key = ({ domain, id }: Answer) => JSON.stringify([domain, id]);
  const tuned = new Map(after.map((answer) => [key(answer), answer]));
  if (tuned.size !== after.length || before.length !== after.length || before.length === 0) {
    throw new Error(
      `Cannot compare answers: expected the same questions, each once; found ${before.length} ` +
        `before and ${after.length} after (${tuned.size} different); probe the same exam twice`,
    );
  }
  const pairs = before.map((answer) => {
    const other = tuned.get(key(answer));
    if (other === undefined || other.choices.length !== answer.choices.length) {
      throw new Error(
        `Cannot compare answers: expected question ${JSON.stringify(answer.id)} with ` +
          `${answer.choices.length} options on both sides; found ` +
          `${other === undefined ? "none" : other.choices.length} after; probe the same exam twice`,
      );
    }
    return [answer, other] as const;
  });
  const items = pairs.map(([{ id, probabilities: p }, { probabilities: q }]) => ({
    id,
    kl: klDivergence(p, q),
    cosine: cosineSimilarity(p, q),
    rank: rankConsistency(p, q),
  }));
  const apart = items.find(({ kl }) => !Number.isFinite(kl));
  if (apart !== undefined) {
    throw new NotFiniteError(
      `Cannot compare answers: expected a finite KL(base || tuned) of question ` +
        `${JSON.stringify(apart.id)}; found ${apart.kl}: the tuned model gives an option the ` +
        "probability 0; lower the learning rate",
    );
  }
  const over = (of: (item: typeof items[0]) => number) => mean(items.map(of));
  return {
    n: items.length,
    kl: over(({ kl }) => kl),
    cosine: over(({ cosine }) => cosine),
    rank: over(({ rank }) => rank),
    entropyBefore: mean(pairs.map(([a]) => entropy(a.probabilities))),
    entropyAfter: mean(pairs.map(([, b]) => entropy(b.probabilities))),
    lost: pairs.filter(([a, b]) => a.correct && !b.correct).length,
    gained: pairs.filter(([a, b]) => !a.correct && b.correct).length,
    items,
  };
}
