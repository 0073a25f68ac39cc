/**
 * Files that a run on another processor leaves as they are: its numbers differ in their last digits
 * only. Text and whole numbers (counts, seeds, names) must be the same to the letter.
 */
import { extname } from "node:path";
import { writeWhole } from "../platform/runtime/files.ts";

const RELATIVE = 1e-4;
const NOTHING = 1e-9; // what rounding leaves of a zero
// Not the digits of a word, a version or a date's middle.
const number =
  /(?<![\p{L}\p{N}_.])[+-]?(?:\d+(?:\.\d+)?|\.\d+)(?:e[+-]?\d+)?(?![\p{L}\p{N}_]|\.\d)/giu;

/** Whether two texts are the same but for numbers' last digits; `unit`: one of the last printed. */
export function agree(a: string, b: string, unit = false): boolean {
  if (a === b) return true;
  const [words, others] = [a, b].map((text) => text.split(number));
  if (words.length !== others.length || words.some((word, i) => word !== others[i])) return false;
  const [values, found] = [a, b].map((text) => text.match(number) ?? []);
  return values.every((value, i) => near(value, found[i], unit));
}

function near(a: string, b: string, unit: boolean): boolean {
  if (a === b) return true;
  if (/^[+-]?\d+$/.test(a) && /^[+-]?\d+$/.test(b)) return false;
  const [x, y] = [Number(a), Number(b)];
  const size = Math.max(Math.abs(x), Math.abs(y));
  const step = unit ? 1.001 * Math.max(lastDigit(a), lastDigit(b)) : 0;
  return Math.abs(x - y) <= Math.max(RELATIVE * size, NOTHING, step);
}

/** What one unit of the last digit of a printed number is worth. */
function lastDigit(text: string): number {
  const [, decimals = "", power = "0"] = /^[+-]?\d*\.?(\d*)(?:e(.+))?$/i.exec(text)!;
  return 10 ** (Number(power) - decimals.length);
}

/** A flipped digit may widen a column: how it is padded is no text. */
const unpadded = (text: string) => text.replaceAll(/ {2,}/g, " ").replaceAll(/-{3,}/g, "---");

/**
 * Whether the file `path` is there and agrees with `text`: within 1e-4 of each number in csv and json,
 * where numbers stand whole; in md and txt, where they are rounded, within one unit of the last digit.
 */
export async function isStable(path: string, text: string): Promise<boolean> {
  const before = await Deno.readTextFile(path).catch(() => undefined);
  if (before === undefined) return false;
  return [".md", ".txt"].includes(extname(path))
    ? agree(unpadded(before), unpadded(text), true)
    : agree(before, text);
}

/** Writes `text` to `path`, unless what is there agrees: see {@linkcode isStable}. */
export async function writeStable(path: string, text: string): Promise<void> {
  if (!await isStable(path, text)) await writeWhole(path, text);
}
