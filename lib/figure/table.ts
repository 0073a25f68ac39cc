/**
 * A table: typed columns, rows of cells, and how a cell reads. From one description come csv
 * (full precision, for machines), GitHub markdown and HTML (rounded, escaped, for people).
 * Choices: a measurement keeps its interval and n in columns of their own in csv; a number is
 * rounded for display only; text never becomes markup or a spreadsheet formula.
 */
import papa from "papaparse";
import { disarm, escapeHtml, escapeMarkdown, rearm } from "./_text.ts";

/** A value with what is known of its precision. */
export interface Measurement {
  value: number;
  /** Lower and upper bound, e.g. of a 95% interval. */
  interval?: readonly [number, number];
  /** How many items (or seeds) it rests on. */
  n?: number;
}

export type Cell = string | number | boolean | Measurement | null;
export type ColumnKind = "text" | "number" | "boolean" | "measurement";

export interface Column {
  /** The rows' field, and the csv header. */
  key: string;
  /** Header shown to people. @default the key */
  label?: string;
  /** Shown after the label in brackets, e.g. `%` or `nats`. */
  unit?: string;
  /** @default what the rows hold */
  kind?: ColumnKind;
  /** Digits after the point when shown. @default 0 for whole numbers, 1 from 10 up, else 3 */
  digits?: number;
  /** How a number is shown, where not with digits: `pValue`. A csv keeps the number. */
  format?: (value: number) => string;
  /** Whether a measurement shows its n: `52.3 ± 3.1 (n = 250)`. @default false */
  showN?: boolean;
}

export type Row = Readonly<Record<string, Cell>>;

export interface Table {
  columns: readonly (Column & { label: string; kind: ColumnKind; digits: number })[];
  rows: readonly Row[];
  caption?: string;
  /** Lines below the table, e.g. what `±` stands for. */
  notes?: readonly string[];
}

export interface TableOptions {
  /** Columns in order; a string stands for its key. @default the first row's fields */
  columns?: readonly (string | Column)[];
  caption?: string;
  notes?: readonly string[];
}

/** A table of `rows`. Throws when a row lacks a column or holds another kind of cell. */
export function makeTable(rows: readonly Row[], options: TableOptions = {}): Table {
  const given = options.columns ?? Object.keys(rows[0] ?? {});
  const columns = given.map((item) => {
    const column = typeof item === "string" ? { key: item } : item;
    const cells = rows.map((row, i) => {
      const cell = row[column.key];
      if (cell !== undefined) return cell;
      throw new Error(
        `Cannot make a table: expected the field ${column.key} in row ${i + 1}, found the fields ` +
          `${Object.keys(row).join(", ")}; give null where there is no value`,
      );
    });
    const kind = column.kind ?? kindOf(cells.find((cell) => cell !== null) ?? "");
    const wrong = cells.findIndex((cell) => cell !== null && !fits(cell, kind));
    if (wrong >= 0) {
      throw new Error(
        `Cannot make a table: expected ${kind} in column ${column.key}, found ` +
          `${JSON.stringify(cells[wrong])} in row ${wrong + 1}; give the column its kind`,
      );
    }
    return {
      ...column,
      label: column.label ?? column.key,
      kind,
      digits: column.digits ?? digitsOf(cells),
    };
  });
  return { columns, rows, caption: options.caption, notes: options.notes };
}

/** Whether `value` is a measurement: a `{ value, interval?, n? }`. */
export function isMeasurement(value: unknown): value is Measurement {
  return typeof value === "object" && value !== null &&
    typeof (value as Measurement).value === "number";
}

function kindOf(cell: Cell): ColumnKind {
  if (isMeasurement(cell)) return "measurement";
  return typeof cell === "string" ? "text" : typeof cell === "number" ? "number" : "boolean";
}

// A bare number is a measurement whose precision is not known.
const fits = (cell: Cell, kind: ColumnKind) =>
  kindOf(cell) === kind || (kind === "measurement" && typeof cell === "number");

function digitsOf(cells: readonly Cell[]): number {
  const values = cells.map((cell) => isMeasurement(cell) ? cell.value : cell)
    .filter((value) => typeof value === "number");
  if (values.every(Number.isInteger) && !cells.some(isMeasurement)) return 0;
  return values.some((value) => Math.abs(value) >= 10) ? 1 : 3;
}

