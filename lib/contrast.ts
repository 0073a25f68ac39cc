/**
 * What the study's cells say: means, contrasts between groups, correlations, and the reading of the
 * rule in data/study-rule.md. Accuracies in points (0 to 100).
 */
import { type SuiteName, suiteNames } from "./evaluate.ts";
import type { Correlation } from "./statistics/correlation.ts";
import { partialCorrelation, rankResidualSpearman, spearman } from "./statistics/correlation.ts";
import { tTest } from "./statistics/hypothesis.ts";
import type { Interval } from "./statistics/_check.ts";
import { mean, meanInterval } from "./statistics/mean.ts";
import { type CellResult, ratioOf, type SuiteRecord, type Treatment } from "./cell.ts";

/** A treatment in the tables' terms. */
export const treatmentLabels: Readonly<Record<Treatment, string>> = {
  har: "HAR",
  inc: "INC",
  self: "SELF",
  context: "CON (INC)",
  "context-har": "CON (HAR)",
  general: "general only",
  mix: "mixture",
};

export const suiteLabels: Readonly<Record<SuiteName, string>> = {
  homo: "HOMO",
  id: "ID",
  ood: "OOD",
};

/** Which numbers of a cell are meant. */
export type Selection = { treatment: Treatment; ratio?: number; suite: SuiteName };

/** The tested cells of a selection. */
export function select(cells: readonly CellResult[], { treatment, ratio, suite }: Selection) {
  return cells.filter(({ cell, suites }) =>
    cell.treatment === treatment && cell.ratio === ratio && suites[suite] !== undefined
  );
}

/** One number of each model: the mean over its domains and seeds. */
export function byModel(
  cells: readonly CellResult[],
  selection: Selection,
  value: (record: SuiteRecord) => number = ({ accuracy }) => 100 * accuracy,
): Map<string, number> {
  const groups = Map.groupBy(select(cells, selection), ({ cell }) => cell.model);
  return new Map(
    [...groups].map(([model, results]) => [
      model,
      mean(results.map(({ suites }) => value(suites[selection.suite]!))),
    ]),
  );
}

/** A mean with what it was taken over. */
export interface Estimate {
  value: number;
  /** 95%; absent where there is only one unit. */
  interval?: Interval;
  /** Units: models, or questions within one model. */
  n: number;
  /** Two-sided, of the value being 0. */
  p?: number;
  /** The smallest true value that so many such units would show, with 80% power at the 5% level. */
  detectable?: number;
}

/**
 * Student's form of the smallest detectable effect (minimumDetectableEffect has the normal one, which
 * promises too much for few units): (t.975 + t.8) standard errors.
 */
export function detectableEffect(values: readonly number[], clusters?: readonly string[]): number {
  const half = (confidence: number) => {
    const { interval: [low, high] } = meanInterval(values, { confidence, clusters });
    return (high - low) / 2;
  };
  return half(0.95) + half(0.6);
}

/** The estimate of a contrast, without what it was taken over. */
export const estimateOf = ({ value, interval, n, p, detectable }: Estimate): Estimate => (
  { value, interval, n, p, detectable }
);

/** What tables show of an estimate: no test and no resolution. */
export function plainEstimate(estimate: Estimate | null | undefined): Estimate | null {
  if (!estimate) return null;
  const { value, interval, n } = estimate;
  return interval === undefined ? { value, n } : { value, interval, n };
}

/** A t-interval over models, which are the independent units; of one model its value alone, null of none. */
export function overModels(values: readonly number[]): Estimate | null {
  if (values.length === 0) return null;
  if (values.length === 1) return { value: values[0], n: 1 };
  const { mean: value, interval, p } = tTest(values);
  return { value, interval, n: values.length, p };
}

