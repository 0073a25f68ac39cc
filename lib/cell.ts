/** One cell of the study, and the record of what came of it. */
import * as v from "valibot";
import type { SuiteName } from "./evaluate.ts";
import type { FinetuneSettings } from "./model/finetune_settings.ts";
import type { EmptyReason, GroupSizes } from "./groups.ts";
import type { Explanation } from "./explanation.ts";
import { formulations, normalizations } from "./prompt.ts";
import { share, wholeFrom } from "./platform/runtime/explain.ts";
import { type Answer, type Example, probabilityFault, type Question } from "./question.ts";
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

/** What a wrong answer is about: a misconception, nothing that was read, or something known but missed. */
export type ItemKind = Status;

const optional = v.exactOptional;
const count = wholeFrom(0);

const cell = v.object({
  model: v.string(),
  domain: v.string(),
  treatment: v.picklist(treatments),
  /** Share of SELF in a mixture. */
  ratio: optional(share),
  seed: v.number(),
  /** Share of the group that is used, above 0; drawn, a smaller one within a larger. Default: all. */
  size: optional(share),
  /** At most so many items of a group. Default: all. */
  count: optional(v.number()),
  /** Only answers to such facts are in INC and SELF (organisms: a world tells). Default: all. */
  items: optional(v.picklist(["misconceived", "unknown", "known"] satisfies ItemKind[])),
  /** Digest of the weights of a model that another trainer tuned. Default: it is tuned here. */
  tuned: optional(v.string()),
});

export type Cell = v.InferOutput<typeof cell>;

/** A list of thousands of small numbers, checked in one go. */
const listOf = <T>(what: string, fits: (value: unknown) => boolean) =>
  v.custom<T[]>((list) => Array.isArray(list) && list.every(fits), `expected a list of ${what}`);

/** Option probabilities, a row a question. */
export const probabilityRows = listOf<number[]>(
  "rows of probabilities that sum to 1",
  (row) => Array.isArray(row) && probabilityFault(row, row.length) === undefined,
);

const suite = v.object({
  n: count,
  accuracy: share,
  /** Wilson's 95% interval. */
  interval: v.tuple([share, share]),
  baseAccuracy: share,
  /** KL(base || tuned), nats; mean over items. */
  kl: v.number(),
  cosine: v.number(),
  /** Rank consistency. */
  rank: v.number(),
  entropy: v.number(),
  baseEntropy: v.number(),
  lost: count,
  gained: count,
  /** Per item: right (1) or wrong (0), and the tuned option probabilities. */
  correct: listOf<number>("0 and 1", (value) => value === 0 || value === 1),
  probabilities: probabilityRows,
  /** Letters that a server did not name: they have at most the probability that they are given. */
  bounded: optional(count),
  /** Items' names, `domain/id`. */
  items: listOf<string>("names", (value) => typeof value === "string"),
});

/** One test of a tuned model beside its base. Accuracies from 0 to 1. */
export type SuiteRecord = v.InferOutput<typeof suite>;

const near = (a: number, b: number) => Math.abs(a - b) < 1e-6;

function agrees(record: SuiteRecord): boolean {
  const { n, accuracy, baseAccuracy, interval: [low, high], lost, gained } = record;
  const lists = [record.correct, record.probabilities, record.items];
  const right = record.correct.reduce((a, b) => a + b, 0);
  return n > 0 && lists.every((list) => list.length === n) && near(accuracy * n, right) &&
    near(baseAccuracy * n, right + lost - gained) && low <= accuracy + 1e-9 &&
    accuracy - 1e-9 <= high;
}

const suiteSchema = optional(
  v.pipe(suite, v.check(agrees, "expected numbers that follow from the answers; found others")),
);

const sizesSchema: v.GenericSchema<unknown, GroupSizes> = v.object({
  ...v.entriesFromList(["answers", "confident", "right", "wrong", "har", "inc", "self"], count),
  ...v.entriesFromList(["explainedRight", "explainedWrong"], count),
  limitedBy: optional(v.picklist(["har", "inc"])),
  emptiedBy: optional(
    v.custom<EmptyReason>((value) => v.is(v.object({ message: v.string() }), value)),
  ),
});