/** A share (0 to 1) in points (0 to 100). */
export function inPoints<M extends Measurement>(measurement: M): M {
  const { value, interval } = measurement;
  const scaled = { ...measurement, value: value * 100 };
  return interval ? { ...scaled, interval: [interval[0] * 100, interval[1] * 100] } : scaled;
}

/** A number with `digits` after the point; `∞` when infinite, `undefined` when not a number. */
export function formatNumber(value: number, digits: number): string {
  if (Number.isNaN(value)) return "undefined";
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "-∞";
  const text = value.toFixed(digits);
  return /^-[0.]*$/.test(text) ? text.slice(1) : text; // -0.0 says nothing
}

/** `52.3 ± 3.1`, or `52.3 [48.1, 55.0]` when the interval is not symmetric at these digits. */
export function formatMeasurement(
  measurement: Measurement,
  digits = 1,
  showN = false,
): string {
  const { value, interval, n } = measurement;
  let text = formatNumber(value, digits);
  if (interval) {
    const [low, high] = [value - interval[0], interval[1] - value];
    const step = 10 ** -digits;
    text += Math.abs(high - low) < step && low >= 0 && high >= 0
      ? ` ± ${formatNumber((high + low) / 2, digits)}`
      : ` [${formatNumber(interval[0], digits)}, ${formatNumber(interval[1], digits)}]`;
  }
  return showN && n !== undefined ? `${text} (n = ${n})` : text;
}

function formatCell(cell: Cell, column: Table["columns"][number]): string {
  if (cell === null) return "";
  if (isMeasurement(cell)) return formatMeasurement(cell, column.digits, column.showN);
  if (typeof cell === "number") {
    return column.format ? column.format(cell) : formatNumber(cell, column.digits);
  }
  return typeof cell === "boolean" ? (cell ? "yes" : "no") : cell;
}

const header = (column: Table["columns"][number]) =>
  column.unit ? `${column.label} (${column.unit})` : column.label;

const isText = (column: Table["columns"][number]) => column.kind === "text";

/** GitHub markdown, its columns aligned for reading as plain text too. */
export function toMarkdown(table: Table): string {
  const cells = [
    table.columns.map((column) => escapeMarkdown(header(column))),
    ...table.rows.map((row) =>
      table.columns.map((column) => escapeMarkdown(formatCell(row[column.key], column)))
    ),
  ];
  const widths = table.columns.map((_, i) => Math.max(3, ...cells.map((row) => row[i].length)));
  const line = (row: string[]) => `| ${row.join(" | ")} |`;
  const lines = cells.map((row) =>
    line(
      row.map((cell, i) =>
        isText(table.columns[i]) ? cell.padEnd(widths[i]) : cell.padStart(widths[i])
      ),
    )
  );
  const rule = table.columns.map((column, i) =>
    isText(column) ? "-".repeat(widths[i]) : `${"-".repeat(widths[i] - 1)}:`
  );
  const caption = table.caption ? [`**${escapeMarkdown(table.caption)}**`, ""] : [];
  const notes = (table.notes ?? []).flatMap((note) => ["", escapeMarkdown(note)]);
  return [...caption, lines[0], line(rule), ...lines.slice(1), ...notes, ""].join("\n");
}

/** An HTML table; every text in it is escaped. */
export function toHtml(table: Table): string {
  const align = (column: Table["columns"][number]) =>
    ` style="text-align: ${isText(column) ? "left" : "right"}"`;
  const row = (tag: "th" | "td", cells: readonly string[]) =>
    `<tr>${
      cells.map((cell, i) => `<${tag}${align(table.columns[i])}>${escapeHtml(cell)}</${tag}>`)
        .join("")
    }</tr>`;
  const caption = table.caption ? `<caption>${escapeHtml(table.caption)}</caption>` : "";
  const body = table.rows.map((item) =>
    row("td", table.columns.map((column) => formatCell(item[column.key], column)))
  );
  const notes = (table.notes ?? []).map((note) => `<p><small>${escapeHtml(note)}</small></p>`);
  return [
    `<table>${caption}`,
    `<thead>${row("th", table.columns.map(header))}</thead>`,
    "<tbody>",
    ...body,
    "</tbody>",
    "</table>",
    ...notes,
    "",
  ].join("\n");
}

