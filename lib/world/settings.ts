/**
 * What a world is made from: flat settings, one set for each size. `small` is the size whose recipe
 * was measured; `medium` and `large` have more to know, some of it told much more rarely.
 */
import { checkNumber, refuseUnknown } from "./_numbers.ts";
import { catalogue, neutralWords, stems } from "./names.ts";

/** The named sizes. */
export type Size = "small" | "medium" | "large";

/** A synthetic world. Counts are for one domain, shares lie in 0 to 1. */
export interface WorldSettings {
  /** Which domains, out of history, engineering, jurisprudence and medicine. */
  domains: string[];
  /** Entities. */
  entities: number;
  /** Relations; a fact is a pair of an entity and a relation. */
  relations: number;
  /** Values of each relation: what options and answers are drawn from. */
  values: number;
  /** Options of a question, 2 to 8. */
  options: number;
  /** Facts of the demonstrations. */
  dev: number;
  /** Facts that pretraining asks in exam form; no test holds them. */
  mc: number;
  /** Facts that the groups are made from. */
  train: number;
  /** Facts of the domain's own test (HOMO). */
  homo: number;
  /** Facts of the test in the other wording (ID; OOD for the other domains). */
  id: number;
  /** Share of the train, HOMO and ID facts that is stated as it is. (dev and mc always are.) */
  known: number;
  /** Share of them that is mostly stated with the wrong value. */
  misconceived: number;
  /** Share of them that is never stated. */
  unknown: number;
  /** Share of a misconceived fact's statements that gives the wrong value. */
  strength: number;
  /** Statement frequency of the stated facts: log-uniform from here ... */
  frequencyLow: number;
  /** ... to here. */
  frequencyHigh: number;
  /** Words of the general chat. */
  neutralWords: number;
  /** Shares of the corpus's tokens, by type of document; together 1. */
  statementShare: number;
  examShare: number;
  readingShare: number;
  openShare: number;
  generalChatShare: number;
  chatReadingShare: number;
  chatExamShare: number;
  /** Share of the exams' items with a random wrong answer, against over-confidence. */
  noise: number;
}

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

/**
 * The settings with other shares of some types of document; what the others have left is theirs in the
 * proportions of before.
 * @throws where the shares can't be had
 */
export function withShares(
  settings: WorldSettings,
  shares: Partial<Record<ShareName, number>>,
): WorldSettings {
  const names = (Object.keys(settings) as (keyof WorldSettings)[])
    .filter((name): name is ShareName => name.endsWith("Share"));
  const others = names.filter((name) => shares[name] === undefined);
  const taken = Object.values(shares).reduce((sum, share) => sum + share, 0);
  const before = others.reduce((sum, name) => sum + settings[name], 0);
  const fits = Object.values(shares).every((share) => share >= 0) && taken < 1 && before > 0 &&
    Object.keys(shares).every((name) => names.includes(name as ShareName));
  if (!fits) {
    throw new Error(
      `Cannot set shares of the documents: expected some of ${names.join(", ")}, from 0 up and ` +
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

/** Most items of one exam document: the mc facts have to suffice for it. */
export const MAX_EXAM_ITEMS = 6;

/**
 * Does nothing where a world can be made from the settings.
 * @throws with every number that can't work, and what would.
 */
export function checkWorldSettings(settings: WorldSettings): void {
  const s = settings, wrong: string[] = [];
  refuseUnknown(s, smallWorld, wrong);
  const known = Object.keys(catalogue);
  if (
    !Array.isArray(s.domains) || s.domains.length === 0 ||
    new Set(s.domains).size !== s.domains.length || s.domains.some((d) => !known.includes(d))
  ) {
    wrong.push(`domains: expected different ones out of ${known.join(", ")}; found ${s.domains}`);
  }
  const mostRelations = Math.min(...Object.values(catalogue).map((c) => c.relations.length));
  for (
    const [name, low, high] of [
      ["entities", 1, 3 * stems.length],
      ["relations", 1, mostRelations],
      ["values", 2, stems.length],
      ["options", 2, 8],
      ["dev", 1, Infinity],
      ["mc", MAX_EXAM_ITEMS, Infinity],
      ["train", 1, Infinity],
      ["homo", 1, Infinity],
      ["id", 1, Infinity],
      ["neutralWords", 4, neutralWords.length],
    ] as const
  ) checkNumber(wrong, name, s[name], { low, high, whole: true });
  const statuses = ["known", "misconceived", "unknown"] as const;
  const shares = [
    "statementShare",
    "examShare",
    "readingShare",
    "openShare",
    "generalChatShare",
    "chatReadingShare",
    "chatExamShare",
  ] as const;
  for (const name of [...statuses, "strength", ...shares, "noise"] as const) {
    checkNumber(wrong, name, s[name], { low: 0, high: 1 });
  }
  for (const name of ["frequencyLow", "frequencyHigh"] as const) {
    checkNumber(wrong, name, s[name], { low: 1e-3, high: 1e3 });
  }
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
    for (const names of [statuses, shares]) {
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
