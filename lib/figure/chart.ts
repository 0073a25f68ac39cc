/**
 * Plots over tidy rows: the rows and the names of their columns go in, a plain description that
 * plotly draws comes out. Label, unit and digits are the column dictionary's. Measurements bring
 * error bars and bands; nothing is told by colour alone.
 */
import type { ChartOptions, Mark } from "./_chart.ts";
import { Chart, errorBars, hover, nameOf, placeOf, tell } from "./_chart.ts";
import { escapePlot } from "./_text.ts";
import { columnOf } from "./column.ts";
import { legendName } from "./grid.ts";
import type { Measurement } from "./number.ts";
import { checkColumns, type Row, unique } from "./rows.ts";
import type { FigureDescription, PlotTrace } from "./theme.ts";
import { colorsOf, dashes, gray, ink, patterns, symbols } from "./theme.ts";

/**
 * Bars side by side within each value of `x`, with error bars where values have intervals.
 * @throws where a column is missing, a value is no number, or two rows share a bar
 */
export function bars(rows: readonly Row[], options: ChartOptions): FigureDescription {
  const chart = new Chart("bars", rows, options), { series, colors } = chart;
  chart.checkPlaces();
  const draw = (marks: Mark[]) => {
    const names = unique(marks.map(({ x }) => nameOf(x)));
    const data = series.flatMap((name, i): PlotTrace[] => {
      const items = names.map((at) =>
        marks.find((mark) => mark.series === name && nameOf(mark.x) === at)
      );
      if (!items.some(Boolean)) return [];
      const color = colors.get(name)!.replace("#000000", "#9A9A9A"); // error bars are black
      return [{
        type: "bar",
        name: legendName(name),
        x: names.map(escapePlot),
        y: items.map((item) => item?.y.value ?? null),
        error_y: errorBars(items.map((item) => item?.y), ink),
        marker: {
          color,
          line: { color: ink, width: 0.6 },
          pattern: {
            shape: patterns[i % patterns.length],
            fillmode: "overlay",
            size: 7,
            solidity: 0.2,
          },
        },
        hoverinfo: "text",
        hovertext: items.map((item) => item ? chart.words(item, " on ") : ""),
        textposition: "none",
      }];
    });
    return { data, names };
  };
  const y = { zeroline: true, zerolinecolor: "#777777" };
  const layout = { barmode: "group", bargap: 0.22, bargroupgap: 0.05 };
  return chart.assemble(draw, { y, layout });
}

export interface LineOptions extends ChartOptions {
  /** Series drawn thin and grey behind the others, such as each model behind their mean. */
  faint?: readonly string[];
}

/**
 * Lines over numbers, with a band where values have intervals; points that are far between are marked.
 * @throws where a column is missing, a place or value is no number, or two rows share a place
 */
export function lines(rows: readonly Row[], options: LineOptions): FigureDescription {
  const chart = new Chart("lines", rows, options), { series, xColumn } = chart;
  chart.checkPlaces(({ x }) => String(placeOf(x) || nameOf(x)));
  const { faint = [] } = options;
  const bold = series.filter((name) => !faint.includes(name));
  const colors = colorsOf(bold, options.colors);
  const behind = faint.length ? `each ${options.color ?? "line"}` : "";
  const draw = (marks: Mark[]) => {
    const sorted = marks
      .map((mark, i) => ({ ...mark, at: chart.measured(mark.x, options.x, i) }))
      .sort((a, b) => a.at.value - b.at.value);
    const line = (name: string): PlotTrace => {
      const points = sorted.filter((mark) => mark.series === name);
      const place = bold.indexOf(name), color = colors.get(name);
      const style = place < 0
        ? { name: legendName(behind), mode: "lines", line: { color: "#B4B4B4", width: 1.2 } }
        : {
          name: legendName(name),
          mode: points.length > 40 ? "lines" : "lines+markers",
          line: { color, width: 2.2, dash: dashes[place % dashes.length] },
          marker: { color, size: 7, symbol: symbols[place % symbols.length] },
        };
      return {
        type: "scatter",
        ...style,
        x: points.map(({ at }) => at.value),
        y: points.map(({ y }) => y.value),
        error_x: errorBars(points.map(({ at }) => at), ink),
        hoverinfo: "text",
        hovertext: points.map((mark) => {
          const at = `${xColumn.label} ${tell(mark.at.value, { ...xColumn, format: "plain" })}`;
          return chart.words(mark, " at ", at);
        }),
      };
    };
    const behindThem = series.filter((name) => faint.includes(name));
    const shown = [...behindThem, ...bold].map(line).filter(({ x }) => (x as number[]).length > 0);
    const bands = bold.flatMap((name) => {
      const points = sorted.filter(({ series, y }) =>
        series === name && y.interval?.every(Number.isFinite)
      );
      return points.length > 1 ? [band(name, points, colors.get(name)!)] : [];
    });
    return { data: [...bands, ...shown] };
  };
  return chart.assemble(draw, { legend: behind ? [behind, ...bold] : bold });
}

