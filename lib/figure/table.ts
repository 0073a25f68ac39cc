/**
 * A table: typed columns, rows of cells, and how a cell reads. From one description come csv
 * (six digits, for machines) and GitHub markdown (rounded, escaped, for people); html_table.ts adds HTML.
 * Choices: a measurement keeps its interval and n in columns of their own in csv; a number is
 * rounded for display only; text never becomes markup or a spreadsheet formula.
 */
import papa from "papaparse";
import { disarm, escapeMarkdown } from "./_text.ts";
import type { Cell, Column, ColumnKind } from "./column.ts";
import { columnOf, digitsOf, formatCell, headerOf } from "./column.ts";
import { isMeasurement, type Measurement, roundNumber } from "./number.ts";
import { checkColumns, columnNames, type Row } from "./rows.ts";

type TableColumn = Column & { label: string; kind: ColumnKind; digits: number };

export interface Table {
  columns: readonly TableColumn[];
  rows: readonly Row[];
  caption?: string;
  /** Lines below the table, e.g. what `±` stands for. */
  notes?: readonly string[];
}

export interface TableOptions {
  /** Columns in order; a string stands for its key. @default all fields, as they first appear */
  columns?: readonly (string | Column)[];
  /** The standard column that those of measurements read like, such as the columns that `pivot` makes. */
  like?: string;
  caption?: string;
  notes?: readonly string[];
}

/**
 * A table of `rows`; label, unit and digits of a standard column come from the dictionary.
 * @throws when no row has a column, or a column holds cells of two kinds
 */
export function table(rows: readonly Row[], options: TableOptions = {}): Table {
  const { digits, format } = columnOf(options.like ?? "");
  const given = (options.columns ?? columnNames(rows)).map((column) =>
    options.like && typeof column === "string" && rows.some((row) => isMeasurement(row[column]))
      ? { key: column, label: column, digits, format }
      : columnOf(column)
  );
  checkColumns("make a table", rows, given.map(({ key }) => key));
  const columns = given.map((column): TableColumn => {
    const cells = rows.map((row) => row[column.key] ?? null);
    const { key, kind = kindOf(cells), digits = digitsOf(cells) } = column;
    const wrong = cells.findIndex((cell) => cell !== null && !fits(cell, kind));
    if (wrong >= 0) {
      throw new Error(
        `Cannot make a table: expected ${kind} in column ${key}, found ` +
          `${JSON.stringify(cells[wrong])} in row ${wrong + 1}; give the column its kind`,
      );
    }
    return { ...column, kind, digits };
  });
  return { columns, rows, caption: options.caption, notes: options.notes };
}

function cellKind(cell: Cell): ColumnKind {
  if (isMeasurement(cell)) return "measurement";
  return typeof cell === "string" ? "text" : typeof cell === "number" ? "number" : "boolean";
}

/** A column's kind by its first cell; of numbers and measurements together: measurements. */
function kindOf(cells: readonly Cell[]): ColumnKind {
  const [first = "text", ...kinds] = cells.filter((cell) => cell !== null).map(cellKind);
  return first === "number" && kinds.includes("measurement") ? "measurement" : first;
}

// A bare number is a measurement whose precision is not known.
const fits = (cell: Cell, kind: ColumnKind) =>
  cellKind(cell) === kind || (kind === "measurement" && typeof cell === "number");

/** GitHub markdown, its columns aligned for reading as plain text too. */
export function toMarkdown(table: Table): string {
  const cells = [
    table.columns.map((column) => escapeMarkdown(headerOf(column))),
    ...table.rows.map((row) =>
      table.columns.map((column) => escapeMarkdown(formatCell(row[column.key], column)))
    ),
  ];
  const texts = table.columns.map(({ kind }) => kind === "text");
  const widths = texts.map((_, i) => Math.max(3, ...cells.map((row) => row[i].length)));
  const line = (row: string[]) => `| ${row.join(" | ")} |`;
  const lines = cells.map((row) =>
    line(row.map((cell, i) => texts[i] ? cell.padEnd(widths[i]) : cell.padStart(widths[i])))
  );
  const rule = widths.map((n, i) => texts[i] ? "-".repeat(n) : `${"-".repeat(n - 1)}:`);
  const caption = table.caption ? [`**${escapeMarkdown(table.caption)}**`, ""] : [];
  const notes = (table.notes ?? []).flatMap((note) => ["", escapeMarkdown(note)]);
  return [...caption, lines[0], line(rule), ...lines.slice(1), ...notes, ""].join("\n");
}

/** Cells without measurements: each has become the columns key, key_low, key_high, key_n. */
export function flatten(table: Table) {
  type Flat = string | number | boolean | null;
  const flat = {
    columns: [] as string[],
    kinds: [] as Exclude<ColumnKind, "measurement">[],
    rows: table.rows.map((): Flat[] => []),
  };
  for (const { key, kind } of table.columns) {
    if (kind !== "measurement") {
      flat.columns.push(key);
      flat.kinds.push(kind);
      table.rows.forEach((row, i) => flat.rows[i].push((row[key] ?? null) as Flat));
      continue;
    }
    const cells = table.rows.map((row) => {
      const cell = row[key];
      return isMeasurement(cell) ? cell : typeof cell === "number" ? { value: cell } : undefined;
    });
    const add = (name: string, pick: (cell: Measurement) => number | undefined) => {
      flat.columns.push(name);
      flat.kinds.push("number");
      cells.forEach((cell, i) => flat.rows[i].push((cell && pick(cell)) ?? null));
    };
    add(key, (cell) => cell.value);
    add(`${key}_low`, (cell) => cell.interval?.[0]);
    add(`${key}_high`, (cell) => cell.interval?.[1]);
    add(`${key}_n`, (cell) => cell.n);
  }
  if (new Set(flat.columns).size < flat.columns.length) {
    throw new Error(
      `Cannot flatten the table: expected different column names, found ` +
        `${flat.columns.join(", ")}; rename one of the columns that share a name`,
    );
  }
  return flat;
}

/** Flat rows as they were: key, key_low, key_high and key_n become a measurement again. */
export function unflatten(
  rows: readonly Readonly<Record<string, string | number | boolean | null>>[],
  columns: readonly string[],
): Record<string, Cell>[] {
  const measured = columns.filter((key) =>
    columns.includes(`${key}_low`) && columns.includes(`${key}_high`)
  );
  const parts = new Set(measured.flatMap((key) => [`${key}_low`, `${key}_high`, `${key}_n`]));
  const cellOf = (row: typeof rows[0], key: string): Cell => {
    const [value, low, high, n] = ["", "_low", "_high", "_n"].map((part) => row[key + part]);
    if (typeof value !== "number" || !measured.includes(key)) return value;
    return {
      value,
      ...(typeof low === "number" && typeof high === "number" ? { interval: [low, high] } : {}),
      ...(typeof n === "number" ? { n } : {}),
    };
  };
  const keys = columns.filter((key) => !parts.has(key));
  return rows.map((row) => Object.fromEntries(keys.map((key) => [key, cellOf(row, key)])));
}

/** csv with six digits of each number; an empty cell is a missing one. */
export function toCsv(table: Table): string {
  const flat = flatten(table);
  const text = (cell: string | number | boolean | null) =>
    typeof cell === "string"
      ? disarm(cell)
      : cell === null
      ? ""
      : String(typeof cell === "number" ? roundNumber(cell) : cell);
  return papa.unparse(
    [flat.columns.map(disarm), ...flat.rows.map((row) => row.map(text))],
    { newline: "\n" },
  ) + "\n";
}
