/**
 * The rule of data/study-rule.md as code: its hypotheses, Holm's correction, and how an effect is read.
 */
import { type SuiteName, suiteNames } from "./evaluate.ts";
import { holm } from "./statistics/hypothesis.ts";
import type { CellResult, Treatment } from "./cell.ts";
import { paperNumber } from "./dataset/paper.ts";
import {
  consistencyPoints,
  contrast,
  correlationsByModel,
  type Estimate,
  estimateOf,
  pooledCorrelation,
} from "./contrast.ts";

/** `no claim`: the groups rest on a probe that shows no knowledge, so that nothing can be read. */
export type Verdict = "holds" | "does not hold" | "can't tell" | "no claim";

/** One hypothesis on one test, read by the rule. */
export interface Finding {
  hypothesis: string;
  suite: SuiteName;
  estimate: Estimate;
  /** `points`, `r` for a correlation, `nats` for a divergence. */
  unit: "points" | "r" | "nats";
  /** What the interval is over: models, or with a single one its questions, or its cells. */
  over: "models" | "questions" | "cells";
  /** Holm's correction over the hypotheses that the rule corrects together. */
  correctedP?: number;
  /** What else must be known, e.g. which ratio was best. */
  detail?: string;
  verdict: Verdict;
  /** The paper's number for the same, where it gives one. */
  paper?: string;
}

/** The smallest effect that counts, below which a hypothesis is given up; the rule fixes none in nats. */
const SMALLEST = { points: 1, r: 0.1, nats: -Infinity } as const;

/** The rule's differences: against INC. */
export const ruleContrasts: readonly (readonly [hypothesis: string, treatment: Treatment])[] = [
  ["HAR - INC", "har"],
  ["SELF - INC", "self"],
  ["CON - INC", "context"],
];

/** Holm's correction over those that are numbers; undefined of the others. */
export function holmOf(ps: readonly (number | null | undefined)[]): (number | undefined)[] {
  const tested = ps.filter((p) => Number.isFinite(p)) as number[];
  const corrected = tested.length === 0 ? [] : holm(tested);
  return ps.map((p) => Number.isFinite(p) ? corrected.shift() : undefined);
}

/** The twelve hypotheses of data/study-rule.md; those without results are left out. */
export function findings(cells: readonly CellResult[]): Finding[] {
  const points = consistencyPoints(cells);
  const found = [
    ...ruleContrasts.flatMap(([hypothesis, treatment]) =>
      suiteNames.flatMap((suite) => {
        const result = contrast(cells, { treatment }, { treatment: "inc" }, { suite });
        if (result === undefined) return [];
        const estimate = estimateOf(result), unit = "points" as const;
        return [{ hypothesis, suite, estimate, unit, over: result.over }];
      })
    ),
    ...suiteNames.flatMap((suite) => {
      const tested = points.filter((point) => point.suite === suite);
      const result = pooledCorrelation(correlationsByModel(tested, { kind: "partial Spearman" }));
      if (result === undefined) return [];
      const { over, ...estimate } = result;
      return [{ hypothesis: "consistency ~ accuracy", suite, estimate, unit: "r" as const, over }];
    }),
  ];
  const corrected = holmOf(found.map(({ estimate }) => estimate.p));
  return found.map((finding, i) => ({
    ...finding,
    paper: paperNumber(finding.hypothesis, finding.suite),
    correctedP: corrected[i],
    verdict: verdictOf(finding, corrected[i]),
  }));
}

/** The rule's verdict of an effect that is claimed to be above 0. */
export function verdictOf(
  { estimate, unit }: Pick<Finding, "estimate" | "unit">,
  p: number | undefined,
): Verdict {
  const { value, interval } = estimate;
  const shown = p !== undefined && p < 0.05;
  if (shown && value > 0) return "holds";
  if (shown && value < 0) return "does not hold";
  if (interval !== undefined && interval[1] < SMALLEST[unit]) return "does not hold";
  return "can't tell";
}
