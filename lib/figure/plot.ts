/**
 * The study's kinds of plot, as plain descriptions that plotly draws in a notebook and export.ts
 * draws to files. Every name in them is escaped, for names come from data.
 */
import {
  columnText,
  finite,
  legendWidth,
  needValues,
  rowText,
  seriesName,
  unique,
  withGaps,
} from "./_marks.ts";
import { pValue } from "../statistics/p_value.ts";
import { escapePlot, wrapPlot } from "./_text.ts";
import { formatMeasurement, formatNumber, type Measurement } from "./number.ts";
import {
  colorsOf,
  dashes,
  type FigureDescription,
  ink,
  layoutOf,
  type PlotOptions,
  type PlotTrace,
  symbols,
} from "./theme.ts";

/** One bar: a measured value of a series (e.g. a group) in a category (e.g. a domain). */
export interface Bar extends Measurement {
  category: string;
  series: string;
}

/** One line over a number, e.g. accuracy over the share r. */
export interface Line {
  name: string;
  points: readonly (Measurement & { x: number })[];
}

export interface LineOptions extends PlotOptions {
  /** Dashed levels to compare with, e.g. the base model's accuracy. */
  references?: readonly { name: string; value: number }[];
}

export interface ScatterPoint {
  x: number;
  y: number;
  /** @default one series without a name */
  series?: string;
  /** Shown when the pointer is on the point. */
  label?: string;
}

/** A (partial) correlation to print below the title. */
export interface CorrelationNote {
  r: number;
  p: number;
  df?: number;
  /** 95% interval of r. */
  interval?: readonly [number, number];
  /** What was held constant, e.g. `base accuracy`; none: a plain correlation. */
  given?: string;
}

export interface ScatterOptions extends PlotOptions {
  correlation?: CorrelationNote;
  /** Least-squares line through all points. @default true */
  fit?: boolean;
}

/** One cell; its interval, where there is one, is written behind the value. */
export interface HeatMapCell extends Measurement {
  row: string;
  column: string;
}

export interface HeatMapOptions extends PlotOptions {
  /** Name of the values, beside the colour scale. */
  value?: { label?: string; unit?: string; digits?: number };
  /** Two-sided colours around 0, for differences. @default false */
  diverging?: boolean;
}

function errorBars(items: readonly (Measurement | undefined)[], color: string) {
  if (!items.some((item) => item?.interval)) return undefined;
  const reach = (item: Measurement | undefined, side: 0 | 1) =>
    item?.interval ? finite(Math.max(0, Math.abs(item.interval[side] - item.value))) : null;
  return {
    type: "data",
    symmetric: false,
    array: items.map((item) => reach(item, 1)),
    arrayminus: items.map((item) => reach(item, 0)),
    color,
    thickness: 1.4,
    width: 4,
  };
}

/** Bars side by side within each category, with error bars where an interval is given. */
export function groupedBars(bars: readonly Bar[], options: PlotOptions = {}): FigureDescription {
  needValues(bars.length, "grouped bars");
  const categories = unique(bars.map((bar) => bar.category));
  const series = unique(bars.map((bar) => bar.series));
  const colors = colorsOf(series, options.colors);
  const text = columnText(categories, options, legendWidth(series));
  const data = series.map((name): PlotTrace => {
    const items = categories.map((category) =>
      bars.find((bar) => bar.series === name && bar.category === category)
    );
    return {
      type: "bar",
      name: seriesName(name),
      x: categories.map(text),
      y: items.map((item) => item ? finite(item.value) : null),
      error_y: errorBars(items, ink),
      marker: { color: colors.get(name), line: { color: "#FFFFFF", width: 0.5 } },
      hovertext: items.map((item) => item?.n === undefined ? "" : `n = ${item.n}`),
    };
  });
  const layout = layoutOf(withGaps(options, bars.map((bar) => bar.value)), {
    barmode: "group",
    bargap: 0.25,
    bargroupgap: 0.05,
    showlegend: series.length > 1,
  });
  Object.assign(layout.xaxis, { type: "category", showgrid: false });
  layout.yaxis.zeroline = true;
  layout.yaxis.zerolinecolor = "#777777";
  return { data, layout };
}

/** Lines with markers, and a band where intervals are given; `references` are dashed levels. */
export function linesWithBands(
  lines: readonly Line[],
  options: LineOptions = {},
): FigureDescription {
  const points = lines.flatMap((line) => line.points);
  needValues(points.length, "lines");
  const colors = colorsOf(lines.map((line) => line.name), options.colors);
  const bands: PlotTrace[] = [];
  const data = lines.map((line, i): PlotTrace => {
    const sorted = line.points.toSorted((a, b) => a.x - b.x);
    const color = colors.get(line.name)!;
    const measured = sorted.filter((point) => point.interval?.every(Number.isFinite));
    if (measured.length > 1) {
      bands.push({
        type: "scatter",
        mode: "lines",
        x: [...measured, ...measured.toReversed()].map((point) => point.x),
        y: [
          ...measured.map((point) => point.interval![1]),
          ...measured.toReversed().map((point) => point.interval![0]),
        ],
        fill: "toself",
        fillcolor: `${color}2E`,
        line: { width: 0, color },
        hoverinfo: "skip",
        showlegend: false,
        legendgroup: seriesName(line.name),
      });
    }
    return {
      type: "scatter",
      mode: "lines+markers",
      name: seriesName(line.name),
      legendgroup: seriesName(line.name),
      x: sorted.map((point) => point.x),
      y: sorted.map((point) => finite(point.value)),
      line: { color, width: 2.2, dash: dashes[i % dashes.length] },
      marker: { color, size: 8, symbol: symbols[i % symbols.length] },
    };
  });
  const xs = points.map((point) => point.x);
  const references = (options.references ?? []).map(({ name, value }, i): PlotTrace => ({
    type: "scatter",
    mode: "lines",
    name: seriesName(name),
    x: [Math.min(...xs), Math.max(...xs)],
    y: [value, value],
    line: { color: "#767676", width: 1.6, dash: dashes[1 + i % (dashes.length - 1)] },
  }));
  const layout = layoutOf(withGaps(options, points.map((point) => point.value)), {
    showlegend: data.length + references.length > 1,
  });
  return { data: [...bands, ...references, ...data], layout };
}

