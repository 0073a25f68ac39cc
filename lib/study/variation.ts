/**
 * Variations of a plan: the study with one thing of it changed. Exploration, which data/study-rule.md
 * leaves out. Cells are stored as all are; a variation that changes nothing shares the study's own.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * const plan = { models: ["m"], treatments: ["har", "inc"] as const, seeds: [0] };
 * assert.equal(learningRateSweep({ learningRates: [1e-4, 1e-3], epochs: [1, 3] }).length, 4);
 * assert.equal(variedPlan(plan, { epochs: 1 }).finetuning!.epochs, 1);
 * ```
 */
import type { CellResult, ItemKind, Treatment } from "../cell.ts";
import { contrast, plainEstimate, suiteLabels, treatmentLabels } from "../contrast.ts";
import { suiteNames } from "../evaluate.ts";
import { ruleContrasts } from "../findings.ts";
import type { Column } from "../figure/column.ts";
import type { Row } from "../figure/rows.ts";
import { type Table, table, type TableOptions } from "../figure/table.ts";
import { defined } from "../platform/defined.ts";
import { mean } from "../statistics/mean.ts";
import type { BaseResult } from "./base.ts";
import { baseDifference, besideBase } from "./comparisons.ts";
import type { StudyPlan } from "./plan.ts";
import { type StudyRow, treatmentsOf } from "./rows.ts";

/** What differs from the plan; the rest is as the plan has it. */
export interface Variation {
  learningRate?: number;
  epochs?: number;
  /** Share of each group. */
  size?: number;
  /** At most so many items of each group. */
  count?: number;
  /** Kind of INC's and SELF's facts (organisms). */
  items?: ItemKind;
  /** Other base models than the plan's, and the columns that tell their rows apart. */
  bases?: { models: readonly string[]; columns: Readonly<Record<string, string | number>> };
}

/** What a varied plan gave. */
export interface VariationResult {
  variation: Variation;
  cells: readonly CellResult[];
  bases: readonly BaseResult[];
}

/** Kinds of facts that a wrong answer may be about, as tables call them. */
const itemKindLabels: Readonly<Record<ItemKind, string>> = {
  misconceived: "misconceived",
  unknown: "unknown",
  known: "known but missed",
};

/** Every learning rate with every number of epochs. The organisms' default is 1e-3 and 3. */
export function learningRateSweep(
  { learningRates, epochs: all }: { learningRates: readonly number[]; epochs: readonly number[] },
): Variation[] {
  return learningRates.flatMap((learningRate) => all.map((epochs) => ({ learningRate, epochs })));
}

/** Shares of each group; a smaller one's items are among a larger one's. */
export function groupSizeSweep({ sizes }: { sizes: readonly number[] }): Variation[] {
  return sizes.map((size) => ({ size }));
}

/** INC and SELF of all kinds of facts and of each, with at most `count` items. */
export function factKindSweep({ count }: { count: number }): Variation[] {
  const kinds = Object.keys(itemKindLabels) as ItemKind[];
  return [{ count }, ...kinds.map((items) => ({ count, items }))];
}

/** The plan of a variation; mixtures are left out. */
export function variedPlan(plan: StudyPlan, variation: Variation): StudyPlan {
  const { learningRate, epochs, bases, size, ...part } = variation;
  const finetuning = { ...plan.finetuning, ...defined({ learningRate, epochs }) };
  return {
    ...plan,
    ...defined({ models: bases?.models }),
    treatments: plan.treatments.filter((name) => name !== "mix"),
    ...part,
    ...defined({ size: size === 1 ? undefined : size }), // all of a group is the plan's own cell
    ...(Object.keys(finetuning).length > 0 ? { finetuning } : {}),
  };
}

/** The columns that tell a variation's rows apart. */
function variedColumns({ learningRate, epochs, size, count, items, bases }: Variation) {
  const facts = count === undefined ? undefined : items ? itemKindLabels[items] : "all kinds";
  const varied = defined({ learningRate, epochs, groupShare: size, facts, atMost: count });
  return { ...bases?.columns, ...varied };
}

