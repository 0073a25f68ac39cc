/** How consistency with the base goes with accuracy, as rows; and one question that shows what is meant. */
import type { ConsistencyMeasure, CorrelationKind, Estimate } from "../contrast.ts";
import {
  consistencyMeasures,
  consistencyPoints,
  correlationKinds,
  correlationsByModel,
  pairsOf,
  pooledCorrelation,
  suiteLabels,
} from "../contrast.ts";
import type { CellResult } from "../cell.ts";
import { type SuiteName, suiteNames } from "../evaluate.ts";
import { formatR } from "../figure/number.ts";
import { rankConsistency } from "../statistics/rank.ts";
import { baseAnswersOf } from "./base.ts";
import { modelLabel } from "./labels.ts";
import { ALL_MODELS } from "./rows.ts";
import type { Study } from "./study.ts";

/** The points of the correlations, `consistencyPoints`, as rows: model, domain, ratio, test and numbers. */
export function pointRows(cells: readonly CellResult[]) {
  return consistencyPoints(cells).map(({ model, suite, ...point }) => (
    { model: modelLabel(model), test: suiteLabels[suite], ...point }
  ));
}

/**
 * Tuned accuracy's correlation with each measure, of each kind and on each test: a row for each model with
 * 5 points or more and, of several, one over all of them by Fisher's z. `n` counts mixtures x domains of a
 * model (cells), or models; r and p are null where undefined, such as of a side that never changes.
 */
export function correlations(cells: readonly CellResult[]) {
  const points = consistencyPoints(cells);
  const kinds = Object.keys(correlationKinds) as CorrelationKind[];
  const measures = Object.keys(consistencyMeasures) as ConsistencyMeasure[];
  return suiteNames.flatMap((suite) => {
    const tested = points.filter((point) => point.suite === suite), test = suiteLabels[suite];
    return kinds.flatMap((kind) =>
      measures.flatMap((measure) => {
        type Found = Estimate & { model: string; over: "cells" | "models" };
        const models = correlationsByModel(tested, { kind, measure });
        const pooled = models.length > 1 ? pooledCorrelation(models) : undefined;
        const all = [
          ...models.map(({ model, correlation: { r: value, interval, p }, points: n }): Found => (
            { model: modelLabel(model), value, interval, n, p, over: "cells" }
          )),
          ...(pooled ? [{ model: ALL_MODELS, ...pooled }] : []),
        ];
        return all.map(({ model, value, interval, n, p, over }) => ({
          test,
          kind,
          measure,
          model,
          r: Number.isFinite(value) ? { value, interval, n } : null,
          p: Number.isFinite(p) ? p! : null,
          n,
          over,
        }));
      })
    );
  });
}

export type CorrelationRow = ReturnType<typeof correlations>[number];

/** Titles of panels by test, such as `HOMO: partial Spearman .71 [.45, .86]`. */
export function correlationTitles(
  rows: readonly CorrelationRow[],
  kind: CorrelationKind,
): Record<string, string> {
  return Object.fromEntries(
    rows.filter((row) => row.kind === kind && row.measure === "rank consistency")
      .map(({ test, r }) => [test, `${test}: ${kind} ${r ? formatR(r) : "undefined"}`]),
  );
}

/**
 * The options of one question in %, before and after training: of the first model and domain the
 * one whose order INC moved most and SELF least. Empty without the two.
 */
export function movedQuestion(
  { bases, cells }: Pick<Study, "bases" | "cells">,
  suite: SuiteName = "homo",
) {
  const [pair] = pairsOf(cells, { treatment: "inc", suite }, { treatment: "self", suite });
  if (pair === undefined) return [];
  const { left: inc, right: self } = pair, answers = baseAnswersOf(bases, inc, suite);
  const { items } = inc.suites[suite]!;
  const after = ({ suites }: CellResult, item: string) =>
    suites[suite]!.probabilities[suites[suite]!.items.indexOf(item)];
  const gaps = answers.map(({ probabilities }, i) =>
    rankConsistency(probabilities, after(self, items[i])) -
    rankConsistency(probabilities, after(inc, items[i]))
  );
  const moved = gaps.indexOf(Math.max(...gaps)), item = items[moved];
  const { question, choices, answer, probabilities: before } = answers[moved];
  const states = { before, "after INC": after(inc, item), "after SELF": after(self, item) };
  return Object.entries(states).flatMap(([group, list]) =>
    list.map((share, i) => {
      const option = choices[i] + (i === answer ? " (right)" : "");
      return { question, option, group, probability: 100 * share };
    })
  );
}
