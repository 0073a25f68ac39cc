/** One test asked in the three ways in which a question can be put. */
import type { Answer } from "../question.ts";
import type { Material } from "../cell.ts";
import { progress } from "../figure/progress.ts";
import type { ReadableModel } from "../model/readable_model.ts";
import type { Formulation } from "../prompt.ts";
import { storedAnswers } from "./answers.ts";
import { modelDigest } from "./digest.ts";
import { storePath } from "./settings.ts";
import { Store } from "./store.ts";

/**
 * A model's answers to the HOMO exams by letters, by the options' texts, and by these without a list of
 * options, five examples shown; what is stored is read.
 * @param limit at most so many questions of an exam
 */
export async function askFormulations(
  model: ReadableModel,
  { domains }: Material,
  { limit }: { limit?: number } = {},
): Promise<Map<Formulation, Answer[]>> {
  const formulations: readonly Formulation[] = ["letters", "hybrid", "cloze"];
  const exams = [...domains.values()].flatMap(({ suites }) => suites.homo ?? []);
  const store = new Store(storePath()), digest = await modelDigest(model);
  const answers = new Map<Formulation, Answer[]>(formulations.map((name) => [name, []]));
  const bar = progress("asking in three ways", formulations.length * exams.length);
  let done = 0;
  for (const { questions, demonstrations } of exams) {
    for (const formulation of formulations) {
      const exam = { questions: questions.slice(0, limit), demonstrations };
      const asked = { model, digest, exam, formulation };
      answers.get(formulation)!.push(
        ...await storedAnswers(asked, {
          store,
          onProgress: (share) => bar.update(done + share, formulation),
        }),
      );
      bar.update(++done, formulation);
    }
  }
  await bar.finish("");
  return answers;
}
