/**
 * What a world is made from: flat settings, one set for each size. `small` is the size whose recipe
 * was measured; `medium` and `large` have more to know, some of it told much more rarely.
 */
import * as v from "valibot";
import { explain, numberFrom, share, wholeFrom } from "../platform/runtime/explain.ts";
import { catalogue, neutralWords, stems } from "./names.ts";

/** The named sizes. */
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
  /** Entities. */
  entities: wholeFrom(1, 3 * stems.length),
  /** Relations; a fact is a pair of an entity and a relation. */
  relations: wholeFrom(1, mostRelations),
  /** Values of each relation: what options and answers are drawn from. */
  values: wholeFrom(2, stems.length),
  /** Options of a question, 2 to 8. */
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

const smallWorld: WorldSettings = {
  domains: ["history", "engineering", "jurisprudence", "medicine"],
  entities: 100,
  relations: 6,
  values: 16,
  options: 4,
  dev: 5,
  mc: 150,
  train: 220,
  homo: 110,
  id: 110,
  known: 0.55,
  misconceived: 0.25,
  unknown: 0.2,
  strength: 0.85,
  frequencyLow: 0.4,
  frequencyHigh: 2.5,
  neutralWords: 60,
  statementShare: 0.43,
  examShare: 0.24,
  readingShare: 0.11,
  openShare: 0.09,
  generalChatShare: 0.04,
  chatReadingShare: 0.04,
  chatExamShare: 0.05,
  noise: 0.1,
};

/** The worlds of the named sizes. */
export const worldSizes: Readonly<Record<Size, Readonly<WorldSettings>>> = {
  small: smallWorld,
  medium: {
    ...smallWorld,
    entities: 160,
    relations: 8,
    mc: 300,
    train: 440,
    homo: 220,
    id: 220,
    frequencyLow: 0.2,
  },
  large: {
    ...smallWorld,
    entities: 300,
    relations: 10,
    mc: 600,
    train: 880,
    homo: 440,
    id: 440,
    frequencyLow: 0.1,
  },
};

/** The names of the documents' shares. */
type ShareName = Extract<keyof WorldSettings, `${string}Share`>;
const shareNames = (Object.keys(smallWorld) as (keyof WorldSettings)[])
  .filter((name): name is ShareName => name.endsWith("Share"));

/**
 * The settings with other shares of some types of document; what the others have left is theirs in the
 * proportions of before.
 * @throws where the shares can't be had
 */
export function withShares(
  settings: WorldSettings,
  shares: Partial<Record<ShareName, number>>,
): WorldSettings {
  const others = shareNames.filter((name) => shares[name] === undefined);
  const taken = Object.values(shares).reduce((sum, share) => sum + share, 0);
  const before = others.reduce((sum, name) => sum + settings[name], 0);
  const fits = Object.values(shares).every((share) => share >= 0) && taken < 1 && before > 0 &&
    Object.keys(shares).every((name) => shareNames.includes(name as ShareName));
  if (!fits) {
    throw new Error(
      `Cannot set shares of the documents: expected some of ${
        shareNames.join(", ")
      }, from 0 up and ` +
        `below 1 together; found ${JSON.stringify(shares)}; choose others`,
    );
  }
  const scaled = others.map((name) => [name, settings[name] * (1 - taken) / before] as const);
  return { ...settings, ...shares, ...Object.fromEntries(scaled) };
}

/** The settings with chat documents of this share of the tokens in all; proportions stay. */
export function withChatShare(settings: WorldSettings, share: number): WorldSettings {
  const { generalChatShare, chatReadingShare, chatExamShare } = settings;
  const chat = generalChatShare + chatReadingShare + chatExamShare;
  if (!(share >= 0 && share < 1) || !(chat > 0 && chat < 1)) {
    throw new Error(
      `Cannot set the chat share: expected shares from 0 to below 1 (the present one above 0); ` +
        `found ${share} instead of ${chat}; choose another share`,
    );
  }
  const up = share / chat;
  return withShares(settings, {
    generalChatShare: generalChatShare * up,
    chatReadingShare: chatReadingShare * up,
    chatExamShare: chatExamShare * up,
  });
}

/**
 * Does nothing where a world can be made from the settings.
 * @throws with every number that can't work, and what would.
 */
export function checkWorldSettings(settings: WorldSettings): void {
  const s = settings, wrong = explain(schema, s);
  if (wrong.length === 0) {
    const pairs = s.entities * s.relations, facts = s.dev + s.mc + s.train + s.homo + s.id;
    if (pairs < facts) {
      wrong.push(
        `dev ${s.dev} + mc ${s.mc} + train ${s.train} + homo ${s.homo} + id ${s.id} = ${facts} ` +
          `facts: expected at most ${pairs} (${s.entities} entities x ${s.relations} relations)`,
      );
    }
    if (s.values < s.options) {
      wrong.push(`values ${s.values}: expected at least as many as options, ${s.options}`);
    }
    if (s.frequencyLow > s.frequencyHigh) {
      wrong.push(
        `frequencyLow ${s.frequencyLow}: expected at most frequencyHigh ${s.frequencyHigh}`,
      );
    }
    for (const names of [["known", "misconceived", "unknown"] as const, shareNames]) {
      const sum = names.reduce((total, name) => total + s[name], 0);
      if (Math.abs(sum - 1) > 1e-9) {
        const parts = names.map((name) => `${name} ${s[name]}`).join(" + ");
        wrong.push(`${parts}: expected a sum of 1, found ${Number(sum.toPrecision(12))}`);
      }
    }
  }
  if (wrong.length > 0) {
    throw new Error(`Cannot make a world: ${wrong.join("; ")}; change these settings`);
  }
}
