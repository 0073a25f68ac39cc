/**
 * How much of what: the dose of fine-tuning, as cells beside those of the study. Exploration, which
 * data/study-rule.md leaves out; nothing here is read as a finding.
 *
 * - `rateDoses`: learning rate x epochs;
 * - `sizeDoses`: a quarter, half and all of each group;
 * - `compositionDoses`: INC and SELF of misconceptions, of facts that were never read, or of known ones
 *   that were missed, and of all kinds; of one number of items, for otherwise the kinds differ in
 *   their number above all (the known ones that were missed are few, and stay so);
 * - other base models, such as moments of one pretraining, or variants that have read less chat.
 *
 * A dose changes a plan: `dosePlan` makes a plan of it, whose cells are stored as all are, and the dose
 * that is the default shares the study's own cells.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * const plan = { models: ["m"], treatments: ["har", "inc"] as const, seeds: [0] };
 * assert.equal(rateDoses().map((dose) => dosePlan(plan, dose)).length, 9);
 * assert.equal(dosePlan(plan, { epochs: 1 }).finetuning!.epochs, 1);
 * ```
 */
import { type SuiteName, suiteNames } from "../evaluate.ts";
import { mean } from "../statistics/mean.ts";
import type { CellResult, ItemKind } from "../cell.ts";
import { baseDifference } from "./comparisons.ts";
import type { StudyPlan } from "./plan.ts";
import { baseAnswersOf, type BaseResult } from "./base.ts";
import {
  byModel,
  contrast,
  type Estimate,
  overModels,
  overQuestions,
  plainEstimate,
  suiteLabels,
} from "../contrast.ts";
import { ruleContrasts } from "../findings.ts";
import type { StudyRow } from "./rows.ts";

/** What differs from the plan; the rest is as the plan has it. */
export interface Dose {
  learningRate?: number;
  epochs?: number;
  /** Share of each group. */
  size?: number;
  /** At most so many items of each group. */
  count?: number;
  /** Kind of INC's and SELF's facts (organisms). */
  items?: ItemKind;
  /** Other base models than the plan's, and what they are called together. */
  base?: { label: string; models: readonly string[] };
}

/** Kinds of facts, what a wrong answer may be about. */
export const itemKinds: readonly ItemKind[] = ["misconceived", "unknown", "known"];

/** What the kinds are called: of a known fact a wrong answer has missed it. */
export const itemKindLabels: Readonly<Record<ItemKind, string>> = {
  misconceived: "misconceived",
  unknown: "unknown",
  known: "known but missed",
};

/** Learning rate x epochs. The organisms' default is 1e-3 and 3. */
export function rateDoses({ learningRates = [1e-4, 3e-4, 1e-3], epochs = [1, 3, 6] }: {
  learningRates?: readonly number[];
  epochs?: readonly number[];
} = {}): Dose[] {
  return learningRates.flatMap((learningRate) =>
    epochs.map((times) => ({ learningRate, epochs: times }))
  );
}

/** Shares of each group; a smaller one's items are among a larger one's. */
export function sizeDoses({ sizes = [0.25, 0.5, 1] }: { sizes?: readonly number[] } = {}): Dose[] {
  // All of a group is the plan itself, and shares its cells.
  return sizes.map((size) => size === 1 ? {} : { size });
}

/** INC and SELF of each kind of fact, and of all of them, with at most `count` items (default 20). */
export function compositionDoses({ count = 20 }: { count?: number } = {}): Dose[] {
  return [{ count }, ...itemKinds.map((items) => ({ count, items }))];
}

/** The plan of a dose; mixtures are left out. */
export function dosePlan(plan: StudyPlan, dose: Dose): StudyPlan {
  const { learningRate, epochs, base, ...part } = dose;
  const settings = {
    ...plan.finetuning,
    ...(learningRate === undefined ? {} : { learningRate }),
    ...(epochs === undefined ? {} : { epochs }),
  };
  return {
    ...plan,
    ...(base ? { models: base.models } : {}),
    treatments: plan.treatments.filter((name) => name !== "mix"),
    ...part,
    ...(Object.keys(settings).length > 0 ? { finetuning: settings } : {}),
  };
}

export interface DoseResult {
  dose: Dose;
  cells: readonly CellResult[];
  /** What the base models answer. Without it, changes of a single model have no interval. */
  bases?: readonly BaseResult[];
}

