/** What a model answers to an exam, and how it explains that: each stored once. */
import * as v from "valibot";
import { type Answer, answerFrom } from "../question.ts";
import {
  checkExplainer,
  explainAnswers,
  type Explanation,
  explanationPrompt,
  explanationReasons,
} from "../explanation.ts";
import { type OptionScore, probe, scoreOptions } from "../probe.ts";
import type { Stoppable } from "../platform/interrupt.ts";
import { wholeFrom } from "../platform/runtime/explain.ts";
import type { ReadableModel, ReadOptions } from "../model/readable_model.ts";
import type { Formulation, Template } from "../prompt.ts";
import { askingDigest, modelDigest } from "./digest.ts";
import { type Exam, probabilityRows } from "../cell.ts";
import type { Store } from "./store.ts";

interface Asked {
  model: ReadableModel;
  /** The model's, where it is known already. */
  digest?: string;
  exam: Pick<Exam, "questions" | "demonstrations">;
  /** Default: the model's own. */
  formulation?: Formulation;
  /** Default: plain. */
  template?: Template;
  /** So many of the demonstrations are shown. Default 5. */
  shots?: number;
}

const shownOf = ({ exam, shots = 5 }: Asked) => exam.demonstrations.slice(0, shots);

async function inputsOf(asked: Asked): Promise<unknown[]> {
  const { model, digest, exam: { questions }, formulation, template } = asked;
  const asking = askingDigest(model.format, { formulation, template });
  return [digest ?? await modelDigest(model), asking, questions, shownOf(asked)];
}

/** The likelihoods of the options of one exam, a row a question. */
const scoresSchema: v.GenericSchema<unknown, OptionScore[][]> = v.array(v.array(v.object({
  ...{ sum: v.number(), tokens: wholeFrom(0), characters: wholeFrom(0) },
  bare: v.exactOptional(v.number()),
})));

/** What a base model wrote about one of its answers. */
const explanationSchema: v.GenericSchema<unknown, Explanation> = v.object({
  id: v.union([v.string(), v.number()]),
  ...{ domain: v.string(), option: wholeFrom(0), raw: v.string() },
  explanation: v.exactOptional(v.string()),
  reason: v.exactOptional(v.picklist(explanationReasons)),
});

const fits = <T>(rows: readonly T[][], { questions }: Asked["exam"]): boolean =>
  rows.length === questions.length &&
  rows.every((row, i) => row.length === questions[i].choices.length);

const UNFIT = "expected a number for each option of each question; found others";

/** Its answers, demonstrations shown; `onStart` is told where they are not stored yet. */
export async function storedAnswers(
  asked: Asked,
  { store, onStart, ...reading }: Pick<ReadOptions, "onProgress" | "signal"> & {
    store: Store;
    onStart?: () => void;
  },
): Promise<Answer[]> {
  const { model, exam, formulation, template } = asked;
  const { probabilities, bounded } = await store.keep("base", await inputsOf(asked), {
    schema: v.object({
      probabilities: v.pipe(probabilityRows, v.check((rows) => fits(rows, exam), UNFIT)),
      // Of a served model, by the question's place.
      bounded: v.exactOptional(v.record(v.string(), v.array(wholeFrom(0)))),
    }),
    async compute() {
      onStart?.();
      const demonstrations = shownOf(asked), shots = demonstrations.length;
      const how = { ...reading, demonstrations, shots, formulation, template };
      const answers = await probe(model, exam.questions, how);
      const bounded = answers.flatMap(({ bounded: places }, i) => places ? [[i, places]] : []);
      return {
        probabilities: answers.map(({ probabilities }) => probabilities),
        ...(bounded.length > 0 && { bounded: Object.fromEntries(bounded) }),
      };
    },
  });
  return exam.questions.map((question, i) => ({
    ...answerFrom(question, probabilities[i]),
    ...(bounded?.[i] && { bounded: bounded[i] }),
  }));
}

/** The likelihoods of the options' texts, for every normalization. */
export async function storedScores(
  asked: Asked,
  { store }: { store: Store },
): Promise<OptionScore[][]> {
  const { model, exam, formulation } = asked;
  return await store.keep("scores", await inputsOf(asked), {
    schema: v.pipe(scoresSchema, v.check((rows) => fits(rows, exam), UNFIT)),
    compute: () => {
      const demonstrations = shownOf(asked);
      return scoreOptions(model, exam.questions, { demonstrations, formulation });
    },
  });
}

/** One seed for all cells: they say what the base model thinks, whatever is drawn for a cell. */
const SEED = 0;

/** The answers that SELF may teach with an explanation: wrong beliefs with a gold text beside them. */
export function answersToExplain(answers: readonly Answer[], minimumConfidence = 0.5): Answer[] {
  return answers.filter(({ correct, explanation, predictedProbability }) =>
    !correct && explanation && predictedProbability > minimumConfidence
  );
}

/** Places 0 to `count` - 1: own ones first, then the others from their end, so that two processes meet between. */
export function meeting(count: number, own: (place: number) => boolean = () => true): number[] {
  const places = Array.from({ length: count }, (_, i) => i);
  return [...places.filter(own), ...places.filter((i) => !own(i)).reverse()];
}

/** Explanations of all the answers, in their order; those that are not stored are written now. */
export async function storedExplanations(
  { model, answers }: { model: ReadableModel; answers: readonly Answer[] },
  { store, first, onProgress, signal }: Stoppable & {
    store: Store;
    /** Those that this process writes first, by their place: others may write the rest meanwhile. */
    first?: (index: number) => boolean;
    onProgress?: (state: { done: number; total: number }) => void;
  },
): Promise<Explanation[]> {
  checkExplainer(model);
  const digest = await modelDigest(model);
  const order = meeting(answers.length, first);
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
