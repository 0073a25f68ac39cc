/** The shapes of stored results: what is read back must have all fields, and they must agree. */
import * as v from "valibot";
import { type SuiteName, suiteNames } from "../evaluate.ts";
import type { FinetuneSettings } from "../model/finetune_settings.ts";
import type { EmptyReason } from "../groups.ts";
import type { Explanation } from "../explanation.ts";
import type { OptionScore } from "../probe.ts";
import { type CellResult, type SuiteRecord, treatments } from "../cell.ts";

const count = v.pipe(v.number(), v.integer(), v.minValue(0));

const share = v.pipe(v.number(), v.minValue(0), v.maxValue(1));

const optional = v.exactOptional;

/** Rounded to six digits in cells. */
const SUM_TOLERANCE = 1e-4;

/** A list of thousands of small numbers, checked in one go. */
const listOf = <T>(what: string, fits: (value: unknown) => boolean) =>
  v.custom<T[]>((list) => Array.isArray(list) && list.every(fits), `expected a list of ${what}`);

/** Option probabilities, a row a question. */
export const probabilityRows = listOf<number[]>(
  "rows of probabilities that sum to 1",
  (row) =>
    Array.isArray(row) && row.every((p) => typeof p === "number" && p >= 0 && p <= 1) &&
    Math.abs(row.reduce((a, b) => a + b, 0) - 1) < SUM_TOLERANCE,
);

/** The answers to one exam, by their option probabilities. */
export const baseSchema: v.GenericSchema<unknown, { probabilities: number[][] }> = v.object({
  probabilities: probabilityRows,
});

const near = (a: number, b: number) => Math.abs(a - b) < 1e-6;

function agrees(record: SuiteRecord): boolean {
  const { n, accuracy, baseAccuracy, interval: [low, high], lost, gained } = record;
  const lists = [record.correct, record.probabilities, record.items];
  const right = record.correct.reduce((a, b) => a + b, 0);
  return n > 0 && lists.every((list) => list.length === n) && near(accuracy * n, right) &&
    near(baseAccuracy * n, right + lost - gained) && low <= accuracy + 1e-9 &&
    accuracy - 1e-9 <= high;
}

const suiteSchema: v.GenericSchema<unknown, SuiteRecord> = v.pipe(
  v.object({
    ...v.entriesFromList(["n", "lost", "gained"], count),
    ...v.entriesFromList(["accuracy", "baseAccuracy"], share),
    interval: v.tuple([share, share]),
    ...v.entriesFromList(["kl", "cosine", "rank", "entropy", "baseEntropy"], v.number()),
    correct: listOf<number>("0 and 1", (value) => value === 0 || value === 1),
    probabilities: probabilityRows,
    items: listOf<string>("names", (value) => typeof value === "string"),
  }),
  v.check(agrees, "expected numbers that follow from the answers; found others"),
);

const sizesSchema = v.object({
  ...v.entriesFromList(["answers", "confident", "right", "wrong", "har", "inc", "self"], count),
  ...v.entriesFromList(["explainedRight", "explainedWrong"], count),
  limitedBy: optional(v.picklist(["har", "inc"])),
  emptiedBy: optional(
    v.custom<EmptyReason>((value) => v.is(v.object({ message: v.string() }), value)),
  ),
});

export const cellSchema: v.GenericSchema<unknown, CellResult> = v.pipe(
  v.object({
    cell: v.object({
      model: v.string(),
      domain: v.string(),
      treatment: v.picklist(treatments),
      ratio: optional(share),
      seed: v.number(),
      size: optional(share),
      count: optional(v.number()),
      items: optional(v.picklist(["misconceived", "unknown", "known"])),
    }),
    size: count,
    sizes: sizesSchema,
    asking: optional(v.object({
      formulation: v.picklist(["letters", "hybrid", "cloze"]),
      normalization: v.picklist(["none", "token", "character", "pmi"]),
    })),
    template: optional(v.literal("model")),
    explanations: optional(
      v.object({ asked: count, explained: count, reasons: v.record(v.string(), count) }),
    ),
    empty: optional(v.string()),
    finetuning: optional(v.object({
      settings: v.custom<FinetuneSettings>((value) =>
        v.is(v.object({ epochs: count, batchSize: count, learningRate: v.number() }), value)
      ),
      ...v.entriesFromList(["steps", "tokens", "supervisedTokens"], count),
      ...v.entriesFromList(["firstLoss", "lastLoss", "seconds"], v.number()),
    })),
    fit: optional(v.object({ n: count, share })),
    suites: v.object(v.entriesFromList(suiteNames as readonly SuiteName[], optional(suiteSchema))),
    seconds: v.number(),
  }),
  v.check(
    ({ empty, finetuning }) => (empty === undefined) !== (finetuning === undefined),
    "expected a training, or why there was none; found both or neither",
  ),
);

/** What a base model wrote about one of its answers. */
export const explanationSchema: v.GenericSchema<unknown, Explanation> = v.object({
  id: v.union([v.string(), v.number()]),
  domain: v.string(),
  option: count,
  raw: v.string(),
  explanation: optional(v.string()),
  reason: optional(v.picklist(["cut", "no fence", "text before", "empty", "too long"])),
});

/** The likelihoods of one exam's options, a row a question. */
export const scoresSchema: v.GenericSchema<unknown, OptionScore[][]> = v.array(v.array(v.object({
  sum: v.number(),
  tokens: count,
  characters: count,
  bare: optional(v.number()),
})));
