/**
 * The standard columns of tidy rows: what each is called, its unit and how its numbers read, so that
 * a table or a figure needs no more than a column's name.
 */
import labels from "../../data/labels.json" with { type: "json" };
import {
  formatMeasurement,
  formatNumber,
  formatPlain,
  formatR,
  isMeasurement,
  type Measurement,
  percent,
  signed,
} from "./number.ts";
import { pValue } from "../statistics/p_value.ts";

export type Cell = string | number | boolean | Measurement | null;
export type ColumnKind = "text" | "number" | "boolean" | "measurement";
/** How a column's numbers read: as settings are written, as differences, r's or p's. */
export type NumberFormat = "plain" | "signed" | "r" | "p" | ((value: number) => string);

export interface Column {
  /** The rows' field, and the csv header. */
  key: string;
  /** Header shown to people. @default the dictionary's, or the key */
  label?: string;
  /** Shown after the label in brackets, e.g. `%` or `nats`. */
  unit?: string;
  /** @default what the rows hold */
  kind?: ColumnKind;
  /** Digits after the point when shown. @default what the values need */
  digits?: number;
  /** @default the dictionary's, or rounded */
  format?: NumberFormat;
  /** Whether a measurement shows its n: `52.3 ± 3.1 (n = 250)`. @default false */
  showN?: boolean;
}

/** How the columns of each kind in data/labels.json read. */
const kinds: Record<keyof typeof labels.columns, Omit<Column, "key">> = {
  text: {},
  share: { unit: "%", digits: 1 },
  points: { unit: "points", digits: 1 },
  nats: { unit: "nats", digits: 3 },
  correlation: { digits: 3 },
  count: { digits: 0 },
  setting: { format: "plain" },
  settingInPercent: { unit: "%", format: "plain" },
};

/** Label, unit, digits and format of each standard column, by its key. */
export const columns: Readonly<Record<string, Omit<Column, "key">>> = {
  ...Object.fromEntries(
    Object.entries(kinds).flatMap(([kind, looks]) =>
      Object.entries(labels.columns[kind as keyof typeof labels.columns])
        .map(([key, label]) => [key, { label, ...looks }])
    ),
  ),
  estimate: { label: "ours", digits: 2, format: "signed" },
  difference: { label: "difference", ...kinds.points, format: "signed" },
  sharper: { label: "entropy, SELF - INC", ...kinds.nats, format: "signed" },
  best: { label: "best", unit: "% of resamples", digits: 1 },
  consistency: { label: "rank consistency x 100", digits: 1 },
  r: { label: "r", digits: 2, format: "r" },
  p: { label: "p", format: "p" },
  correctedP: { label: "p (Holm)", format: "p" },
  groupShare: { label: "share of the group", format: (value) => percent(value, 0) },
  seconds: { digits: 1 },
};

/** A column with the dictionary's part of what was not given. */
export function columnOf(column: string | Column): Column & { label: string } {
  const given = typeof column === "string" ? { key: column } : column;
  const known = Object.hasOwn(columns, given.key) ? columns[given.key] : {};
  return { ...known, ...given, label: given.label ?? known.label ?? given.key };
}

export const headerOf = ({ label, unit }: { label: string; unit?: string }) =>
  unit ? `${label} (${unit})` : label;

/** Digits after the point that tell `values` apart. */
export function digitsOf(cells: readonly unknown[]): number {
  const values = cells.map((cell) => isMeasurement(cell) ? cell.value : cell)
    .filter((value) => typeof value === "number");
  if (values.every(Number.isInteger) && !cells.some(isMeasurement)) return 0;
  const most = Math.max(...values.map(Math.abs).filter(Number.isFinite), 0);
  if (most >= 10) return 1;
  return most >= 0.01 || most === 0 ? 3 : Math.min(12, 2 - Math.floor(Math.log10(most)));
}

/** A cell as people read it; "" where there is none. */
export function formatCell(
  cell: Cell | undefined,
  { digits = 1, format, showN }: Omit<Column, "key"> = {},
): string {
  if (cell === null || cell === undefined) return "";
  if (typeof cell === "string") return cell;
  if (typeof cell === "boolean") return cell ? "yes" : "no";
  if (format === "signed") return signed(cell, digits);
  if (format === "r") return formatR(cell, digits);
  if (isMeasurement(cell)) return formatMeasurement(cell, digits, showN);
  if (typeof format === "function") return format(cell);
  if (format === "p") return pValue(cell);
  return format === "plain" ? formatPlain(cell) : formatNumber(cell, digits);
}
