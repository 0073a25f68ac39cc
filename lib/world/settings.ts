/**
 * What a world and an organism are made from: flat settings, one set for each size. `small` is the size
 * whose recipe was measured; the worlds of `medium` and `large` have more to know, some of it told much
 * more rarely.
 */
import * as v from "valibot";
import sizes from "../../data/world/sizes.json" with { type: "json" };
import {
  above0,
  checkSettings,
  numberFrom,
  share,
  wholeFrom,
} from "../platform/runtime/explain.ts";
import { catalogue, neutralWords, stems } from "./names.ts";

export type Size = "small" | "medium" | "large";

/** Most items of one exam document: the mc facts have to suffice for it. */
export const MAX_EXAM_ITEMS = 6;

const domainNames = Object.keys(catalogue);
const mostRelations = Math.min(...Object.values(catalogue).map((c) => c.relations.length));

const schema = v.strictObject({
  /** Which domains, out of history, engineering, jurisprudence and medicine. */
  domains: v.custom<string[]>(
    (names) =>
      Array.isArray(names) && names.length > 0 && new Set(names).size === names.length &&
      names.every((name) => domainNames.includes(name)),
    `expected different ones out of ${domainNames.join(", ")}`,
  ),
  entities: wholeFrom(1, 3 * stems.length),
  /** A fact is a pair of an entity and a relation. */
  relations: wholeFrom(1, mostRelations),
  /** Values of each relation: what options and answers are drawn from. */
  values: wholeFrom(2, stems.length),
  /** Of a question. */
  options: wholeFrom(2, 8),
  /** Facts of the demonstrations. */
  dev: wholeFrom(1),
  /** Facts that pretraining asks in exam form; no test holds them. */
  mc: wholeFrom(MAX_EXAM_ITEMS),
  /** Facts that the groups are made from. */
  train: wholeFrom(1),
  /** Facts of the domain's own test (HOMO). */
  homo: wholeFrom(1),
  /** Facts of the test in the other wording (ID; OOD for the other domains). */
  id: wholeFrom(1),
  /** Share of the train, HOMO and ID facts that is stated as it is. (dev and mc always are.) */
  known: share,
  /** Share of them that is mostly stated with the wrong value. */
  misconceived: share,
  /** Share of them that is never stated. */
  unknown: share,
  /** Share of a misconceived fact's statements that gives the wrong value. */
  strength: share,
  /** Statement frequency of the stated facts: log-uniform from here ... */
  frequencyLow: numberFrom(1e-3, 1e3),
  /** ... to here. */
  frequencyHigh: numberFrom(1e-3, 1e3),
  /** Words of the general chat. */
  neutralWords: wholeFrom(4, neutralWords.length),
  /** Shares of the corpus's tokens, by type of document; together 1. */
  statementShare: share,
  examShare: share,
  readingShare: share,
  openShare: share,
  generalChatShare: share,
  chatReadingShare: share,
  chatExamShare: share,
  /** Share of the exams' items with a random wrong answer, against over-confidence. */
  noise: share,
});

/** A synthetic world. Counts are for one domain, shares lie in 0 to 1. */
export type WorldSettings = v.InferOutput<typeof schema>;

/** Settings of each size; those of the larger ones say how they differ from the small one's. */
const bySize = <T extends object>(
  { small, medium, large }: Record<Size, Partial<T>> & { small: T },
) => ({ small, medium: { ...small, ...medium }, large: { ...small, ...large } });

/** The worlds of the named sizes. */
export const worldSizes: Readonly<Record<Size, Readonly<WorldSettings>>> = bySize(sizes.world);

/** The names of the documents' shares. */
type ShareName = Extract<keyof WorldSettings, `${string}Share`>;
const shareNames = (Object.keys(sizes.world.small) as (keyof WorldSettings)[])
  .filter((name): name is ShareName => name.endsWith("Share"));

/**
 * The settings with other shares of some types of document; what the others have left is theirs in the
 * proportions of before. Shares that can't be had are refused where a world is made.
 */
