/** The rows of the study's tables: points (0 to 100), KL and entropy in nats, null without a result. */
import type { Answer } from "../question.ts";
import type { CellResult, Material, SuiteRecord, Treatment } from "../cell.ts";
import { asRow, ELSEWHERE, movedMeasures, movedNumbers } from "../cell.ts";
import {
  byModel,
  contrast,
  type Estimate,
  overModels,
  pairsOf,
  plainEstimate,
  suiteLabels,
  treatmentLabels,
} from "../contrast.ts";
import { paperNumber } from "../dataset/paper.ts";
import { type SuiteName, suiteNames } from "../evaluate.ts";
import { type Finding, ruleContrasts } from "../findings.ts";
import { meanInterval } from "../statistics/mean.ts";
import { wilsonInterval } from "../statistics/proportion.ts";
import { baseAnswersOf } from "./base.ts";
import { modelLabel } from "./labels.ts";
import type { Measurement } from "../figure/number.ts";
import { unique } from "../figure/rows.ts";
import type { Study } from "./study.ts";

/** One row, by column. */
export type StudyRow = Record<string, string | number | Measurement | null>;

/** Treatments in the tables' order, of those that have results. */
export function treatmentsOf(cells: readonly CellResult[]): Treatment[] {
  const found = new Set(cells.map(({ cell }) => cell.treatment));
  return (Object.keys(treatmentLabels) as Treatment[]).filter((name) =>
    name !== "mix" && found.has(name)
  );
}

/** Share of right answers, points; its 95% interval over questions, seeds and domains pooled. */
function accuracyOf(outcomes: readonly Outcome[]): Estimate | null {
  if (outcomes.length === 0) return null;
  const right = outcomes.reduce((sum, { correct }) => sum + correct, 0);
  const items = outcomes.map(({ item }) => item);
  const units = unique(items).length;
  const value = 100 * right / outcomes.length;
  const clustered = meanInterval(outcomes.map(({ correct }) => 100 * correct), { clusters: items });
  // A t-interval of answers that are all right (or of one question) would be empty.
  const interval = units === outcomes.length || !(clustered.stderr > 0)
    ? wilsonInterval(Math.round(right * units / outcomes.length), units).map((bound) => 100 * bound)
    : clustered.interval;
  return { value, interval: [interval[0], interval[1]], n: units };
}

/** Right (1) or wrong (0), with the question that was asked. */
const outcomesOf = ({ items, correct }: SuiteRecord) =>
  items.map((item, i) => ({ item, correct: correct[i] }));

type Outcome = ReturnType<typeof outcomesOf>[number];

/** A group as tables call it; models that another trainer tuned are told apart. */
function groupLabel(group: Treatment | "base", cells: readonly CellResult[]): string {
  if (group === "base") return group;
  const isElsewhere = cells.some(({ cell }) => cell.treatment === group && cell.tuned);
  return `${treatmentLabels[group]}${isElsewhere ? ` (${ELSEWHERE})` : ""}`;
}

const before = (bases: Study["bases"], cell: CellResult, suite: SuiteName): Outcome[] =>
  baseAnswersOf(bases, cell, suite).map(({ domain, id, correct }) => (
    { item: `${domain}/${id}`, correct: Number(correct) }
  ));

/** Every cell and test as one row of the values that all statistics rest on (`asRows`); points. */
export function cellRows(cells: readonly CellResult[]): StudyRow[] {
  return cells.flatMap(({ cell, size, suites, fit, finetuning, explanations }) =>
    suiteNames.flatMap((suite): StudyRow[] => {
      const record = suites[suite];
      if (record === undefined) return [];
      const { n, accuracy, interval: [low, high], baseAccuracy, lost, gained } = record;
      return [{
        ...{ model: modelLabel(cell.model), domain: cell.domain, group: cell.treatment },
        ...{ ratio: cell.ratio ?? null, seed: cell.seed },
        // What a dose changes.
        ...{ share: cell.size ?? 1, at_most: cell.count ?? null, facts: cell.items ?? "all" },
        ...{ test: suite, size, ...(cell.tuned && { tuned: cell.tuned.slice(0, 12) }) },
        accuracy: {
          value: asRow(100 * accuracy),
          interval: [asRow(100 * low), asRow(100 * high)],
          n,
        },
        base: asRow(100 * baseAccuracy),
        ...{ ...movedNumbers(record), lost, gained },
        ...(record.bounded && { bounded: record.bounded }),
        fit: fit === undefined ? null : asRow(100 * fit.share),
        lastLoss: finetuning === undefined ? null : asRow(finetuning.lastLoss),
        // Of a study with explanations: answers whose reasons the base model was asked for.
        asked: explanations?.asked ?? null,
        explained: explanations?.explained ?? null,
      }];
    })
  );
}

