/** What settings have in common: every wrong number is told, with the range that would do. */

/** Tells settings that `example` lacks: mostly misspelt ones. */
export function refuseUnknown(settings: object, example: object, wrong: string[]): void {
  for (const name of Object.keys(settings)) {
    if (!Object.hasOwn(example, name)) {
      wrong.push(`${name}: no such setting, expected ${Object.keys(example).join(", ")}`);
    }
  }
}

/** Tells a value that is no number, not in the range, or not whole. */
export function checkNumber(
  wrong: string[],
  name: string,
  value: unknown,
  { low, high, whole = false }: { low: number; high: number; whole?: boolean },
): void {
  const fits = typeof value === "number" && Number.isFinite(value) && value >= low &&
    value <= high && (!whole || Number.isInteger(value));
  if (fits) return;
  const range = high === Infinity
    ? low === Number.MIN_VALUE ? "above 0" : `of at least ${low}`
    : `from ${low} to ${high}`;
  wrong.push(`${name}: expected a ${whole ? "whole " : ""}number ${range}; found ${value}`);
}
