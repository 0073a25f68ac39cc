/**
 * What the study's cells say: means, contrasts between groups, correlations, and the reading of the
 * rule in data/study-rule.md. Accuracies in points (0 to 100).
 */
import { type SuiteName, suiteNames } from "./evaluate.ts";
import { type Correlation, partialCorrelation } from "./statistics/correlation.ts";
import { holm, tTest } from "./statistics/hypothesis.ts";
import { type Interval } from "./statistics/_check.ts";
import { mean, meanInterval } from "./statistics/mean.ts";
import type { CellResult, SuiteRecord, Treatment } from "./experiment.ts";
import { paperNumber } from "./study/paper.ts";

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
export interface Selection {
  treatment: Treatment;
  ratio?: number;
  suite: SuiteName;
}

/** Share of SELF of a cell: INC and SELF are the ends of the mixtures. */
export function ratioOf({ cell }: CellResult): number | undefined {
  if (cell.treatment === "inc") return 0;
  if (cell.treatment === "self") return 1;
  return cell.treatment === "mix" ? cell.ratio : undefined;
}

function select(cells: readonly CellResult[], { treatment, ratio, suite }: Selection) {
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
    const { interval: [low, high] } = meanInterval([...values], {
      confidence,
      clusters: clusters && [...clusters],
    });
    return (high - low) / 2;
  };
  return half(0.95) + half(0.6);
}

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
  const { mean: value, interval, p } = tTest([...values]);
  return { value, interval, n: values.length, p };
}

/** The difference of two treatments on one test. */
export interface Contrast extends Estimate {
  suite: SuiteName;
  /** Each model's difference: the mean over its domains and seeds. */
  models: { model: string; value: number; pairs: number }[];
  /** What the interval is over: `models`, or with a single model its `questions`. */
  over: "models" | "questions";
}

/**
 * a - b, paired by model, domain and seed. Over several models: a t-interval of the models' means, the
 * only independent units. Of one model: over its questions, clustered by question, so that it speaks of
 * this model alone.
 */
