/**
 * Answers of a text, in the authors' field names (probs, pred, golden_prob, pred_prob, correct,
 * output), so that their files can be read here and ours by their code.
 */
import { type Answer, answerFrom, probabilityFault } from "../question.ts";
import { type ParseOptions, questionFrom, questionRows, type QuestionRules } from "./questions.ts";
import { collectRows, placeName, type RejectedRow, RowFault, show } from "./_rows.ts";

/** An answer as it lies in a file: groups add the option that is trained on. */
export type StoredAnswer = Answer & {
  /** Index of the option that a group's training output gives. */
  output?: number;
};

/** How far a stored probability may be from the one in `probs`. */
const FIELD_TOLERANCE = 1e-6;

/** The row that a file holds, in the authors' field names and order. */
export function toAnswerRow(answer: StoredAnswer): Record<string, unknown> {
  const { id, domain, subject, question, choices, explanation, context, output } = answer;
  const row = {
    id,
    domain,
    subject,
    question,
    choices,
    answer: answer.answer,
    explanation,
    context,
    correct: answer.correct,
    pred: answer.predicted,
    probs: answer.probabilities,
    golden_prob: answer.goldProbability,
    pred_prob: answer.predictedProbability,
    output,
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
  const fields = row as Record<string, unknown>;
  if (!Array.isArray(fields.probs)) {
    throw new RowFault(`probs: expected a list of numbers; found ${show(fields.probs)}`);
  }
  const fault = probabilityFault(fields.probs, question.choices.length);
  if (fault !== undefined) throw new RowFault(fault);
  const answer = answerFrom(question, fields.probs);
  if (fields.pred !== undefined && fields.pred !== null) {
    const pred = fields.pred as number;
    // Among equal maxima any is right, so the row's own choice stands.
    if (
      !Number.isInteger(pred) || answer.probabilities[pred] !== answer.predictedProbability
    ) {
      throw new RowFault(
        `pred: expected ${answer.predicted}, where probs are highest; found ${show(pred)}`,
      );
    }
    answer.predicted = pred;
    answer.correct = pred === answer.answer;
  }
  if (
    fields.correct !== undefined && fields.correct !== null && fields.correct !== answer.correct
  ) {
    throw new RowFault(
      `correct: expected ${answer.correct} for pred ${answer.predicted} and answer ` +
        `${answer.answer}; found ${show(fields.correct)}`,
    );
  }
  for (
    const [name, expected] of [
      ["golden_prob", answer.goldProbability],
      ["pred_prob", answer.predictedProbability],
    ] as const
  ) {
    const value = fields[name];
    if (value === undefined || value === null) continue;
    if (typeof value !== "number" || !(Math.abs(value - expected) <= FIELD_TOLERANCE)) {
      throw new RowFault(`${name}: expected ${expected}, as in probs; found ${show(value)}`);
    }
  }
  const output = fields.output;
  if (output === undefined || output === null) return answer;
  if (!Number.isInteger(output) || (output as number) < 0 || !question.choices[output as number]) {
    throw new RowFault(
      `output: expected an index 0..${question.choices.length - 1}; found ${show(output)}`,
    );
  }
  return { ...answer, output: output as number };
}

/** Answers of a JSONL (or JSON array) text; rows that are none are reported with their line. */
export function parseAnswers(
  text: string,
  options: ParseOptions,
): { answers: StoredAnswer[]; rejected: RejectedRow[] } {
  const domain = options.domain ?? placeName(options.file);
  const { values, rejected } = collectRows(
    questionRows(text, options).rows,
    options.file,
    (row) => fromAnswerRow(row, { ...options, domain }),
  );
  return { answers: values, rejected };
}

/** JSONL of answers, one a line, with a line end after the last one. */
export function formatAnswers(answers: readonly StoredAnswer[]): string {
  return answers.map((answer) => `${JSON.stringify(toAnswerRow(answer))}\n`).join("");
}
