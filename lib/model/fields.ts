/** Fields of a model's configuration, read one by one: each is right, or refused by its name. */
import { quote } from "../platform/runtime/quote.ts";

export type Fields = Record<string, unknown>;

/** Sizes are below this, as TensorFlow's are. */
const LARGEST_SIZE = 2 ** 31 - 1;
const NOT_HERE = "the forward pass here has no other; choose a model that does without";
const takeAgain = "take the configuration from the model's own page";

export const words = (text: string): string[] => text.trim().split(/\s+/);

/** `name=value` words as a table. */
export const pairs = (text: string): Map<string, string> =>
  new Map(words(text).map((pair) => pair.split("=") as [string, string]));

/** Nothing, or an object or list of nothing. */
export const isEmpty = (value: unknown): boolean =>
  value === undefined || value === null ||
  typeof value === "object" && Object.keys(value).length === 0;

/** @throws that a file can't be read: what it should have, what it has, and what to do */
export function refuseFile(
  file: string,
  expected: string,
  found: string,
  advice = "the file is damaged or of another kind: take it again from where it came",
): never {
  throw new Error(`Cannot read ${file}: expected ${expected}; found ${found}; ${advice}`);
}

/** @throws that a model can't be opened, likewise */
export function refuseModel(
  source: string,
  expected: string,
  found: string,
  advice: string,
): never {
  throw new Error(`Cannot open model ${source}: expected ${expected}; found ${found}; ${advice}`);
}

export class FieldReader {
  constructor(readonly fields: Fields, readonly file: string) {}

  fail(name: string, expected: string, advice: string): never {
    const shown = /^[\w.-]{1,80}$/.test(name) ? name : quote(name);
    refuseFile(this.file, `${expected} in ${shown}`, quote(this.fields[name]), advice);
  }

  has(name: string): boolean {
    return this.fields[name] !== undefined && this.fields[name] !== null;
  }

  #checked<T>(name: string, is: (value: unknown) => boolean, expected: string): T {
    const value = this.fields[name];
    return is(value) ? value as T : this.fail(name, expected, takeAgain);
  }

  /** A size: an integer from 1 to `most`. */
  size(name: string, otherwise?: number, most = LARGEST_SIZE): number {
    if (!this.has(name) && otherwise !== undefined) return otherwise;
    const isSize = (value: unknown) =>
      Number.isSafeInteger(value) && Number(value) >= 1 && Number(value) <= most;
    return this.#checked(name, isSize, `a positive integer up to ${most}`);
  }

  /** An integer from 0 up. */
  count(name: string, otherwise: number): number {
    return this.fields[name] === 0 ? 0 : this.size(name, otherwise);
  }

  /** A number above zero. */
  positive(name: string, otherwise?: number): number {
    if (this.fields[name] === undefined && otherwise !== undefined) return otherwise;
    const isPositive = (value: unknown) => Number.isFinite(value) && Number(value) > 0;
    return this.#checked(name, isPositive, "a number above 0");
  }

  /** A share from 0 to below 1; 0 where there is none. */
  share(name: string): number {
    if (!this.has(name)) return 0;
    const isShare = (value: unknown) => typeof value === "number" && value >= 0 && value < 1;
    return this.#checked(name, isShare, "a number from 0 to below 1");
  }

  flag(name: string, otherwise: boolean): boolean {
    if (!this.has(name)) return otherwise;
    return this.#checked(name, (value) => typeof value === "boolean", "true or false");
  }

  /** One token id, several, or none. */
  tokenIds(name: string): number[] {
    if (!this.has(name)) return [];
    const value = this.fields[name];
    const ids = Array.isArray(value) ? value : [value];
    // -1 stands for "none" in some published files.
    if (!ids.every((id) => Number.isSafeInteger(id) && id >= -1)) {
      this.fail(name, "a token id or a list of them", "write null where there is none");
    }
    return ids.filter((id) => id >= 0);
  }

  /** Refuses fields of `names` that are neither empty nor, near enough for float32, one of `values`. */
  only(names: readonly string[], values: readonly unknown[], advice = NOT_HERE): void {
    for (const name of names) {
      const value = this.fields[name];
      const isNear = (one: unknown) =>
        one === value ||
        typeof one === "number" && typeof value === "number" &&
          Math.abs(one - value) <= 1e-6 * Math.abs(one);
      if (!isEmpty(value) && !values.some(isNear)) {
        this.fail(name, values.map((value) => quote(value)).join(" or ") || "none", advice);
      }
    }
  }
}

/** A JSON object, as text or parsed. @throws naming `file` where it is another thing */
export function parseObject(text: string | Fields, file: string): Fields {
  let value: unknown = text;
  try {
    if (typeof text === "string") value = JSON.parse(text);
  } catch (error) {
    refuseFile(file, "JSON", (error as Error).message.slice(0, 160));
  }
  if (value !== null && typeof value === "object" && !Array.isArray(value)) return value as Fields;
  const kind = value === null ? "null" : Array.isArray(value) ? "a list" : `a ${typeof value}`;
  return refuseFile(file, "a JSON object", kind);
}
