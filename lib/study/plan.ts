/** A plan of the study, and the cells that it makes. */
import type { FinetuneSettings } from "../model/finetune_settings.ts";
import type { Cell, ItemKind, Treatment } from "../cell.ts";

export interface StudyPlan {
  models: readonly string[];
  /** Default: all that a model's material has. */
  domains?: readonly string[];
  treatments: readonly Treatment[];
  /** Shares of SELF of the treatment `mix`. */
  ratios?: readonly number[];
  seeds: readonly number[];
  /** Seeds of the treatment `mix`. Default: `seeds`. */
  mixtureSeeds?: readonly number[];
  /** An answer counts as belief when its probability is above this. Default .5, the paper's. */
  minimumConfidence?: number;
  /** What differs from the model's default settings. */
  finetuning?: Partial<FinetuneSettings>;
  /** Targets are explained, SELF's by the base model itself (paper, section 3.2). Default: false. */
  explanations?: boolean;
  /** Share of each group that is used. Default: all. */
  size?: number;
  /** At most so many items of each group. Default: all. */
  count?: number;
  /** Only answers to such facts are in INC and SELF; organisms alone. Default: all. */
  items?: ItemKind;
}

/** The cells of one model, in the order in which they run. */
export function planCells(plan: StudyPlan, model: string, domains: readonly string[]): Cell[] {
  const { size, count, items } = plan;
  const part = {
    ...(size === undefined ? {} : { size }),
    ...(count === undefined ? {} : { count }),
    ...(items === undefined ? {} : { items }),
  };
  const cells: Cell[] = [];
  for (const domain of domains) {
    for (const seed of plan.seeds) {
      for (const treatment of plan.treatments) {
        if (treatment === "mix" && !(plan.mixtureSeeds ?? plan.seeds).includes(seed)) continue;
        const ratios = treatment === "mix" ? plan.ratios ?? [] : [undefined];
        for (const ratio of ratios) {
          // The ends of the mixture are INC and SELF themselves: one cell serves both.
          const same = ratio === 0 ? "inc" : ratio === 1 ? "self" : undefined;
          if (same && plan.treatments.includes(same)) continue;
          cells.push({
            model,
            domain,
            treatment: same ?? treatment,
            ...(ratio === undefined || same ? {} : { ratio }),
            seed,
            ...part,
          });
        }
      }
    }
  }
  return cells;
}

/** How many cells a plan has, where it names its domains; else as many as four domains have. */
export function countCells(plan: StudyPlan): number {
  const domains = plan.domains ?? ["history", "engineering", "jurisprudence", "medicine"];
  return plan.models.reduce((sum, model) => sum + planCells(plan, model, domains).length, 0);
}
