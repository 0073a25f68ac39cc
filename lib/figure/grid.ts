/**
 * Panels in one figure that fits a page's column: at most two side by side, the legend in
 * rows of its own under the title, and as much room below each panel as its names take.
 */
import { escapePlot, wrap, wrapPlot } from "./_text.ts";
import { unique } from "./rows.ts";
import type { FigureDescription, PlotTrace, Titles } from "./theme.ts";
import { figureWidth, heading, ink, layoutOf } from "./theme.ts";

/** A level to compare with, drawn as a dashed line. */
export interface Reference {
  name: string;
  value: number;
  /** The one panel that it belongs to. @default all */
  facet?: string;
}

export interface GridOptions extends Titles {
  /** Panels in a row. @default 2, or 1 where there is one */
  columns?: 1 | 2 | 3;
  /** One y axis for all panels, so that they can be compared. @default true */
  sharedY?: boolean;
  /** px of one panel. @default 300 alone, 210 with others */
  height?: number;
  references?: readonly Reference[];
}

export interface Panel {
  facet: string;
  title: string;
  data: PlotTrace[];
  /** Names below the axis, where it has names and no numbers. */
  names?: readonly string[];
}

/** The axes that all panels share, in plotly's terms. */
export interface Axes {
  x: Record<string, unknown>;
  y: Record<string, unknown>;
  /** px right of the plots, e.g. for a colour scale. */
  right?: number;
  /** The layout's other attributes. */
  layout?: Record<string, unknown>;
}

const letter = 8; // px of a letter of 13 px
const line = 18; // px of a line of them
const levels = ["dash", "dot", "dashdot"];
const slant = 35 * Math.PI / 180;

/** How names stand below an axis of `width` px: level in lines where they fit, else slanted. */
function tickRoom(names: readonly string[], width: number) {
  const most = Math.floor(width / names.length / letter) - 1;
  const words = Math.max(...names.flatMap((name) => name.split(/\s+/)).map(({ length }) => length));
  const level = words <= most;
  const size = level ? Math.min(18, most) : Math.min(18, Math.max(10, words));
  const wrapped = names.map((name) => wrap(name, size));
  const lines = Math.max(...wrapped.map(({ length }) => length)) * line;
  const long = Math.max(...wrapped.flat().map(({ length }) => length)) * letter;
  return {
    angle: level ? 0 : -35,
    text: (name: string) => wrapPlot(name, size),
    height: 6 + (level ? lines : long * Math.sin(slant) + lines * Math.cos(slant)),
  };
}

/** The legend of `names` below a heading of `top` px in a figure of some height, and its own height, px. */
function legendOf(names: readonly string[], top: number, inner: number) {
  const longest = Math.max(...names.map((name) => Math.min(name.length, legendLetters)));
  const entrywidth = longest * letter + 4;
  // plotly fills rows as wide as the plots, each entry with 40 px for its mark and 5 between two.
  const inRow = Math.max(1, Math.ceil((inner + 5) / (entrywidth + 45)) - 1);
  let rows = 0;
  for (let i = 0; i < names.length; i += inRow) {
    const lines = names.slice(i, i + inRow).map((name) => wrap(name, legendLetters).length);
    rows += Math.max(...lines) * line + 3;
  }
  const place = { x: 16 / figureWidth, xref: "container", xanchor: "left", yref: "container" };
  return {
    height: rows + 8,
    layoutIn: (height: number) => ({
      ...{ ...place, y: 1 - (top + 4) / height, yanchor: "top", orientation: "h" },
      ...{ entrywidth, entrywidthmode: "pixels", traceorder: "normal", itemsizing: "trace" },
    }),
  };
}

const legendLetters = 36;
/** A name in the legend. */
export const legendName = (name: string) => wrapPlot(name, legendLetters);

