/**
 * The mixtures of INC and SELF, and the two findings that data/study-rule.md reads in its own way.
 * Choices: a curve is the mean over models of their means over domains and seeds; of equal values a
 * middle ratio is the best; Holm's correction is over the three tests of a finding.
 */
import { type SuiteName, suiteNames } from "../evaluate.ts";
import { Random } from "../statistics/random.ts";
import { klDivergence } from "../statistics/divergence.ts";
import { kendall } from "../statistics/correlation.ts";
import { mean, meanInterval } from "../statistics/mean.ts";
import { type CellResult, ratioOf, type SuiteRecord } from "../cell.ts";
import { paperNumber } from "../dataset/paper.ts";
import { modelLabel } from "./labels.ts";
import { unique } from "../figure/rows.ts";
import { ALL_DOMAINS, ALL_MODELS, type StudyRow } from "./rows.ts";
import type { Study } from "./study.ts";
import { baseAnswersOf } from "./base.ts";
import type { Estimate, Selection } from "../contrast.ts";
import {
  contrast,
  estimateOf,
  mixedCells,
  overModels,
  plainEstimate,
  suiteLabels,
} from "../contrast.ts";
import { type Finding, holmOf, type Verdict, verdictOf } from "../findings.ts";

/** What a ratio is called as a treatment. */
function selection(ratio: number): Omit<Selection, "suite"> {
  if (ratio === 0) return { treatment: "inc" };
  return ratio === 1 ? { treatment: "self" } : { treatment: "mix", ratio };
}

/** The mixtures and their ends; where nothing was mixed, INC and SELF. */
export function mixtureCells(cells: readonly CellResult[]): CellResult[] {
  const mixed = mixedCells(cells);
  return mixed.length > 0 ? mixed : cells.filter((one) => ratioOf(one) !== undefined);
}

/**
 * The mean over r (the share of SELF), rising, of `value` (accuracy, points) in one domain or over all: over
 * models, of one over its questions.
 */
export function mixtureCurve(
  cells: readonly CellResult[],
  suite: SuiteName,
  { value, domain }: { value?: (record: SuiteRecord) => number; domain?: string } = {},
): { ratio: number; estimate: Estimate }[] {
  const tested = mixtureCells(cells).filter(({ cell, suites }) =>
    suites[suite] && (domain === undefined || cell.domain === domain)
  );
  const number = value ?? (({ accuracy }: SuiteRecord) => 100 * accuracy);
  const ratios = [...Map.groupBy(tested, (one) => ratioOf(one)!)].sort(([a], [b]) => a - b);
  return ratios.map(([ratio, list]) => {
    const models = [...Map.groupBy(list, ({ cell }) => cell.model).values()]
      .map((own) => mean(own.map(({ suites }) => number(suites[suite]!))));
    if (models.length > 1 || value !== undefined) {
      return { ratio, estimate: plainEstimate(overModels(models))! };
    }
    const records = list.map(({ suites }) => suites[suite]!);
    const { interval, units } = meanInterval(
      records.flatMap(({ correct }) => correct.map((right) => 100 * right)),
      { clusters: records.flatMap(({ items }) => items) },
    );
    return { ratio, estimate: { value: models[0], interval, n: units } };
  });
}

const isMiddle = (ratio: number) => ratio > 0 && ratio < 1;

/** The highest of a curve; `undefined` of an empty one. */
export function bestRatio(curve: ReturnType<typeof mixtureCurve>): number | undefined {
  const order = (ratio: number) => isMiddle(ratio) ? 0 : 1;
  return curve.toSorted((a, b) =>
    b.estimate.value - a.estimate.value || order(a.ratio) - order(b.ratio)
  ).at(0)?.ratio;
}

/** The share of resamples of models and questions in which each ratio is the best, ties split. */
export function bestRatioShares(
  cells: readonly CellResult[],
  suite: SuiteName,
  { resamples = 1000, seed = 0 }: { resamples?: number; seed?: number } = {},
): { ratio: number; share: number }[] {
  const tested = mixtureCells(cells).filter(({ suites }) => suites[suite]);
  const ratios = [...new Set(tested.map((one) => ratioOf(one)!))].sort((a, b) => a - b);
  const tables = [...Map.groupBy(tested, ({ cell }) => cell.model).values()]
    .map((own) => questionMeans(own, { suite, ratios }));
  const random = new Random(seed).fork("best ratio");
  const counts = ratios.map(() => 0);
  for (let resample = 0; resample < resamples; resample++) {
    const totals = ratios.map(() => 0);
    for (let i = 0; i < tables.length; i++) {
      const table = tables[tables.length > 1 ? random.integer(tables.length) : 0];
      for (let j = 0; j < table.length; j++) {
        const row = table[random.integer(table.length)];
        for (let k = 0; k < ratios.length; k++) totals[k] += row[k] / table.length;
      }
    }
    const most = Math.max(...totals);
    const best = totals.flatMap((total, k) => most - total < 1e-9 ? [k] : []);
    for (const k of best) counts[k] += 1 / best.length;
  }
  return ratios.map((ratio, k) => ({ ratio, share: counts[k] / resamples }));
}

