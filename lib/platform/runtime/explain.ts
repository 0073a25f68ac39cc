/** Schemas of settings, and what is wrong with a value, in the words of all other errors. */
import * as v from "valibot";
import { quote } from "./quote.ts";

/** A number from `low` to `high`, both included; `whole`: without a fraction. */
export function numberFrom(low: number, high = Infinity, { whole = false } = {}) {
  const range = high < Infinity
    ? `from ${low} to ${high}`
    : low === Number.MIN_VALUE
    ? "above 0"
    : `of at least ${low}`;
  return v.custom<number>(
    (value) =>
      Number.isFinite(value) && Number(value) >= low && Number(value) <= high &&
      (!whole || Number.isInteger(value)),
    `expected a ${whole ? "whole " : ""}number ${range}`,
  );
}

export const wholeFrom = (low: number, high = Infinity) => numberFrom(low, high, { whole: true });

export const above0 = numberFrom(Number.MIN_VALUE);

export const share = numberFrom(0, 1);

/** What is wrong with `value`: `NAME: expected ...; found ...`, one text a fault; empty where nothing is. */
export function explain(
  schema: ReturnType<typeof v.strictObject>,
  value: unknown,
): string[] {
  return (v.safeParse(schema, value).issues ?? []).map((issue) => {
    const name = v.getDotPath(issue) ?? "settings";
    if (issue.type === "strict_object" && issue.expected === "never") {
      return `${name}: no such setting, expected ${Object.keys(schema.entries).join(", ")}`;
    }
    const { input } = issue;
    const found = typeof input === "number" || Array.isArray(input) ? String(input) : quote(input);
    return `${name}: ${issue.message}; found ${found}`;
  });
}
