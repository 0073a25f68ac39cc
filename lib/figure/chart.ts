/**
 * Plots over tidy rows: the rows and the names of their columns go in, a plain description that
 * plotly draws comes out. Label, unit and digits are the column dictionary's. Measurements bring
 * error bars and bands; nothing is told by colour alone.
 */
import { finite, unique, withGaps } from "./_marks.ts";
import { escapePlot, wrapPlot } from "./_text.ts";
import { type Cell, type Column, columnOf, digitsOf, formatCell, headerOf } from "./column.ts";
import { grid, type GridOptions, legendName, type Panel, type Reference } from "./grid.ts";
import { formatNumber, isMeasurement, type Measurement } from "./number.ts";
import { checkColumns, type Row } from "./rows.ts";
import {
  axis,
  colorsOf,
  dashes,
  type FigureDescription,
  gray,
  ink,
  patterns,
  type PlotTrace,
  symbols,
} from "./theme.ts";

/** What all plots over rows take; `x`, `y`, `color` and `facet` name columns. */
export interface ChartOptions extends Omit<GridOptions, "references"> {
  x: string;
  /** @default `value` */
  y?: string;
  /** A series for each of its values. */
  color?: string;
  /** A panel for each of its values. */
  facet?: string;
  /** A panel's title. @default the facet's value */
  facetTitle?: Readonly<Record<string, string>> | ((facet: string) => string);
  /** Of the values. @default the dictionary's for `y` */
  label?: string;
  /** @default the dictionary's for `y` */
  unit?: string;
  /** Digits in the texts shown at a mark. @default what the values need */
  digits?: number;
  /** Ends of the y axis. @default what the values need */
  range?: readonly [number, number];
  /** @default the dictionary's for `x` */
  xLabel?: string;
  /** @default the dictionary's for `x` */
  xUnit?: string;
  /** Ends of the x axis, where it is one of numbers. @default what the values need */
  xRange?: readonly [number, number];
  /** Logarithmic axes. @default none */
  log?: "x" | "y" | "xy";
  /** Colours (#RRGGBB) by series. @default the groups' own, then the palette in order */
  colors?: Readonly<Record<string, string>>;
  /** A level to compare with, or several: dashed lines. */
  reference?: number | Reference | readonly Reference[];
  /** The same. */
  references?: readonly Reference[];
}

/** One mark: a row's value and its place. */
interface Mark {
  row: Row;
  x: Cell;
  y: Measurement;
  series: string;
  facet: string;
}

/** What a plot needs of its rows and options. */
interface Plan {
  marks: Mark[];
  series: string[];
  facets: string[];
  colors: Map<string, string>;
  xColumn: Column & { label: string };
  yColumn: Column & { label: string };
  options: ChartOptions & { references: readonly Reference[] };
}

const nameOf = (cell: Cell | undefined) => formatCell(cell, { format: "plain" }) || "none";

/** @throws where a column is missing or holds no numbers */
function plan(what: string, rows: readonly Row[], options: ChartOptions): Plan {
  const { x, y = "value", color, facet } = options;
  const used = [x, y, color, facet].filter((key) => key !== undefined);
  checkColumns(`draw ${what}`, rows, used);
  const all = rows.flatMap((row, i): Mark[] => {
    const cell = row[y];
    if (cell === null || cell === undefined) return [];
    return [{
      row,
      x: row[x] ?? null,
      y: measured(what, cell, y, i),
      series: color ? nameOf(row[color]) : "",
      facet: facet ? nameOf(row[facet]) : "",
    }];
  });
  const { reference = [], references = [] } = options;
  const levels = [reference].flat().map((one) =>
    typeof one === "number" ? { name: formatNumber(one, digitsOf([one])), value: one } : one
  ) as Reference[];
  const series = unique(all.map((mark) => mark.series));
  const yColumn = { ...columnOf(y) };
  if (y === "value" && options.label === undefined) yColumn.label = "";
  return {
    marks: all.filter(({ x, y }) => Number.isFinite(y.value) && Number.isFinite(placeOf(x))),
    series,
    facets: unique(all.map((mark) => mark.facet)),
    colors: colorsOf(series, options.colors),
    xColumn: labelled(columnOf(x), options.xLabel, options.xUnit),
    yColumn: {
      ...labelled(yColumn, options.label, options.unit),
      digits: options.digits ?? yColumn.digits ?? digitsOf(all.map((mark) => mark.y)),
    },
    options: {
      ...withGaps(options, all.map(({ x, y }) => Number.isFinite(placeOf(x)) ? y.value : NaN)),
      references: all.length ? [...levels, ...references] : [],
    },
  };
}

