/**
 * The rows of the study's tables. Accuracies and differences in points (0 to 100), KL and entropy in
 * nats. A cell without a result is null.
 */
import type { Answer } from "../question.ts";
import { type SuiteName, suiteNames } from "../evaluate.ts";
import { mean, meanInterval } from "../statistics/mean.ts";
import { pValue } from "../statistics/p_value.ts";
import { wilsonInterval } from "../statistics/proportion.ts";
import { asRow, type CellResult, type SuiteRecord, type Treatment } from "../experiment.ts";
import { modelLabel } from "./open.ts";
import { paperNumber } from "./paper.ts";
import { findingText } from "./report.ts";
import { baseAnswersOf, type BaseResult, type Study } from "./study.ts";
import {
  byModel,
  contrast,
  type Estimate,
  type Finding,
  overModels,
  plainEstimate,
  ruleContrasts,
  suiteLabels,
  treatmentLabels,
} from "../contrast.ts";

/** One row, by column. */
export type StudyRow = Record<string, string | number | Estimate | null>;

/** Treatments in the tables' order, of those that have results. */
export function treatmentsOf(cells: readonly CellResult[]): Treatment[] {
  const found = new Set(cells.map(({ cell }) => cell.treatment));
  return (Object.keys(treatmentLabels) as Treatment[]).filter((name) =>
    name !== "mix" && found.has(name)
  );
}

const unique = <T>(list: readonly T[]): T[] => [...new Set(list)];

