/** Several figures of one kind side by side in one, e.g. a panel each for HOMO, ID and OOD. */
import { wrapPlot } from "./_text.ts";
import { type FigureDescription, layoutOf, type PlotOptions, type PlotTrace } from "./theme.ts";

export interface Panel {
  title: string;
  figure: FigureDescription;
}

export interface PanelOptions extends Pick<PlotOptions, "title" | "subtitle" | "legend"> {
  /** Panels in a row. @default 3, or fewer when there are fewer panels */
  columns?: number;
  /** One y axis for all panels, so that they can be compared. @default true */
  sharedY?: boolean;
  /** px. @default 300 a column and 120 for the legend */
  width?: number;
  /** px. @default 330 a row */
  height?: number;
}

/**
 * The figures in one grid, each under its panel's title (their own titles are left out), with one
 * legend and, for heat maps, one colour scale. Throws when `items` is empty.
 */
export function panels(items: readonly Panel[], options: PanelOptions = {}): FigureDescription {
  if (items.length === 0) {
    throw new Error("Cannot draw panels: expected at least one, found none; check the data");
  }
  const columns = options.columns ?? Math.min(3, items.length);
  const rows = Math.ceil(items.length / columns);
  const { sharedY = true, width = 120 + 300 * columns, height = 330 * rows } = options;
  const gap = { x: (sharedY ? 22 : 84) / (width - 180), y: 116 / (height - 100) };
  const size = {
    x: (1 - gap.x * (columns - 1)) / columns,
    y: (1 - gap.y * (rows - 1)) / rows,
  };
  const first = items[0].figure.layout;
  const layout = layoutOf({ ...options, width, height }, {
    barmode: first.barmode,
    bargap: first.bargap,
    bargroupgap: first.bargroupgap,
    showlegend: items.some(({ figure }) => figure.layout.showlegend),
    annotations: [],
  });
  layout.margin.t += 16; // the panels' titles
  const named = new Set<string>();
  const depths = items.flatMap(({ figure }) => figure.data).flatMap(depthsOf);
  const data = items.flatMap(({ title, figure }, i) => {
    const [column, row] = [i % columns, Math.floor(i / columns)];
    const id = i === 0 ? "" : String(i + 1);
    const left = column * (size.x + gap.x);
    const bottom = (rows - 1 - row) * (size.y + gap.y);
    const { xaxis, yaxis } = figure.layout;
    layout[`xaxis${id}`] = {
      ...xaxis,
      domain: [left, left + size.x],
      anchor: `y${id}`,
      title: { ...xaxis.title, text: i + columns >= items.length ? xaxis.title.text : "" },
    };
    const inner = sharedY && column > 0;
    layout[`yaxis${id}`] = {
      ...yaxis,
      domain: [bottom, bottom + size.y],
      anchor: `x${id}`,
      ...(sharedY && i > 0 ? { matches: "y" } : {}),
      ...(inner ? { showticklabels: false, title: { text: "" } } : {}),
    };
    layout.annotations.push({
      text: `<b>${wrapPlot(title, Math.floor(size.x * width / 9))}</b>`,
      xref: `x${id} domain`,
      yref: `y${id} domain`,
      x: 0.5,
      y: 1,
      xanchor: "center",
      yanchor: "bottom",
      showarrow: false,
      font: { size: 13 },
    });
    return figure.data.map((trace): PlotTrace => {
      const name = trace.name ?? "";
      const repeated = name !== "" && trace.showlegend !== false && named.has(name);
      if (trace.showlegend !== false) named.add(name);
      return {
        ...trace,
        xaxis: `x${id}`,
        yaxis: `y${id}`,
        legendgroup: trace.legendgroup ?? name,
        ...(repeated ? { showlegend: false } : {}),
        ...(trace.type === "heatmap"
          ? { showscale: i === 0, zmin: Math.min(...depths), zmax: Math.max(...depths) }
          : {}),
      };
    });
  });
  return { data, layout };
}

/** The colour scale's ends of a heat map: what it was given, or its smallest and largest value. */
function depthsOf(trace: PlotTrace): number[] {
  if (trace.type !== "heatmap") return [];
  if (typeof trace.zmin === "number") return [trace.zmin, trace.zmax as number];
  return (trace.z as (number | null)[][]).flat().filter((value) => value !== null);
}
