/**
 * Explanations of a base model's answers, stored one by one under what fixes them (model, prompt, seed),
 * so that no text is written twice: not by the next cell, nor by a run that goes on after a stop.
 */
import type { Answer } from "../question.ts";
import {
  checkExplainer,
  explainAnswers,
  type Explanation,
  explanationPrompt,
} from "../explanation.ts";
import type { Stoppable } from "../platform/interrupt.ts";
import type { ReadableModel } from "../model/readable_model.ts";
import { modelDigest } from "./digest.ts";
import { explanationSchema } from "./record.ts";
import type { Store } from "./store.ts";

/** One seed for all cells: they say what the base model thinks, whatever is drawn for a cell. */
const SEED = 0;

/** The answers that SELF may teach with an explanation: wrong beliefs with a gold text beside them. */
export function answersToExplain(
  answers: readonly Answer[],
  minimumConfidence = 0.5,
): Answer[] {
  return answers.filter(({ correct, explanation, predictedProbability }) =>
    !correct && explanation && predictedProbability > minimumConfidence
  );
}

/** Explanations of all the answers, in their order; those that are not stored are written now. */
export async function storedExplanations(
  { model, answers }: { model: ReadableModel; answers: readonly Answer[] },
  { store, only = () => true, onProgress, signal }: Stoppable & {
    store: Store;
    /** Those that this process writes first, by their place: others may write the rest meanwhile. */
    only?: (index: number) => boolean;
    onProgress?: (state: { done: number; total: number }) => void;
  },
): Promise<Explanation[]> {
  checkExplainer(model);
  const digest = await modelDigest(model);
  const places = answers.map((_, i) => i);
  // The others' share from its end, so that two processes meet in its middle.
  const order = [...places.filter(only), ...places.filter((i) => !only(i)).reverse()];
  const all: Explanation[] = [];
  for (const [done, i] of order.entries()) {
    const answer = answers[i];
    const { domain, id, predicted } = answer;
    const prompt = explanationPrompt(answer, predicted);
    const inputs = [digest, SEED, prompt, model.format.addBos(prompt), domain, id];
    all[i] = await store.keep("explanation", inputs, {
      schema: explanationSchema,
      compute: async () => (await explainAnswers(model, [answer], { seed: SEED, signal }))[0],
    });
    onProgress?.({ done: done + 1, total: order.length });
  }
  return all;
}
