/** A card of what was read: how many, how balanced, what repeats, what the pool shares with the tests. */
import { join } from "node:path";
import { fingerprint } from "../dataset/duplicates.ts";
import { table, toMarkdown } from "../figure/table.ts";
import { optionLetter } from "../question.ts";
import { writeWhole } from "../platform/runtime/files.ts";
import type { RejectedRow } from "../dataset/questions.ts";
import type { ReadData } from "./read.ts";

/** One part of a data set. */
export interface PartCard {
  part: string;
  /** Rows of its files; the questions, the rows that were set aside and those that the exam leaves out. */
  rows: number;
  questions: number;
  rejected: number;
  leftOut: Readonly<Record<string, number>>;
  /** Questions with each number of options. */
  options: Readonly<Record<string, number>>;
  /** Questions whose right answer is each letter. */
  letters: Readonly<Record<string, number>>;
  /** The first of those that were set aside. */
  setAside: readonly RejectedRow[];
  /** Questions that another one of the part repeats, and those two of whose options are equal. */
  duplicates: number;
  repeatedOptions: number;
}

export interface DataCard {
  name: string;
  title: string;
  license: string;
  revision: string;
  parts: PartCard[];
}

/** What a pool shares with the tests, by domain. */
export type LeakRow = { domain: string; pool: number; exact: number; near: number };

/** What is told of a run's data; `kept`: what tests ask too stays in the pool. */
export interface DataFacts {
  cards: readonly DataCard[];
  leaks?: readonly LeakRow[];
  kept?: boolean;
  /** Of pools' explanations that their data sets lack. */
  explanations?: readonly ExplanationOrigin[];
}

/** Of a pool's questions without explanation: whose they have got, how many, and why others have none. */
export interface ExplanationOrigin {
  domain: string;
  from: string;
  questions: number;
  explained: number;
  setAside: Readonly<Record<string, number>>;
}

/** So many rows of a part that were set aside are told one by one. */
const SHOWN = 100;

export const counted = (values: readonly (string | number)[]): Record<string, number> =>
  Object.fromEntries(
    [...Map.groupBy(values.map(String).toSorted(), (value) => value)]
      .map(([value, all]) => [value, all.length]),
  );

export const dataCard = ({ data: { source, revision }, parts }: ReadData): DataCard => ({
  ...{ name: source.name, title: source.title, license: source.license, revision },
  parts: partCards(parts),
});

/** What there is to say of questions that were read, by the name of each part. */
export const partCards = (parts: ReadData["parts"]): PartCard[] =>
  Object.entries(parts).map(([part, { questions, rejected, rows, leftOut = {} }]) => ({
    ...{ part, rows, questions: questions.length, rejected: rejected.length, leftOut },
    setAside: rejected.slice(0, SHOWN),
    options: counted(questions.map(({ choices }) => choices.length)),
    letters: counted(questions.map(({ answer }) => optionLetter(answer))),
    // A question of two domains is one question of each.
    duplicates: repeated(questions.map((one) => `${one.domain} ${fingerprint(one)}`)),
    repeatedOptions: questions.filter(({ choices }) =>
      repeated(choices.map((choice) => choice.trim())) > 0
    ).length,
  }));

const repeated = (texts: readonly string[]) => texts.length - new Set(texts).size;

/** The cards as Markdown. */
export function cardText(
  { cards, leaks = [], kept = false, explanations = [] }: DataFacts,
): string {
  const sources = cards.map(({ name, title, license, revision }) => (
    { "data set": name, title, license, revision }
  ));
  const list = (
    counts: Readonly<Record<string, number>>,
    say: (n: number, name: string) => string,
  ) => Object.entries(counts).map(([name, n]) => say(n, name)).join(", ");
  const parts = cards.flatMap(({ name, parts }) =>
    parts.map((one) => ({
      "data set": `${name} ${one.part}`,
      rows: one.rows,
      questions: one.questions,
      "set aside": one.rejected,
      "left out": list(one.leftOut, (n, why) => `${n} ${why}`) || "0",
      options: list(one.options, (n, options) => `${options}: ${n}`),
      "right answers": list(one.letters, (n, letter) =>
        `${letter} ${(100 * n / one.questions).toFixed(1)}%`),
      duplicates: one.duplicates,
      "with equal options": one.repeatedOptions,
    }))
  );
  const what = kept ? "kept" : "left out of the pool";
  const shared = leaks.map(({ domain, pool, exact, near }) => (
    { domain, pool, "asked by a test exactly": exact, "nearly so": near, "and so": what }
  ));
  const aside = cards.flatMap(({ parts }) => parts).flatMap(({ setAside }) =>
    setAside.map(({ file, line, reason }) => ({ "set aside": file, line, reason }))
  );
  const written = explanations.map(({ domain, from, questions, explained, setAside }) => ({
    ...{ domain, "explanations by": from, "asked about": questions, explained },
    "set aside": list(setAside, (n, why) => `${n} ${why}`) || "0",
  }));
  const tables = [sources, parts, shared, written, aside].filter((rows) => rows.length > 0);
  return ["# What was read", ...tables.map((rows) => toMarkdown(table(rows)))]
    .map((text) => `${text.trim()}\n`).join("\n");
}

/** Writes `data-card.md` and, for programs, `data-card.json` into a folder. */
export async function writeDataCard(folder: string, facts: DataFacts): Promise<void> {
  await writeWhole(join(folder, "data-card.md"), cardText(facts));
  await writeWhole(join(folder, "data-card.json"), `${JSON.stringify(facts, null, 1)}\n`);
}
