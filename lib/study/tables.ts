/** Wide rows of the study's tables, as notebooks lay them out. */
import type { Answer } from "../question.ts";
import { type SuiteName, suiteNames } from "../evaluate.ts";
import { pValue } from "../statistics/p_value.ts";
import type { CellResult, Treatment } from "../cell.ts";
import { modelLabel } from "./labels.ts";
import { paperNumber } from "../dataset/paper.ts";
import { type Finding, ruleContrasts } from "../findings.ts";
import { findingText } from "./finding_text.ts";
import type { Study } from "./study.ts";
import { baseAnswersOf } from "./base.ts";
import {
  byModel,
  contrast,
  type Estimate,
  overModels,
  plainEstimate,
  suiteLabels,
  treatmentLabels,
} from "../contrast.ts";
import {
  accuracyOf,
  before,
  distances,
  groupLabel,
  outcomesOf,
  type StudyRow,
  treatmentsOf,
  unique,
} from "./rows.ts";

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

/** Findings as rows for people. */
export function findingRows(found: readonly Finding[]): StudyRow[] {
  return found.map((one) => ({
    finding: one.hypothesis,
    test: suiteLabels[one.suite],
    ours: findingText(one),
    unit: one.unit,
    n: `${one.estimate.n} ${one.over}`,
    Holm_p: pValue(one.correctedP),
    verdict: one.verdict,
    paper: one.paper ?? "",
  }));
}

/** Findings as records for `saveResults`. */
export function findingResults(found: readonly Finding[]) {
  return found.map((
    { hypothesis, suite, estimate, unit, over, detail, correctedP, verdict, paper },
  ) => ({
    name: `${hypothesis}, ${suiteLabels[suite]}`,
    ...estimate,
    unit,
    over,
    detail,
    correctedP,
    verdict,
    paper,
  }));
}
