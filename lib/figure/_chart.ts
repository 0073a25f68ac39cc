/**
 * What all plots over tidy rows share: their options, the marks that rows become, the panels that marks
 * are drawn in, and the words told at a mark.
 */
import { wrapPlot } from "./_text.ts";
import { type Cell, type Column, columnOf, digitsOf, formatCell, headerOf } from "./column.ts";
import { type Axes, grid, type GridOptions, type Panel, type Reference } from "./grid.ts";
import { formatNumber, isMeasurement, type Measurement } from "./number.ts";
import { checkColumns, type Row, unique } from "./rows.ts";
import { axis, colorsOf, type FigureDescription, type PlotTrace } from "./theme.ts";

/** What all plots over rows take; `x`, `y`, `color` and `facet` name columns. */
export interface ChartOptions extends GridOptions {
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
  /** Colours (#RRGGBB) by series. @default the groups' own, then the palette in order */
  colors?: Readonly<Record<string, string>>;
  /** One level to compare with, before those of `references`. */
  reference?: Reference;
}

/** One mark: a row's value and its place. */
export type Mark = { row: Row; x: Cell; y: Measurement; series: string; facet: string };

export const nameOf = (cell: Cell | undefined) => formatCell(cell, { format: "plain" }) || "none";

type LabelledColumn = Column & { label: string };

/** A plot over rows: its marks, series and panels. */
export class Chart {
  /** Those with a place and a finite value. */
  readonly marks: Mark[];
  readonly series: string[];
  readonly facets: string[];
  readonly colors: Map<string, string>;
  readonly xColumn: LabelledColumn;
  readonly yColumn: LabelledColumn;
  readonly options: ChartOptions;

  /**
   * @param what the plot, for errors
   * @throws where a column is missing or holds no numbers
   */
  constructor(readonly what: string, rows: readonly Row[], options: ChartOptions) {
    const { x, y = "value", color, facet } = options;
    checkColumns(`draw ${what}`, rows, [x, y, color, facet].filter((key) => key !== undefined));
    const all = rows.flatMap((row, i): Mark[] => {
      const cell = row[y] ?? null;
      if (cell === null) return [];
      return [{
        row,
        x: row[x] ?? null,
        y: this.measured(cell, y, i),
        series: color ? nameOf(row[color]) : "",
        facet: facet ? nameOf(row[facet]) : "",
      }];
    });
    this.marks = all.filter(({ x, y }) => Number.isFinite(y.value) && Number.isFinite(placeOf(x)));
    this.series = unique(all.map((mark) => mark.series));
    this.facets = unique(all.map((mark) => mark.facet));
    this.colors = colorsOf(this.series, options.colors);
    this.xColumn = labelled(columnOf(x), options.xLabel, options.xUnit);
    const yColumn = columnOf(y), digits = options.digits ?? yColumn.digits;
    this.yColumn = {
      ...labelled(yColumn, options.label ?? (y === "value" ? "" : undefined), options.unit),
      digits: digits ?? digitsOf(all.map((mark) => mark.y)),
    };
    // Said rather than dropped silently.
    const gaps = all.length - this.marks.length;
    const note = gaps && `${gaps} of ${all.length} values infinite or undefined, not shown.`;
    const { reference, references = [] } = options;
    this.options = {
      ...options,
      subtitle: [options.subtitle, note].filter(Boolean).join(" "),
      references: all.length ? [reference ?? [], ...references].flat() : [],
    };
  }

  /** A cell of row `i` as a number with what is known of it. */
  measured(cell: Cell, key: string, i: number): Measurement {
    if (isMeasurement(cell)) return cell;
    if (typeof cell === "number") return { value: cell };
    const found = `${JSON.stringify(cell)} in row ${i + 1}`;
    throw new Error(
      `Cannot draw ${this.what}: expected a number in column ${key}, found ${found}; name a column ` +
        "of numbers",
    );
  }

