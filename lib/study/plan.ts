/** A plan of the study, and the cells that it makes. */
import type { FinetuneSettings } from "../model/finetune_settings.ts";
import type { LoadOptions } from "../model/files/load.ts";
import { type Cell, type ItemKind, type Treatment, treatments } from "../cell.ts";
import { defined } from "../platform/defined.ts";

export interface StudyPlan {
  models: readonly string[];
  /** Default: all that a model's material has. */
  domains?: readonly string[];
  treatments: readonly Treatment[];
  /** Shares of SELF of the treatment `mix`. */
  ratios?: readonly number[];
  seeds: readonly number[];
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
  /** Models that other trainers tuned: these are the cells then, and nothing is trained here. */
  tuned?: readonly TunedCell[];
}

/** A model that another trainer tuned on an exported group. */
export interface TunedCell extends NamedCell {
  /** Folder of a checkpoint, or of an adapter of the base model; or what a server calls it. */
  source: string;
  /** How it is asked behind a server. Absent: it lies in a folder. */
  loading?: LoadOptions;
  isAdapter: boolean;
  /** Of its weights and configuration; of a served model its identity. */
  digest: string;
  /** What the exported group said of itself. Absent: the folder has none, and a name was given. */
  manifest?: {
    base: { digest: string };
    /** SHA-256 of the rows. */
    rows: string;
    /** Who trained, such as `trl 1.16.0`. */
    trainer?: string;
  };
}

type NamedCell = Pick<Cell, "domain" | "treatment" | "ratio" | "seed">;

/** What a group is called outside, such as `history/mix-0.4@1`: it names files too. */
export function groupName({ domain, treatment, ratio, seed }: NamedCell): string {
  const place = domain.toWellFormed().replace(/[\\/:?"<>|\s,=@%\p{C}]/gu, encodeURIComponent)
    .replace(/^\./, "%2E");
  return `${place}/${treatment}${ratio === undefined ? "" : `-${ratio}`}@${seed}`;
}

/** The group of such a name, its seed 0 where it has none; undefined where it is no name of a group. */
export function parseGroupName(name: string): NamedCell | undefined {
  const [, place, group, ratio, seed = 0] = NAME.exec(name) ?? [];
  const treatment = treatments.find((one) => one === group);
  if (treatment === undefined || (treatment === "mix") !== (ratio !== undefined)) return undefined;
  const parts = { ...(ratio && { ratio: Number(ratio) }), seed: Number(seed) };
  try {
    return { domain: decodeURIComponent(place), treatment, ...parts };
  } catch {
    return undefined;
  }
}

const NAME = /^([^/@=]+)\/([a-z-]+?)(?:-(0\.\d+))?(?:@(\d+))?$/;

/** The cells of one model, in the order in which they run. */
export function planCells(plan: StudyPlan, model: string, domains: readonly string[]): Cell[] {
  const { treatments, seeds, ratios = [], size, count, items } = plan;
  const part = defined({ size, count, items });
  if (plan.tuned) {
    return plan.tuned.filter(({ treatment }) => treatments.includes(treatment)).map((
      { domain, treatment, ratio, seed, digest: tuned },
    ) => ({ model, domain, treatment, ...defined({ ratio }), seed, ...part, tuned }));
  }
  const cellsOf = (domain: string, seed: number, treatment: Treatment): Cell[] => {
    if (treatment !== "mix") return [{ model, domain, treatment, seed, ...part }];
    return ratios.flatMap((ratio): Cell[] => {
      // The ends of the mixture are INC and SELF themselves: one cell serves both.
      const end = ratio === 0 ? "inc" : ratio === 1 ? "self" : undefined;
      if (end === undefined) return [{ model, domain, treatment, ratio, seed, ...part }];
      return treatments.includes(end) ? [] : [{ model, domain, treatment: end, seed, ...part }];
    });
  };
  return domains.flatMap((domain) =>
    seeds.flatMap((seed) => treatments.flatMap((treatment) => cellsOf(domain, seed, treatment)))
  );
}

/** The domains of an organism's world, the paper's. */
export const DOMAINS = ["history", "engineering", "jurisprudence", "medicine"];

/** How many cells a plan has, on material of such domains where it names none. */
export function countCells(plan: StudyPlan, domains: readonly string[] = DOMAINS): number {
  const studied = plan.domains ?? domains;
  return plan.models.reduce((sum, model) => sum + planCells(plan, model, studied).length, 0);
}