export function withShares(
  settings: WorldSettings,
  shares: Partial<Record<ShareName, number>>,
): WorldSettings {
  const others = shareNames.filter((name) => shares[name] === undefined);
  const taken = Object.values(shares).reduce((sum, share) => sum + share, 0);
  const before = others.reduce((sum, name) => sum + settings[name], 0);
  const scaled = others.map((name) => [name, settings[name] * (1 - taken) / before]);
  return { ...settings, ...shares, ...Object.fromEntries(scaled) };
}

/** @throws where no world can be made, with every number that can't work, and what would */
export function checkWorldSettings(s: WorldSettings): void {
  const pairs = s.entities * s.relations, facts = s.dev + s.mc + s.train + s.homo + s.id;
  checkSettings("make a world", schema, s, () => [
    pairs < facts &&
    `dev ${s.dev} + mc ${s.mc} + train ${s.train} + homo ${s.homo} + id ${s.id} = ${facts} ` +
      `facts: expected at most ${pairs} (${s.entities} entities x ${s.relations} relations)`,
    s.values < s.options &&
    `values ${s.values}: expected at least as many as options, ${s.options}`,
    s.frequencyLow > s.frequencyHigh &&
    `frequencyLow ${s.frequencyLow}: expected at most frequencyHigh ${s.frequencyHigh}`,
    ...[["known", "misconceived", "unknown"] as const, shareNames].map((names) => {
      const sum = names.reduce((total, name) => total + s[name], 0);
      const parts = names.map((name) => `${name} ${s[name]}`).join(" + ");
      return Math.abs(sum - 1) > 1e-9 &&
        `${parts}: expected a sum of 1, found ${Number(sum.toPrecision(12))}`;
    }),
  ]);
}

const pretrainingSchema = v.strictObject({
  width: wholeFrom(1),
  layers: wholeFrom(1),
  /** Attention heads, each with its own keys and values. */
  heads: wholeFrom(1),
  /** Width of the SwiGLU layer. */
  mlpWidth: wholeFrom(1),
  ropeTheta: above0,
  normEpsilon: above0,
  /** Tokens of the corpus that training sees; `batch` x `window` of them a step. */
  tokens: wholeFrom(1),
  batch: wholeFrom(1),
  window: wholeFrom(2),
  learningRate: above0,
  /** Share of the steps for the warm-up. */
  warmupShare: share,
  /** Share of the steps after which the rate falls. */
  decayFrom: share,
  /** What is left of the rate at the end. */
  finalRate: share,
  beta1: share,
  beta2: share,
  epsilon: above0,
  /** On matrices and the embedding, not on norms and biases. */
  weightDecay: numberFrom(0),
  clipNorm: above0,
  /** Loss weight of an answer's token; other tokens have 1. */
  answerWeight: numberFrom(0),
});

/** A Qwen2-shaped model and its pretraining. */
export type PretrainingSettings = v.InferOutput<typeof pretrainingSchema>;

/**
 * The models of the named sizes: about 0.27, 1.0 and 3.0 million parameters, trained for 2,000, 4,000 and
 * 3,500 steps. (After 2,500, known facts of a medium one were at .82 in the gate.)
 */
export const pretrainingSizes: Readonly<Record<Size, Readonly<PretrainingSettings>>> = bySize(
  sizes.pretraining,
);

/** @throws where no model can be trained, with every number that can't work, and what would */
export function checkPretrainingSettings(s: PretrainingSettings): void {
  const step = s.batch * s.window;
  checkSettings("pretrain", pretrainingSchema, s, () => [
    s.width % (2 * s.heads) !== 0 &&
    `width ${s.width}: expected a multiple of ${2 * s.heads}, so that each of the ${s.heads} ` +
      `heads has an even size`,
    s.tokens < step &&
    `tokens ${s.tokens}: expected at least one step of ${s.batch} x ${s.window} = ${step}`,
    s.warmupShare > s.decayFrom &&
    `warmupShare ${s.warmupShare}: expected at most decayFrom ${s.decayFrom}`,
  ]);
}
