/**
 * How far a model stayed with itself: its option probabilities before and after fine-tuning, question
 * by question (paper, section 5). Base first, tuned second.
 */
import type { Answer } from "./question.ts";
import { NotFiniteError } from "./statistics/not_finite.ts";
import { cosineSimilarity, entropy, klDivergence } from "./statistics/divergence.ts";
import { mean } from "./statistics/mean.ts";
import { rankConsistency } from "./statistics/rank.ts";

/** One question's comparison. */
export interface ItemConsistency {
  id: Answer["id"];
  /** KL(base || tuned), in nats. */
  kl: number;
  cosine: number;
  /** Pearson of the dense descending ranks. */
  rank: number;
}

/** Means over the questions. */
export interface Consistency {
  n: number;
  /** KL(base || tuned), in nats. */
  kl: number;
  cosine: number;
  /** Rank consistency, -1 to 1. */
  rank: number;
  /** Mean entropy of the option probabilities, in nats: low is sharp. */
  entropyBefore: number;
  entropyAfter: number;
  /** Questions right before and wrong after, and the other way. */
  lost: number;
  gained: number;
  items: ItemConsistency[];
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
      `Cannot compare answers: expected a finite KL(base || tuned) of question ${
        JSON.stringify(apart.id)
      }; found ${apart.kl}: the tuned model gives an option the probability 0; lower the learning ` +
        "rate",
    );
  }
  const over = (of: (item: ItemConsistency) => number) => mean(items.map(of));
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
