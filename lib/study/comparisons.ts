/**
 * Every group compared with the base and with the others. The rule tests CON - INC alone; all else
 * is exploration, with Holm's correction over what is shown together.
 */
import { type SuiteName, suiteNames } from "../evaluate.ts";
import { mean } from "../statistics/mean.ts";
import type { CellResult, SuiteRecord, Treatment } from "../cell.ts";
import { baseAnswersOf, type BaseResult } from "./base.ts";
import type { Contrast, Selection } from "../contrast.ts";
import {
  byModel,
  contrast,
  contrastOf,
  overModels,
  overQuestions,
  plainEstimate,
  select,
  suiteLabels,
  treatmentLabels,
} from "../contrast.ts";
import { holmOf } from "../findings.ts";
import { treatmentsOf } from "./rows.ts";

/** What was tuned, and what it was before. */
type Tuned = { bases: readonly BaseResult[]; cells: readonly CellResult[] };

const finite = (value: number | undefined) => Number.isFinite(value) ? value! : null;

/** A difference on one test, points; null where nothing can be tested. */
function differenceRow(comparison: string, suite: SuiteName, { over, ...estimate }: Contrast) {
  const { n } = estimate, difference = plainEstimate(estimate)!, test = suiteLabels[suite];
  const tested = { detectable: finite(estimate.detectable), p: finite(estimate.p) };
  return { comparison, test, difference, n, over, ...tested };
}

type DifferenceRow = ReturnType<typeof differenceRow>;

/** Differences, corrected over all of them; `direction` by the corrected p at the 5% level. */
function corrected(rows: readonly DifferenceRow[]) {
  const ps = holmOf(rows.map(({ p }) => p));
  return rows.map((row, i) => {
    const correctedP = ps[i] ?? null, side = row.difference.value > 0 ? "above" : "below";
    const direction = correctedP === null ? null : correctedP < 0.05 ? side : "not told apart";
    return { ...row, correctedP, direction };
  });
}

/** Tuned minus base accuracy of each treatment. The base has seen 5 examples, tuned ones none. */
export function againstBase(study: Tuned) {
  return corrected(
    treatmentsOf(study.cells).flatMap((treatment) =>
      suiteNames.flatMap((suite) => baseDifference(study, treatment, suite) ?? [])
    ),
  );
}

/** One of `againstBase`'s differences; undefined where no cell was tested. */
export function baseDifference(
  study: Tuned,
  treatment: Treatment,
  suite: SuiteName,
): DifferenceRow | undefined {
  const estimate = besideBase(study, { treatment, suite }, {
    ofTest: ({ accuracy, baseAccuracy }) => 100 * (accuracy - baseAccuracy),
    ofAnswer: (before, after) => 100 * (after - before),
  });
  return estimate && differenceRow(`${treatmentLabels[treatment]} - base`, suite, estimate);
}

/** What is told of tests beside their base, points: over models, of one model over its questions. */
export function besideBase(
  { bases, cells }: Tuned,
  selection: Selection,
  { ofTest, ofAnswer }: {
    ofTest: (record: SuiteRecord) => number;
    /** The same of one answer: right (1) or wrong (0) before and after. */
    ofAnswer: (before: number, after: number) => number;
  },
): Contrast | undefined {
  const models = [...byModel(cells, selection, ofTest).values()];
  if (models.length === 0) return undefined;
  if (models.length > 1) return contrastOf(models);
  const tested = select(cells, selection).map((result) => {
    const { correct, items } = result.suites[selection.suite]!;
    const values = baseAnswersOf(bases, result, selection.suite)
      .map((answer, i) => ofAnswer(Number(answer.correct), correct[i]));
    return { values, items };
  });
  const values = tested.flatMap(({ values }) => values);
  return { ...overQuestions(values, tested.flatMap(({ items }) => items)), over: "questions" };
}

/** Differences of pairs of treatments on every test, paired by model, domain and seed. */
export function compareTreatments(
  cells: readonly CellResult[],
  pairs: readonly (readonly [Treatment, Treatment])[],
) {
  return corrected(pairs.flatMap(([a, b]) =>
    suiteNames.flatMap((suite) => {
      const found = contrast(cells, { treatment: a }, { treatment: b }, { suite });
      const comparison = `${treatmentLabels[a]} - ${treatmentLabels[b]}`;
      return found ? [differenceRow(comparison, suite, found)] : [];
    })
  ));
}

/**
 * How many of its group's own targets a model gives after training, asked as it was taught, in %. A
 * group's number is the mean over models, each model's the mean over its cells.
 */
export function fitRows(cells: readonly CellResult[]) {
  return treatmentsOf(cells).flatMap((treatment) => {
    const fitted = cells.filter(({ cell, fit }) => cell.treatment === treatment && fit);
    if (fitted.length === 0) return [];
    const models = [...Map.groupBy(fitted, ({ cell }) => cell.model).values()]
      .map((list) => mean(list.map(({ fit }) => 100 * fit!.share)));
    const items = fitted.reduce((sum, { fit }) => sum + fit!.n, 0);
    const given = plainEstimate(overModels(models))!;
    return [{ group: treatmentLabels[treatment], cells: fitted.length, items, given }];
  });
}
