/**
 * Rows of a text in JSONL, JSON or CSV, with their lines; what can't be read is kept as a fault.
 */
import { quote } from "../platform/runtime/quote.ts";
import { type CsvRow, parseCsv } from "./_csv.ts";

/** A row that could not become a question, and why. */
export interface RejectedRow {
  file: string;
  /** 1-based line of the file. */
  line: number;
  reason: string;
}

/** A row as a file holds it: `value`, or `fault` when it can't be read at all. */
export interface SourceRow {
  line: number;
  value?: unknown;
  fault?: string;
}

/** Thrown inside a check; its message is a rejected row's reason. */
export class RowFault extends Error {}

/** How rows are read from a text. */
export interface RowOptions {
  /** The file's name, for rejected rows and the format: CSV by its name, else JSON by the text. */
  file: string;
}

/** Characters that a row may have: its parts are looked at several times. */
const LONGEST_ROW = 1_000_000;

const tooLong = (length: number) =>
  length > LONGEST_ROW ? `line: expected at most ${LONGEST_ROW} characters; found ${length}` : "";

/** Whether texts with U+FFFD are rejected: those of files that are not clean UTF-8. Default: false. */
export type TextRules = { rejectReplacementCharacter?: boolean };

/** A value as a reason shows it: short, quoted, on one line. */
export const show = (value: unknown): string => value === undefined ? "nothing" : quote(value);

/** Throws the `RowFault` of one field. */
export function fault(field: string, expected: string, value: unknown): never {
  throw new RowFault(`${field}: expected ${expected}; found ${show(value)}`);
}

/** A text field of a row; throws `RowFault` when it is no usable text. */
export function textField(field: string, value: unknown, rules: TextRules = {}): string {
  if (typeof value !== "string" || value.trim() === "") fault(field, "a text", value);
  if (value.includes("\0")) fault(field, "no NUL character", value);
  if (!value.isWellFormed()) fault(field, "whole Unicode characters", value);
  const damaged = rules.rejectReplacementCharacter && value.includes("\uFFFD");
  return damaged ? fault(field, "UTF-8 text", value) : value;
}

/** First line of each element of a JSON array known to be valid, and its length in the text. */
function elementPlaces(text: string): { line: number; length: number }[] {
  const places: { line: number; length: number }[] = [];
  let line = 1, depth = 0, inString = false, from: number | undefined;
  const end = (at: number) => {
    if (from !== undefined) places.at(-1)!.length = at - from;
    from = undefined;
  };
  for (let i = 0; i < text.length; i++) {
    const c = text[i];
    if (c === "\n") line++;
    if (inString) {
      if (c === "\\") i++;
      else if (c === '"') inString = false;
      continue;
    }
    if (depth === 1 && from === undefined && !/[\s,\]]/.test(c)) {
      places.push({ line, length: 0 });
      from = i;
    }
    if (c === '"') inString = true;
    else if (c === "[" || c === "{") depth++;
    else if (c === "]" || c === "}") {
      if (--depth === 0) end(i);
    } else if (c === "," && depth === 1) end(i);
  }
  return places;
}

/** The line that a JSON.parse message points at; 1 when it names none. */
function faultLine(text: string, error: unknown): number {
  const message = String(error);
  const [, line] = /line (\d+)/.exec(message) ?? [];
  if (line) return Number(line);
  const [, position = 0] = /position (\d+)/.exec(message) ?? [];
  return text.slice(0, Number(position)).split("\n").length;
}