/** A place that no picture has: not a number, infinite; a name is as good as 0. */
const placeOf = (x: Cell) => isMeasurement(x) ? x.value : typeof x === "number" ? x : 0;

const labelled = (column: Column & { label: string }, label?: string, unit?: string) => ({
  ...column,
  label: label ?? column.label,
  unit: unit ?? column.unit,
});

function measured(what: string, cell: Cell, key: string, i: number): Measurement {
  if (isMeasurement(cell)) return cell;
  if (typeof cell === "number") return { value: cell };
  throw new Error(
    `Cannot draw ${what}: expected a number in column ${key}, found ${
      JSON.stringify(cell)
    } in row ` +
      `${i + 1}; name a column of numbers`,
  );
}

/** @throws where two marks would lie on one another */
function checkPlaces(what: string, { marks, options }: Plan): void {
  const { x, color, facet } = options;
  const seen = new Set<string>();
  for (const mark of marks) {
    const place = [mark.facet, mark.series, nameOf(mark.x)].filter(Boolean);
    if (seen.size < seen.add(JSON.stringify(place)).size) continue;
    const keys = [facet, color, x].filter(Boolean).join(", ");
    throw new Error(
      `Cannot draw ${what}: expected one row for each ${keys}; found two for ${
        place.join(", ")
      }; ` +
        "filter the rows, or tell them apart by color or facet",
    );
  }
}

function titleOf({ facetTitle }: ChartOptions, facet: string): string {
  if (typeof facetTitle === "function") return facetTitle(facet);
  return facetTitle?.[facet] ?? facet;
}

/** One figure of a panel a facet, `draw` giving a panel's traces. */
function assemble(
  { marks, series, facets, xColumn, yColumn, options }: Plan,
  draw: (marks: Mark[]) => { data: PlotTrace[]; names?: readonly string[] },
  { axes = {}, layout, legend = series, right }: {
    axes?: Record<"x" | "y", Record<string, unknown>> | Record<string, never>;
    layout?: Record<string, unknown>;
    legend?: readonly string[];
    right?: number;
  } = {},
): FigureDescription {
  const { log = "" } = options;
  const panels = facets.map((facet): Panel => ({
    facet,
    title: titleOf(options, facet),
    ...draw(marks.filter((mark) => mark.facet === facet)),
  })).filter(({ data }) => data.length > 0);
  const side = ({ label, unit }: Column, letter: "x" | "y", range?: readonly [number, number]) => ({
    ...axis({ label: label ? headerOf({ label, unit }) : unit, range, log: log.includes(letter) }),
    ...axes[letter],
  });
  const x = side(xColumn, "x", options.xRange);
  const y = side(yColumn, "y", options.range);
  return grid(panels, legend, { x, y, layout, right }, options);
}

/** `50.8 points [47.0, 54.6], n = 7` */
function tell(value: Cell, column: Column, digits = column.digits ?? digitsOf([value])): string {
  const unit = !column.unit ? "" : column.unit === "%" ? "%" : ` ${column.unit}`;
  if (!isMeasurement(value)) return formatCell(value, { ...column, digits }) + unit;
  const { interval, n } = value;
  const bounds = interval?.map((bound) => formatNumber(bound, digits)).join(", ");
  return formatNumber(value.value, digits) + unit + (bounds ? ` [${bounds}]` : "") +
    (n === undefined ? "" : `, n = ${n}`);
}

