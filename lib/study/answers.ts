/** What a model answers to an exam, stored once under the model, the exam and the way of asking. */
import { check, pipe } from "valibot";
import { type Answer, answerFrom } from "../question.ts";
import { type OptionScore, probe, scoreOptions } from "../probe.ts";
import type { ReadableModel, ReadOptions } from "../model/readable_model.ts";
import type { Formulation } from "../prompt.ts";
import { askingDigest, modelDigest } from "./digest.ts";
import type { Exam } from "../cell.ts";
import { baseSchema, scoresSchema } from "./record.ts";
import type { Store } from "./store.ts";

/** Who is asked what. */
interface Asked {
  model: ReadableModel;
  /** The model's, where it is known already. */
  digest?: string;
  exam: Pick<Exam, "questions" | "demonstrations">;
  /** Default: the model's own. */
  formulation?: Formulation;
}

async function inputsOf({ model, digest, exam, formulation }: Asked): Promise<unknown[]> {
  const { questions, demonstrations } = exam;
  const asking = askingDigest(model.format, { formulation });
  return [digest ?? await modelDigest(model), asking, questions, demonstrations];
}

const fits = <T>(rows: readonly T[][], { questions }: Asked["exam"]): boolean =>
  rows.length === questions.length &&
  rows.every((row, i) => row.length === questions[i].choices.length);

const UNFIT = "expected a number for each option of each question; found others";

/** Its answers, demonstrations shown before each question. */
export async function storedAnswers(
  asked: Asked,
  { store, onStart, ...reading }: Pick<ReadOptions, "onProgress" | "signal"> & {
    store: Store;
    /** Told where they are not stored yet. */
    onStart?: () => void;
  },
): Promise<Answer[]> {
  const { model, exam, formulation } = asked;
  const { probabilities } = await store.keep("base", await inputsOf(asked), {
    schema: pipe(baseSchema, check(({ probabilities }) => fits(probabilities, exam), UNFIT)),
    async compute() {
      onStart?.();
      const demonstrations = [...exam.demonstrations];
      const how = { ...reading, demonstrations, formulation };
      const answers = await probe(model, exam.questions, how);
      return { probabilities: answers.map(({ probabilities }) => probabilities) };
    },
  });
  return exam.questions.map((question, i) => answerFrom(question, probabilities[i]));
}

/** The likelihoods of the options' texts, for every normalization. */
export async function storedScores(
  asked: Asked,
  { store }: { store: Store },
): Promise<OptionScore[][]> {
  const { model, exam, formulation } = asked;
  return await store.keep("scores", await inputsOf(asked), {
    schema: pipe(scoresSchema, check((rows) => fits(rows, exam), UNFIT)),
    compute: () => {
      const demonstrations = [...exam.demonstrations];
      return scoreOptions(model, exam.questions, { demonstrations, formulation });
    },
  });
}
