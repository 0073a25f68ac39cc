/** The tables that ship in figures/, beside a run of a reader's own: it may take long, or lack its model. */
import { basename } from "node:path";
import papa from "papaparse";
import { rearm } from "../figure/_text.ts";
import type { Showable } from "../figure/display.ts";
import type { Row } from "../figure/rows.ts";
import { unflatten } from "../figure/table.ts";
import { isAtHand } from "../model/files/source.ts";
import { exists } from "../platform/runtime/files.ts";
import { modelLabel } from "./labels.ts";
import { type Notebook, settingsOf } from "./notebook.ts";
import { isPublished, outputPath, type Settings, SETTINGS_VARIABLE } from "./settings.ts";

/** The rows of a shipped table; undefined without such a file, and in the run that makes it. */
export async function published(path: string): Promise<Row[] | undefined> {
  if (isPublished(settingsOf({}, Deno.env.get(SETTINGS_VARIABLE)))) return undefined;
  const file = `${outputPath({ output: "figures" }, path)}.csv`;
  return exists(file) ? rowsOfCsv(await Deno.readTextFile(file)) : undefined;
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

/**
 * Shows and saves what `draw` makes of this run's `rows`, and below it what it makes of the shipped rows of
 * figures/`path`.csv, unless this run is the one that ships. Titles end with `whose`.
 * @param rows undefined where this run's are shown elsewhere; none are left out beside shipped ones
 * @param file what this run's is saved as
 */
export async function showBeside(
  show: Notebook["show"],
  path: string,
  rows: readonly Row[] | undefined,
  draw: (rows: readonly Row[], whose: "" | " (this run)" | " (the shipped study)") => Showable,
  file = basename(path),
): Promise<void> {
  const shipped = await published(path);
  const isShown = rows && (rows.length > 0 || !shipped);
  if (isShown) await show(draw(rows, shipped ? " (this run)" : ""), file);
  if (shipped) await show(draw(shipped, " (the shipped study)"));
}

/** A sentence where a notebook opened by hand would have to download its model. */
export async function missingModel({ model }: Settings): Promise<string | undefined> {
  if (Deno.env.has(SETTINGS_VARIABLE) || await isAtHand(model)) return undefined;
  return `${modelLabel(model)} is not on this machine, so the shipped run is shown alone; ` +
    "deno task reproduce --only=09 --quick downloads it (98 MB).";
}
