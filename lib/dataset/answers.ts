/**
 * Answers of a text, in the authors' field names (probs, pred, golden_prob, pred_prob, correct,
 * output), so that their files can be read here and ours by their code.
 */
import { defined } from "../platform/defined.ts";
import { type Answer, answerFrom, probabilityFault, type Question } from "../question.ts";
import { type Fields, fileReader, type ParseOptions, type QuestionReader } from "./questions.ts";
import { fault, type RejectedRow, RowFault } from "./_rows.ts";

/** An answer as it lies in a file: groups add the option that is trained on. */
export type StoredAnswer = Answer & {
  /** Index of the option that a group's training output gives. */
  output?: number;
};

/** How far a stored probability may be from the one in `probs`. */
const FIELD_TOLERANCE = 1e-6;

/** The row that a file holds, in the authors' field names and order. */
export function toAnswerRow(answer: StoredAnswer): Record<string, unknown> {
  const { id, domain, subject, question, choices, explanation, context } = answer;
  const row = {
    ...{ id, domain, subject, question, choices, answer: answer.answer, explanation, context },
    ...{ correct: answer.correct, pred: answer.predicted, probs: answer.probabilities },
    ...{ golden_prob: answer.goldProbability, pred_prob: answer.predictedProbability },
    output: answer.output,
  };
  return defined(row);
}

/**
 * The answer in a row of `question`; throws `RowFault`. Only `probs` is needed beside the question;
 * `pred`, `correct`, `golden_prob` and `pred_prob` must agree with it where they are there.
 */
export function answerOf(question: Question, { probs, ...stored }: Fields): StoredAnswer {
  const isGiven = (name: string) => stored[name] !== undefined && stored[name] !== null;
  if (!Array.isArray(probs)) fault("probs", "a list of numbers", probs);
  const problem = probabilityFault(probs, question.choices.length);
  if (problem !== undefined) throw new RowFault(problem);
  const answer = answerFrom(question, probs);
  if (isGiven("pred")) {
    const pred = stored.pred as number;
    // Among equal maxima any is right, so the row's own choice stands.
    if (!Number.isInteger(pred) || answer.probabilities[pred] !== answer.predictedProbability) {
      fault("pred", `${answer.predicted}, where probs are highest`, pred);
    }
    answer.predicted = pred;
    answer.correct = pred === answer.answer;
  }
  if (isGiven("correct") && stored.correct !== answer.correct) {
    const { correct, predicted } = answer;
    fault(
      "correct",
      `${correct} for pred ${predicted} and answer ${answer.answer}`,
      stored.correct,
    );
  }
  const { goldProbability: golden_prob, predictedProbability: pred_prob } = answer;
  for (const [name, expected] of Object.entries({ golden_prob, pred_prob })) {
    const value = stored[name];
    const agrees = typeof value === "number" && Math.abs(value - expected) <= FIELD_TOLERANCE;
    if (isGiven(name) && !agrees) fault(name, `${expected}, as in probs`, value);
  }
  if (!isGiven("output")) return answer;
  const output = stored.output as number;
  if (!Number.isInteger(output) || !question.choices[output]) {
    fault("output", `an index 0..${question.choices.length - 1}`, output);
  }
  return { ...answer, output };
}

/** Reads rows of answers; `more` takes further fields of a row. */
export function answerReader<T extends StoredAnswer = StoredAnswer>(
  options: ParseOptions,
  more: (answer: StoredAnswer, row: Fields) => T = (answer) => answer as T,
): QuestionReader<T> {
  return fileReader({ allowRepeatedChoices: true, ...options }, {
    place: () => [{}],
    complete: (question, row) => more(answerOf(question, row), row),
  });
}

/** What was read, without what only questions tell. */
export function answersOf<T extends StoredAnswer>(
  reader: QuestionReader<T>,
): { answers: T[]; rejected: RejectedRow[] } {
  const { questions: answers, rejected } = reader.finish();
  return { answers, rejected };
}

/** JSONL of answers, one a line, with a line end after the last one. */
export function formatAnswers(answers: readonly StoredAnswer[]): string {
  return answers.map((answer) => `${JSON.stringify(toAnswerRow(answer))}\n`).join("");
}