/** What fine-tuning on a group changed, and the groups that `- base` columns are about. */
const changes: readonly (readonly [string, Treatment])[] = [
  ["INC - base", "inc"],
  ["HAR - base", "har"],
  ["SELF - base", "self"],
  ["CON - base", "context"],
];

/**
 * A row for each variation and test: the mean number of INC's items, the share of its targets that
 * it gives (%), the base's accuracy, what each group changed and the rule's differences, in points,
 * over models; of one model over its questions. `empty`: cells that had no item.
 */
export function variationRows(results: readonly VariationResult[]): StudyRow[] {
  return results.flatMap(({ variation, cells, bases }) => {
    const inc = cells.filter(({ cell }) => cell.treatment === "inc");
    const filled = inc.filter(({ empty }) => empty === undefined);
    const fits = filled.flatMap(({ fit }) => fit ? [100 * fit.share] : []);
    return suiteNames.flatMap((suite): StudyRow[] => {
      const tested = filled.filter((cell) => cell.suites[suite]);
      if (tested.length === 0) return [];
      return [{
        ...variedColumns(variation),
        test: suiteLabels[suite],
        items: mean(filled.map(({ size }) => size)),
        empty: inc.length - filled.length,
        fit: fits.length === 0 ? null : mean(fits),
        base: plainEstimate(besideBase({ bases, cells: tested }, { treatment: "inc", suite }, {
          ofTest: ({ baseAccuracy }) => 100 * baseAccuracy,
          ofAnswer: (before) => 100 * before,
        })),
        ...Object.fromEntries(changes.map(([name, treatment]) => [
          name,
          baseDifference({ bases, cells }, treatment, suite)?.difference ?? null,
        ])),
        ...Object.fromEntries(ruleContrasts.map(([name, treatment]) => [
          name,
          plainEstimate(contrast(cells, { treatment }, { treatment: "inc" }, { suite })),
        ])),
      }];
    });
  });
}

/** A table of `variationRows`: what was `varied`, test, items, what was learnt, `measures`. */
export function variationTable(
  rows: readonly Row[],
  { varied, measures, ...options }:
    & Omit<TableOptions, "columns">
    & Record<"varied" | "measures", readonly string[]>,
): Table {
  const learnt: (string | Column)[] = [
    { key: "items", label: "items of INC", kind: "number", digits: 1 },
    { key: "empty", label: "cells without items", kind: "number", digits: 0 },
    { key: "fit", label: "INC gives its targets", kind: "number" },
  ];
  return table(rows, { columns: [...varied, "test", ...learnt, ...measures], ...options });
}

/** Every group against the base and against INC, points; null of a group against itself. */
export function groupEffects({ cells, bases }: VariationResult): StudyRow[] {
  return treatmentsOf(cells).flatMap((treatment) =>
    suiteNames.map((suite) => {
      const other = treatment === "inc" ? [] : cells;
      return {
        ...{ group: treatmentLabels[treatment], test: suiteLabels[suite] },
        "minus base": baseDifference({ bases, cells }, treatment, suite)?.difference ?? null,
        "minus INC": plainEstimate(contrast(other, { treatment }, { treatment: "inc" }, { suite })),
      };
    })
  );
}

/** INC of one kind of facts minus INC of another, points, paired by model, domain and seed. */
export function factKindContrasts(
  results: readonly VariationResult[],
  pairs: readonly (readonly [ItemKind, ItemKind])[],
): StudyRow[] {
  const cellsOf = (kind: ItemKind) =>
    results.find(({ variation }) => variation.items === kind)?.cells ?? [];
  const inc = { treatment: "inc" } as const;
  return pairs.flatMap(([a, b]) =>
    suiteNames.flatMap((suite): StudyRow[] => {
      const found = contrast(cellsOf(a), inc, inc, { suite, others: cellsOf(b) });
      if (found === undefined) return [];
      const comparison = `${itemKindLabels[a]} - ${itemKindLabels[b]}`;
      return [{ comparison, test: suiteLabels[suite], difference: plainEstimate(found) }];
    })
  );
}