const hover = (words: string) => wrapPlot(words, 60);

/** How far the interval reaches from the value, as plotly wants it. */
function errorBars(items: readonly (Measurement | undefined)[], color: string) {
  if (!items.some((item) => item?.interval)) return undefined;
  const reach = (item: Measurement | undefined, side: 0 | 1) => {
    if (!item?.interval) return null;
    return finite(Math.max(0, (item.interval[side] - item.value) * (side ? 1 : -1)));
  };
  const [arrayminus, array] = ([0, 1] as const).map((side) =>
    items.map((item) => reach(item, side))
  );
  return { type: "data", symmetric: false, array, arrayminus, color, thickness: 1.4, width: 3 };
}

/**
 * Bars side by side within each value of `x`, with error bars where values have intervals.
 * @throws where a column is missing, a value is no number, or two rows share a bar
 */
export function bars(rows: readonly Row[], options: ChartOptions): FigureDescription {
  const found = plan("bars", rows, options);
  checkPlaces("bars", found);
  const { series, colors, yColumn } = found;
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
        y: items.map((item) => item ? finite(item.y.value) : null),
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
        hovertext: items.map((item) =>
          item ? hover(`${placed(item, name, " on ")}: ${tell(item.y, yColumn)}`) : ""
        ),
        textposition: "none",
      }];
    });
    return { data, names };
  };
  const axes = { x: {}, y: { zeroline: true, zerolinecolor: "#777777" } };
  const layout = { barmode: "group", bargap: 0.22, bargroupgap: 0.05 };
  return assemble(found, draw, { axes, layout });
}

/** `HOMO: INC on history` */
const placed = ({ facet, x }: Mark, series: string, joint: string, at = nameOf(x)) =>
  (facet ? `${facet}: ` : "") + (series ? `${series}${joint}${at}` : at);

export interface LineOptions extends ChartOptions {
  /** Series drawn thin and grey behind the others, such as each model behind their mean. */
  faint?: readonly string[];
}

/**
 * Lines over numbers, with a band where values have intervals; points that are far between are marked.
 * @throws where a column is missing, a place or value is no number, or two rows share a place
 */