  /** @throws where two marks would lie on one another */
  checkPlaces(placeOf: (mark: Mark) => string = ({ x }) => nameOf(x)): void {
    const { x, color, facet } = this.options;
    const seen = new Set<string>();
    for (const mark of this.marks) {
      const place = [mark.facet, mark.series, placeOf(mark)].filter(Boolean);
      if (seen.size < seen.add(JSON.stringify(place)).size) continue;
      const [keys, found] = [[facet, color, x].filter(Boolean), place]
        .map((list) => list.join(", "));
      throw new Error(
        `Cannot draw ${this.what}: expected one row for each ${keys}; found two for ${found}; filter ` +
          "the rows, or tell them apart by color or facet",
      );
    }
  }

  /** What is told at a mark: `HOMO: INC on history: 50.8 points`. */
  words({ facet, series, x, y }: Mark, joint: string, at = nameOf(x)): string {
    const place = (facet ? `${facet}: ` : "") + (series ? `${series}${joint}${at}` : at);
    return hover(`${place}: ${tell(y, this.yColumn)}`);
  }

  /** One figure of a panel a facet, `draw` giving a panel's traces. */
  assemble(
    draw: (marks: Mark[]) => { data: PlotTrace[]; names?: readonly string[] },
    { x, y, legend = this.series, ...more }: Partial<Axes> & { legend?: readonly string[] } = {},
  ): FigureDescription {
    const { xColumn, yColumn, options } = this, { facetTitle } = options;
    const panels = this.facets.map((facet): Panel => ({
      facet,
      title: (typeof facetTitle === "function" ? facetTitle(facet) : facetTitle?.[facet]) ?? facet,
      ...draw(this.marks.filter((mark) => mark.facet === facet)),
    })).filter(({ data }) => data.length > 0);
    const side = ({ label, unit }: Column, range?: readonly [number, number]) =>
      axis(label ? headerOf({ label, unit }) : unit, range);
    const axes = {
      x: { ...side(xColumn, options.xRange), ...x },
      y: { ...side(yColumn, options.range), ...y },
    };
    return grid(panels, legend, { ...axes, ...more }, options);
  }
}

/** A place that no picture has: not a number, infinite; a name is as good as 0. */
export const placeOf = (x: Cell) => isMeasurement(x) ? x.value : typeof x === "number" ? x : 0;

const labelled = (column: LabelledColumn, label?: string, unit?: string): LabelledColumn => ({
  ...column,
  label: label ?? column.label,
  unit: unit ?? column.unit,
});

/** `50.8 points [47.0, 54.6], n = 7` */
export function tell(value: Cell, column: Column, digits = column.digits ?? digitsOf([value])) {
  const unit = !column.unit ? "" : column.unit === "%" ? "%" : ` ${column.unit}`;
  if (!isMeasurement(value)) return formatCell(value, { ...column, digits }) + unit;
  const { interval, n } = value;
  const bounds = interval?.map((bound) => formatNumber(bound, digits)).join(", ");
  return formatNumber(value.value, digits) + unit + (bounds ? ` [${bounds}]` : "") +
    (n === undefined ? "" : `, n = ${n}`);
}

export const hover = (words: string) => wrapPlot(words, 60);

/** How far the interval reaches from the value, as plotly wants it. */
export function errorBars(items: readonly (Measurement | undefined)[], color: string) {
  if (!items.some((item) => item?.interval)) return undefined;
  const reach = (item: Measurement | undefined, side: 0 | 1) => {
    if (!item?.interval) return null;
    const length = Math.max(0, (item.interval[side] - item.value) * (side ? 1 : -1));
    return Number.isFinite(length) ? length : null; // JSON has no infinity and no NaN
  };
  const [arrayminus, array] = ([0, 1] as const).map((side) =>
    items.map((item) => reach(item, side))
  );
  return { type: "data", symmetric: false, array, arrayminus, color, thickness: 1.4, width: 3 };
}
