/**
 * Answers of a text, in the authors' field names (probs, pred, golden_prob, pred_prob, correct,
 * output), so that their files can be read here and ours by their code.
 */
import { type Answer, answerFrom, probabilityFault } from "../question.ts";
import {
  columnsFor,
  type ParseOptions,
  questionFrom,
  questionRows,
  type QuestionRules,
} from "./questions.ts";
import {
  collectRows,
  fault,
  placeName,
  type RejectedRow,
  RowFault,
  type SourceRow,
  sourceRows,
} from "./_rows.ts";

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
  return Object.fromEntries(Object.entries(row).filter(([, value]) => value !== undefined));
}

/**
 * The answer in one of `questionRows`; throws `RowFault`. Only `probs` is needed beside the
 * question; `pred`, `correct`, `golden_prob` and `pred_prob` must agree with it where they are
 * there. Options may repeat: the published groups hold such questions.
 */
export function fromAnswerRow(row: unknown, rules: QuestionRules = {}): StoredAnswer {
  const question = questionFrom(row, { allowRepeatedChoices: true, ...rules });
  const { probs, ...stored } = row as Record<string, unknown>;
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

/** Answers of a JSONL (or JSON array) text; rows that are none are reported with their line. */
export function parseAnswers(
  text: string,
  options: ParseOptions,
): { answers: StoredAnswer[]; rejected: RejectedRow[] } {
  return collectAnswers(sourceRows(text, { file: options.file, ...columnsFor(options) }), options);
}

/** The same of rows that were read. */
export function collectAnswers(
  source: readonly SourceRow[],
  options: ParseOptions,
): { answers: StoredAnswer[]; rejected: RejectedRow[] } {
  const rules = { ...options, domain: options.domain ?? placeName(options.file) };
  const rows = questionRows(source, options);
  const { values, rejected } = collectRows(rows, options.file, (row) => fromAnswerRow(row, rules));
  return { answers: values, rejected };
}

/** JSONL of answers, one a line, with a line end after the last one. */
export function formatAnswers(answers: readonly StoredAnswer[]): string {
  return answers.map((answer) => `${JSON.stringify(toAnswerRow(answer))}\n`).join("");
}
