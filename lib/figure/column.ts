/**
 * The standard columns of tidy rows: what each is called, its unit and how its numbers read, so that
 * a table or a figure needs no more than a column's name.
 */
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

const points = { unit: "points", digits: 1 };
const share = { unit: "%", digits: 1 };
const plain: Omit<Column, "key"> = { format: "plain" };

/** Label, unit, digits and format of each standard column, by its key. */
export const columns: Readonly<Record<string, Omit<Column, "key">>> = {
  accuracy: { label: "accuracy", ...share },
  base: { label: "base accuracy", ...share },
  right: { label: "right", ...share },
  chance: { label: "a guess", ...share },
  constant: { label: "one letter always", ...share },
  constantLetter: { label: "which letter" },
  most: { label: "its most frequent choice", ...share },
  mostLetter: { label: "which choice" },
  knowledge: { label: "shows knowledge" },
  misconception: { label: "gives the one wrong value", ...share },
  saidTrue: { label: "said: the truth" },
  saidWrong: { label: "said: the wrong value" },
  confidence: { label: "mean probability", ...share },
  probability: { label: "probability", ...share },
  sure: { label: "sure", ...share },
  sureWrong: { label: "sure and wrong", ...share },
  given: { label: "gives its targets", ...share },
  fit: { label: "gives its targets", ...share },
  lost: { label: "lost, of those right before", ...share },
  gained: { label: "gained, of those wrong before", ...share },
  rightBefore: { label: "right before", digits: 0 },
  wrongBefore: { label: "wrong before", digits: 0 },
  estimate: { label: "ours", digits: 2, format: "signed" },
  difference: { label: "difference", ...points, format: "signed" },
  detectable: { label: "detectable", ...points },
  kl: { label: "KL from the base", unit: "nats", digits: 3 },
  best: { label: "best", unit: "% of resamples", digits: 1 },
  sharper: { label: "entropy, SELF - INC", unit: "nats", digits: 3, format: "signed" },
  least: { label: "least KL", unit: "nats", digits: 3 },
  leastAt: { label: "at r =", ...plain },
  end: { label: "KL at r = 1", unit: "nats", digits: 3 },
  entropy: { label: "entropy", unit: "nats", digits: 3 },
  baseEntropy: { label: "base entropy", unit: "nats", digits: 3 },
  loss: { label: "loss", unit: "nats", digits: 3 },
  lastLoss: { label: "last loss", unit: "nats", digits: 3 },
  rank: { label: "rank consistency", digits: 3 },
  consistency: { label: "rank consistency x 100", digits: 1 },
  cosine: { label: "cosine similarity", digits: 3 },
  r: { label: "r", digits: 2, format: "r" },
  p: { label: "p", format: "p" },
  correctedP: { label: "p (Holm)", format: "p" },
  ratio: { label: "share r of SELF", ...plain },
  learningRate: { label: "learning rate", ...plain },
  minimumConfidence: { label: "threshold of belief", ...plain },
  epochs: plain,
  ...Object.fromEntries(
    ["INC -", "HAR -", "SELF -", "CON -", "minus"].flatMap((
      group,
    ) => [`${group} base`, `${group} INC`])
      .map((key) => [key, { label: key, ...points }]),
  ),
  varied: { label: "what was varied" },
  smallest: { label: "least", ...points },
  smallestAt: { label: "at" },
  greatest: { label: "greatest", ...points },
  greatestAt: { label: "at" },
  groupShare: { label: "share of the group", format: (value) => percent(value, 0) },
  atMost: { label: "items at most", digits: 0 },
  checkpoint: { label: "share of the pretraining", unit: "%", ...plain },
  chatExams: { label: "chat exams among the documents", unit: "%", ...plain },
  step: { digits: 0 },
  seed: { digits: 0 },
  n: { digits: 0 },
  items: { digits: 0 },
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
