/**
 * Exercises that check themselves: what the reader wrote is run on input that a seed fixes, and held
 * against the right answer and against wrong ones that people often give.
 */
import { quote } from "../platform/runtime/quote.ts";

/** A function to be written. */
export interface Exercise<Input extends unknown[], Output> {
  /** The arguments of each call. */
  inputs: readonly Input[];
  right: (...input: Input) => Output;
  /** Functions that make frequent mistakes, by the names of what data/exercises.json tells of them. */
  mistakes: Readonly<Record<string, (...input: Input) => Output>>;
  /** How far a number may be from the right one. Default: 1e-6. */
  tolerance?: number;
  /** What a call was about, for the message. Default: its arguments. */
  about?: (...input: Input) => string;
}

/** Weights as probabilities, which sum to 1. */
export const shares = (weights: number[]): number[] =>
  weights.map((weight) => weight / weights.reduce((sum, one) => sum + one));

export const UNTRIED = "Not tried yet.";
export const RIGHT = "Right.";

/**
 * The check of an exercise: one sentence or two on the reader's function. One that returns nothing
 * anywhere was not tried yet.
 */
export const checkOf = <Input extends unknown[], Output>(
  texts: Readonly<Record<string, string>>,
  { inputs, right, mistakes, tolerance = 1e-6, about }: Exercise<Input, Output>,
) =>
(mine: (...input: Input) => Output | undefined): string => {
  const of = (answer: (...input: Input) => unknown) =>
    inputs.map((input) => answer(...structuredClone(input)));
  const agree = (a: unknown[], b: unknown[]) => a.every((one, i) => !differs(one, b[i], tolerance));
  let found: unknown[];
  try {
    found = of(mine);
  } catch (error) {
    return `Not yet: your function stops with: ${error instanceof Error ? error.message : error}`;
  }
  if (found.every(isUntried)) return UNTRIED;
  const expected = of(right);
  if (agree(found, expected)) return RIGHT;
  const mistake = Object.entries(mistakes).find(([, answer]) => agree(found, of(answer)));
  if (mistake) return `Not yet: ${texts[mistake[0]]}`;
  const at = found.findIndex((one, i) => differs(one, expected[i], tolerance));
  const place = about ? about(...inputs[at]) : inputs[at].map(quote).join(", ");
  return `Not yet: ${differs(found[at], expected[at], tolerance)}. The input: ${place}`;
};

const isUntried = (answer: unknown): boolean =>
  answer === undefined || answer === "" || Number.isNaN(answer) ||
  Array.isArray(answer) && answer.every(isUntried);

/** Where and how an answer differs from what was expected; undefined where it does not. */
function differs(found: unknown, expected: unknown, tolerance: number): string | undefined {
  if (Array.isArray(expected)) {
    if (!Array.isArray(found)) return `found ${quote(found)}; expected a list`;
    const at = expected.findIndex((one, i) => differs(found[i], one, tolerance) !== undefined);
    if (at >= 0) return `at position ${at}: ${differs(found[at], expected[at], tolerance)}`;
    if (found.length === expected.length) return undefined;
    return `found ${found.length} values; expected ${expected.length}`;
  }
  const same = typeof found === "number" && typeof expected === "number"
    ? Math.abs(found - expected) <= tolerance || Object.is(found, expected)
    : found === expected;
  if (same) return undefined;
  const tell = (value: unknown) =>
    typeof value === "number" ? String(Number(value.toPrecision(6))) : quote(value);
  return `found ${tell(found)}; expected ${tell(expected)}`;
}
