/** The shipped study beside a run of one's own. */
import { basename } from "node:path";
import type { Row } from "../figure/rows.ts";
import type { Showable } from "../figure/display.ts";
import type { Notebook } from "./notebook.ts";
import { published } from "./published.ts";

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
