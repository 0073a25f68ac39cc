/** One cell of the study, and the record of what came of it. */
import type { SuiteName } from "./evaluate.ts";
import type { FinetuneSettings } from "./model/finetune_settings.ts";
import type { GroupSizes } from "./groups.ts";
import type { Explanation, ExplanationCounts } from "./explanation.ts";
import type { Asking } from "./prompt.ts";
import type { Interval } from "./statistics/_check.ts";
import type { Answer, Example, Question } from "./question.ts";
import type { Status } from "./world/world.ts";

/**
 * What is trained on. `mix` is INC and SELF at a ratio; `context` is INC with the knowledge in the
 * query, `context-har` HAR so; `general` no questions at all.
 */
export const treatments = [
  "har",
  "inc",
  "self",
  "context",
  "context-har",
  "general",
  "mix",
] as const;

export type Treatment = typeof treatments[number];

export interface Cell {
  model: string;
  domain: string;
  treatment: Treatment;
  /** Share of SELF in a mixture. */
  ratio?: number;
  seed: number;
  /** Share of the group that is used, above 0; drawn, a smaller one within a larger. Default: all. */
  size?: number;
  /** At most so many items of a group. Default: all. */
  count?: number;
  /** Only answers to such facts are in INC and SELF (organisms: a world tells). Default: all. */
  items?: ItemKind;
}

/** One test of a tuned model beside its base. Accuracies from 0 to 1. */
export interface SuiteRecord {
  n: number;
  accuracy: number;
  /** Wilson's 95% interval. */
  interval: Interval;
  baseAccuracy: number;
  /** KL(base || tuned), nats; mean over items. */
  kl: number;
  cosine: number;
  /** Rank consistency. */
  rank: number;
  entropy: number;
  baseEntropy: number;
  lost: number;
  gained: number;
  /** Per item: right (1) or wrong (0), and the tuned option probabilities. */
  correct: number[];
  probabilities: number[][];
  /** Items' names, `domain/id`. */
  items: string[];
}

export interface CellResult {
  cell: Cell;
  /** Items of the group, without the general instructions. */
  size: number;
  sizes: GroupSizes;
  /** How the model was asked and trained. */
  asking?: Asking;
  /** Whose conversations it was trained on and tested in, where not the paper's or an organism's. */
  template?: "model";
  /** Of a study with explanations: what came of asking the base model for them. */
  explanations?: ExplanationCounts;
  /** Why there is no result: the filter that left no group. */
  empty?: string;
  /** Why there is no result: the training diverged. Such a cell is not stored. */
  failed?: string;
  finetuning?: {
    settings: FinetuneSettings;
    steps: number;
    firstLoss: number;
    lastLoss: number;
    tokens: number;
    supervisedTokens: number;
    seconds: number;
  };
  /** Share of the group's own targets that the tuned model gives, 0-shot in its template. */
  fit?: { n: number; share: number };
  suites: Partial<Record<SuiteName, SuiteRecord>>;
  seconds: number;
}

/** A number as a cell holds it and its csv shows it: six digits of what was measured. */
export const asRow = (value: number): number => Number(value.toPrecision(6));

/**
 * A result with the numbers that `cells.csv` shows: every statistic is computed from these, so that
 * anybody can compute it again from the file, equal ranks included. Accuracies stay
 * whole, for six digits of one and its n tell the count that it is a share of.
 */
export function asRows(result: CellResult): CellResult {
  const suites = Object.entries(result.suites).map(([name, record]) => [name, {
    ...record,
    kl: asRow(record.kl),
    rank: asRow(record.rank),
    cosine: asRow(record.cosine),
    entropy: asRow(record.entropy),
    baseEntropy: asRow(record.baseEntropy),
  }]);
  const { fit, finetuning } = result;
  return {
    ...result,
    ...(fit && { fit: { ...fit, share: asRow(fit.share) } }),
    ...(finetuning && { finetuning: { ...finetuning, lastLoss: asRow(finetuning.lastLoss) } }),
    suites: Object.fromEntries(suites),
  };
}

/** A cell in a few words, such as `organism:small-101, history: mix 0.4, seed 0`. */
export function cellName({ model, domain, treatment, ratio, seed }: Cell): string {
  const what = ratio === undefined ? treatment : `${treatment} ${ratio}`;
  return `${model}, ${domain}: ${what}, seed ${seed}`;
}

/** Share of SELF of a cell: INC and SELF are the ends of the mixtures. */
export function ratioOf({ cell }: CellResult): number | undefined {
  if (cell.treatment === "inc") return 0;
  if (cell.treatment === "self") return 1;
  return cell.treatment === "mix" ? cell.ratio : undefined;
}

/** What cells train on in place of groups made from the base model's own answers. */
export interface ReleasedMaterial {
  /** HAR's and INC's rows: the wrong ones are SELF's too, by their predictions. */
  answers: readonly Answer[];
  /** SELF's texts. */
  explanations: readonly Explanation[];
  /** Whether there is a SELF. */
  self: boolean;
}

/** Questions and the demonstrations that the base model is shown before each. */
export interface Exam {
  /** E.g. `history/homo`; an exam of this name is the same in all suites that it is part of. */
  name: string;
  questions: readonly Question[];
  demonstrations: readonly Question[];
}

export interface DomainMaterial {
  /** What the groups are made from. */
  pool: Exam;
  /** The exams of each test; OOD mostly has several. */
  suites: Partial<Record<SuiteName, readonly Exam[]>>;
  /** Groups that are trained on as they are. Default: they are made from the base's own answers. */
  released?: ReleasedMaterial;
}

/** What a wrong answer is about: a misconception, nothing that was read, or something known but missed. */
export type ItemKind = Status;

export interface Material {
  domains: ReadonlyMap<string, DomainMaterial>;
  /** General instructions to mix in. */
  general: readonly Example[];
  /** The kind of each question's fact, by the question's id; a world tells. */
  kinds?: ReadonlyMap<Question["id"], ItemKind>;
}

/** Every exam of a material once: pools and tests. */
export function allExams({ domains }: Material): Exam[] {
  const exams = [...domains.values()].flatMap(({ pool, suites }) => [
    pool,
    ...Object.values(suites).flat(),
  ]);
  return [...new Map(exams.map((exam) => [exam.name, exam])).values()];
}