/** Right (1) or wrong (0), with the question that was asked. */
interface Outcome {
  item: string;
  correct: number;
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

const outcomesOf = ({ items, correct }: SuiteRecord): Outcome[] =>
  items.map((item, i) => ({ item, correct: correct[i] }));

/**
 * The main table: a row for each model and group, base first, with columns `DOMAIN/SUITE` and
 * `mean/SUITE`; with several models a block over all of them, whose intervals are over models.
 */
export function accuracyRows({ bases, cells }: Pick<Study, "bases" | "cells">): StudyRow[] {
  const domains = unique(cells.map(({ cell }) => cell.domain));
  const groups = ["base" as const, ...treatmentsOf(cells)];
  const rows: StudyRow[] = [];
  const means = new Map<string, number[]>();
  for (const base of bases) {
    const own = cells.filter(({ cell }) => cell.model === base.model);
    for (const group of groups) {
      const row: StudyRow = { model: modelLabel(base.model), group: groupLabel(group) };
      for (const suite of suiteNames) {
        const parts = domains.map((domain) => {
          const here = own.filter(({ cell, suites }) => cell.domain === domain && suites[suite]);
          if (group === "base") return here.slice(0, 1).flatMap((one) => before(base, one, suite));
          return here.filter(({ cell }) => cell.treatment === group)
            .flatMap(({ suites }) => outcomesOf(suites[suite]!));
        });
        domains.forEach((domain, i) => row[`${domain}/${suite}`] = accuracyOf(parts[i]));
        const all = accuracyOf(parts.flat());
        row[`mean/${suite}`] = all;
        const name = `${group}/${suite}`;
        if (all) means.set(name, [...means.get(name) ?? [], all.value]);
      }
      rows.push(row);
    }
  }
  if (bases.length < 2) return rows;
  for (const group of groups) {
    const row: StudyRow = { model: "all models", group: groupLabel(group) };
    for (const suite of suiteNames) {
      for (const domain of domains) row[`${domain}/${suite}`] = null;
      row[`mean/${suite}`] = overModels(means.get(`${group}/${suite}`) ?? []);
    }
    rows.push(row);
  }
  return rows;
}

/** The columns of `accuracyRows` that hold accuracies. A domain's name may hold slashes. */
export function accuracyColumns(rows: readonly StudyRow[]) {
  return Object.keys(rows[0] ?? {}).filter((key) => key.includes("/")).map((key) => {
    const cut = key.lastIndexOf("/");
    const domain = key.slice(0, cut), suite = key.slice(cut + 1) as SuiteName;
    const label = `${domain} ${suiteLabels[suite]}`;
    return { key, label, kind: "measurement" as const, digits: 1 };
  });
}

const groupLabel = (group: Treatment | "base") =>
  group === "base" ? "base" : treatmentLabels[group];

function before(base: BaseResult, cell: CellResult, suite: SuiteName): Outcome[] {
  return baseAnswersOf(base, cell, suite).map(({ domain, id, correct }) => ({
    item: `${domain}/${id}`,
    correct: Number(correct),
  }));
}

/** The rule's differences: a row for each and each test, with a column for each model and for all. */
export function contrastRows(cells: readonly CellResult[]): StudyRow[] {
  const models = unique(cells.map(({ cell }) => cell.model));
  return ruleContrasts.flatMap(([finding, treatment]) =>
    suiteNames.flatMap((suite): StudyRow[] => {
      const of = (some: readonly CellResult[]) =>
        contrast(some, { treatment }, { treatment: "inc" }, { suite }) ?? null;
      const all = of(cells);
      if (all === null) return [];
      const own = models.map((model): [string, Estimate | null] => [
        modelLabel(model),
        plainEstimate(of(cells.filter(({ cell }) => cell.model === model))),
      ]);
      return [{
        finding,
        test: suiteLabels[suite],
        ...Object.fromEntries(own),
        ...(models.length > 1 ? { "all models": plainEstimate(all) } : {}),
        paper: paperNumber(finding, suite) ?? "",
      }];
    })
  );
}

/** What else a cell measures beside accuracy. */
const distances: readonly (readonly [column: string, value: (record: SuiteRecord) => number])[] = [
  ["kl", ({ kl }) => kl],
  ["rank", ({ rank }) => rank],
  ["cosine", ({ cosine }) => cosine],
  ["entropy", ({ entropy }) => entropy],
  ["baseEntropy", ({ baseEntropy }) => baseEntropy],
];

/** How far each group moved the models: KL, rank consistency, cosine, entropies; means over models. */
export function distanceRows(cells: readonly CellResult[]): StudyRow[] {
  return treatmentsOf(cells).flatMap((treatment) =>
    suiteNames.flatMap((suite): StudyRow[] => {
      const measured = distances.map(([column, value]): [string, Estimate | null] => [
        column,
        overModels([...byModel(cells, { treatment, suite }, value).values()]),
      ]);
      if (measured[0][1] === null) return [];
      return [{
        group: treatmentLabels[treatment],
        test: suiteLabels[suite],
        ...Object.fromEntries(measured),
      }];
    })
  );
}

/** Answers that changed sides, counted over models, domains and seeds. */
export interface Flips {
  treatment: Treatment;
  kind: string;
  /** Right before, and wrong after fine-tuning. */
  right: number;
  lost: number;
  /** Wrong before, and right after. */
  wrong: number;
  gained: number;
}

/** What a treatment lost and gained on one test, by a kind of question. */
export function flips(
  { bases, cells }: Pick<Study, "bases" | "cells">,
  { suite, kindOf = () => "all" }: {
    suite: SuiteName;
    /** Default: all are of one kind; undefined leaves a question out. */
    kindOf?: (answer: Answer, model: string) => string | undefined;
  },
): Flips[] {
  const counts = new Map<string, Flips>();
  for (const result of cells) {
    const { treatment, model } = result.cell;
    const record = result.suites[suite];
    if (treatment === "mix" || record === undefined) continue;
    const base = bases.find((one) => one.model === model)!;
    baseAnswersOf(base, result, suite).forEach((answer, i) => {
      const kind = kindOf(answer, model);
      if (kind === undefined) return;
      const key = JSON.stringify([treatment, kind]);
      const count = counts.get(key) ??
        { treatment, kind, right: 0, lost: 0, wrong: 0, gained: 0 };
      count[answer.correct ? "right" : "wrong"]++;
      if (answer.correct && !record.correct[i]) count.lost++;
      if (!answer.correct && record.correct[i]) count.gained++;
      counts.set(key, count);
    });
  }
  const order = treatmentsOf(cells);
  return [...counts.values()].sort((a, b) =>
    order.indexOf(a.treatment) - order.indexOf(b.treatment) || (a.kind < b.kind ? -1 : 1)
  );
}

/** Consistency and accuracy of each model, domain and group (or ratio), seeds averaged, points. */
export function consistencyRows(cells: readonly CellResult[], suite: SuiteName) {
  const tested = cells.filter(({ suites }) => suites[suite] !== undefined);
  const places = Map.groupBy(
    tested,
    ({ cell: { model, domain, treatment, ratio } }) =>
      JSON.stringify([model, domain, treatment, ratio]),
  );
  return [...places.values()].map((list) => {
    const records = list.map(({ suites }) => suites[suite]!);
    const over = (value: (record: SuiteRecord) => number) => 100 * mean(records.map(value));
    return {
      cell: list[0].cell,
      consistency: over(({ rank }) => rank),
      accuracy: over(({ accuracy }) => accuracy),
      base: over(({ baseAccuracy }) => baseAccuracy),
    };
  });
}

/**
 * Every cell and test as one row of plain values, for a csv and for other programs: the numbers that
 * all statistics are computed from (`asRows`), accuracies in points.
 */
export function cellRows(cells: readonly CellResult[]): StudyRow[] {
  return cells.flatMap(({ cell, size, suites, fit, finetuning, explanations, seconds }) =>
    suiteNames.flatMap((suite): StudyRow[] => {
      const record = suites[suite];
      if (record === undefined) return [];
      const { n, accuracy, interval, baseAccuracy, lost, gained } = record;
      return [{
        model: modelLabel(cell.model),
        domain: cell.domain,
        group: cell.treatment,
        ratio: cell.ratio ?? null,
        seed: cell.seed,
        // What a dose changes.
        share: cell.size ?? 1,
        at_most: cell.count ?? null,
        facts: cell.items ?? "all",
        test: suite,
        size,
        accuracy: { value: asRow(100 * accuracy), interval: pointsOf(interval), n },
        base: asRow(100 * baseAccuracy),
        kl: asRow(record.kl),
        rank: asRow(record.rank),
        cosine: asRow(record.cosine),
        entropy: asRow(record.entropy),
        baseEntropy: asRow(record.baseEntropy),
        lost,
        gained,
        fit: fit === undefined ? null : asRow(100 * fit.share),
        lastLoss: finetuning === undefined ? null : asRow(finetuning.lastLoss),
        // Of a study with explanations: answers whose reasons the base model was asked for.
        asked: explanations?.asked ?? null,
        explained: explanations?.explained ?? null,
        seconds: Number(seconds.toFixed(2)),
      }];
    })
  );
}

const pointsOf = ([low, high]: readonly [number, number]): [number, number] => [
  asRow(100 * low),
  asRow(100 * high),
];

/** Findings as rows for people. */
export function findingRows(found: readonly Finding[]): StudyRow[] {
  return found.map((one) => ({
    finding: one.hypothesis,
    test: suiteLabels[one.suite],
    ours: findingText(one),
    unit: one.unit,
    n: `${one.estimate.n} ${one.over}`,
    Holm_p: pValue(one.correctedP),
    reading: one.reading,
    paper: one.paper ?? "",
  }));
}

/** Findings as records for `saveResults`. */
export function findingResults(found: readonly Finding[]) {
  return found.map((
    { hypothesis, suite, estimate, unit, over, detail, correctedP, reading, paper },
  ) => ({
    name: `${hypothesis}, ${suiteLabels[suite]}`,
    ...estimate,
    unit,
    over,
    detail,
    correctedP,
    reading,
    paper,
  }));
}
