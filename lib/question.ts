/**
 * A multiple-choice question: the unit that the whole method works on.
 * Parsing takes text and gives values; a malformed row is quarantined, never dropped silently.
 */

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

/** A row that could not become a question, and why. */
export interface RejectedRow {
  file: string;
  /** 1-based line of the file. */
  line: number;
  reason: string;
}
