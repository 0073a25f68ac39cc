/** A card of what was read: how many, how balanced, what repeats, what the pool shares with the tests. */
import { join } from "node:path";
import { fingerprint } from "../dataset/duplicates.ts";
import { table, toMarkdown } from "../figure/table.ts";
import { optionLetter, type Question } from "../question.ts";
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

/** So many rows of a part that were set aside are told one by one. */
const SHOWN = 100;

const counted = (values: readonly (string | number)[]): Record<string, number> =>
  Object.fromEntries(
    [...Map.groupBy(values, (value) => String(value))].sort(([a], [b]) => a < b ? -1 : 1)
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
    duplicates: repeated(questions),
    repeatedOptions: questions.filter(({ choices }) =>
      new Set(choices.map((choice) =>
        choice.trim()
      )).size < choices.length
    ).length,
  }));

/** A question of two domains is one question. */
function repeated(questions: readonly Question[]): number {
  const keys = questions.map((question) => `${question.domain} ${fingerprint(question)}`);
  return keys.length - new Set(keys).size;
}

const shares = (counts: Readonly<Record<string, number>>) => {
  const total = Object.values(counts).reduce((a, b) => a + b, 0);
  return Object.entries(counts)
    .map(([name, n]) => `${name} ${(100 * n / total).toFixed(1)}%`).join(", ");
};

const list = (counts: Readonly<Record<string, number>>) =>
  Object.entries(counts).map(([name, n]) => `${n} ${name}`).join(", ") || "0";

/** What a pool shares with the tests, by domain. */
export interface LeakRow {
  domain: string;
  pool: number;
  exact: number;
  near: number;
}

/** The cards as Markdown. */
export function cardText(
  cards: readonly DataCard[],
  { leaks = [], kept = false }: { leaks?: readonly LeakRow[]; kept?: boolean } = {},
): string {
  const rows = cards.flatMap(({ name, parts }) =>
    parts.map((one) => ({
      "data set": `${name} ${one.part}`,
      rows: one.rows,
      questions: one.questions,
      "set aside": one.rejected,
      "left out": list(one.leftOut),
      options: Object.entries(one.options).map(([n, count]) => `${n}: ${count}`).join(", "),
      "right answers": shares(one.letters),
      duplicates: one.duplicates,
      "with equal options": one.repeatedOptions,
    }))
  );
  const sources = cards.map(({ name, title, license, revision }) => (
    { "data set": name, title, license, revision }
  ));
  const what = kept ? "kept" : "left out of the pool";
  const shared = leaks.map(({ domain, pool, exact, near }) => (
    { domain, pool, "asked by a test exactly": exact, "nearly so": near, "and so": what }
  ));
  const aside = cards.flatMap(({ parts }) => parts).flatMap(({ setAside }) =>
    setAside.map(({ file, line, reason }) => ({ "set aside": file, line, reason }))
  );
  return ["# What was read", toMarkdown(table(sources)), toMarkdown(table(rows))]
    .concat(
      [shared, aside].filter((rows) => rows.length > 0).map((rows) => toMarkdown(table(rows))),
    ).map((text) => `${text.trim()}\n`)
    .join("\n");
}

/** Writes `data-card.md` and, for programs, `data-card.json` into a folder. */
export async function writeDataCard(
  folder: string,
  { cards, leaks, kept }: { cards: readonly DataCard[]; leaks: readonly LeakRow[]; kept: boolean },
): Promise<void> {
  await writeWhole(join(folder, "data-card.md"), cardText(cards, { leaks, kept }));
  const facts = JSON.stringify({ cards, leaks, kept }, null, 1);
  await writeWhole(join(folder, "data-card.json"), `${facts}\n`);
}
