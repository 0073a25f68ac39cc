/** How values are spread: histograms and boxes, as plain descriptions. */
import { columnText, needValues, seriesName, withGaps } from "./_marks.ts";
import {
  colorsOf,
  type FigureDescription,
  layoutOf,
  type PlotOptions,
  type PlotTrace,
} from "./theme.ts";

export interface Sample {
  name: string;
  values: readonly number[];
}

export interface HistogramOptions extends PlotOptions {
  /** @default 30 */
  bins?: number;
  /** First and last bin's outer edge. @default smallest and largest value */
  extent?: readonly [number, number];
  /** Height of a bar: share of the sample (%), or number of values. @default "share" */
  heights?: "share" | "count";
}

export interface BoxOptions extends PlotOptions {
  /** Single values beside the boxes. @default "outliers" */
  points?: "outliers" | "all" | "none";
}

/**
 * How often values fall into each bin, counted here so that the figure stays small. Shares are of
 * all of a sample's numbers, also of those outside `extent`.
 */
export function histogram(
  samples: readonly Sample[],
  options: HistogramOptions = {},
): FigureDescription {
  const all = samples.flatMap((sample) => sample.values);
  const shown = all.filter(Number.isFinite);
  needValues(shown.length, "a histogram");
  const { bins = 30, heights = "share" } = options;
  const [low, high] = options.extent ??
    shown.reduce(([a, b], value) => [Math.min(a, value), Math.max(b, value)], [
      Infinity,
      -Infinity,
    ]);
  const width = (high - low) / bins || 1;
  const colors = colorsOf(samples.map((sample) => sample.name), options.colors);
  const data = samples.map((sample): PlotTrace => {
    const counts = new Array<number>(bins).fill(0);
    for (const value of sample.values) {
      if (value >= low && value <= high) {
        counts[Math.min(bins - 1, Math.floor((value - low) / width))]++;
      }
    }
    const total = sample.values.filter(Number.isFinite).length || 1;
    return {
      type: "bar",
      name: seriesName(sample.name),
      x: counts.map((_, i) => low + (i + 0.5) * width),
      width,
      y: heights === "count" ? counts : counts.map((count) => count / total * 100),
      marker: {
        color: colors.get(sample.name),
        opacity: samples.length > 1 ? 0.55 : 0.85,
        line: { color: "#FFFFFF", width: 0.5 },
      },
    };
  });
  const y = heights === "count"
    ? { label: "Number of values", ...options.y }
    : { label: "Share of values", unit: "%", ...options.y };
  const layout = layoutOf(withGaps({ ...options, y }, all), {
    barmode: "overlay",
    showlegend: samples.length > 1,
  });
  if (!options.x?.range) layout.xaxis.range = [low, low + bins * width];
  return { data, layout };
}

/** A box (quartiles, whiskers to 1.5 times their distance, mean as a dashed line) per sample. */
export function boxPlot(samples: readonly Sample[], options: BoxOptions = {}): FigureDescription {
  const all = samples.flatMap((sample) => sample.values);
  needValues(all.length, "boxes");
  const colors = colorsOf(samples.map((sample) => sample.name), options.colors);
  const text = columnText(samples.map((sample) => sample.name), options, 0);
  const boxpoints = { outliers: "outliers", all: "all", none: false }[options.points ?? "outliers"];
  const data = samples.map((sample): PlotTrace => ({
    type: "box",
    name: text(sample.name),
    y: sample.values.filter(Number.isFinite),
    boxmean: true,
    boxpoints,
    jitter: 0.4,
    pointpos: options.points === "all" ? -1.6 : 0,
    marker: { color: colors.get(sample.name), size: 4 },
    line: { width: 1.6 },
  }));
  const layout = layoutOf(withGaps(options, all), { showlegend: false });
  Object.assign(layout.xaxis, { type: "category", showgrid: false });
  return { data, layout };
}
