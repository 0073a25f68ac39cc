/** Tokens as a strip of boxes: which the loss falls on, and at which position each of them is said. */
import { escapePlot } from "./_text.ts";
import type { FigureDescription, PlotTrace, Titles } from "./theme.ts";
import { heading, ink, layoutOf } from "./theme.ts";

/** One token of a row that is read. */
export interface StripToken {
  text: string;
  /** Whether the loss falls on it. */
  trained: boolean;
}

type Place = Record<"x" | "y" | "size", number>;

const width = 840, [left, right, bottom] = [16, 16, 12]; // px
const letter = 7.8, box = 26, gap = 6; // px
const fills = { read: "#F1F3F5", trained: "#F6C08F", said: "#FFFFFF" };

/**
 * A strip for each row. Trained tokens are shaded; under the token before one stands what the model is
 * trained to say there, with a line to the token that it is held against: the shift by one.
 */
export function tokenStrip(
  rows: ReadonlyMap<string, readonly StripToken[]>,
  titles: Titles,
): FigureDescription {
  const annotations: object[] = [], places: { x: number; y: number }[] = [];
  const write = (text: string, x: number, y: number, more: object = {}) =>
    annotations.push({ text, x, y, showarrow: false, font: { size: 12, color: ink }, ...more });
  const draw = (text: string, { x, y, size }: Place, fill: string) =>
    write(escapePlot(text), x + size / 2, y + box / 2, {
      ...{ width: size - 4, height: box - 4, bgcolor: fill, bordercolor: "#777777" },
    });
  const line = ([x0, y0]: number[], [x1, y1]: number[], arrowhead: number) =>
    annotations.push({
      ...{ text: "", showarrow: true, arrowhead, arrowcolor: ink, arrowwidth: 1.1 },
      ...{ x: x1, y: y1, ax: x0, ay: y0, axref: "x", ayref: "y", xref: "x", yref: "y" },
    });
  let y = 0;
  for (const [name, tokens] of rows) {
    write(`<b>${escapePlot(name)}</b>`, 0, y + 8, { xanchor: "left" });
    y += 22;
    let x = 0, second = false;
    const put: Place[] = [];
    tokens.forEach(({ text, trained }, t) => {
      const next = tokens[t + 1]?.trained ? tokens[t + 1].text : "";
      const size = Math.max(text.length, next.length) * letter + 12;
      if (x > 0 && x + size > width - left - right) {
        y += box + gap + (second ? box + 20 : 0);
        [x, second] = [0, false];
      }
      put[t] = { x, y, size };
      draw(text, put[t], trained ? fills.trained : fills.read);
      if (next) {
        draw(next, { x, y: y + box + 16, size }, fills.said);
        line([x + size / 2, y + box], [x + size / 2, y + box + 16], 2);
        second = true;
      }
      x += size + 4;
    });
    tokens.forEach(({ trained }, t) => {
      const [at, before] = [put[t], put[t - 1]];
      places.push({ x: at.x + at.size / 2, y: at.y + box / 2 });
      if (!trained || before?.y !== at.y) return;
      line([before.x + before.size, before.y + 1.5 * box + 16], [at.x + 8, at.y + box], 0);
    });
    y += box + gap + (second ? box + 20 : 0) + 10;
  }
  const top = heading(titles, width).height + 22;
  const margin = { l: left, r: right, t: top, b: bottom };
  const layout = layoutOf({ ...titles, width, height: Math.round(top + y + bottom), margin }, {
    ...{ annotations, showlegend: false },
    xaxis: { visible: false, range: [0, width - left - right], fixedrange: true },
    yaxis: { visible: false, range: [y, 0], fixedrange: true },
  });
  // The boxes are annotations; a figure without a trace counts as empty.
  const data: PlotTrace[] = [{
    ...{ type: "scatter", mode: "markers", marker: { opacity: 0 }, hoverinfo: "skip" },
    ...{ x: places.map(({ x }) => x), y: places.map(({ y }) => y) },
  }];
  return { data, layout };
}