/** The model and the domain of rows over all of them. */
export const ALL_MODELS = "all models";

export const ALL_DOMAINS = "all domains";

/** Of rows that have a model those over all models; all of them where a run has only one. */
export function overall<R extends { model: unknown }>(rows: readonly R[]): R[] {
  const pooled = rows.filter(({ model }) => model === ALL_MODELS);
  return pooled.length > 0 ? pooled : [...rows];
}

/**
 * Accuracy in points, the base's first: a row for each model, group, domain and test, and for all
 * domains. Intervals are over questions, seeds pooled; of several models, rows of all of them come
 * first, whose intervals are over models.
 */
export function accuracies({ bases, cells }: Pick<Study, "bases" | "cells">): StudyRow[] {
  const domains = unique(cells.map(({ cell }) => cell.domain));
  const groups = ["base" as const, ...treatmentsOf(cells)];
  const rows = bases.flatMap((base) => {
    const ofModel = cells.filter(({ cell }) => cell.model === base.model);
    const outcomes = (group: Treatment | "base", domain: string, suite: SuiteName) => {
      const here = ofModel.filter(({ cell, suites }) => cell.domain === domain && suites[suite]);
      if (group === "base") return here.slice(0, 1).flatMap((one) => before(bases, one, suite));
      return here.filter(({ cell }) => cell.treatment === group)
        .flatMap(({ suites }) => outcomesOf(suites[suite]!));
    };
    return groups.flatMap((group) =>
      suiteNames.flatMap((suite) => {
        const parts = domains.map((domain) => ({ domain, list: outcomes(group, domain, suite) }));
        const whole = { domain: ALL_DOMAINS, list: parts.flatMap(({ list }) => list) };
        return [...parts, whole].map(({ domain, list }) => ({
          ...{ model: modelLabel(base.model), group: groupLabel(group, ofModel), domain },
          ...{ test: suiteLabels[suite], accuracy: accuracyOf(list) },
        }));
      })
    );
  }).filter(({ accuracy }) => accuracy !== null);
  if (bases.length < 2) return rows;
  const whole = rows.filter(({ domain }) => domain === ALL_DOMAINS);
  const places = Map.groupBy(whole, ({ group, test }) => JSON.stringify([group, test]));
  const all = [...places.values()].map((list) => ({
    ...list[0],
    model: ALL_MODELS,
    accuracy: overModels(list.map(({ accuracy }) => accuracy!.value)),
  }));
  return [...all, ...rows];
}

/**
 * The rule's differences, points: a row for each, each test and model, over its questions; of
 * several models, first a row of all of them, over the models.
 */
export function contrasts({ cells }: Pick<Study, "cells">): StudyRow[] {
  const models = unique(cells.map(({ cell }) => cell.model));
  return ruleContrasts.flatMap(([finding, treatment]) =>
    suiteNames.flatMap((suite) => {
      const of = (some: readonly CellResult[]) =>
        plainEstimate(contrast(some, { treatment }, { treatment: "inc" }, { suite }));
      const paper = paperNumber(finding, suite) ?? null;
      const row = (model: string, difference: Estimate | null) => (
        { finding, test: suiteLabels[suite], model, difference, paper }
      );
      return [
        ...(models.length > 1 ? [row(ALL_MODELS, of(cells))] : []),
        ...models.map((name) =>
          row(modelLabel(name), of(cells.filter(({ cell }) => cell.model === name)))
        ),
      ];
    })
  ).filter(({ difference }) => difference !== null);
}

