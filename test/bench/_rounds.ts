/** Sides that take turns, round by round, so that what disturbs the machine disturbs all of them. */
import type { ModelConfiguration } from "../../lib/model/configuration.ts";
import { BUSY_CORES, watchOthers } from "./_load.ts";

/** One of those that are compared. */
export interface Side {
  name: string;
  /** The process that computes, to tell its use of the processors from others'. */
  pid: number;
  /** What computes: versions, device, threads. */
  about: string;
  /** How many units of work (questions, tokens, rows) one run does. */
  units: number;
  /** Floating-point operations that the method asks for in one run. */
  flops: number;
  /** One run; gives its seconds, or nothing: then the time of the call is taken. */
  run(): Promise<number | void>;
}

/** What was measured of one side. */
export interface Measured {
  side: string;
  about: string;
  /** Units of work a second, the median of the rounds, and their range. */
  rate: number;
  rateRange: [number, number];
  gigaflopsPerSecond: number;
  /** This project's rate over this side's: the median of the rounds' ratios; 1 for this project. */
  ratio: number;
  ratioRange: [number, number];
  /** Cores that other processes took while this side ran: the rounds' most; null where unknown. */
  othersCores: number | null;
}

/** One comparison as a table shows it. */
export interface Comparison {
  name: string;
  /** Of the rate, e.g. questions/s. */
  unit: string;
  rounds: number;
  sides: Measured[];
  /** What a reader must know: data, settings, what agreed. */
  notes: string[];
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/**
 * Runs the sides by turns: once unmeasured, so that graphs and caches settle, then `rounds` times.
 * @param sides this project's first
 */
export async function interleave(
  sides: readonly Side[],
  { rounds, unit, onProgress }: {
    rounds: number;
    unit: string;
    onProgress: (line: string) => void;
  },
): Promise<Measured[]> {
  const rates: number[][] = sides.map(() => []);
  const others: (number | null)[][] = sides.map(() => []);
  for (let round = -1; round < rounds; round++) {
    // The order turns each round, so that no side always runs on the heat of the other.
    const order = [...sides.keys()];
    for (const i of round % 2 === 0 ? order : order.reverse()) {
      const side = sides[i];
      // Idle worker threads of the side before spin for a moment after their last work.
      await new Promise((resolve) => setTimeout(resolve, 300));
      const watch = watchOthers(side.pid);
      const start = performance.now();
      const seconds = await side.run() ?? (performance.now() - start) / 1000;
      if (round < 0) continue;
      rates[i].push(side.units / seconds);
      others[i].push(watch());
    }
    if (round < 0) continue;
    const line = sides.map(({ name }, i) => `${name} ${rates[i][round].toFixed(2)}`).join(", ");
    onProgress(`round ${round + 1} of ${rounds}: ${line} ${unit}`);
  }
  return sides.map((side, i) => {
    const ratios = rates[i].map((rate, round) => rates[0][round] / rate);
    const rate = median(rates[i]);
    return {
      side: side.name,
      about: side.about,
      rate,
      rateRange: [Math.min(...rates[i]), Math.max(...rates[i])],
      gigaflopsPerSecond: rate * side.flops / side.units / 1e9,
      ratio: median(ratios),
      ratioRange: [Math.min(...ratios), Math.max(...ratios)],
      othersCores: others[i].includes(null) ? null : Math.max(...others[i] as number[]),
    };
  });
}

/** Comparisons as one table of Markdown, with what one needs to read it. */
export function comparisonsToMarkdown(comparisons: readonly Comparison[]): string {
  const line = (cells: string[]) => `| ${cells.join(" | ")} |`;
  const head = ["what", "side", "rate (range)", "unit", "GFLOP/s", "ours / this (rounds)"];
  const busy = (m: Measured) => m.othersCores !== null && m.othersCores > BUSY_CORES;
  const digits = (value: number) => value.toFixed(value < 100 ? 2 : 0);
  const rows = comparisons.flatMap(({ name, unit, sides }) =>
    sides.map((m, i) =>
      line([
        name,
        busy(m) ? `${m.side} (machine busy)` : m.side,
        `${digits(m.rate)} (${m.rateRange.map(digits).join(" to ")})`,
        unit,
        m.gigaflopsPerSecond.toFixed(1),
        i === 0 ? "" : `${m.ratio.toFixed(2)} (${m.ratioRange.map(digits).join(" to ")})`,
      ])
    )
  );
  const taken = comparisons.flatMap(({ sides }) => sides).filter(busy);
  return [
    line(head),
    line(head.map(() => "---")),
    ...rows,
    "",
    ...(taken.length === 0 ? [] : [
      `Other processes took up to ${Math.max(...taken.map((m) => m.othersCores!)).toFixed(1)} ` +
      "cores while the rows marked busy ran: these are no measurements; run again on a quiet " +
      "machine.",
      "",
    ]),
    ...comparisons.flatMap(({ name, rounds, sides, notes }) => [
      `- ${name}: medians of ${rounds} interleaved rounds`,
      ...notes.map((note) => `  - ${note}`),
      ...[...new Map(sides.map(({ side, about }) => [side, about]))]
        .map(([side, about]) => `  - ${side}: ${about}`),
    ]),
  ].join("\n");
}

/** What a forward pass has to do. */
export interface ForwardWork {
  /** Tokens that go through the layers. */
  tokens: number;
  /** Sum over those tokens of the positions that each looks at. */
  attended: number;
  /** Positions at which the output layer is computed. */
  heads: number;
}

/** Sum over the positions `from` to `to` (exclusive) of how many positions each sees. */
export const attendedBy = (from: number, to: number): number =>
  (to * (to + 1) - from * (from + 1)) / 2;

/** Operations (a multiplication and an addition count two) of a forward pass's matrix products. */
export function forwardFlops(
  config: Pick<
    ModelConfiguration,
    | "layers"
    | "hiddenSize"
    | "intermediateSize"
    | "heads"
    | "keyValueHeads"
    | "headDimension"
    | "vocabularySize"
  >,
  { tokens, attended, heads }: ForwardWork,
): number {
  const { layers, hiddenSize: d, headDimension } = config;
  const queries = config.heads * headDimension;
  const layer = d * (2 * queries + 2 * config.keyValueHeads * headDimension) +
    3 * d * config.intermediateSize;
  return 2 * tokens * layers * layer + 4 * attended * layers * queries +
    2 * heads * d * config.vocabularySize;
}
