/**
 * What the method works on: a multiple-choice question, a model's answer to it, and the conversation
 * that trains on it. How files hold them is in dataset/.
 */
import { quote } from "./platform/runtime/quote.ts";
import { SUM_TOLERANCE } from "./statistics/_check.ts";
import { NotFiniteError } from "./statistics/not_finite.ts";

/** One multiple-choice question of an exam. */
export interface Question {
  /** As found in the file: the authors' rows carry integers, MMLU's carry strings. */
  id: string | number;
  /** The exam's domain, e.g. `history`. */
  domain: string;
  /** A finer label inside the domain, e.g. an MMLU subject. */
  subject?: string;
  question: string;
  /** The options' texts, in the order in which they are shown (A, B, C, ...). */
  choices: string[];
  /** Index of the gold option in `choices`. */
  answer: number;
  explanation?: string;
  /** World knowledge that the answer needs, shown before the question in the CON group. */
  context?: string;
}

/** A question and a model's belief about it (paper, section 3: parameter knowledge). */
export type Answer = Question & {
  /** Over the options, summing to one as nearly as the file or the model's precision has it. */
  probabilities: number[];
  /** Index of the most probable option; the first one of equals. */
  predicted: number;
  correct: boolean;
  /** Probability of the gold option. */
  goldProbability: number;
  /** Probability of the predicted option. */
  predictedProbability: number;
  /** Options that a server did not name: they have at most their probability. Absent: all were named. */
  bounded?: number[];
};

/** One turn. */
export type Message = { role: "user" | "assistant"; content: string };

/** One conversation to train on, and where it comes from. */
export interface Example {
  /** The question's id, or a name of its own for a general instruction. */
  id: string | number;
  /** The exam's domain, or `general`. */
  domain: string;
  messages: Message[];
  group: "har" | "inc" | "self" | "context" | "general";
  /** The question behind it; general instructions have none. */
  question?: Question;
  /** Index of the option that the assistant's turn gives. */
  target?: number;
}

/** Letters of the options: a question has at most as many. */
export const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";

/** The letter under which option `index` is shown: 0 is A. */
export function optionLetter(index: number): string {
  if (!Number.isInteger(index) || index < 0 || index >= LETTERS.length) {
    throw new RangeError(
      `Cannot letter option ${index}: expected an index 0..25; give a question 2 to 26 options`,
    );
  }
  return LETTERS[index];
}

/** The domain's name as the paper writes it: its MedMCQA folder holds the domain medicine. */
export function domainName(domain: string): string {
  return /^medmcqa(-|$)/.test(domain) ? "medicine" : domain;
}

/** What is wrong with the probabilities of a question with so many options; undefined where nothing is. */
export function probabilityFault(
  probabilities: ArrayLike<unknown>,
  options: number,
): string | undefined {
  if (probabilities.length !== options) {
    return `probs: expected ${options} numbers, one an option; found ${probabilities.length}`;
  }
  const values = Array.from(probabilities);
  const wrong = values.findIndex((p) =>
    !(typeof p === "number" && p >= 0 && p <= 1 + SUM_TOLERANCE)
  );
  if (wrong >= 0) {
    const p = values[wrong];
    const found = typeof p === "number" ? String(p) : quote(p);
    return `probs[${wrong}]: expected a number from 0 to 1; found ${found}`;
  }
  const sum = (values as number[]).reduce((a, b) => a + b, 0);
  if (Math.abs(sum - 1) > SUM_TOLERANCE) return `probs: expected a sum of 1; found ${sum}`;
}

/**
 * The answer that `probabilities` (one an option, summing to one) give to `question`.
 * Throws when they don't fit: another count, NaN, a negative number, another sum.
 */
export function answerFrom(question: Question, probabilities: ArrayLike<number>): Answer {
  const fault = probabilityFault(probabilities, question.choices.length);
  const values = Array.from(probabilities);
  if (fault !== undefined) {
    throw new (values.every(Number.isFinite) ? Error : NotFiniteError)(
      `Cannot make an answer to question ${quote(question.id)}: ${fault}; check the model's logits`,
    );
  }
  const predicted = values.indexOf(Math.max(...values));
  return {
    ...question,
    probabilities: values,
    predicted,
    correct: predicted === question.answer,
    goldProbability: values[question.answer],
    predictedProbability: values[predicted],
  };
}
