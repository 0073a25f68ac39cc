/** The rows of a csv that `toCsv` wrote: numbers, and measurements of key, key_low, key_high, key_n. */
import papa from "papaparse";
import type { Cell } from "../../lib/figure/column.ts";
import type { Row } from "../../lib/figure/rows.ts";

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
