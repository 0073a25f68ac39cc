/**
 * Rows of a text in JSONL, JSON or CSV, each with its line; what can't be read is kept as a fault,
 * so that a reader can report every row that it leaves out.
 */
import { parseCsv } from "./_csv.ts";

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
  /** The file's name: for rejected rows and for the format. */
  file: string;
  /** Default: `csv` for a file named so, `json` when the text starts with `[`, else `jsonl`. */
  format?: "jsonl" | "json" | "csv";
  /** Characters that a line (or CSV row) may have. Default: 1,000,000. */
  maximumLineLength?: number;
}

/** What a row's texts are checked against. */
export interface TextRules {
  /** Reject texts with U+FFFD: set by readers of files that are not clean UTF-8. Default: false. */
  rejectReplacementCharacter?: boolean;
}

/** Letters of the options: a question has at most as many. */
export const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";

/** A value as a reason shows it: short, quoted, on one line. */
export function show(value: unknown): string {
  if (value === undefined) return "nothing";
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}

/** Throws the `RowFault` of one field. */
export function fault(field: string, expected: string, value: unknown): never {
  throw new RowFault(`${field}: expected ${expected}; found ${show(value)}`);
}

/** A text field of a row; throws `RowFault` when it is no usable text. */
export function textField(field: string, value: unknown, rules: TextRules = {}): string {
  if (typeof value !== "string" || value.trim() === "") fault(field, "a text", value);
  if (value.includes("\0")) fault(field, "no NUL character", value);
  if (!value.isWellFormed()) fault(field, "whole Unicode characters", value);
  if (rules.rejectReplacementCharacter && value.includes("\uFFFD")) {
    fault(field, "UTF-8 text", value);
  }
  return value;
}

/** First line of each element of a JSON array known to be valid. */
function elementLines(text: string): number[] {
  const lines: number[] = [];
  let line = 1, depth = 0, inString = false, open = false;
  for (let i = 0; i < text.length; i++) {
    const c = text[i];
    if (c === "\n") line++;
    if (inString) {
      if (c === "\\") i++;
      else if (c === '"') inString = false;
      continue;
    }
    if (depth === 1 && !open && !/[\s,\]]/.test(c)) {
      lines.push(line);
      open = true;
    }
    if (c === '"') inString = true;
    else if (c === "[" || c === "{") depth++;
    else if (c === "]" || c === "}") depth--;
    else if (c === "," && depth === 1) open = false;
  }
  return lines;
}

/** The line that a JSON.parse message points at; 1 when it names none. */
function faultLine(text: string, error: unknown): number {
  const message = String(error);
  const line = /line (\d+)/.exec(message);
  if (line) return Number(line[1]);
  const position = /position (\d+)/.exec(message);
  return position ? text.slice(0, Number(position[1])).split("\n").length : 1;
}