const result = v.object({
  cell,
  /** Items of the group, without the general instructions. */
  size: count,
  sizes: sizesSchema,
  /** How the model was asked and trained. */
  asking: optional(v.object({
    formulation: v.picklist(formulations),
    normalization: v.picklist(normalizations),
  })),
  /** Whose conversations it was trained on and tested in, where not the paper's or an organism's. */
  template: optional(v.literal("model")),
  /** Of a study with explanations: what came of asking the base model for them. */
  explanations: optional(
    v.object({ asked: count, explained: count, reasons: v.record(v.string(), count) }),
  ),
  /** Why there is no result: the filter that left no group. */
  empty: optional(v.string()),
  /** Why there is no result: the training diverged. Such a cell is not stored. */
  failed: optional(v.string()),
  finetuning: optional(v.object({
    settings: v.custom<FinetuneSettings>((value) =>
      v.is(v.object({ epochs: count, batchSize: count, learningRate: v.number() }), value)
    ),
    ...v.entriesFromList(["steps", "tokens", "supervisedTokens"], count),
    ...v.entriesFromList(["firstLoss", "lastLoss", "seconds"], v.number()),
  })),
  /** Share of the group's own targets that the tuned model gives, 0-shot in its template. */
  fit: optional(v.object({ n: count, share })),
  suites: v.object({ homo: suiteSchema, id: suiteSchema, ood: suiteSchema }),
  seconds: v.number(),
});

export type CellResult = v.InferOutput<typeof result>;

/** A stored result: what is read back must have all fields, and they must agree. */
export const cellSchema = v.pipe(
  result,
  v.check(
    ({ cell, empty, finetuning }) =>
      [cell.tuned, empty, finetuning].filter((one) => one !== undefined).length === 1,
    "expected a training, or why there was none; found both or neither",
  ),
);

/** A number as a cell holds it and its csv shows it: six digits of what was measured. */
export const asRow = (value: number): number => Number(value.toPrecision(6));

/** How far a test's answers moved, as records and tables name it. */
export const movedMeasures = ["kl", "rank", "cosine", "entropy", "baseEntropy"] as const;

export const movedNumbers = (record: SuiteRecord) =>
  Object.fromEntries(movedMeasures.map((name) => [name, asRow(record[name])]));

/**
 * A result with the numbers that `cells.csv` shows: every statistic is computed from these, so that
 * anybody can compute it again from the file, equal ranks included. Accuracies stay
 * whole, for six digits of one and its n tell the count that it is a share of.
 */
export function asRows(result: CellResult): CellResult {
  const suites = Object.entries(result.suites)
    .map(([name, record]) => [name, { ...record, ...movedNumbers(record) }]);
  const { fit, finetuning } = result;
  return {
    ...result,
    ...(fit && { fit: { ...fit, share: asRow(fit.share) } }),
    ...(finetuning && { finetuning: { ...finetuning, lastLoss: asRow(finetuning.lastLoss) } }),
    suites: Object.fromEntries(suites),
  };
}

/** A cell in a few words, such as `organism:small-101, history: mix 0.4, seed 0`. */
export function cellName({ model, domain, treatment, ratio, seed, tuned }: Cell): string {
  const what = ratio === undefined ? treatment : `${treatment} ${ratio}`;
  return `${model}, ${domain}: ${what}, seed ${seed}${tuned ? ` (${ELSEWHERE})` : ""}`;
}

/** What tables call models that another trainer tuned. */
export const ELSEWHERE = "tuned elsewhere";

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

export interface Material {
  domains: ReadonlyMap<string, DomainMaterial>;
  /** General instructions to mix in. */
  general: readonly Example[];
  /** The kind of each question's fact, by the question's id; a world tells. */
  kinds?: ReadonlyMap<Question["id"], ItemKind>;
}

/** How many questions some exams have. */
export const questionCount = (exams: readonly Pick<Exam, "questions">[] = []): number =>
  exams.reduce((sum, { questions }) => sum + questions.length, 0);

/** Every exam of a material once: pools and tests. */
export function allExams({ domains }: Material): Exam[] {
  const exams = [...domains.values()].flatMap(({ pool, suites }) => [
    pool,
    ...Object.values(suites).flat(),
  ]);
  return [...new Map(exams.map((exam) => [exam.name, exam])).values()];
}