/** For each question how often it was answered rightly at each ratio, over domains and seeds. */
function questionMeans(
  cells: readonly CellResult[],
  { suite, ratios }: { suite: SuiteName; ratios: readonly number[] },
): number[][] {
  const answered = cells.flatMap((one) => {
    const { items, correct } = one.suites[suite]!, ratio = ratioOf(one)!;
    return items.map((item, i) => ({ item, ratio, correct: correct[i] }));
  });
  const questions = Map.groupBy(answered, ({ item }) => item);
  return [...questions.values()].map((list) =>
    ratios.map((ratio) => {
      const own = list.filter((one) => one.ratio === ratio);
      return own.reduce((sum, { correct }) => sum + correct, 0) / Math.max(1, own.length);
    })
  );
}

/** The ratios between which the best one lies in 95% of the resamples. */
export function bestRatioRange(
  shares: readonly { ratio: number; share: number }[],
): [low: number, high: number] | undefined {
  if (shares.length === 0) return undefined;
  const at = (level: number) => {
    let sum = 0;
    const found = shares.find(({ share }) => (sum += share) >= level - 1e-9);
    return (found ?? shares.at(-1)!).ratio;
  };
  return [at(0.025), at(0.975)];
}

/**
 * "A middle ratio is best", a finding for each test: the best middle ratio minus the better end,
 * over models; p is the larger one of the two ends', for both must be beaten.
 */
export function middleRatioFindings(cells: readonly CellResult[]): Finding[] {
  const mixed = mixtureCells(cells);
  const found = suiteNames.flatMap((suite) => {
    const curve = mixtureCurve(mixed, suite), best = bestRatio(curve);
    const middle = bestRatio(curve.filter(({ ratio }) => isMiddle(ratio)));
    const ends = curve.filter(({ ratio }) => !isMiddle(ratio)).length;
    if (best === undefined || middle === undefined || ends < 2) return [];
    const [inc, self] = [0, 1].map((end) =>
      contrast(mixed, selection(middle), selection(end), { suite })!
    );
    const least = inc.value < self.value ? inc : self;
    const p = Math.max(inc.p ?? NaN, self.p ?? NaN);
    const detail = `best r = ${best}${best === middle ? "" : `, best middle r = ${middle}`}`;
    return [{ suite, best, least, p, detail }];
  });
  // A test on which an end is the best is not tried; it still counts as one of the three.
  const corrected = holmOf(
    found.map(({ best, p }) => isMiddle(best) && Number.isFinite(p) ? p : 1),
  );
  return found.map(({ suite, best, least, detail }, i): Finding => ({
    ...{ hypothesis: "middle ratio", suite, estimate: estimateOf(least), unit: "points" },
    over: least.over,
    correctedP: isMiddle(best) && least.p !== undefined ? corrected[i] : undefined,
    detail,
    verdict: verdictOfMiddle(best, { value: least.value, p: corrected[i]! }),
    paper: paperNumber("middle ratio", suite),
  }));
}

/** The rule's verdict: an end that is the best refutes it, whatever the differences. */
export function verdictOfMiddle(best: number, { value, p }: { value: number; p: number }): Verdict {
  if (!isMiddle(best)) return "does not hold";
  return value > 0 && p < 0.05 ? "holds" : "can't tell";
}

/**
 * "KL is larger after INC than after the best mixture", a finding for each test: KL(base || tuned)
 * of INC minus that of the most accurate ratio, nats. Where INC is that ratio, nothing is tested.
 */
export function mixtureKlFindings({ cells, bases }: Pick<Study, "cells" | "bases">): Finding[] {
  const mixed = mixtureCells(cells);
  const found = suiteNames.flatMap((suite) => {
    const curve = mixtureCurve(mixed, suite), best = bestRatio(curve);
    if (best === undefined || curve.length < 2 || curve[0].ratio !== 0) return [];
    const difference = contrast(mixed, selection(best), selection(0), {
      suite,
      value: ({ kl }) => -kl,
      items: (result) =>
        baseAnswersOf(bases, result, suite).map(({ probabilities }, i) =>
          -klDivergence(probabilities, result.suites[suite]!.probabilities[i])
        ),
    });
    if (difference === undefined) return [];
    const { value, n, over } = difference;
    const estimate: Estimate = best === 0 ? { value, n } : estimateOf(difference);
    return [{ suite, best, estimate, over }];
  });
  const corrected = holmOf(found.map(({ estimate: { p } }) => Number.isFinite(p) ? p! : 1));
  return found.map(({ suite, best, estimate, over }, i): Finding => {
    const correctedP = Number.isFinite(estimate.p) ? corrected[i] : undefined;
    return {
      ...{ hypothesis: "KL, INC - best mixture", suite, estimate, unit: "nats", over, correctedP },
      detail: `best r = ${best}${best === 0 ? ", INC itself" : ""}`,
      verdict: verdictOf({ estimate, unit: "nats" }, correctedP),
      paper: paperNumber("KL, INC against the best mixture", suite),
    };
  });
}

