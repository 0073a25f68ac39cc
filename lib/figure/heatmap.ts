/** A grid of coloured cells over tidy rows. */
import { Chart, type ChartOptions, type Mark, nameOf } from "./_chart.ts";
import { escapePlot, wrapPlot } from "./_text.ts";
import { columnOf, formatCell, headerOf } from "./column.ts";
import { type Row, unique } from "./rows.ts";
import { type FigureDescription, ink, type PlotTrace } from "./theme.ts";

export interface HeatmapOptions extends Omit<ChartOptions, "y" | "color" | "colors"> {
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
  const chart = new Chart("a heat map", rows, { ...options, y: value, color: y });
  chart.checkPlaces();
  const { marks, facets, yColumn, series } = chart;
  const [columns, several] = [unique(marks.map(({ x }) => nameOf(x))), facets.length > 1];
  const size = (several ? 230 : 470) / columns.length / 7; // letters of 12 px that a cell holds
  const written = (item: Mark) => {
    const lines = formatCell(item.y, yColumn).split(/ (?=\[)/);
    const fits = lines.every(({ length }) => length <= size);
    return fits ? lines.join("<br>") : formatCell(item.y.value, yColumn);
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
      z: cells<number | null>((item) => item.y.value, null),
      text: cells(written, ""),
      texttemplate: "%{text}",
      textfont: { color: ink, size: 12 },
      hoverinfo: "text",
      hovertext: cells((item) => chart.words(item, " on "), ""),
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
  return chart.assemble(draw, {
    ...{ x: bare, y: { ...bare, title: label, autorange: "reversed" } },
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
}