/** Rows of JSONL or of a JSON array, each with its line; unreadable ones carry `fault`. */
export function jsonRows(
  text: string,
  options: Omit<RowOptions, "file"> = {},
): SourceRow[] {
  const limit = options.maximumLineLength ?? 1_000_000;
  const clean = text.replace(/^\uFEFF/, "");
  const tooLong = (length: number) => `line: expected at most ${limit} characters; found ${length}`;
  if (options.format === "json" || (!options.format && /^\s*\[/.test(clean))) {
    let values: unknown;
    try {
      values = JSON.parse(clean);
    } catch (error) {
      return [{ line: faultLine(clean, error), fault: `unreadable JSON: ${message(error)}` }];
    }
    if (!Array.isArray(values)) {
      return [{ line: 1, fault: `file: expected a JSON array of rows; found ${show(values)}` }];
    }
    const lines = elementLines(clean);
    return values.map((value, i) => {
      const length = JSON.stringify(value).length;
      return length > limit
        ? { line: lines[i], fault: tooLong(length) }
        : { line: lines[i], value };
    });
  }
  const rows: SourceRow[] = [];
  for (const [i, raw] of clean.split("\n").entries()) {
    if (raw.trim() === "") continue;
    const line = i + 1;
    if (raw.length > limit) {
      rows.push({ line, fault: tooLong(raw.length) });
      continue;
    }
    try {
      rows.push({ line, value: JSON.parse(raw) });
    } catch (error) {
      rows.push({ line, fault: `unreadable JSON: ${message(error)}` });
    }
  }
  return rows;
}

function message(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.length > 160 ? `${text.slice(0, 157)}...` : text;
}

const OPTIONAL_COLUMNS = ["id", "domain", "subject", "explanation", "context"];

/**
 * Rows of CSV with the columns question, A, B, ..., answer in any order and case (id, domain,
 * subject, explanation, context are read too, others ignored), or with no header at all and the
 * six columns of MMLU's own files. Fewer options than columns: leave the last ones empty.
 */
export function csvRows(
  text: string,
  options: Pick<RowOptions, "maximumLineLength"> = {},
): SourceRow[] {
  const limit = options.maximumLineLength ?? 1_000_000;
  const rows = parseCsv(text.replace(/^\uFEFF/, ""));
  if (rows.length === 0) return [];
  let columns = rows[0].cells.map((cell) => cell.trim().toLowerCase());
  const named = columns.includes("question") && columns.includes("answer");
  if (!named) {
    if (rows[0].cells.length !== 6 || !/^\s*[A-D]\s*$/.test(rows[0].cells[5])) {
      return [{
        line: rows[0].line,
        fault: `header: expected question,A,B,C,D,answer; found ${show(rows[0].cells.join(","))}`,
      }];
    }
    columns = ["question", "a", "b", "c", "d", "answer"];
  }
  const repeated = columns.find((name, i) => name !== "" && columns.indexOf(name) !== i);
  if (repeated !== undefined) {
    return [{ line: rows[0].line, fault: `header: column ${show(repeated)} stands twice` }];
  }
  return rows.slice(named ? 1 : 0).map(({ cells, line, fault }): SourceRow => {
    if (fault) return { line, fault: `unreadable CSV: ${fault}` };
    if (cells.length !== columns.length) {
      return { line, fault: `cells: expected ${columns.length}; found ${cells.length}` };
    }
    const length = cells.reduce((sum, cell) => sum + cell.length, 0);
    if (length > limit) {
      return { line, fault: `line: expected at most ${limit} characters; found ${length}` };
    }
    const cell = (name: string) => cells[columns.indexOf(name)];
    const choices = [...LETTERS.toLowerCase()].filter((name) => columns.includes(name)).map(cell);
    while (choices.length > 0 && choices[choices.length - 1].trim() === "") choices.pop();
    const value: Record<string, unknown> = {
      question: cell("question"),
      choices,
      answer: cell("answer"),
    };
    for (const name of OPTIONAL_COLUMNS) {
      if (columns.includes(name) && cell(name) !== "") value[name] = cell(name);
    }
    return { line, value };
  });
}

/** `history` of `exams/history/test.jsonl`: the folder a file lies in. */
export function folderName(file: string): string | undefined {
  return file.split(/[\\/]/).slice(0, -1).filter((part) => !/^\.{0,2}$/.test(part)).at(-1);
}

/** `test` of `exams/history/test.jsonl`. */
export function fileStem(file: string): string {
  return file.split(/[\\/]/).at(-1)!.replace(/\.[^.]*$/, "");
}

/** Rows of a text in any of the formats. */
export function sourceRows(text: string, options: RowOptions): SourceRow[] {
  const format = options.format ?? (/\.csv$/i.test(options.file) ? "csv" : undefined);
  return format === "csv" ? csvRows(text, options) : jsonRows(text, { ...options, format });
}

/**
 * Turns rows into values by `read`, which throws `RowFault` for a bad one; of two values with the
 * same id in one domain the second is rejected (the published ids count from 0 in each domain). `read` gets the row's 1-based position, and may
 * give undefined to leave the row out without fault.
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