/** What the curves' rows show beside the accuracy. */
const curveValues: Readonly<Record<string, (record: SuiteRecord) => number>> = {
  base: ({ baseAccuracy }) => 100 * baseAccuracy,
  kl: ({ kl }) => kl,
  rank: ({ rank }) => rank,
  entropy: ({ entropy }) => entropy,
  entropyChange: ({ entropy, baseEntropy }) => entropy - baseEntropy,
};

/**
 * The curves as rows: one for each model, domain, test and ratio; points, KL and entropies in nats,
 * the last loss; with rows of `ALL_DOMAINS` and, of several models, `ALL_MODELS`.
 */
export function mixtureRows(cells: readonly CellResult[]): StudyRow[] {
  const mixed = mixtureCells(cells);
  const models = [...Map.groupBy(mixed, ({ cell }) => cell.model)]
    .map(([model, own]) => ({ model: modelLabel(model), own }));
  const all = models.length > 1 ? [{ model: ALL_MODELS, own: mixed }] : [];
  const domains = unique(mixed.map(({ cell }) => cell.domain));
  return [...all, ...models].flatMap(({ model, own }) =>
    [undefined, ...domains].flatMap((domain) =>
      suiteNames.flatMap((suite) => {
        const curves = Object.entries(curveValues).map(([name, value]) =>
          [name, mixtureCurve(own, suite, { value, domain })] as const
        );
        return mixtureCurve(own, suite, { domain }).map(({ ratio, estimate }, i): StudyRow => {
          const here = own.filter((one) =>
            ratioOf(one) === ratio && one.suites[suite] &&
            (domain ?? one.cell.domain) === one.cell.domain
          );
          const losses = here.flatMap(({ finetuning }) => finetuning?.lastLoss ?? []);
          return {
            ...{ model, domain: domain ?? ALL_DOMAINS, test: suiteLabels[suite], ratio },
            ...{ cells: here.length, accuracy: estimate },
            ...Object.fromEntries(curves.map(([name, curve]) => [name, curve[i].estimate])),
            loss: losses.length > 0 ? mean(losses) : null,
          };
        });
      })
    )
  );
}

/**
 * The best ratio of each test with its 95% range over resamples, and the mean accuracy there,
 * points; `shares`: in how many % of the resamples each ratio is the `best`.
 */
export function bestRatios(
  cells: readonly CellResult[],
  options?: { resamples?: number; seed?: number },
): { best: StudyRow[]; shares: StudyRow[] } {
  const tests = suiteNames.flatMap((suite) => {
    const curve = mixtureCurve(cells, suite), ratio = bestRatio(curve);
    if (ratio === undefined) return [];
    const found = bestRatioShares(cells, suite, options);
    const test = suiteLabels[suite];
    const { value } = curve.find((one) => one.ratio === ratio)!.estimate;
    return [{
      best: { test, ratio: { value: ratio, interval: bestRatioRange(found) }, accuracy: value },
      shares: found.map(({ ratio, share }) => ({ test, ratio, best: 100 * share })),
    }];
  });
  return { best: tests.map(({ best }) => best), shares: tests.flatMap(({ shares }) => shares) };
}

/**
 * A row for each test: entropy of SELF minus that of INC, nats, by the rule's contrast; Kendall's
 * tau of r and the mean KL with its p, and the ratio where the mean KL is least.
 */
export function sharpness(cells: readonly CellResult[]): StudyRow[] {
  return suiteNames.flatMap((suite) => {
    const curve = mixtureCurve(cells, suite, { value: ({ kl }) => kl });
    const difference = contrast(cells, selection(1), selection(0), {
      suite,
      value: ({ entropy }) => entropy,
    });
    if (difference === undefined) return [];
    const values = curve.map(({ estimate }) => estimate.value);
    const ratios = curve.map(({ ratio }) => ratio);
    const { tau, p } = curve.length < 3 ? { tau: null, p: null } : kendall(ratios, values);
    const least = Math.min(...values);
    const sharper = plainEstimate(difference), leastAt = ratios[values.indexOf(least)];
    return [{ test: suiteLabels[suite], sharper, tau, p, leastAt, least, end: values.at(-1)! }];
  });
}
