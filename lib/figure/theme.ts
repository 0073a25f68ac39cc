/**
 * How every figure looks: one font, one palette that colour-blind readers can tell apart (Okabe and
 * Ito 2008, yellow left out as too pale on white), the same colour for the same group everywhere.
 */
import { escapePlot, wrapPlot } from "./_text.ts";

/** Pixels of a notebook's png for each of its figure: sharp on most screens, and notebooks stay small. */
export const pngScale = 1.5;
/** px of every figure: what a notebook's column holds beside its margins, and a telephone still tells. */
export const figureWidth = 720;

export const palette = [
  "#0072B2",
  "#D55E00",
  "#009E73",
  "#CC79A7",
  "#E69F00",
  "#56B4E9",
  "#000000",
  "#8C6D31",
] as const;

/** The groups' colours, by name in lower case. */
export const groupColors: Readonly<Record<string, string>> = {
  base: "#767676",
  har: "#009E73",
  inc: "#D55E00",
  self: "#0072B2",
  con: "#CC79A7",
  context: "#CC79A7",
  "con (inc)": "#CC79A7",
  "con (har)": "#8C6D31",
  mixture: "#E69F00",
  "general only": "#56B4E9",
  "inc - base": "#D55E00",
  "har - base": "#8C6D31",
  "har - inc": "#009E73",
  "self - inc": "#0072B2",
};

/** Marker symbols and dashes, so that lines differ without colour too. */
export const symbols = ["circle", "square", "diamond", "triangle-up", "cross", "x", "star"];
export const dashes = ["solid", "dash", "dot", "dashdot", "longdash", "longdashdot"];
/** Bars' patterns, for the same reason. */
export const patterns = ["", "/", ".", "x", "-", "\\", "+", "|"];

export const ink = "#222222";
const faint = "#E4E4E4";
/** What is drawn behind the data, to compare with. */
export const gray = "#767676";

/** One trace of a figure, in plotly's terms; of the kinds that are drawn whole without a browser. */
export type PlotTrace = {
  type: "bar" | "heatmap" | "scatter";
  name?: string;
  [attribute: string]: unknown;
};

/** A figure: what plotly draws, as plain data. */
export type FigureDescription = { data: PlotTrace[]; layout: FigureLayout };

export interface FigureLayout {
  /** px */
  width: number;
  /** px */
  height: number;
  // deno-lint-ignore no-explicit-any
  [attribute: string]: any;
}

export interface Titles {
  title?: string;
  /** A smaller line below the title, e.g. what the error bars are. */
  subtitle?: string;
}

/** A colour for each name: the given one, the group's own, or the next one of the palette. */
export function colorsOf(names: readonly string[], given: Readonly<Record<string, string>> = {}) {
  const fixed = names.map((name) =>
    given[name] ?? groupColors[name.toLowerCase().replace(/ \(tuned .*/, "")]
  );
  const free = palette.filter((color) => !fixed.includes(color));
  let next = 0;
  return new Map(names.map((name, i) => [name, fixed[i] ?? free[next++ % free.length]]));
}

/** Title and subtitle as plotly's one title text, and the height they take, px. */
export function heading(options: Titles, width: number): { text: string; height: number } {
  const lines = (text: string | undefined, letter: number) =>
    text ? wrapPlot(text, Math.floor((width - 40) / letter)).split("<br>") : [];
  const title = lines(options.title, 10);
  const subtitle = lines(options.subtitle, 7.2)
    .map((line) => `<span style="font-size:12px;color:#555555">${line}</span>`);
  const text = [...title, ...subtitle].join("<br>");
  return { text, height: 22 * title.length + 20 * subtitle.length };
}

/** An axis in plotly's terms. */
export function axis(label = "", range?: readonly [number, number]): Record<string, unknown> {
  return {
    title: { text: escapePlot(label), standoff: 12, font: { size: 13 } },
    automargin: true,
    showline: true,
    linecolor: "#777777",
    gridcolor: faint,
    zeroline: false,
    ticks: "outside",
    tickcolor: "#777777",
    ...(range && { range }),
  };
}

/** The layout that all figures share. */
export function layoutOf(
  { width, height, margin, legend, ...titles }: Titles & {
    width: number;
    height: number;
    margin: Record<"l" | "r" | "t" | "b", number>;
    legend?: Record<string, unknown>;
  },
  more: Record<string, unknown>,
): FigureLayout {
  const { text } = heading(titles, width);
  return {
    width,
    height,
    font: { family: "DejaVu Sans, Verdana, sans-serif", size: 13, color: ink },
    paper_bgcolor: "#FFFFFF",
    plot_bgcolor: "#FFFFFF",
    margin,
    title: {
      text,
      font: { size: 16 },
      x: 16 / width,
      xanchor: "left",
      // plotly puts the top of a single line there, but the baseline of the first of several.
      y: 1 - (text.includes("<br>") ? 25 : 12) / height,
      yanchor: "top",
      yref: "container",
    },
    ...(legend ? { legend } : {}),
    hoverlabel: { font: { family: "DejaVu Sans, Verdana, sans-serif" } },
    xaxis: axis(),
    yaxis: axis(),
    ...more,
  };
}
