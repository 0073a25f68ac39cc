/** The tables of the shipped study, to stand beside those of a run of one's own. */
import papa from "papaparse";
import type { Cell } from "../figure/column.ts";
import type { Row } from "../figure/rows.ts";
import { readText } from "../platform/runtime/files.ts";
import { outputPath, parseSettings, SETTINGS_VARIABLE } from "./settings.ts";

/**
 * The rows of figures/`path`.csv, such as `05-evaluation/contrasts`; undefined where this run is the one
 * that writes them, or where there is no such table.
 */
export async function published(path: string): Promise<Row[] | undefined> {
  const figures = outputPath({ output: "figures" });
  const json = Deno.env.get(SETTINGS_VARIABLE);
  if (json !== undefined && outputPath(parseSettings(json)) === figures) return undefined;
  try {
    return rowsOfCsv(await readText(`${figures}/${path}.csv`));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** The rows of a csv that `toCsv` wrote; key, key_low, key_high and key_n are one measurement. */
export function rowsOfCsv(text: string): Row[] {
  const { data } = papa.parse<Record<string, string>>(text, {
    header: true,
    skipEmptyLines: true,
    delimiter: ",",
  });
  return data.map((row) => {
    const at = (key: string) => row[key] === undefined || row[key] === "" ? undefined : row[key];
    const isPart = (key: string) => /_(low|high|n)$/.test(key) && key.replace(/_\w+$/, "") in row;
    return Object.fromEntries(
      Object.keys(row).filter((key) => !isPart(key)).map((key): [string, Cell] => {
        const [low, high, n] = ["low", "high", "n"].map((part) => at(`${key}_${part}`));
        const value = cellOf(at(key));
        if (typeof value !== "number" || !(`${key}_low` in row)) return [key, value];
        return [key, {
          value,
          ...(low !== undefined && high !== undefined
            ? { interval: [Number(low), Number(high)] }
            : {}),
          ...(n === undefined ? {} : { n: Number(n) }),
        }];
      }),
    );
  });
}

function cellOf(text: string | undefined): string | number | boolean | null {
  if (text === undefined) return null;
  if (text === "true" || text === "false") return text === "true";
  const number = Number(text);
  // A text that could be a formula is armoured by an apostrophe.
  return Number.isNaN(number) ? text.replace(/^'/, "") : number;
}
