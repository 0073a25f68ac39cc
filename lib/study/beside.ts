/** The shipped study beside a run of one's own: where that takes long, or needs a model that is not at hand. */
import { basename } from "node:path";
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
 * Shows and saves what `draw` makes of this run's `rows`, if there are any, and below it what it makes of
 * the shipped rows of figures/`path`.csv, unless this run is the one that ships. Titles end with `whose`.
 * @param file what this run's is saved as
 */
export async function showBeside(
  show: Notebook["show"],
  path: string,
  rows: readonly Row[],
  draw: (rows: readonly Row[], whose: "" | " (this run)" | " (the shipped study)") => Showable,
  file = basename(path),
): Promise<void> {
  const shipped = await published(path);
  if (rows.length > 0 || !shipped) await show(draw(rows, shipped ? " (this run)" : ""), file);
  if (shipped) await show(draw(shipped, " (the shipped study)"));
}

/** A sentence where a notebook opened by hand would have to download its model. */
export async function missingModel({ model }: Settings): Promise<string | undefined> {
  if (Deno.env.has(SETTINGS_VARIABLE) || await isAtHand(model)) return undefined;
  return `${modelLabel(model)} is not on this machine, so the shipped run is shown alone; ` +
    "deno task reproduce --only=09 --quick downloads it (98 MB).";
}

/** How a table is laid out, and the figure that is drawn of its rows. */
export interface BesideOptions extends TableOptions {
  draw?: (rows: readonly Row[]) => FigureDescription;
}

/** `showBeside` for one notebook's tables, with a figure of this run's rows or the shipped ones. */
export function besideShipped({ show }: Pick<Notebook, "show">, name: string) {
  return async (rows: readonly Row[], file: string, { draw, ...options }: BesideOptions) => {
    const path = `${name}/${file}`;
    await showBeside(show, path, rows, (rows, whose) => {
      const own = whose !== " (the shipped study)";
      return table(rows, {
        ...options,
        caption: `${own ? "" : "Shipped run: "}${options.caption}`,
      });
    });
    const drawn = rows.length > 0 ? rows : await published(path) ?? [];
    if (draw && drawn.length > 0) await show(draw(drawn), file);
  };
}