function describeCorrelation({ r, p, df, interval, given }: CorrelationNote): string {
  const bounds = interval ? ` [${interval.map((bound) => formatNumber(bound, 2)).join(", ")}]` : "";
  return [
    `${given ? "Partial correlation" : "Correlation"} r = ${formatNumber(r, 2)}${bounds}`,
    pValue(p, "p"),
    df === undefined ? "" : `df ${df}`,
    given ? `given ${given}` : "",
  ].filter(Boolean).join(", ");
}

/** Points, the least-squares line through them, and a correlation printed below the title. */
export function scatterWithFit(
  points: readonly ScatterPoint[],
  options: ScatterOptions = {},
): FigureDescription {
  const shown = points.filter((point) => Number.isFinite(point.x) && Number.isFinite(point.y));
  needValues(shown.length, "a scatter plot");
  const series = unique(points.map((point) => point.series ?? ""));
  const colors = colorsOf(series, options.colors);
  const data = series.map((name, i): PlotTrace => {
    const items = shown.filter((point) => (point.series ?? "") === name);
    return {
      type: "scatter",
      mode: "markers",
      name: seriesName(name),
      x: items.map((point) => point.x),
      y: items.map((point) => point.y),
      hovertext: items.map((point) => escapePlot(point.label ?? "")),
      marker: {
        color: colors.get(name),
        size: 9,
        opacity: 0.8,
        symbol: symbols[i % symbols.length],
        line: { color: "#FFFFFF", width: 0.6 },
      },
    };
  });
  const line = options.fit === false ? undefined : leastSquares(shown);
  if (line) {
    const ends = [Math.min(...shown.map(({ x }) => x)), Math.max(...shown.map(({ x }) => x))];
    data.push({
      type: "scatter",
      mode: "lines",
      name: "least squares",
      x: ends,
      y: ends.map((x) => line.intercept + line.slope * x),
      line: { color: "#555555", width: 1.8, dash: "dash" },
    });
  }
  const note = options.correlation ? describeCorrelation(options.correlation) : "";
  const subtitle = [note, options.subtitle ?? ""].filter(Boolean).join(". ");
  const gaps = points.map((point) => point.x + point.y);
  const layout = layoutOf(withGaps({ ...options, subtitle }, gaps), {
    showlegend: series.length > 1,
  });
  return { data, layout };
}

/** Own code: two sums, where a library would want a matrix. Undefined when all x are equal. */
function leastSquares(points: readonly { x: number; y: number }[]) {
  const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [mx, my] = [mean(points.map(({ x }) => x)), mean(points.map(({ y }) => y))];
  const sxx = points.reduce((sum, { x }) => sum + (x - mx) ** 2, 0);
  if (sxx === 0) return undefined;
  const slope = points.reduce((sum, { x, y }) => sum + (x - mx) * (y - my), 0) / sxx;
  return { slope, intercept: my - slope * mx };
}

// Light in the middle or below, so that the written values stay readable on every cell; one side
// begins off white, so that a missing cell shows.
const oneSided = [[0, "#E8F1F7"], [1, "#0067A3"]];
const twoSided = [[0, "#0067A3"], [0.5, "#FFFFFF"], [1, "#B54B00"]];

/** A grid of coloured cells with their values written in; rows from the top in the given order. */
export function heatMap(
  cells: readonly HeatMapCell[],
  options: HeatMapOptions = {},
): FigureDescription {
  needValues(cells.length, "a heat map");
  const { label = "", unit, digits = 1 } = options.value ?? {};
  const rows = unique(cells.map((cell) => cell.row));
  const columns = unique(cells.map((cell) => cell.column));
  const grid = rows.map((row) =>
    columns.map((column) => cells.find((cell) => cell.row === row && cell.column === column))
  );
  const most = Math.max(...cells.map((cell) => Math.abs(cell.value)).filter(Number.isFinite), 1e-9);
  const data: PlotTrace[] = [{
    type: "heatmap",
    x: columns.map(columnText(columns, options, 240)),
    y: rows.map(rowText),
    z: grid.map((row) => row.map((cell) => cell === undefined ? null : finite(cell.value))),
    text: grid.map((row) =>
      row.map((cell) => cell === undefined ? "" : formatMeasurement(cell, digits))
    ),
    texttemplate: "%{text}",
    hoverongaps: false,
    xgap: 1,
    ygap: 1,
    colorscale: options.diverging ? twoSided : oneSided,
    ...(options.diverging ? { zmin: -most, zmax: most } : {}),
    colorbar: {
      title: {
        text: wrapPlot(unit ? `${label} (${unit})` : label, 14),
        side: "top",
        font: { size: 13 },
      },
      thickness: 14,
      outlinewidth: 0,
    },
  }];
  const layout = layoutOf(withGaps(options, cells.map((cell) => cell.value)));
  // Ticks in white keep the labels off the cells.
  const bare = { type: "category", showgrid: false, tickcolor: "#FFFFFF", showline: false };
  Object.assign(layout.xaxis, bare);
  Object.assign(layout.yaxis, bare, { autorange: "reversed" });
  return { data, layout };
}
