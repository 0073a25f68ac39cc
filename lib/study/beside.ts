/** The shipped study beside a run of one's own: where that takes long, or needs a model that is not at hand. */
import { basename } from "node:path";
import { type Column, columnOf } from "../figure/column.ts";
import type { Showable } from "../figure/display.ts";
import type { Row } from "../figure/rows.ts";
import { table, type TableOptions } from "../figure/table.ts";
import type { FigureDescription } from "../figure/theme.ts";
import { isAtHand } from "../model/files/source.ts";
import { modelLabel } from "./labels.ts";
import type { Notebook } from "./notebook.ts";
import { published } from "./published.ts";
import { type Settings, SETTINGS_VARIABLE } from "./settings.ts";

/**
 * Shows and saves what `draw` makes of this run's `rows`, and below it what it makes of the shipped rows
 * of figures/`path`.csv, unless this run is the one that ships. Titles end with `whose`, such as " (this run)".
 * @param file what this run's is saved as
 */
export async function showBeside(
  show: Notebook["show"],
  path: string,
  rows: readonly Row[],
  draw: (rows: readonly Row[], whose: string) => Showable,
  file = basename(path),
): Promise<void> {
  const shipped = await published(path);
  await show(draw(rows, shipped ? " (this run)" : ""), file);
  if (shipped) await show(draw(shipped, " (the shipped study)"));
}

/**
 * A sentence where a notebook that was opened by hand would have to download its model; `deno task
 * reproduce` downloads without asking.
 */
export async function missingModel({ model }: Settings): Promise<string | undefined> {
  if (Deno.env.has(SETTINGS_VARIABLE) || await isAtHand(model)) return undefined;
  return `${
    modelLabel(model)
  } is not on this machine, so the shipped run is shown alone; deno task ` +
    "reproduce --only=09 --quick downloads it (98 MB).";
}

/** How a table is laid out, and the figure that is drawn of its rows. */
export interface BesideOptions extends TableOptions {
  columns: readonly (string | Column)[];
  caption: string;
  draw?: (rows: readonly Row[]) => FigureDescription;
}

/**
 * Shows rows of this run, and below them the shipped table of the same name; a run without rows shows the
 * shipped ones alone. A figure is drawn of this run's rows, or else of the shipped ones.
 */
export function besideShipped({ show }: Pick<Notebook, "show">, name: string) {
  return async (rows: readonly Row[], file: string, { draw, ...options }: BesideOptions) => {
    const shipped = await shippedRows(`${name}/${file}`, options.columns);
    const { caption } = options;
    if (rows.length > 0 || !shipped) await show(table(rows, options), file);
    if (shipped) await show(table(shipped, { ...options, caption: `Shipped run: ${caption}` }));
    const drawn = rows.length > 0 ? rows : shipped ?? [];
    if (draw && drawn.length > 0) await show(draw(drawn), file);
  };
}

/** The shipped rows, where they are there and have these columns. */
async function shippedRows(path: string, columns: readonly (string | Column)[]) {
  const rows = await published(path).catch(() => undefined);
  const keys = columns.map((column) => columnOf(column).key);
  return rows?.some((row) => keys.every((key) => key in row)) ? rows : undefined;
}
