/** The notebooks' exercises check themselves: what the reader found, held against what is so. */

export interface ExerciseOptions {
  /** How far a number may be from the right one. Default: 0.005, so that two digits do. */
  tolerance?: number;
  /** Where to look, told when the answer is wrong. */
  hint?: string;
}

/**
 * One sentence on an answer. NaN, undefined and "" are what an exercise starts with: not tried yet.
 * Arrays are held against each other item by item.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * assert.equal(checkAnswer(NaN, 3), "Not tried yet.");
 * assert.equal(checkAnswer(3.001, 3), "Right.");
 * assert.equal(checkAnswer(4, 3, { hint: "Count again." }), "Not yet: found 4. Count again.");
 * ```
 */
export function checkAnswer<T>(
  answer: T | undefined,
  expected: T,
  { tolerance = 0.005, hint = "" }: ExerciseOptions = {},
): string {
  if (untouched(answer)) return "Not tried yet.";
  if (same(answer, expected, tolerance)) return "Right.";
  const found = (typeof answer === "object" ? JSON.stringify(answer) : String(answer)).slice(0, 80);
  return `Not yet: found ${found}.${hint && ` ${hint}`}`;
}

function untouched(answer: unknown): boolean {
  return answer === undefined || answer === "" || Number.isNaN(answer) ||
    Array.isArray(answer) && (answer.length === 0 || answer.every(untouched));
}

function same(a: unknown, b: unknown, tolerance: number): boolean {
  if (typeof a === "number" && typeof b === "number") return Math.abs(a - b) <= tolerance;
  if (Array.isArray(a) && Array.isArray(b)) {
    return a.length === b.length && a.every((item, i) => same(item, b[i], tolerance));
  }
  return a === b;
}