/** Tested cells of a selection, each with the one of another selection that shares model, domain and seed. */
export function pairsOf(
  cells: readonly CellResult[],
  selection: Selection,
  { others = cells, ...other }: Selection & { others?: readonly CellResult[] },
): { left: CellResult; right: CellResult }[] {
  const place = ({ cell }: CellResult) => JSON.stringify([cell.model, cell.domain, cell.seed]);
  const partners = new Map(select(others, other).map((result) => [place(result), result]));
  return select(cells, selection).flatMap((left) => {
    const right = partners.get(place(left));
    return right === undefined ? [] : [{ left, right }];
  });
}

/** An estimate and what its interval is over: `models`, or with a single model its `questions`. */
export type Contrast = Estimate & { over: "models" | "questions" };

/**
 * a - b, paired by model, domain and seed. Over several models: a t-interval of the models' means, the
 * only independent units. Of one model: over its questions, clustered by question, so that it speaks of
 * this model alone.
 */
export function contrast(
  cells: readonly CellResult[],
  a: Omit<Selection, "suite">,
  b: Omit<Selection, "suite">,
  { suite, value, items = value === undefined ? correctOf(suite) : undefined, others }: {
    suite: SuiteName;
    /** Where b is looked for, such as the cells of another dose. Default: `cells`. */
    others?: readonly CellResult[];
    /** Default: accuracy, points. */
    value?: (record: SuiteRecord) => number;
    /** The same of each question. Default: of accuracy; another value of one model has no interval. */
    items?: (result: CellResult) => readonly number[];
  },
): Contrast | undefined {
  const number = value ?? (({ accuracy }: SuiteRecord) => 100 * accuracy);
  const pairs = pairsOf(cells, { ...a, suite }, { ...b, suite, others });
  if (pairs.length === 0) return undefined;
  const differenceOf = ({ left, right }: typeof pairs[0]) =>
    number(left.suites[suite]!) - number(right.suites[suite]!);
  const models = [...Map.groupBy(pairs, ({ left }) => left.cell.model).values()]
    .map((list) => mean(list.map(differenceOf)));
  if (models.length > 1 || items === undefined) return contrastOf(models);
  const differences: number[] = [], clusters: string[] = [];
  for (const { left, right } of pairs) {
    const names = right.suites[suite]!.items, values = items(right);
    const other = new Map(names.map((item, i) => [item, values[i]]));
    const own = items(left);
    left.suites[suite]!.items.forEach((item, i) => {
      differences.push(own[i] - other.get(item)!);
      clusters.push(item);
    });
  }
  return { over: "questions", ...overQuestions(differences, clusters) };
}

/** The contrast that each model's mean over its domains and seeds gives. */
export function contrastOf(models: readonly number[]): Contrast {
  const detectable = models.length > 1 ? { detectable: detectableEffect(models) } : {};
  return { over: "models", ...overModels(models)!, ...detectable };
}

/**
 * The mean difference of one model, points, over its questions: one difference for each answer. Questions
 * weigh alike; in a model's own mean its domains and seeds do.
 */
export function overQuestions(
  differences: readonly number[],
  clusters: readonly string[],
): Estimate {
  const { mean: value, interval, p, units: n, stderr } = tTest(differences, { clusters });
  if (stderr === 0 && value === 0) {
    // No answer differs: t would be sure of it, also after three questions. The exact binomial bound
    // of the share of answers that differ is not.
    const most = 100 * (1 - 0.025 ** (1 / n));
    return { value, interval: [-most, most], n, p };
  }
  return { value, interval, n, p, detectable: detectableEffect(differences, clusters) };
}

const correctOf = (suite: SuiteName) => ({ suites }: CellResult) =>
  suites[suite]!.correct.map((right) => 100 * right);

/** The mixtures and their ends, of the models and seeds that have mixtures: all ratios rest on the same. */
export function mixedCells(cells: readonly CellResult[]): CellResult[] {
  const place = ({ cell: { model, seed } }: CellResult) => JSON.stringify([model, seed]);
  const mixing = new Set(cells.filter(({ cell }) => cell.treatment === "mix").map(place));
  return cells.filter((one) => mixing.has(place(one)) && ratioOf(one) !== undefined);
}