function band(name: string, points: (Mark & { at: Measurement })[], color: string): PlotTrace {
  const back = points.toReversed();
  return {
    type: "scatter",
    mode: "lines",
    x: [...points, ...back].map(({ at }) => at.value),
    y: [...points.map(({ y }) => y.interval![1]), ...back.map(({ y }) => y.interval![0])],
    fill: "toself",
    fillcolor: `${color}2E`,
    line: { width: 0, color },
    hoverinfo: "skip",
    showlegend: false,
    legendgroup: legendName(name),
  };
}

export interface ScatterOptions extends ChartOptions {
  /** Further columns told of a point when the pointer is on it. */
  hover?: string | readonly string[];
  /** The least-squares line through all points of a panel. @default false */
  fit?: boolean;
}

/**
 * Points; both places may be measurements.
 * @throws where a column is missing, or a place or value is no number
 */
export function scatter(rows: readonly Row[], options: ScatterOptions): FigureDescription {
  const chart = new Chart("a scatter plot", rows, options);
  const { series, colors, xColumn, yColumn } = chart;
  const more = [options.hover ?? []].flat() as string[];
  checkColumns("draw a scatter plot", rows, more);
  const about = (mark: Mark, at: Measurement) => {
    const told = more.map((key) => {
      const column = columnOf(key);
      const text = tell(mark.row[key] ?? null, column);
      return typeof mark.row[key] === "string" ? text : `${column.label} ${text}`;
    });
    const who = [mark.facet, mark.series, ...told].filter(Boolean).join(", ");
    const what = `${xColumn.label} ${tell(at, xColumn)}, ${yColumn.label} ${tell(mark.y, yColumn)}`;
    return hover(who ? `${who}: ${what}` : what);
  };
  const draw = (marks: Mark[]) => {
    const points = marks.filter(({ x }) => x !== null)
      .map((mark, i) => ({ ...mark, at: chart.measured(mark.x, options.x, i) }));
    const data = series.flatMap((name, i): PlotTrace[] => {
      const own = points.filter((mark) => mark.series === name);
      if (own.length === 0) return [];
      return [{
        type: "scatter",
        mode: "markers",
        name: legendName(name),
        x: own.map(({ at }) => at.value),
        y: own.map(({ y }) => y.value),
        error_x: errorBars(own.map(({ at }) => at), `${gray}99`),
        error_y: errorBars(own.map(({ y }) => y), `${gray}99`),
        hoverinfo: "text",
        hovertext: own.map((mark) => about(mark, mark.at)),
        marker: {
          color: colors.get(name),
          size: 8,
          opacity: 0.85,
          symbol: symbols[i % symbols.length],
          line: { color: "#FFFFFF", width: 0.6 },
        },
      }];
    });
    return { data: options.fit ? [...data, ...leastSquares(points)] : data };
  };
  return chart.assemble(draw, { legend: options.fit ? [...series, fitName] : series });
}

const fitName = "least squares";

/** Own code: two sums, where a library would want a matrix. None where all x are equal. */
function leastSquares(points: readonly { at: Measurement; y: Measurement }[]): PlotTrace[] {
  const [xs, ys] = [points.map(({ at }) => at.value), points.map(({ y }) => y.value)];
  const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [mx, my] = [mean(xs), mean(ys)];
  const sxx = xs.reduce((sum, x) => sum + (x - mx) ** 2, 0);
  if (!(sxx > 0)) return [];
  const slope = xs.reduce((sum, x, i) => sum + (x - mx) * (ys[i] - my), 0) / sxx;
  const ends = [Math.min(...xs), Math.max(...xs)];
  return [{
    type: "scatter",
    mode: "lines",
    name: fitName,
    x: ends,
    y: ends.map((x) => my + slope * (x - mx)),
    hoverinfo: "name",
    line: { color: "#555555", width: 1.8, dash: "dash" },
  }];
}
