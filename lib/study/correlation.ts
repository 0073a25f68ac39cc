/**
 * Consistency and accuracy over the mixtures and domains of a model (paper, section 5.3): the rule's
 * correlation, others beside it, and other measures in the place of rank consistency. Each is computed
 * within a model and pooled over models by Fisher's z, for models are the independent units.
 */
import {
  type Correlation,
  partialCorrelation,
  rankResidualSpearman,
  spearman,
} from "../statistics/correlation.ts";
import { type ConsistencyPoint, type Estimate, pooledCorrelation } from "../contrast.ts";

/** Ways to correlate; the rule's is `partial Spearman`, the authors' code has `rank residuals`. */
export const correlationKinds = {
  "Spearman": (x, y) => spearman(x, y),
  "partial Spearman": (x, y, points) =>
    partialCorrelation(x, y, [points.map(({ base }) => base)], { method: "spearman" }),
  "partial Pearson": (x, y, points) =>
    partialCorrelation(x, y, [points.map(({ base }) => base)], { method: "pearson" }),
  "rank residuals (authors' code)": (x, y, points) =>
    rankResidualSpearman(x, y, [points.map(({ base }) => base)]),
  "within domains": (x, y, points) => partialCorrelation(x, y, domainColumns(points)),
  "partial Spearman, given r too": (x, y, points) =>
    partialCorrelation(x, y, [points.map(({ base }) => base), points.map(({ ratio }) => ratio)], {
      method: "spearman",
    }),
} satisfies Record<
  string,
  (x: number[], y: number[], points: readonly ConsistencyPoint[]) => Correlation
>;
export type CorrelationKind = keyof typeof correlationKinds;

/** What may be held against accuracy. */
export const consistencyMeasures = {
  "rank consistency": ({ consistency }) => consistency,
  "KL(base || tuned)": ({ kl }) => kl,
  "cosine": ({ cosine }) => cosine,
  "entropy": ({ entropy }) => entropy,
  "share of own answers": ({ ratio }) => ratio,
} satisfies Record<string, (point: ConsistencyPoint) => number>;
export type ConsistencyMeasure = keyof typeof consistencyMeasures;

/** A column of 0 and 1 for each domain but the first: with it held constant, domains can't differ. */
function domainColumns(points: readonly ConsistencyPoint[]): number[][] {
  const domains = [...new Set(points.map(({ domain }) => domain))].slice(1);
  return domains.map((name) => points.map(({ domain }) => Number(domain === name)));
}

/** The least number of points: three are used up by the two variables and the control. */
const LEAST = 5;

export interface CorrelationOptions {
  kind: CorrelationKind;
  /** Default: rank consistency. */
  measure?: ConsistencyMeasure;
}

/** The correlation of each model that has enough points; all points must be of one test. */
export function correlationsByModel(
  points: readonly ConsistencyPoint[],
  { kind, measure = "rank consistency" }: CorrelationOptions,
): { model: string; correlation: Correlation; points: number }[] {
  return [...Map.groupBy(points, ({ model }) => model)].flatMap(([model, list]) => {
    if (list.length < LEAST) return [];
    const x = list.map(consistencyMeasures[measure]), y = list.map(({ accuracy }) => accuracy);
    return [{ model, correlation: correlationKinds[kind](x, y, list), points: list.length }];
  });
}

/** Over models by Fisher's z with a t-interval; of one model its own. Undefined of too few points. */
export function correlationOverModels(
  points: readonly ConsistencyPoint[],
  options: CorrelationOptions,
): (Estimate & { over: "models" | "cells" }) | undefined {
  return pooledCorrelation(correlationsByModel(points, options));
}