/**
 * How far each group moved the models: KL and entropies in nats, rank consistency, cosine similarity;
 * means over the models with a t-interval, of one model its mean over domains and seeds.
 */
export function movement({ cells }: Pick<Study, "cells">): StudyRow[] {
  return treatmentsOf(cells).flatMap((treatment) =>
    suiteNames.flatMap((suite): StudyRow[] => {
      const means = movedMeasures.map((name) => [
        name,
        overModels([...byModel(cells, { treatment, suite }, (one) => one[name]).values()]),
      ]);
      if (means[0][1] === null) return [];
      const place = { group: groupLabel(treatment, cells), test: suiteLabels[suite] };
      return [{ ...place, ...Object.fromEntries(means) }];
    })
  );
}

/** Two groups' answers to the same questions: right 1, wrong 0; difference in points. */
export function pairedAnswers(
  cells: readonly CellResult[],
  [first, second]: readonly [Treatment, Treatment],
  suite: SuiteName,
) {
  const pairs = pairsOf(cells, { treatment: first, suite }, { treatment: second, suite });
  return pairs.flatMap(({ left: { cell: { model, domain, seed }, suites }, right }) => {
    const answers = new Map(outcomesOf(right.suites[suite]!).map((one) => [one.item, one.correct]));
    return outcomesOf(suites[suite]!).map(({ item, correct }) => ({
      ...{ model: modelLabel(model), domain, seed, item, first: correct },
      second: answers.get(item)!,
      difference: 100 * (correct - answers.get(item)!),
    }));
  });
}

/**
 * Answers that changed sides, over models, domains and seeds: of those right before how many a
 * group lost, of those wrong before how many it gained, in %.
 * @param kindOf the kind of a question, by default its fact's (of others than organisms: all); undefined
 *   leaves it out
 */
export function flipRows(
  { bases, cells, kinds }: Pick<Study, "bases" | "cells"> & {
    kinds: ReadonlyMap<string, Material["kinds"]>;
  },
  kindOf = ({ id }: Answer, model: string): string | undefined =>
    kinds.size === 0 ? "all" : kinds.get(model)?.get(id),
): StudyRow[] {
  const answers = cells.filter(({ cell }) => cell.treatment !== "mix").flatMap((result) => {
    return suiteNames.filter((suite) => result.suites[suite]).flatMap((suite) =>
      baseAnswersOf(bases, result, suite).map((answer, i) => ({
        ...{ suite, treatment: result.cell.treatment, before: answer.correct },
        kind: kindOf(answer, result.cell.model),
        after: result.suites[suite]!.correct[i] === 1,
      }))
    );
  });
  const share = (some: number, all: number) => all > 0 ? 100 * some / all : null;
  const found = unique(answers.flatMap(({ kind }) => kind ?? [])).sort();
  return suiteNames.flatMap((suite) =>
    treatmentsOf(cells).flatMap((treatment) =>
      found.flatMap((facts): StudyRow[] => {
        const list = answers.filter((one) =>
          one.suite === suite && one.treatment === treatment && one.kind === facts
        );
        if (list.length === 0) return [];
        const [right, wrong] = [true, false].map((side) =>
          list.filter(({ before }) => before === side)
        );
        return [{
          ...{ test: suiteLabels[suite], group: groupLabel(treatment, cells), facts },
          rightBefore: right.length,
          lost: share(right.filter(({ after }) => !after).length, right.length),
          wrongBefore: wrong.length,
          gained: share(wrong.filter(({ after }) => after).length, wrong.length),
        }];
      })
    )
  );
}

const measured = ({ value, interval }: Estimate) => interval ? { value, interval } : { value };

/** Findings as rows: estimates with their intervals, what n counts, Holm's p, the rule's verdict, the paper's. */
export function findingRecords(found: readonly Finding[]): StudyRow[] {
  return found.map((
    { hypothesis, suite, estimate, unit, over, correctedP = null, verdict, paper = null, detail },
  ) => ({
    ...{ finding: hypothesis, test: suiteLabels[suite], estimate: measured(estimate), unit },
    ...{ n: estimate.n, over, p: estimate.p ?? null, correctedP },
    ...{ detectable: estimate.detectable ?? null, verdict, paper, detail: detail ?? null },
  }));
}