/** Rows of JSONL or of a JSON array, each with its line; unreadable ones carry `fault`. */
function jsonRows(text: string): SourceRow[] {
  const clean = text.replace(/^\uFEFF/, "");
  // A first line that ends in an open bracket begins a value of several lines.
  if (/^\s*(\[|\{(.*[[{])?\s*\n)/.test(clean)) {
    let values: unknown;
    try {
      values = JSON.parse(clean);
    } catch (error) {
      return [{ line: faultLine(clean, error), fault: `unreadable JSON: ${message(error)}` }];
    }
    if (!Array.isArray(values)) {
      return [{ line: 1, fault: `file: expected a JSON array of rows; found ${show(values)}` }];
    }
    const places = elementPlaces(clean);
    return values.map((value, i) => {
      const { line, length } = places[i], fault = tooLong(length);
      return fault ? { line, fault } : { line, value };
    });
  }
  return clean.split("\n").flatMap((raw, i): SourceRow[] => {
    if (raw.trim() === "") return [];
    const line = i + 1, fault = tooLong(raw.length);
    if (fault) return [{ line, fault }];
    try {
      return [{ line, value: JSON.parse(raw) }];
    } catch (error) {
      return [{ line, fault: `unreadable JSON: ${message(error)}` }];
    }
  });
}

function message(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.length > 160 ? `${text.slice(0, 157)}...` : text;
}

/** Names of the columns in lower case. @throws RowFault where one stands twice */
export function headerNames({ cells }: CsvRow): string[] {
  const names = cells.map((cell) => cell.trim().toLowerCase());
  const repeated = names.find((name, i) => name !== "" && names.indexOf(name) !== i);
  if (repeated !== undefined) throw new RowFault(`header: column ${show(repeated)} stands twice`);
  return names;
}

/** How the columns of a CSV are found. */
interface CsvOptions {
  /**
   * Names of the columns in lower case, from all rows: others than the first row's cells mean that
   * there is no header. May throw `RowFault`. Default: the first row names them.
   */
  columns?: (rows: readonly CsvRow[]) => string[];
}

/** Rows of CSV as records by column; columns without a name are left out, as are blank ids. */
function csvRows(text: string, options: CsvOptions = {}): SourceRow[] {
  const rows = parseCsv(text.replace(/^\uFEFF/, ""));
  if (rows.length === 0) return [];
  const [first] = rows;
  let columns: string[];
  try {
    columns = options.columns?.(rows) ?? headerNames(first);
  } catch (error) {
    if (!(error instanceof RowFault)) throw error;
    return [{ line: first.line, fault: error.message }];
  }
  const named = columns.every((name, i) => name === first.cells[i]?.trim().toLowerCase());
  return rows.slice(named ? 1 : 0).map(({ cells, line, fault }): SourceRow => {
    if (fault) return { line, fault: `unreadable CSV: ${fault}` };
    if (cells.length !== columns.length) {
      return { line, fault: `cells: expected ${columns.length}; found ${cells.length}` };
    }
    const long = tooLong(cells.reduce((sum, cell) => sum + cell.length, 0));
    if (long) return { line, fault: long };
    const named = columns.map((name, i) => [name, cells[i]] as const);
    const blank = ([name, cell]: readonly [string, string]) =>
      name === "" || /^(id|domain)$/.test(name) && cell === "";
    return { line, value: Object.fromEntries(named.filter((one) => !blank(one))) };
  });
}

/** `test` of `exams/history/test.jsonl`. */
export function fileStem(file: string): string {
  return file.split(/[\\/]/).at(-1)!.replace(/\.[^.]*$/, "");
}

/** `high_school_us_history` of `data/test/high_school_us_history_test.csv`, as benchmarks name files. */
export function subjectOf(file: string): string {
  return fileStem(file).replace(/_(test|dev|val|validation|train)$/, "");
}

const SPLIT = /^(auxiliary_)?(test|dev|val|validation|train)$/;

/** Whether a file lies in a folder of a split, as the benchmarks' do. */
export const isInSplit = (file: string): boolean => SPLIT.test(file.split(/[\\/]/).at(-2) ?? "");

/**
 * The domain that a file's place names: `history` of `exams/history/test.jsonl`; in a folder of a
 * split the file's subject, or the folder above where the file is named after the split too.
 */
export function placeName(file: string): string | undefined {
  const folders = file.split(/[\\/]/).slice(0, -1).filter((part) => !/^\.{0,2}$/.test(part));
  if (!isInSplit(file)) return folders.at(-1);
  return SPLIT.test(subjectOf(file)) ? folders.at(-2) : subjectOf(file);
}

/** Rows of a text in any of the formats. */
export function sourceRows(text: string, options: RowOptions & CsvOptions): SourceRow[] {
  return /\.[ct]sv$/i.test(options.file) ? csvRows(text, options) : jsonRows(text);
}

/**
 * Turns rows into values by `read`, which gets the row's 1-based position, throws `RowFault` for a
 * bad one, and may leave one out by undefined. A second value of an id and domain is rejected.
 */
export function collectRows<T extends { id: string | number; domain: string }>(
  rows: SourceRow[],
  file: string,
  read: (value: unknown, position: number) => T | undefined,
): { values: T[]; rejected: RejectedRow[] } {
  const values: T[] = [];
  const rejected: RejectedRow[] = [];
  const lines = new Map<string, number>();
  for (const [i, { line, value, fault }] of rows.entries()) {
    try {
      if (fault) throw new RowFault(fault);
      const result = read(value, i + 1);
      if (result === undefined) continue;
      const key = JSON.stringify([result.domain, String(result.id)]);
      const first = lines.get(key);
      if (first !== undefined) {
        throw new RowFault(`id: ${show(result.id)} stands on line ${first} already`);
      }
      lines.set(key, line);
      values.push(result);
    } catch (error) {
      if (!(error instanceof RowFault)) throw error;
      rejected.push({ file, line, reason: error.message });
    }
  }
  return { values, rejected };
}