/** All panels in one figure; `names`: the legend's, none where there is nothing to tell apart. */
export function grid(
  panels: readonly Panel[],
  names: readonly string[],
  axes: Axes,
  options: GridOptions,
): FigureDescription {
  const { title, subtitle, sharedY = true, references = [] } = options;
  const columns = Math.min(options.columns ?? 2, Math.max(1, panels.length));
  const rows = Math.max(1, Math.ceil(panels.length / columns));
  const width = figureWidth;
  const titled = panels.some(({ title }) => title !== "");
  const [left, right] = [70, axes.right ?? 20];
  const gapX = columns === 1 ? 0 : sharedY ? 24 : 76;
  const inner = width - left - right;
  const panelWidth = (inner - gapX * (columns - 1)) / columns;
  const letters = Math.floor(panelWidth / 9);
  const titleHeight = titled
    ? 8 + line * Math.max(...panels.map(({ title }) => wrap(title, letters).length))
    : 0;
  const allNames = unique(panels.flatMap(({ names }) => names ?? []));
  const most = Math.max(1, ...panels.map(({ names }) => names?.length ?? 0));
  const ticks = tickRoom(allNames.length ? allNames : ["0"], panelWidth / most * allNames.length);
  const panelHeight = options.height ?? (panels.length > 1 ? 210 : 300);
  const gapY = ticks.height + titleHeight + 16;
  const levelNames = unique(references.map(({ name }) => name));
  const shown = names.length > 1 || levelNames.length > 0 ? unique([...names, ...levelNames]) : [];
  const head = heading(options, width).height;
  const top = head ? head + 14 : 10;
  const legend = shown.length ? legendOf(shown, top, inner) : undefined;
  const above = top + (legend?.height ?? 0) + titleHeight + 8;
  const below = ticks.height + 40;
  const plots = rows * panelHeight + (rows - 1) * gapY;
  const height = Math.round(above + plots + below);

  const layout = layoutOf({
    ...{ title, subtitle, width, height },
    margin: { l: left, r: right, t: above, b: below },
    legend: legend?.layoutIn(height),
  }, { showlegend: shown.length > 0, annotations: [], shapes: [], ...axes.layout });
  const named = new Set<string>();
  const once = (name: string) => named.size < named.add(name).size;
  const data = panels.flatMap((panel, i) => {
    const [column, row] = [i % columns, Math.floor(i / columns)];
    const id = i === 0 ? "" : String(i + 1);
    const start = column * (panelWidth + gapX) / inner;
    const bottom = (rows - 1 - row) * (panelHeight + gapY) / plots;
    const last = i + columns >= panels.length;
    layout[`xaxis${id}`] = {
      ...axes.x,
      ...(panel.names && namedAxis(panel.names, ticks)),
      ...(last ? {} : { title: { text: "" } }),
      domain: [start, Math.min(1, start + panelWidth / inner)],
      anchor: `y${id}`,
    };
    const hidden = sharedY && column > 0;
    layout[`yaxis${id}`] = {
      ...axes.y,
      domain: [bottom, Math.min(1, bottom + panelHeight / plots)],
      anchor: `x${id}`,
      ...(sharedY && i > 0 ? { matches: "y" } : {}),
      ...(hidden ? { showticklabels: false, title: { text: "" } } : {}),
    };
    if (titled) {
      layout.annotations.push({
        text: `<b>${wrapPlot(panel.title, letters)}</b>`,
        ...{ xref: `x${id} domain`, yref: `y${id} domain`, x: 0, y: 1 },
        ...{ xanchor: "left", yanchor: "bottom", showarrow: false, align: "left" },
        font: { size: 13 },
      });
    }
    for (const { name, value, facet } of references) {
      if (facet !== undefined && facet !== panel.facet) continue;
      const written = legendName(name);
      layout.shapes.push({
        ...{ type: "line", xref: `x${id} domain`, x0: 0, x1: 1, yref: `y${id}` },
        ...{ y0: value, y1: value, name: written, legendgroup: written, showlegend: once(name) },
        line: { color: ink, width: 1.6, dash: levels[levelNames.indexOf(name) % 3] },
      });
    }
    return panel.data.map((trace): PlotTrace => ({
      ...trace,
      xaxis: `x${id}`,
      yaxis: `y${id}`,
      ...(trace.showlegend === false || !trace.name ? { showlegend: false } : {
        legendgroup: trace.name,
        legendrank: 1 + Math.max(0, shown.map(legendName).indexOf(trace.name)),
        showlegend: once(trace.name),
      }),
    }));
  });
  return { data, layout };
}

function namedAxis(names: readonly string[], { angle, text }: ReturnType<typeof tickRoom>) {
  const categories = names.map(escapePlot);
  return {
    ...{ type: "category", showgrid: false, tickangle: angle },
    ...{ categoryorder: "array", categoryarray: categories },
    ...{ tickvals: categories, ticktext: names.map(text) },
  };
}
