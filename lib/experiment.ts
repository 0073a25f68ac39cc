/** One cell of the study: a base model fine-tuned on one group of one domain, and what came of it. */
import type { Answer, Example } from "./question.ts";
import { compareAnswers, evaluate, scoreAnswers, type SuiteName, suiteNames } from "./evaluate.ts";
import { finetune, type FinetuneResult } from "./finetune.ts";
import type { FinetuneSettings } from "./model/finetune_settings.ts";
import {
  constructGroups,
  drawGeneral,
  type GroupSizes,
  knowledgeFor,
  mixGroups,
  withContext,
  withGeneral,
} from "./groups.ts";
import type { Stoppable } from "./platform/interrupt.ts";
import { countExplanations, type Explanation } from "./explanation.ts";
import { probe } from "./probe.ts";
import { requireTrainable } from "./model/language_model.ts";
import type { ReadableModel } from "./model/readable_model.ts";
import { NotFiniteError } from "./statistics/not_finite.ts";
import type { PromptFormat } from "./prompt.ts";
import { Random } from "./statistics/random.ts";
import {
  asRow,
  type Cell,
  type CellResult,
  type DomainMaterial,
  type Material,
  type ReleasedMaterial,
  type SuiteRecord,
} from "./cell.ts";

/** What the base model answers, by exam. */
export type BaseAnswers = ReadonlyMap<string, Answer[]>;

export interface CellContext extends Stoppable {
  model: ReadableModel;
  material: Material;
  base: BaseAnswers;
  finetuning?: Partial<FinetuneSettings>;
  /** Default .5. */
  minimumConfidence?: number;
  /** The base model's reasons for its wrong answers. Default: nothing is explained. */
  explanations?: readonly Explanation[];
  /**
   * What came of training the model on the cell's examples, where that is done. Default: it is done here,
   * unless the cell's model, which was tuned elsewhere, is on.
   */
  tuned?: FinetuneResult;
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
    const random = new Random(seed).fork("general only");
    return { group: [], examples: drawGeneral(general, 2 * inc.length, random), sizes };
  }
  if (treatment === "context" || treatment === "context-har") {
    const asked = treatment === "context" ? inc : har;
    const lacking = asked.filter(({ question }) => !knowledgeFor(question!));
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

/** The examples of a cell, made from what the base answers. */
export function examplesOf(
  cell: Cell,
  { model, material, base, minimumConfidence, explanations }: CellContext,
): ReturnType<typeof cellExamples> {
  const { pool, released } = domainOf(cell, material);
  return cellExamples(cell, {
    answers: released?.answers ?? base.get(pool.name)!,
    general: material.general,
    format: model.format,
    minimumConfidence,
    kinds: material.kinds,
    selfExplanation: explanations && explanationOf(explanations, released),
    self: released?.self,
  });
}

/**
 * Fine-tunes the base on the cell's group and tests it. The model is left tuned. A training that diverged
 * gives a result that says so in `failed`.
 */
export async function runCell(cell: Cell, context: CellContext): Promise<CellResult> {
  const started = performance.now();
  const { model, material, finetuning, explanations, tuned, signal } = context;
  const { group, examples, sizes, empty } = examplesOf(cell, context);
  const { formulation, normalization } = model.format;
  const facts = {
    asking: { formulation, normalization },
    ...(model.format.usesChatTemplate ? { template: "model" as const } : {}),
    ...(explanations && { explanations: countExplanations(explanations) }),
  };
  const seconds = () => (performance.now() - started) / 1000 + (tuned?.seconds ?? 0);
  if (empty !== undefined) {
    return { cell, size: 0, sizes, ...facts, empty, suites: {}, seconds: seconds() };
  }
  const done = { cell, size: group.length, sizes, ...facts };
  try {
    const tuning = cell.tuned === undefined
      ? tuned ?? await finetune(requireTrainable(model), examples, {
        ...finetuning,
        seed: cell.seed,
        signal,
        onStep: ({ step, steps, loss }) =>
          context.onProgress?.(`step ${step}/${steps} loss ${loss.toFixed(3)}`),
      })
      : undefined;
    return {
      ...done,
      ...(tuning && { finetuning: trainingRecord(tuning) }),
      fit: await targetFit(model, group, { signal }),
      suites: await testSuites(domainOf(cell, material), context),
      seconds: seconds(),
    };
  } catch (error) {
    if (!(error instanceof NotFiniteError)) throw error;
    return { ...done, failed: error.message, suites: {}, seconds: seconds() };
  }
}

const trainingRecord = (
  { settings, steps, losses, tokens, supervisedTokens, seconds }: FinetuneResult,
): CellResult["finetuning"] => ({
  ...{ settings, steps, firstLoss: losses[0], lastLoss: losses[losses.length - 1] },
  ...{ tokens, supervisedTokens, seconds },
});

/** What a cell works on. @throws where the material has no such domain */
export function domainOf(cell: Cell, { domains }: Material): DomainMaterial {
  const domain = domains.get(cell.domain);
  if (domain !== undefined) return domain;
  throw new Error(
    `Cannot run ${cell.treatment} in ${cell.domain}: expected one of ` +
      `${[...domains.keys()].join(", ")}; choose one of these domains`,
  );
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
  model: ReadableModel,
  group: readonly Example[],
  { signal }: Stoppable = {},
): Promise<{ n: number; share: number } | undefined> {
  const asked = group.filter(({ question, target }) => question && target !== undefined);
  if (asked.length === 0) return undefined;
  const answers = await probe(model, asked.map(({ question }) => question!), {
    template: "vicuna",
    context: asked[0].group === "context",
    signal,
  });
  const hits = answers.filter(({ predicted }, i) => predicted === asked[i].target).length;
  return { n: asked.length, share: hits / asked.length };
}

async function testSuites(
  { suites }: DomainMaterial,
  { model, base, signal }: CellContext,
): Promise<CellResult["suites"]> {
  const asked = Object.fromEntries(
    suiteNames.map((name) => [name, (suites[name] ?? []).flatMap(({ questions }) => questions)]),
  );
  const tuned = await evaluate(model, asked, { signal });
  const records = suiteNames.flatMap((name): [SuiteName, SuiteRecord][] => {
    const { n, accuracy, interval, answers } = tuned[name]!;
    if (n === 0) return [];
    const before = suites[name]!.flatMap((exam) => base.get(exam.name)!);
    const bounded = answers.reduce((sum, { bounded = [] }) => sum + bounded.length, 0);
    const { items: _, entropyBefore, entropyAfter, ...moved } = compareAnswers(before, answers);
    return [[name, {
      ...{ accuracy, interval, baseAccuracy: scoreAnswers(before).accuracy },
      ...{ ...moved, entropy: entropyAfter, baseEntropy: entropyBefore },
      correct: answers.map(({ correct }) => Number(correct)),
      probabilities: answers.map(({ probabilities }) => probabilities.map(asRow)),
      ...(bounded > 0 && { bounded }),
      items: answers.map(({ domain, id }) => `${domain}/${id}`),
    }]];
  });
  return Object.fromEntries(records);
}
