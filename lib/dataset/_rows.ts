/** Rows of a text in JSONL, JSON or CSV, with their lines; what can't be read is kept as a fault. */
// @ts-types="npm:@types/papaparse@5.5.2"
import Papa from "papaparse";
import { quote } from "../platform/runtime/quote.ts";

/** A row that could not become a question, and why. */
export interface RejectedRow {
  file: string;
  /** 1-based line of the file. */
  line: number;
  reason: string;
}

/** A row as a file holds it: `value`, or `fault` when it can't be read at all. */
export type SourceRow = { line: number; value?: unknown; fault?: string };

/** Thrown inside a check; its message is a rejected row's reason. */
export class RowFault extends Error {}

/** Characters that a row may have: its parts are looked at several times. */
export const LONGEST_ROW = 1_000_000;

const tooLong = (length: number) =>
  length > LONGEST_ROW ? `line: expected at most ${LONGEST_ROW} characters; found more` : "";

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

/** Whether a text is one value of several lines, an array of rows or an object, and no row a line. */
export const isOneValue = (text: string): boolean =>
  /^\s*(\[|\{(?:.*[[{])?\s*\n)/.test(text.replace(/^\uFEFF/, ""));

/** Rows of JSON, one a line; `first` is the number of the first line. */
export const lineRows = (lines: readonly string[], first = 1): SourceRow[] =>
  lines.flatMap((raw, i) => raw.trim() === "" ? [] : [parseRow(raw, first + i)]);

/** The elements of a JSON array, each with the line where it begins: a broken one is set aside alone. */
function elementRows(text: string): SourceRow[] {
  const rows: SourceRow[] = [];
  let line = 1, depth = 0, inText = false, escaped = false, ended = false;
  let element: { from: number; line: number } | undefined;
  for (let i = 0; i < text.length; i++) {
    const sign = text[i];
    if (sign === "\n") line++;
    if (inText) {
      inText = sign !== '"' || escaped;
      escaped = sign === "\\" && !escaped;
      continue;
    }
    if (sign <= " ") continue;
    if (ended) {
      return [...rows, { line, fault: "unreadable JSON: the text goes on behind the array" }];
    }
    if (depth === 1 && !element && sign !== "," && sign !== "]") element = { from: i, line };
    if (sign === '"') inText = true;
    else if (sign === "[" || sign === "{") depth++;
    else if (sign === "]" || sign === "}") depth--;
    ended = depth === 0;
    if (element && (ended || sign === "," && depth === 1)) {
      rows.push(parseRow(text.slice(element.from, i), element.line));
      element = undefined;
    }
  }
  return ended
    ? rows
    : [...rows, { line, fault: "unreadable JSON: the text ends inside the array" }];
}

function parseRow(raw: string, line: number): SourceRow {
  const long = tooLong(raw.length);
  if (long) return { line, fault: long };
  try {
    return { line, value: JSON.parse(raw) };
  } catch (error) {
    return { line, fault: `unreadable JSON: ${message(error)}` };
  }
}

function jsonRows(given: string): SourceRow[] {
  const text = given.replace(/^\uFEFF/, "");
  if (!isOneValue(text)) return lineRows(text.split("\n"));
  if (text.trimStart().startsWith("[")) return elementRows(text);
  const found = text.trimStart().slice(0, 60).replaceAll(/\s+/g, " ").replace("{ ", "{");
  return [{ line: 1, fault: `file: expected a JSON array of rows; found ${found}` }];
}

function message(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.length > 160 ? `${text.slice(0, 157)}...` : text;
}

/** One row of CSV: its cells, its 1-based first line and, when its quoting is broken, what is wrong. */
export type CsvRow = { cells: string[]; line: number; fault?: string };

/** What parts the cells: a first line without a comma has Excel's semicolons, or tabs. */
function delimiterOf(text: string): string {
  const [line] = text.split("\n", 1);
  return [",", ";", "\t"].find((one) => line.includes(one)) ?? ",";
}

/**
 * Rows of delimited text (RFC 4180: quoted cells may hold delimiters and line ends) that know the line
 * they start on, which papaparse leaves to its caller.
 */
export function parseCsv(text: string): CsvRow[] {
  const rows: CsvRow[] = [];
  let line = 1;
  let cursor = 0;
  Papa.parse<string[]>(text, {
    delimiter: delimiterOf(text),
    step: ({ data, errors, meta }) => {
      const blank = data.length === 1 && data[0].trim() === "";
      const fault = errors[0] &&
        `${
          errors[0].message
        }; if a quote is never closed, all that follows it was read as one cell`;
      if (!blank || fault) rows.push({ cells: data, line, ...(fault ? { fault } : {}) });
      for (; cursor < meta.cursor; cursor++) if (text[cursor] === "\n") line++;
    },
  });
  return rows;
}

/** Names of the columns in lower case. @throws RowFault where one stands twice */
export function headerNames({ cells }: CsvRow): string[] {
  const names = cells.map((cell) => cell.trim().toLowerCase());
  const repeated = names.find((name, i) => name !== "" && names.indexOf(name) !== i);
  if (repeated !== undefined) throw new RowFault(`header: column ${show(repeated)} stands twice`);
  return names;
}

/**
 * Names of a CSV's columns in lower case, from all its rows: others than the first row's cells mean that
 * there is no header. May throw `RowFault`. Default: the first row names them.
 */
type Columns = (rows: readonly CsvRow[]) => string[];

/** Rows of CSV as records by column; columns without a name are left out, as are blank ids. */
function csvRows(text: string, columnsOf: Columns = ([first]) => headerNames(first)): SourceRow[] {
  const rows = parseCsv(text.replace(/^\uFEFF/, ""));
  if (rows.length === 0) return [];
  const [first] = rows;
  let columns: string[];
  try {
    columns = columnsOf(rows);
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
    const value: Record<string, string> = {};
    for (const [i, name] of columns.entries()) {
      const isBlank = cells[i] === "" && (name === "id" || name === "domain");
      if (name !== "" && !isBlank) value[name] = cells[i];
    }
    return { line, value };
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

/** Whether a file of this name holds CSV or TSV. */
export const isTable = (file: string): boolean => /\.[ct]sv$/i.test(file);

/** Rows of a text in any of the formats: CSV by the file's name, else JSON by the text. */
export function sourceRows(
  text: string,
  { file, columns }: { file: string; columns?: Columns },
): SourceRow[] {
  return isTable(file) ? csvRows(text, columns) : jsonRows(text);
}
