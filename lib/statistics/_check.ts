/** Checks of arguments, shared by every file here. */

/** Numbers to compute with: an array or a typed array. */
export type Values = ArrayLike<number>;
/** One label per value; values with the same label belong to one cluster. */
export type Labels = ArrayLike<number | string>;
/** [low, high]. */
export type Interval = [number, number];

/** Options of everything that gives an interval. */
export interface ConfidenceOptions {
  /** Coverage of the interval. @default 0.95 */
  confidence?: number;
}

/** How far a sum of probabilities may be from 1: softmaxes in half precision are off by 1e-3. */
export const SUM_TOLERANCE = 2e-3;

export function fail(action: string, expected: string, found: string, next: string): never {
  throw new RangeError(`Cannot ${action}: expected ${expected}; found ${found}; ${next}`);
}

/** The values as a Float64Array of their own, each checked to be a finite number. */
export function finite(action: string, values: Values, name = "values"): Float64Array {
  const n = values?.length;
  if (!Number.isInteger(n)) fail(action, `an array of ${name}`, typeof values, "give numbers");
  if (n === 0) fail(action, `at least one of the ${name}`, "none", "check what selected them");
  const result = new Float64Array(n);
  for (let i = 0; i < n; i++) {
    const value: unknown = values[i];
    if (typeof value !== "number" || !Number.isFinite(value)) {
      fail(action, `finite numbers as ${name}`, `${value} at index ${i}`, "drop or mend it");
    }
    result[i] = value as number;
  }
  return result;
}

export function sameLength(action: string, a: ArrayLike<unknown>, b: ArrayLike<unknown>): void {
  if (a.length === b?.length) return;
  const found = `${a.length} and ${b?.length}`;
  fail(action, "two arrays of the same length", found, "give one value of each for every item");
}

/** Two checked arrays of one length. */
export function finitePair(action: string, x: Values, y: Values): [Float64Array, Float64Array] {
  const first = finite(action, x, "first values"), second = finite(action, y, "second values");
  sameLength(action, first, second);
  return [first, second];
}

/** A share strictly between 0 and 1 (a confidence, a level, a power). */
export function openShare(action: string, value: number, name: string): number {
  if (!(value > 0 && value < 1)) {
    fail(action, `a ${name} between 0 and 1`, String(value), "give a share such as 0.95");
  }
  return value;
}

export function integer(action: string, value: number, name: string, minimum: number): number {
  if (!Number.isInteger(value) || value < minimum) {
    fail(action, `${name} to be an integer of at least ${minimum}`, String(value), `set ${name}`);
  }
  return value;
}

/** A number that is finite and not below the minimum. */
export function atLeast(action: string, value: number, name: string, minimum: number): number {
  if (!(Number.isFinite(value) && value >= minimum)) {
    fail(action, `${name} of at least ${minimum}`, String(value), `set ${name}`);
  }
  return value;
}

/** Which cluster (0 .. count-1, by first appearance) every value belongs to; unlabelled: its own. */
export function clusterIds(action: string, labels: Labels | undefined, n: number) {
  if (labels === undefined) return { ids: Int32Array.from({ length: n }, (_, i) => i), count: n };
  if (labels.length !== n) {
    fail(action, `a cluster label for each of ${n} values`, `${labels.length}`, "give so many");
  }
  const seen = new Map<number | string, number>();
  const ids = new Int32Array(n);
  for (let i = 0; i < n; i++) {
    const label = labels[i];
    if (label === undefined || label === null || Number.isNaN(label)) {
      fail(action, "a cluster label for every value", `${label} at index ${i}`, "label that value");
    }
    let id = seen.get(label);
    if (id === undefined) seen.set(label, id = seen.size);
    ids[i] = id;
  }
  return { ids, count: seen.size };
}