export function contrast(
  cells: readonly CellResult[],
  a: Omit<Selection, "suite">,
  b: Omit<Selection, "suite">,
  { suite, value, items = value === undefined ? correctOf(suite) : undefined, others = cells }: {
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
  const place = ({ cell }: CellResult) => JSON.stringify([cell.model, cell.domain, cell.seed]);
  const partners = new Map(
    select(others, { ...b, suite }).map((result) => [place(result), result]),
  );
  const pairs = select(cells, { ...a, suite }).flatMap((result) => {
    const other = partners.get(place(result));
    return other === undefined ? [] : [{ model: result.cell.model, left: result, right: other }];
  });
  if (pairs.length === 0) return undefined;
  const models = [...Map.groupBy(pairs, ({ model }) => model)].map(([model, list]) => ({
    model,
    value: mean(
      list.map(({ left, right }) => number(left.suites[suite]!) - number(right.suites[suite]!)),
    ),
    pairs: list.length,
  }));
  if (models.length > 1) {
    const values = models.map((one) => one.value);
    const { mean: centre, interval, p } = tTest(values);
    const n = models.length, detectable = detectableEffect(values);
    return { suite, models, over: "models", value: centre, interval, n, p, detectable };
  }
  if (items === undefined) return { suite, models, over: "models", value: models[0].value, n: 1 };
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
  // Domains weigh alike in a model's own number, questions in the interval's: the latter is shown.
  return { suite, models, over: "questions", ...overQuestions(differences, clusters) };
}

/** The mean difference of one model, points, over its questions: one difference for each answer. */
export function overQuestions(
  differences: readonly number[],
  clusters: readonly string[],
): Estimate {
  const { mean: value, interval, p, units: n, stderr } = tTest([...differences], {
    clusters: [...clusters],
  });
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

/** Consistency and accuracy of one model's mixtures (paper, section 5.3). */
export interface ConsistencyPoint {
  model: string;
  domain: string;
  ratio: number;
  suite: SuiteName;
  /** Rank consistency x 100. */
  consistency: number;
  /** Tuned and base accuracy, points. */
  accuracy: number;
  base: number;
  /** KL(base || tuned) and entropy, nats. */
  kl: number;
  cosine: number;
  entropy: number;
}

/** A mean of seeds with nine digits: ranks must not hang on the last bit of a sum. */
const meanOfSeeds = (values: readonly number[]) => Number(mean([...values]).toPrecision(9));

/**
 * The points of the correlation: mixtures x domains, seeds averaged; of the models and seeds that have mixtures, so that all
 * points rest on the same seeds.
 */
export function consistencyPoints(cells: readonly CellResult[]): ConsistencyPoint[] {
  const place = ({ cell: { model, seed } }: CellResult) => JSON.stringify([model, seed]);
  const mixing = new Set(cells.filter(({ cell }) => cell.treatment === "mix").map(place));
  const points: ConsistencyPoint[] = [];
  for (const suite of suiteNames) {
    const mixed = cells.filter((one) =>
      mixing.has(place(one)) && ratioOf(one) !== undefined && one.suites[suite]
    );
    const groups = Map.groupBy(
      mixed,
      (one) => JSON.stringify([one.cell.model, one.cell.domain, ratioOf(one)]),
    );
    for (const list of groups.values()) {
      const over = (value: (record: SuiteRecord) => number) =>
        meanOfSeeds(list.map(({ suites }) => value(suites[suite]!)));
      points.push({
        model: list[0].cell.model,
        domain: list[0].cell.domain,
        ratio: ratioOf(list[0])!,
        suite,
        consistency: over(({ rank }) => 100 * rank),
        accuracy: over(({ accuracy }) => 100 * accuracy),
        base: over(({ baseAccuracy }) => 100 * baseAccuracy),
        kl: over(({ kl }) => kl),
        cosine: over(({ cosine }) => cosine),
        entropy: over(({ entropy }) => entropy),
      });
    }
  }
  return points;
}

/** Partial Spearman correlation of consistency and accuracy, given base accuracy, of each model. */
export function consistencyCorrelations(
  cells: readonly CellResult[],
  suite: SuiteName,
): { model: string; correlation: Correlation; points: number }[] {
  const points = consistencyPoints(cells).filter((point) => point.suite === suite);
  return [...Map.groupBy(points, ({ model }) => model)].flatMap(([model, list]) => {
    if (list.length < 5) return []; // three are used up by the two variables and the control
    const correlation = partialCorrelation(
      list.map(({ consistency }) => consistency),
      list.map(({ accuracy }) => accuracy),
      [list.map(({ base }) => base)],
      { method: "spearman" },
    );
    return [{ model, correlation, points: list.length }];
  });
}

/** `no claim`: the groups rest on a probe that shows no knowledge, so that nothing can be read. */
export type Reading = "holds" | "does not hold" | "can't tell" | "no claim";

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
  reading: Reading;
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

/** Holm's correction, also of no p at all. */
export const holmOf = (ps: readonly number[]): number[] => ps.length === 0 ? [] : holm([...ps]);

/** The twelve hypotheses of data/study-rule.md; those without results are left out. */
export function findings(cells: readonly CellResult[]): Finding[] {
  const found: Omit<Finding, "reading">[] = [];
  for (const [hypothesis, treatment] of ruleContrasts) {
    for (const suite of suiteNames) {
      const result = contrast(cells, { treatment }, { treatment: "inc" }, { suite });
      if (result === undefined) continue;
      const { value, interval, n, p, over, detectable } = result;
      const estimate = { value, interval, n, p, detectable };
      found.push({
        hypothesis,
        suite,
        estimate,
        unit: "points",
        over,
        paper: paperNumber(hypothesis, suite),
      });
    }
  }
  const hypothesis = "consistency ~ accuracy";
  for (const suite of suiteNames) {
    const estimate = pooledCorrelation(consistencyCorrelations(cells, suite));
    if (estimate === undefined) continue;
    const { over, ...rest } = estimate;
    found.push({
      hypothesis,
      suite,
      estimate: rest,
      unit: "r",
      over,
      paper: paperNumber(hypothesis, suite),
    });
  }
  const tested = found.filter(({ estimate }) => Number.isFinite(estimate.p));
  const corrected = tested.length === 0 ? [] : holm(tested.map(({ estimate }) => estimate.p!));
  return found.map((finding) => {
    const index = tested.indexOf(finding);
    const correctedP = index < 0 ? undefined : corrected[index];
    return { ...finding, correctedP, reading: readEffect(finding, correctedP) };
  });
}

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
  const { mean: centre, interval } = meanInterval(z);
  const { p } = tTest(z);
  return {
    value: Math.tanh(centre),
    interval: [Math.tanh(interval[0]), Math.tanh(interval[1])],
    p,
    n: finite.length,
    over: "models",
  };
}

/** The rule's reading of an effect that is claimed to be above 0. */
export function readEffect(
  { estimate, unit }: Pick<Finding, "estimate" | "unit">,
  p: number | undefined,
): Reading {
  const { value, interval } = estimate;
  const shown = p !== undefined && p < 0.05;
  if (shown && value > 0) return "holds";
  if (shown && value < 0) return "does not hold";
  if (interval !== undefined && interval[1] < SMALLEST[unit]) return "does not hold";
  return "can't tell";
}