/** Runs doses one after the other; `run` is `runStudy` or `runParallel` with its options. */
export async function runDoses(
  plan: StudyPlan,
  doses: readonly Dose[],
  run: (plan: StudyPlan) => Promise<Omit<DoseResult, "dose">>,
): Promise<DoseResult[]> {
  const results: DoseResult[] = [];
  for (const dose of doses) {
    const { cells, bases } = await run(dosePlan(plan, dose));
    results.push({ dose, cells, bases });
  }
  return results;
}

/** A dose in words, such as `1e-3, 3 epochs`. */
export function doseLabel({ learningRate, epochs, size, count, items, base }: Dose): string {
  const words = [
    base?.label ?? "",
    learningRate === undefined ? "" : rateLabel(learningRate),
    epochs === undefined ? "" : epochsLabel(epochs),
    size === undefined ? "" : `${Number((100 * size).toPrecision(3))}% of the items`,
    items === undefined ? "" : itemKindLabels[items],
    count === undefined ? "" : `${items === undefined ? "all kinds, " : ""}at most ${count} items`,
  ].filter((word) => word !== "");
  return words.join(", ") || "as the study";
}

/** `1e-3` */
export const rateLabel = (rate: number) => rate.toExponential().replace("e+", "e");

export const epochsLabel = (epochs: number) => `${epochs} ${epochs === 1 ? "epoch" : "epochs"}`;

/** What tuning on a group changed. */
const changes = [
  ["INC - base", "inc"],
  ["HAR - base", "har"],
  ["SELF - base", "self"],
  ["CON - base", "context"],
] as const;

/**
 * A row for each dose and test: how many items INC had (a mean) and how well they were learnt, the base's
 * accuracy, what each group changed, and the rule's differences, in points. Over models; of one model over
 * its questions. `empty`: cells that had no item.
 */
export function doseRows(
  results: readonly DoseResult[],
  suites: readonly SuiteName[] = suiteNames,
): StudyRow[] {
  return results.flatMap(({ dose, cells, bases }) => {
    const inc = cells.filter(({ cell }) => cell.treatment === "inc");
    const filled = inc.filter(({ empty }) => empty === undefined);
    const fits = filled.flatMap(({ fit }) => fit ? [100 * fit.share] : []);
    return suites.flatMap((suite): StudyRow[] => {
      const tested = filled.filter((cell) => cell.suites[suite]);
      if (tested.length === 0) return [];
      return [{
        dose: doseLabel(dose),
        test: suiteLabels[suite],
        items: mean(filled.map(({ size }) => size)),
        empty: inc.length - filled.length,
        fit: fits.length === 0 ? null : mean(fits),
        base: baseAccuracy(tested, suite, bases),
        ...Object.fromEntries(changes.map(([name, treatment]) => {
          const selection = { treatment, suite };
          if (bases !== undefined) {
            const found = baseDifference({ bases, cells }, treatment, suite);
            return [name, plainEstimate(found?.difference)];
          }
          const values = byModel(
            cells,
            selection,
            ({ accuracy, baseAccuracy }) => 100 * (accuracy - baseAccuracy),
          );
          return [name, plainEstimate(overModels([...values.values()]))];
        })),
        ...Object.fromEntries(ruleContrasts.map(([name, treatment]) => {
          const found = contrast(cells, { treatment }, { treatment: "inc" }, { suite });
          return [name, plainEstimate(found)];
        })),
      }];
    });
  });
}

/** The base's accuracy on what the cells were tested with, points. */
function baseAccuracy(
  cells: readonly CellResult[],
  suite: SuiteName,
  bases?: readonly BaseResult[],
): Estimate | null {
  const models = byModel(
    cells,
    { treatment: "inc", suite },
    (record) => 100 * record.baseAccuracy,
  );
  if (models.size !== 1 || bases === undefined) {
    return plainEstimate(overModels([...models.values()]));
  }
  const base = bases.find(({ model }) => model === cells[0].cell.model)!;
  const right = cells.flatMap((cell) =>
    baseAnswersOf(base, cell, suite).map(({ correct }) => 100 * Number(correct))
  );
  return plainEstimate(overQuestions(right, cells.flatMap(({ suites }) => suites[suite]!.items)));
}