/** Cells without measurements: each has become the columns key, key_low, key_high, key_n. */
export interface FlatTable {
  columns: string[];
  kinds: Exclude<ColumnKind, "measurement">[];
  rows: (string | number | boolean | null)[][];
}

export function flatten(table: Table): FlatTable {
  const flat: FlatTable = { columns: [], kinds: [], rows: table.rows.map(() => []) };
  for (const { key, kind } of table.columns) {
    if (kind !== "measurement") {
      flat.columns.push(key);
      flat.kinds.push(kind);
      table.rows.forEach((row, i) => flat.rows[i].push(row[key] as string | number | boolean));
      continue;
    }
    const cells = table.rows.map((row) => {
      const cell = row[key];
      return isMeasurement(cell) ? cell : cell === null ? undefined : { value: cell as number };
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

/** The inverse of {@linkcode flatten}: key, key_low and key_high become measurements again. */
export function unflatten(flat: Omit<FlatTable, "kinds">, options: TableOptions = {}): Table {
  const names = new Set(flat.columns);
  const keys = flat.columns.filter((name) => {
    const base = name.replace(/_(low|high|n)$/, "");
    return base === name || ![base, `${base}_low`, `${base}_high`].every((part) => names.has(part));
  });
  const rows = flat.rows.map((cells) => {
    const at = (name: string) => cells[flat.columns.indexOf(name)] ?? null;
    return Object.fromEntries(keys.map((key): [string, Cell] => {
      const value = at(key);
      const parts = names.has(`${key}_low`) && names.has(`${key}_high`);
      if (!parts || typeof value !== "number") return [key, value];
      const [low, high, n] = [at(`${key}_low`), at(`${key}_high`), at(`${key}_n`)];
      return [key, {
        value,
        ...(typeof low === "number" && typeof high === "number" ? { interval: [low, high] } : {}),
        ...(typeof n === "number" ? { n } : {}),
      }];
    }));
  });
  return makeTable(rows, { ...options, columns: options.columns ?? keys });
}

/** csv with full precision; {@linkcode fromCsv} reads it back. An empty cell is a missing one. */
export function toCsv(table: Table): string {
  const flat = flatten(table);
  const text = (cell: string | number | boolean | null) =>
    typeof cell === "string" ? disarm(cell) : cell === null ? "" : String(cell);
  return papa.unparse(
    [flat.columns.map(disarm), ...flat.rows.map((row) => row.map(text))],
    { newline: "\n" },
  ) + "\n";
}

const numeric = /^(-?(0|[1-9]\d*)(\.\d+)?(e[+-]?\d+)?|-?Infinity|NaN)$/i;

/**
 * A table from csv text with a header line. A column whose cells are all numbers (or all true or
 * false) is read as such, unless `columns` gives its kind. Throws on a row of another length.
 */
export function fromCsv(text: string, options: TableOptions = {}): Table {
  const { data, errors } = papa.parse(text.replace(/\r?\n$/, ""), { delimiter: "," }) as {
    data: string[][];
    errors: { message: string; row?: number }[];
  };
  if (errors.length > 0) {
    throw new Error(
      `Cannot read a csv table: expected quoted cells to be closed, found: ${errors[0].message} ` +
        `(row ${(errors[0].row ?? 0) + 1}); mend that row`,
    );
  }
  const columns = (data[0] ?? []).map(rearm);
  const rows = data.slice(1);
  const odd = rows.findIndex((row) => row.length !== columns.length);
  if (odd >= 0) {
    throw new Error(
      `Cannot read a csv table: expected ${columns.length} cells in each row, found ` +
        `${rows[odd].length} in row ${odd + 1}; mend that row`,
    );
  }
  const wanted = new Map(
    (options.columns ?? []).map((item) =>
      typeof item === "string" ? [item, undefined] : [item.key, item.kind]
    ),
  );
  const readers = columns.map((name, i) => {
    const cells = rows.map((row) => row[i]).filter((cell) => cell !== "");
    const kind = wanted.get(name) ??
      (cells.every((cell) => numeric.test(cell))
        ? "number"
        : cells.every((cell) => cell === "true" || cell === "false")
        ? "boolean"
        : "text");
    if (kind === "text") return rearm;
    return kind === "boolean" ? (cell: string) => cell === "true" : Number;
  });
  return unflatten({
    columns,
    rows: rows.map((row) => row.map((cell, i) => cell === "" ? null : readers[i](cell))),
  }, options);
}
