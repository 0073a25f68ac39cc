/** What an organism answers before it is trained: the probabilities alone, by exam, as a file holds them. */
import type { Exam, Material } from "../cell.ts";
import type { BaseAnswers } from "../experiment.ts";
import { answerFrom } from "../question.ts";

/** Option probabilities by exam, in its questions' order. */
export type BaseProbabilities = Readonly<Record<string, readonly (readonly number[])[]>>;

/** Every exam of a material once: pools and tests. */
export function allExams({ domains }: Material): Exam[] {
  const exams = [...domains.values()].flatMap(({ pool, suites }) => [
    pool,
    ...Object.values(suites).flat(),
  ]);
  return [...new Map(exams.map((exam) => [exam.name, exam])).values()];
}

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
