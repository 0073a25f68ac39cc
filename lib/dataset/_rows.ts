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

const [NEWLINE, QUOTE, BACKSLASH] = ["\n", '"', "\\"].map((sign) => sign.charCodeAt(0));
const isSpace = (code: number) => code <= 32;

/**
 * Rows of JSON text that comes in pieces: one a line, or the elements of an array, each with its line;
 * unreadable ones carry `fault`. A row that is too long is counted, never held.
 */
export class JsonRows {
  #read?: (text: string) => SourceRow[];
  #rest = "";
  /** Characters of a row that is too long already. */
  #over = 0;
  #line = 1;
  // Of an array: how deep, whether inside a text, behind a backslash, and where an element began.
  #depth = 0;
  #inText = false;
  #escaped = false;
  #from?: number;
  #ended = false;

  push(text: string): SourceRow[] {
    if (this.#read) return this.#read(text);
    this.#rest += text;
    // The first line that is not blank tells.
    const first = this.#rest.search(/[^\s\uFEFF]/);
    const isWhole = first >= 0 && this.#rest.indexOf("\n", first) >= 0;
    return isWhole || this.#rest.length > LONGEST_ROW ? this.#begin() : [];
  }

  /** The rows that the end of the text completes. */
  end(): SourceRow[] {
    const rows = this.#read ? [] : this.#begin();
    if (this.#read === this.#lines) return [...rows, ...this.#lines("\n")];
    if (this.#read !== this.#elements || this.#ended) return rows;
    const fault = "unreadable JSON: the text ends inside the array";
    return [...rows, { line: this.#line, fault }];
  }

  #begin(): SourceRow[] {
    const text = this.#rest.replace(/^\uFEFF/, "");
    this.#rest = "";
    const [, several] = /^\s*(\[|\{(?:.*[[{])?\s*\n)/.exec(text) ?? [];
    // What begins with an open brace on a line of its own is one object, no rows.
    this.#read = several === undefined
      ? this.#lines
      : several.startsWith("[")
      ? this.#elements
      : () => [];
    if (several?.startsWith("{")) {
      const found = text.trimStart().slice(0, 60).replaceAll(/\s+/g, " ").replace("{ ", "{");
      const fault = `file: expected a JSON array of rows; found ${found}`;
      return [{ line: 1, fault }];
    }
    return this.#read(text);
  }

  readonly #lines = (text: string): SourceRow[] => {
    const lines = (this.#rest + text).split("\n");
    this.#rest = lines.pop()!;
    const rows = lines.flatMap((raw): SourceRow[] => {
      const line = this.#line++, length = this.#over + raw.length;
      this.#over = 0;
      if (length > LONGEST_ROW) return [{ line, fault: tooLong(length) }];
      return raw.trim() === "" ? [] : [parseRow(raw, line)];
    });
    this.#forget();
    return rows;
  };

  #forget(): void {
    if (this.#over + this.#rest.length <= LONGEST_ROW) return;
    this.#over += this.#rest.length;
    this.#rest = "";
  }

  readonly #elements = (text: string): SourceRow[] => {
    const rows: SourceRow[] = [];
    let start = this.#rest !== "" || this.#over > 0 ? 0 : undefined;
    const finish = (end: number) => {
      if (start === undefined) return;
      const length = this.#over + this.#rest.length + end - start, line = this.#from!;
      const raw = this.#rest + text.slice(start, end);
      rows.push(
        length > LONGEST_ROW ? { line, fault: tooLong(length) } : parseRow(raw, line),
      );
      [start, this.#rest, this.#over] = [undefined, "", 0];
    };
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i);
      if (code === NEWLINE) this.#line++;
      if (this.#inText) {
        if (this.#escaped) this.#escaped = false;
        else if (code === BACKSLASH) this.#escaped = true;
        else if (code === QUOTE) this.#inText = false;
        continue;
      }
      if (isSpace(code)) continue;
      const sign = text[i];
      if (this.#ended) {
        const fault = "unreadable JSON: the text goes on behind the array";
        this.#read = () => [];
        return [...rows, { line: this.#line, fault }];
      }
      if (this.#depth === 1 && start === undefined && sign !== "," && sign !== "]") {
        [start, this.#from] = [i, this.#line];
      }
      if (code === QUOTE) this.#inText = true;
      else if (sign === "[" || sign === "{") this.#depth++;
      else if (sign === "]" || sign === "}") {
        if (--this.#depth === 0) {
          finish(i);
          this.#ended = true;
        }
      } else if (sign === "," && this.#depth === 1) finish(i);
    }
    if (start !== undefined) this.#rest += text.slice(start);
    this.#forget();
    return rows;
  };
}

function parseRow(raw: string, line: number): SourceRow {
  try {
    return { line, value: JSON.parse(raw) };
  } catch (error) {
    return { line, fault: `unreadable JSON: ${message(error)}` };
  }
}

function jsonRows(text: string): SourceRow[] {
  const reader = new JsonRows();
  return [...reader.push(text), ...reader.end()];
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

/** Rows of a text in any of the formats. */
export function sourceRows(text: string, options: RowOptions & CsvOptions): SourceRow[] {
  return isTable(options.file) ? csvRows(text, options) : jsonRows(text);
}

/**
 * Turns rows into values by `read`, which gets the row's 1-based position, throws `RowFault` for a
 * bad one, and may leave one out by undefined. A second value of an id and domain is rejected.
 */
export function collectRows<T extends { id: string | number; domain: string }>(
  rows: readonly SourceRow[],
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
