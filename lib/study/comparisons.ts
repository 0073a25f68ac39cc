/**
 * What knowledge in the query does: every group beside the base and beside each other. The rule tests
 * CON - INC alone; all else here is exploration, with Holm's correction over what is shown together.
 */
import { type SuiteName, suiteNames } from "../evaluate.ts";
import { mean } from "../statistics/mean.ts";
import { tTest } from "../statistics/hypothesis.ts";
import type { CellResult, Treatment } from "../cell.ts";
import { baseAnswersOf, type BaseResult } from "./base.ts";
import {
  byModel,
  type Contrast,
  contrast,
  detectableEffect,
  type Estimate,
  overQuestions,
  treatmentLabels,
} from "../contrast.ts";
import { holmOf } from "../findings.ts";
import { treatmentsOf } from "./rows.ts";

/** A difference on one test, corrected over those that it was computed with. */
export interface ComparisonRow {
  comparison: string;
  suite: SuiteName;
  /** Points. */
  difference: Estimate;
  over: Contrast["over"];
  correctedP?: number;
}

/** What was tuned, and what it was before. */
interface Tuned {
  bases: readonly BaseResult[];
  cells: readonly CellResult[];
}

function corrected(rows: readonly Omit<ComparisonRow, "correctedP">[]): ComparisonRow[] {
  const tested = rows.filter(({ difference: { p } }) => p !== undefined && Number.isFinite(p));
  const ps = holmOf(tested.map(({ difference }) => difference.p!));
  return rows.map((row) => {
    const place = tested.indexOf(row);
    return { ...row, correctedP: place < 0 ? undefined : ps[place] };
  });
}

/**
 * Tuned minus base accuracy of each treatment, points: a t-interval over models; of one model over its
 * questions. The base has seen 5 examples, the tuned models none.
 */
export function againstBase({ bases, cells }: Tuned): ComparisonRow[] {
  return corrected(
    treatmentsOf(cells).flatMap((treatment) =>
      suiteNames.flatMap((suite) => {
        const found = baseDifference({ bases, cells }, treatment, suite);
        const comparison = `${treatmentLabels[treatment]} - base`;
        return found ? [{ comparison, suite, ...found }] : [];
      })
    ),
  );
}

/** One of `againstBase`'s differences; undefined where no cell was tested. */
export function baseDifference(
  { bases, cells }: Tuned,
  treatment: Treatment,
  suite: SuiteName,
): Pick<ComparisonRow, "difference" | "over"> | undefined {
  const models = byModel(
    cells,
    { treatment, suite },
    ({ accuracy, baseAccuracy }) => 100 * (accuracy - baseAccuracy),
  );
  if (models.size === 0) return undefined;
  if (models.size > 1) {
    const values = [...models.values()];
    const { mean: value, interval, p, units: n } = tTest(values);
    const difference = { value, interval, n, p, detectable: detectableEffect(values) };
    return { difference, over: "models" };
  }
  const own = cells.filter(({ cell, suites }) => cell.treatment === treatment && suites[suite]);
  const values: number[] = [], clusters: string[] = [];
  for (const result of own) {
    const base = bases.find(({ model }) => model === result.cell.model)!;
    const { correct, items } = result.suites[suite]!;
    baseAnswersOf(base, result, suite).forEach((answer, i) => {
      values.push(100 * (correct[i] - Number(answer.correct)));
      clusters.push(items[i]);
    });
  }
  return { difference: overQuestions(values, clusters), over: "questions" };
}

/** Differences of pairs of treatments on every test, paired by model, domain and seed. */
export function compareTreatments(
  cells: readonly CellResult[],
  pairs: readonly (readonly [Treatment, Treatment])[],
): ComparisonRow[] {
  return corrected(pairs.flatMap(([a, b]) =>
    suiteNames.flatMap((suite) => {
      const found = contrast(cells, { treatment: a }, { treatment: b }, { suite });
      if (found === undefined) return [];
      const { value, interval, n, p, detectable, over } = found;
      const comparison = `${treatmentLabels[a]} - ${treatmentLabels[b]}`;
      return [{ comparison, suite, difference: { value, interval, n, p, detectable }, over }];
    })
  ));
}

/** How many of its own targets a model gives after training, points: means over models, t-interval. */
export function fitRows(cells: readonly CellResult[]) {
  return treatmentsOf(cells).flatMap((treatment) => {
    const own = cells.filter(({ cell, fit }) => cell.treatment === treatment && fit);
    if (own.length === 0) return [];
    const models = [...Map.groupBy(own, ({ cell }) => cell.model).values()]
      .map((list) => mean(list.map(({ fit }) => 100 * fit!.share)));
    const { mean: value, interval, units: n } = tTest(models);
    return [{
      group: treatmentLabels[treatment],
      cells: own.length,
      items: own.reduce((sum, { fit }) => sum + fit!.n, 0),
      given: n > 1 ? { value, interval, n } : { value, n } as Estimate,
    }];
  });
}
