/** What an organism answers before it is trained: the probabilities alone, by exam, as a file holds them. */
import { allExams, type Material } from "../cell.ts";
import type { BaseAnswers } from "../experiment.ts";
import { answerFrom } from "../question.ts";

/** Option probabilities by exam, in its questions' order. */
export type BaseProbabilities = Readonly<Record<string, readonly (readonly number[])[]>>;

/** @throws naming the exam that the file lacks, or that has other questions */
export function baseAnswers(probabilities: BaseProbabilities, material: Material): BaseAnswers {
  return new Map(
    allExams(material).map(({ name, questions }) => {
      const own = probabilities[name] ?? [];
      if (own.length !== questions.length) {
        throw new Error(
          `Cannot read the base's answers: expected ${questions.length} to ${name}; found ` +
            `${own.length}; build the site again`,
        );
      }
      return [name, questions.map((question, i) => answerFrom(question, own[i]))];
    }),
  );
}
