/** Curves over the share r of SELF: the mean with its band, each model as a thin line, the best r. */
import type { RatioEstimate } from "../study/mixture.ts";
import { type LineOptions, linesWithBands } from "./plot.ts";
import { type FigureDescription, ink, palette, type PlotTrace } from "./theme.ts";

export interface RatioCurve {
  name: string;
  curve: readonly RatioEstimate[];
}

export interface RatioFigureOptions extends LineOptions {
  /** Draws every model of the first curve as a thin line. @default false */
  models?: boolean;
  /** The best ratio of the first curve, and between which it lies in 95% of the resamples. */
  best?: { ratio: number; range?: readonly [number, number] };
}

/** Lines over r. Throws when there is no point. */
export function ratioFigure(
  curves: readonly RatioCurve[],
  { models = false, best, ...options }: RatioFigureOptions = {},
): FigureDescription {
  const figure = linesWithBands(
    curves.map(({ name, curve }) => ({
      name,
      points: curve.map(({ ratio, estimate }) => ({ x: ratio, ...estimate })),
    })),
    { x: { label: "share r of SELF", ticks: [0, 0.2, 0.4, 0.6, 0.8, 1] }, ...options },
  );
  const [{ curve }] = curves;
  const before = models ? thinLines(curve) : [];
  const after = best ? bestMark(curve, best) : [];
  return { ...figure, data: [...before, ...figure.data, ...after] };
}

function thinLines(curve: readonly RatioEstimate[]): PlotTrace[] {
  const names = curve[0].models.map(({ model }) => model);
  if (names.length < 2) return [];
  return names.map((name) => ({
    type: "scatter",
    mode: "lines",
    name: "single models",
    hovertext: name,
    x: curve.map(({ ratio }) => ratio),
    y: curve.map(({ models }) => models.find(({ model }) => model === name)?.value ?? null),
    line: { color: "#BBBBBB", width: 1.2 },
  }));
}

function bestMark(
  curve: readonly RatioEstimate[],
  { ratio, range }: NonNullable<RatioFigureOptions["best"]>,
): PlotTrace[] {
  const point = curve.find((one) => one.ratio === ratio);
  if (point === undefined) return [];
  return [{
    type: "scatter",
    mode: "markers",
    name: "best r, 95% of resamples",
    x: [ratio],
    y: [point.estimate.value],
    ...(range
      ? {
        error_x: {
          type: "data",
          symmetric: false,
          array: [range[1] - ratio],
          arrayminus: [ratio - range[0]],
          color: ink,
          thickness: 2.4,
          width: 6,
        },
      }
      : {}),
    marker: { color: palette[4], size: 15, symbol: "star", line: { color: ink, width: 1 } },
  }];
}