/**
 * The points of the correlation (paper, section 5.3): mixtures x domains, seeds averaged. Rank consistency
 * x 100, tuned and base accuracy in points, KL(base || tuned) and entropy in nats.
 */
export function consistencyPoints(cells: readonly CellResult[]) {
  const place = (one: CellResult) =>
    JSON.stringify([one.cell.model, one.cell.domain, ratioOf(one)]);
  return suiteNames.flatMap((suite) => {
    const mixed = mixedCells(cells).filter(({ suites }) => suites[suite]);
    return [...Map.groupBy(mixed, place).values()].map((list) => {
      const { cell: { model, domain } } = list[0], ratio = ratioOf(list[0])!;
      // Nine digits, for ranks must not hang on the last bit of a sum.
      const over = (value: (record: SuiteRecord) => number) =>
        Number(mean(list.map(({ suites }) => value(suites[suite]!))).toPrecision(9));
      return {
        model,
        domain,
        ratio,
        suite,
        consistency: over(({ rank }) => 100 * rank),
        accuracy: over(({ accuracy }) => 100 * accuracy),
        base: over(({ baseAccuracy }) => 100 * baseAccuracy),
        kl: over(({ kl }) => kl),
        cosine: over(({ cosine }) => cosine),
        entropy: over(({ entropy }) => entropy),
      };
    });
  });
}

export type ConsistencyPoint = ReturnType<typeof consistencyPoints>[number];

/** Over models the t-interval of Fisher's z; of one model its own interval. */
export function pooledCorrelation(
  list: readonly { correlation: Correlation; points: number }[],
): (Estimate & { over: "models" | "cells" }) | undefined {
  const finite = list.filter(({ correlation }) => Number.isFinite(correlation.r));
  if (finite.length === 0) return undefined;
  if (finite.length === 1) {
    const { correlation: { r, p, interval }, points } = finite[0];
    return { value: r, interval, p, n: points, over: "cells" };
  }
  // A correlation of exactly 1 has no finite z.
  const z = finite.map(({ correlation }) =>
    Math.atanh(Math.max(-0.9999, Math.min(0.9999, correlation.r)))
  );
  const { mean: centre, interval: [low, high], p, n } = tTest(z);
  return {
    value: Math.tanh(centre),
    interval: [Math.tanh(low), Math.tanh(high)],
    p,
    n,
    over: "models",
  };
}

const basesOf = (points: readonly ConsistencyPoint[]) => points.map(({ base }) => base);
const ranked = { method: "spearman" } as const;

/** Ways to correlate; the rule's is `partial Spearman`, the authors' code has `rank residuals`. */
export const correlationKinds = {
  "Spearman": (x, y) => spearman(x, y),
  "partial Spearman": (x, y, points) => partialCorrelation(x, y, [basesOf(points)], ranked),
  "partial Pearson": (x, y, points) => partialCorrelation(x, y, [basesOf(points)]),
  "rank residuals (authors' code)": (x, y, points) => rankResidualSpearman(x, y, [basesOf(points)]),
  "within domains": (x, y, points) => partialCorrelation(x, y, domainColumns(points)),
  "partial Spearman, given r too": (x, y, points) =>
    partialCorrelation(x, y, [basesOf(points), points.map(({ ratio }) => ratio)], ranked),
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

/** The correlation of each model that has enough points; all points must be of one test. */
export function correlationsByModel(
  points: readonly ConsistencyPoint[],
  { kind, measure = "rank consistency" }: { kind: CorrelationKind; measure?: ConsistencyMeasure },
): { model: string; correlation: Correlation; points: number }[] {
  return [...Map.groupBy(points, ({ model }) => model)].flatMap(([model, list]) => {
    if (list.length < LEAST) return [];
    const x = list.map(consistencyMeasures[measure]), y = list.map(({ accuracy }) => accuracy);
    return [{ model, correlation: correlationKinds[kind](x, y, list), points: list.length }];
  });
}
