/** The tables that ship in figures/, to stand beside a run of a reader's own. */
import papa from "papaparse";
import { rearm } from "../figure/_text.ts";
import type { Row } from "../figure/rows.ts";
import { unflatten } from "../figure/table.ts";
import { settingsOf } from "./notebook.ts";
import { isPublished, outputPath, SETTINGS_VARIABLE } from "./settings.ts";

/** The rows of a shipped table; undefined without such a file, and in the run that makes it. */
export async function published(path: string): Promise<Row[] | undefined> {
  if (isPublished(settingsOf({}, Deno.env.get(SETTINGS_VARIABLE)))) return undefined;
  const text = await Deno.readTextFile(`${outputPath({ output: "figures" }, path)}.csv`)
    .catch((error) => {
      if (error instanceof Deno.errors.NotFound) return undefined;
      throw error;
    });
  return text === undefined ? undefined : rowsOfCsv(text);
}

/** The rows that `toCsv` wrote; key, key_low, key_high and key_n become a measurement again. */
export function rowsOfCsv(text: string): Row[] {
  const { data, meta: { fields = [] } } = papa.parse<Record<string, string>>(text, {
    header: true,
    skipEmptyLines: true,
    delimiter: ",",
    transformHeader: rearm,
  });
  const readers = new Map(fields.map((key) => [key, readerOf(data.map((row) => row[key] ?? ""))]));
  const rows = data.map((row) =>
    Object.fromEntries(fields.map((key) => [key, row[key] ? readers.get(key)!(row[key]) : null]))
  );
  return unflatten(rows, fields);
}

/** How a column's cells are read: as numbers or yes and no where all are, else as text. */
function readerOf(cells: readonly string[]): (text: string) => string | number | boolean {
  const filled = cells.filter((text) => text !== "");
  if (filled.every((text) => !Number.isNaN(Number(text)))) return Number;
  return filled.every((text) => /^(true|false)$/.test(text)) ? (text) => text === "true" : rearm;
}