export function lines(rows: readonly Row[], options: LineOptions): FigureDescription {
  const found = plan("lines", rows, options);
  checkPlaces("lines", found);
  const { series, xColumn, yColumn } = found;
  const { faint = [] } = options;
  const bold = series.filter((name) => !faint.includes(name));
  const colors = colorsOf(bold, options.colors);
  const behind = faint.length ? `each ${options.color ?? "line"}` : "";
  const draw = (marks: Mark[]) => {
    const sorted = marks
      .map((mark, i) => ({ ...mark, at: measured("lines", mark.x, options.x, i) }))
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
        y: points.map(({ y }) => finite(y.value)),
        error_x: errorBars(points.map(({ at }) => at), ink),
        hoverinfo: "text",
        hovertext: points.map((mark) => {
          const at = `${xColumn.label} ${tell(mark.at.value, { ...xColumn, format: "plain" })}`;
          return hover(`${placed(mark, name, " at ", at)}: ${tell(mark.y, yColumn)}`);
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
  return assemble(found, draw, { legend: behind ? [behind, ...bold] : bold });
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
  const found = plan("a scatter plot", rows, options);
  const { series, colors, xColumn, yColumn } = found;
  const more = [options.hover ?? []].flat() as string[];
  checkColumns("draw a scatter plot", rows, more);
  const about = (mark: Mark, name: string, at: Measurement) => {
    const told = more.map((key) => {
      const column = columnOf(key);
      const text = tell(mark.row[key] ?? null, column);
      return typeof mark.row[key] === "string" ? text : `${column.label} ${text}`;
    });
    const who = [mark.facet, name, ...told].filter(Boolean).join(", ");
    const what = `${xColumn.label} ${tell(at, xColumn)}, ${yColumn.label} ${tell(mark.y, yColumn)}`;
    return hover(who ? `${who}: ${what}` : what);
  };
  const draw = (marks: Mark[]) => {
    const points = marks.filter(({ x }) => x !== null)
      .map((mark, i) => ({ ...mark, at: measured("a scatter plot", mark.x, options.x, i) }));
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
        hovertext: own.map((mark) => about(mark, name, mark.at)),
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
  return assemble(found, draw, { legend: options.fit ? [...series, fitName] : series });
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

export interface HeatmapOptions extends Omit<ChartOptions, "y" | "color" | "colors" | "log"> {
  /** The column whose values are the rows' names, from the top in the order of appearance. */
  y: string;
  /** The column of the values. @default `value` */
  value?: string;
  /** Two-sided colours around 0, for differences. @default false */
  diverging?: boolean;
}

// So light that ink on them has a contrast of 4.5 : 1 everywhere; one side begins off white, so that
// a missing cell shows.
const oneSided = [[0, "#F1F6FA"], [1, "#5BA3D0"]];
const twoSided = [[0, "#5BA3D0"], [0.5, "#FFFFFF"], [1, "#EE9355"]];

/**
 * A grid of coloured cells with their values written in.
 * @throws where a column is missing, a value is no number, or two rows share a cell
 */
export function heatmap(
  rows: readonly Row[],
  { y, value = "value", diverging = false, ...options }: HeatmapOptions,
): FigureDescription {
  const found = plan("a heat map", rows, { ...options, y: value, color: y });
  checkPlaces("a heat map", found);
  const { marks, facets, yColumn, series } = found;
  const [columns, several] = [unique(marks.map(({ x }) => nameOf(x))), facets.length > 1];
  const size = (several ? 330 : 560) / columns.length / 7; // letters of 12 px that a cell holds
  const written = (item: Mark) => {
    const whole = formatCell(item.y, yColumn);
    return whole.length <= size ? whole : formatCell(item.y.value, yColumn);
  };
  const draw = (own: Mark[]) => {
    const names = unique(own.map(({ x }) => nameOf(x)));
    const grid = series.map((row) =>
      names.map((name) => own.find(({ x, series }) => series === row && nameOf(x) === name))
    );
    const cells = <T>(pick: (item: Mark) => T, none: T) =>
      grid.map((row) => row.map((item) => item ? pick(item) : none));
    const data: PlotTrace[] = own.length === 0 ? [] : [{
      type: "heatmap",
      x: names.map(escapePlot),
      y: series.map((name) => wrapPlot(name, 18)),
      z: cells<number | null>((item) => finite(item.y.value), null),
      text: cells(written, ""),
      texttemplate: "%{text}",
      textfont: { color: ink, size: 12 },
      hoverinfo: "text",
      hovertext: cells(
        (item) => hover(`${placed(item, item.series, " on ")}: ${tell(item.y, yColumn)}`),
        "",
      ),
      hoverongaps: false,
      xgap: 1,
      ygap: 1,
      coloraxis: "coloraxis",
      showlegend: false,
    }];
    return { data, names };
  };
  const most = Math.max(...marks.map((mark) => Math.abs(mark.y.value)), 1e-9);
  const title = yColumn.label ? headerOf(yColumn) : yColumn.unit ?? "";
  const bare = { type: "category", showgrid: false, tickcolor: "#FFFFFF", showline: false };
  const label = { text: escapePlot(columnOf(y).label), standoff: 12, font: { size: 13 } };
  const figure = assemble(found, draw, {
    axes: { x: bare, y: { ...bare, title: label, autorange: "reversed" } },
    legend: [],
    right: 96,
    layout: {
      coloraxis: {
        colorscale: diverging ? twoSided : oneSided,
        ...(diverging ? { cmin: -most, cmax: most } : {}),
        colorbar: {
          title: { text: `${wrapPlot(title, 12)}<br> `, side: "top", font: { size: 13 } },
          thickness: 14,
          outlinewidth: 0,
        },
      },
    },
  });
  return figure;
}
