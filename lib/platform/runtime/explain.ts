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

/** `expected ...; found ...`, of one issue. */
export function explainIssue({ message, expected, input }: v.BaseIssue<unknown>): string {
  const found = typeof input === "number" ? String(input) : quote(input);
  return `${/^expected /.test(message) ? message : `expected ${expected}`}; found ${found}`;
}

/** What is wrong with a value, one text a fault: `NAME: expected ...; found ...`. */
export function faultsOf(schema: ObjectSchema, value: unknown): string[] {
  return (v.safeParse(schema, value).issues ?? []).map((issue) => {
    const name = v.getDotPath(issue) ?? "settings";
    return issue.type === "strict_object" && issue.expected === "never"
      ? `${name}: no such setting, expected ${Object.keys(schema.entries).join(", ")}`
      : `${name}: ${explainIssue(issue)}`;
  });
}

type ObjectSchema =
  | ReturnType<typeof v.strictObject<v.ObjectEntries>>
  | ReturnType<typeof v.looseObject<v.ObjectEntries>>;

/**
 * Does nothing where settings fit.
 * @param action what can't be done with others
 * @param further faults between settings that fit one by one; `false` for none
 * @throws with every setting that doesn't, and what would
 */
export function checkSettings(
  action: string,
  schema: ObjectSchema,
  settings: unknown,
  further: () => (string | false)[] = () => [],
): void {
  let wrong: (string | false)[] = faultsOf(schema, settings);
  if (wrong.length === 0) wrong = further().filter((fault) => fault !== false);
  if (wrong.length > 0) {
    throw new Error(`Cannot ${action}: ${wrong.join("; ")}; change these settings`);
  }
}
