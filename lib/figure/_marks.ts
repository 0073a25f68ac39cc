/** What the kinds of plot share: names made to fit, and values that cannot be drawn. */
import { wrapPlot } from "./_text.ts";
import type { PlotOptions } from "./theme.ts";

export const unique = (names: readonly string[]) => [...new Set(names)];
export const seriesName = (name: string) => wrapPlot(name, 24);
export const rowText = (name: string) => wrapPlot(name, 18);

/** Wraps the names of an axis's categories so that they fit side by side, `beside` px left out. */
export function columnText(names: readonly string[], options: PlotOptions, beside: number) {
  const room = ((options.width ?? 720) - 100 - beside) / names.length;
  const longest = Math.max(
    ...names.flatMap((name) => name.split(/\s+/)).map((word) => word.length),
  );
  // No word is cut that a slanted label would show whole.
  const characters = Math.min(18, Math.max(10, longest, Math.floor(room / 8.4)));
  return (name: string) => wrapPlot(name, characters);
}

/** About how wide the legend of these series is, px. */
export const legendWidth = (names: readonly string[]) =>
  names.length > 1 ? 60 + 8 * Math.min(24, Math.max(...names.map((name) => name.length))) : 0;
/** JSON has no infinity and no NaN: null is plotly's gap. */
export const finite = (value: number) => Number.isFinite(value) ? value : null;

export function needValues(count: number, what: string) {
  if (count > 0) return;
  throw new Error(`Cannot draw ${what}: expected at least one value, found none; check the data`);
}

/** Says in the subtitle how many values no picture can show, rather than dropping them silently. */
export function withGaps<Options extends Pick<PlotOptions, "subtitle">>(
  options: Options,
  values: readonly number[],
) {
  const gaps = values.filter((value) => !Number.isFinite(value)).length;
  if (gaps === 0) return options;
  const note = `${gaps} of ${values.length} values infinite or undefined, not shown.`;
  return { ...options, subtitle: options.subtitle ? `${options.subtitle} ${note}` : note };
}
