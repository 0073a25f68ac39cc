/** One cell of the study: a base model fine-tuned on one group of one domain, and what came of it. */
import type { Answer, Example } from "./question.ts";
import { compareAnswers } from "./consistency.ts";
import { evaluate, scoreAnswers, type SuiteName, suiteNames } from "./evaluate.ts";
import { finetune } from "./finetune.ts";
import type { FinetuneSettings } from "./model/finetune_settings.ts";
import { constructGroups, type GroupSizes, mixGroups, withContext, withGeneral } from "./groups.ts";
import {
  countExplanations,
  type Explanation,
  type ExplanationCounts,
} from "./study/explanation.ts";
import { probe } from "./probe.ts";
import type { LanguageModel } from "./model/language_model.ts";
import { NotFiniteError } from "./statistics/not_finite.ts";
import type { Asking, PromptFormat } from "./prompt.ts";
import { Random } from "./statistics/random.ts";
import type { Interval } from "./statistics/_check.ts";
import type { DomainMaterial, ItemKind, Material } from "./study/material.ts";
import type { ReleasedMaterial } from "./study/released.ts";

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

/** What the base model answers, by exam. */
export type BaseAnswers = ReadonlyMap<string, Answer[]>;

export interface CellContext {
  model: LanguageModel;
  material: Material;
  base: BaseAnswers;
  finetuning?: Partial<FinetuneSettings>;
  /** Default .5. */
  minimumConfidence?: number;
  /** The base model's reasons for its wrong answers. Default: nothing is explained. */
  explanations?: readonly Explanation[];
  onProgress?: (note: string) => void;
}

/** What a cell's examples are made from. */
export interface CellParts {
  answers: readonly Answer[];
  general: readonly Example[];
  format: PromptFormat;
  minimumConfidence?: number;
  /** The kind of a question's fact; needed for a cell that asks for one. */
  kinds?: Material["kinds"];
  /** SELF's explanations; when given, all groups are explained. Default: none is. */
  selfExplanation?: (answer: Answer) => string | undefined;
  /** false: these groups have no SELF. Default: true. */
  self?: boolean;
}

/** The examples that a cell trains on; where there are none, `empty` says why. */
export function cellExamples(
  { treatment, ratio, seed, size = 1, count = Infinity, items }: Cell,
  { answers, general, format, minimumConfidence, kinds, selfExplanation, ...parts }: CellParts,
): { group: Example[]; examples: Example[]; sizes: GroupSizes; empty?: string } {
  if (items !== undefined && kinds === undefined) {
    throw new Error(
      `Cannot choose ${items} facts: expected questions of an organism's world, which tells them ` +
        "apart; found questions of files; leave `items` out",
    );
  }
  if (!(size > 0 && size <= 1 && count >= 1)) {
    throw new RangeError(
      "Cannot cut a group: expected a size above 0, at most 1, and a count from 1 up; found " +
        `${size} and ${count}; give a share and a number of items`,
    );
  }
  const chosen = items === undefined
    ? answers
    : answers.filter(({ correct, id }) => correct || kinds!.get(id) === items);
  const groups = constructGroups(chosen, { seed, format, minimumConfidence, selfExplanation });
  const { sizes } = groups;
  const nothing = (empty: string) => ({ group: [], examples: [], sizes, empty });
  if (groups.inc.length === 0) return nothing(sizes.emptiedBy?.message ?? "The group is empty.");
  if (parts.self === false && (treatment === "self" || treatment === "mix")) {
    return nothing("The released groups have no SELF.");
  }
  const places = new Random(seed).fork("size").shuffle(groups.inc.map((_, i) => i));
  const kept = new Set(
    places.slice(0, Math.min(count, Math.max(1, Math.round(size * places.length)))),
  );
  // The same places in each: SELF goes on asking INC's questions.
  const [har, inc, self] = [groups.har, groups.inc, groups.self].map((group) =>
    group.filter((_, i) => kept.has(i))
  );
  if (treatment === "general") {
    // As many examples as the other treatments have, all of them general.
    const examples = new Random(seed).fork("general only").shuffle(general).slice(
      0,
      2 * inc.length,
    );
    return { group: [], examples, sizes };
  }
  if (treatment === "context" || treatment === "context-har") {
    const asked = treatment === "context" ? inc : har;
    const lacking = asked.filter(({ question }) => !question!.context && !question!.explanation);
    if (lacking.length > 0) {
      return nothing(
        `${lacking.length} of ${asked.length} questions have neither context nor explanation.`,
      );
    }
  }
  const group = {
    har: () => har,
    inc: () => inc,
    self: () => self,
    context: () => withContext(inc, { format }),
    "context-har": () => withContext(har, { format }),
    mix: () => mixGroups(inc, self, ratio ?? 0, seed),
  }[treatment]();
  return { group, examples: withGeneral(group, general, seed), sizes };
}

/**
 * Fine-tunes the base on the cell's group and tests it. The model is left tuned. A training that diverged
 * gives a result that says so in `failed`.
 */
export async function runCell(cell: Cell, context: CellContext): Promise<CellResult> {
  const started = performance.now();
  const { model, material, base, finetuning } = context;
  const domain = domainOf(cell, material);
  const { released } = domain;
  const { explanations } = context;
  const { group, examples, sizes, empty } = cellExamples(cell, {
    answers: released?.answers ?? base.get(domain.pool.name)!,
    general: material.general,
    format: model.format,
    minimumConfidence: context.minimumConfidence,
    kinds: material.kinds,
    selfExplanation: explanations && explanationOf(explanations, released),
    self: released?.self,
  });
  const { formulation, normalization } = model.format;
  const facts = {
    asking: { formulation, normalization },
    ...(model.format.name === "chat" ? { template: "model" as const } : {}),
    ...(explanations && { explanations: countExplanations(explanations) }),
  };
  const seconds = () => (performance.now() - started) / 1000;
  if (empty !== undefined) {
    return { cell, size: 0, sizes, ...facts, empty, suites: {}, seconds: seconds() };
  }
  const done = { cell, size: group.length, sizes, ...facts };
  try {
    const tuning = await finetune(model, examples, {
      ...finetuning,
      seed: cell.seed,
      onStep: ({ step, steps, loss }) =>
        context.onProgress?.(`step ${step}/${steps} loss ${loss.toFixed(3)}`),
    });
    const { settings, steps, losses, tokens, supervisedTokens } = tuning;
    return {
      ...done,
      finetuning: {
        settings,
        steps,
        firstLoss: losses[0],
        lastLoss: losses[losses.length - 1],
        tokens,
        supervisedTokens,
        seconds: tuning.seconds,
      },
      fit: await targetFit(model, group),
      suites: await testSuites(domain, context),
      seconds: seconds(),
    };
  } catch (error) {
    if (!(error instanceof NotFiniteError)) throw error;
    return { ...done, failed: error.message, suites: {}, seconds: seconds() };
  }
}

/** What a cell works on. @throws where the material has no such domain */
export function domainOf(cell: Cell, { domains }: Material): DomainMaterial {
  const domain = domains.get(cell.domain);
  if (domain !== undefined) return domain;
  throw new Error(
    `Cannot run ${cell.treatment} in ${cell.domain}: expected one of ` +
      `${[...domains.keys()].join(", ")}; choose one of these domains`,
  );
}

/** A cell in a few words, such as `organism:small-101, history: mix 0.4, seed 0`. */
export function cellName({ model, domain, treatment, ratio, seed }: Cell): string {
  const what = ratio === undefined ? treatment : `${treatment} ${ratio}`;
  return `${model}, ${domain}: ${what}, seed ${seed}`;
}

function explanationOf(
  explanations: readonly Explanation[],
  released?: ReleasedMaterial,
): CellParts["selfExplanation"] {
  // Where there is no SELF, a lack of its texts must not take INC's rows away.
  if (released?.self === false) return ({ explanation }) => explanation;
  const name = ({ domain, id }: Pick<Answer, "domain" | "id">) => JSON.stringify([domain, id]);
  const found = new Map(explanations.map((one) => [name(one), one.explanation]));
  return (answer: Answer) => found.get(name(answer));
}

/** How many of a group's own targets the model gives, asked as it was taught; undefined of none. */
export async function targetFit(
  model: LanguageModel,
  group: readonly Example[],
): Promise<{ n: number; share: number } | undefined> {
  const asked = group.filter(({ question, target }) => question && target !== undefined);
  if (asked.length === 0) return undefined;
  const answers = await probe(model, asked.map(({ question }) => question!), {
    template: "vicuna",
    context: asked[0].group === "context",
  });
  const hits = answers.filter(({ predicted }, i) => predicted === asked[i].target).length;
  return { n: asked.length, share: hits / asked.length };
}

async function testSuites(
  { suites }: DomainMaterial,
  { model, base }: CellContext,
): Promise<Partial<Record<SuiteName, SuiteRecord>>> {
  const questions = Object.fromEntries(
    suiteNames.filter((name) => suites[name]).map((name) => [
      name,
      suites[name]!.flatMap((exam) => [...exam.questions]),
    ]),
  );
  const tuned = await evaluate(model, questions);
  const records: Partial<Record<SuiteName, SuiteRecord>> = {};
  for (const name of suiteNames) {
    const result = tuned[name];
    if (result === undefined || result.n === 0) continue;
    const before = suites[name]!.flatMap((exam) => base.get(exam.name)!);
    const { kl, cosine, rank, entropyBefore, entropyAfter, lost, gained } = compareAnswers(
      before,
      result.answers,
    );
    records[name] = {
      n: result.n,
      accuracy: result.accuracy,
      interval: result.interval,
      baseAccuracy: scoreAnswers(before).accuracy,
      kl,
      cosine,
      rank,
      entropy: entropyAfter,
      baseEntropy: entropyBefore,
      lost,
      gained,
      correct: result.answers.map(({ correct }) => Number(correct)),
      probabilities: result.answers.map(({ probabilities }) =>
        probabilities.map((p) => Number(p.toPrecision(6)))
      ),
      items: result.answers.map(({ domain, id }) => `${domain}/${id}`),
    };
  }
  return records;
}
