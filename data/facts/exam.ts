/**
 * The exam of common facts: four-option questions of four domains, made from the tables beside this
 * file.
 */
import { parseCsv } from "../../lib/dataset/_rows.ts";
import { type FactDomain, factDomains, type FactSplit, factSplits } from "../../lib/dataset/facts.ts";
import type { Question } from "../../lib/question.ts";
import { Random } from "../../lib/statistics/random.ts";

/** Questions shown as demonstrations, and questions of a test. */
const SHOWN = 5;
const TESTED = 80;
const OPTIONS = 4;

/** What is asked about the rows of a table. */
interface Relation {
  domain: FactDomain;
  /** The questions' `subject`. */
  name: string;
  table: string;
  /** Columns: what is asked about, and the answer. */
  from: string;
  to: string;
  /** Asked in ID; else in the pool and in HOMO. Default: false. */
  other?: true;
  ask: (subject: string) => string;
  /** The fact in one true sentence. */
  state: (subject: string, answer: string) => string;
  /**
   * Which options are near: those of the row's `kind`; numbers at least so far apart, the nearest ones;
   * symbols with a letter that the name or the symbol starts with. Default: kind, where a table has it.
   */
  near?: "kind" | "initial" | { apart: number };
  /** At most so many questions with one answer. Default: 8. */
  most?: number;
}

const relations: readonly Relation[] = [
  {
    domain: "geography",
    name: "capital",
    table: "countries",
    from: "country",
    to: "capital",
    ask: (country) => `What is the capital of ${country}?`,
    state: (country, capital) => `The capital of ${country} is ${capital}.`,
  },
  {
    domain: "geography",
    name: "city",
    table: "cities",
    from: "city",
    to: "country",
    ask: (city) => `In which country is the city of ${city}?`,
    state: (city, country) => `The city of ${city} is in ${country}.`,
  },
  {
    domain: "geography",
    name: "currency",
    table: "countries",
    from: "country",
    to: "currency",
    other: true,
    most: 5,
    // A continent has one or two currencies of its own and many of one name.
    near: "kind",
    ask: (country) => `What is the currency of ${country} called?`,
    state: (country, unit) => `The currency of ${country} is called the ${unit}.`,
  },
  {
    domain: "geography",
    name: "language",
    table: "languages",
    from: "country",
    to: "language",
    other: true,
    ask: (country) => `What is the official language of ${country}?`,
    state: (country, language) => `The official language of ${country} is ${language}.`,
  },
  {
    domain: "chemistry",
    name: "symbol",
    table: "elements",
    from: "element",
    to: "symbol",
    near: "initial",
    ask: (element) => `What is the chemical symbol of ${element}?`,
    state: (element, symbol) => `The chemical symbol of ${element} is ${symbol}.`,
  },
  {
    domain: "chemistry",
    name: "number",
    table: "elements",
    from: "element",
    to: "number",
    near: { apart: 1 },
    ask: (element) => `What is the atomic number of ${element}?`,
    state: (element, number) => `The atomic number of ${element} is ${number}.`,
  },
  {
    domain: "chemistry",
    name: "formula",
    table: "compounds",
    from: "compound",
    to: "formula",
    ask: (compound) => `What is the chemical formula of ${compound}?`,
    state: (compound, formula) => `The chemical formula of ${compound} is ${formula}.`,
  },
  {
    domain: "chemistry",
    name: "family",
    table: "families",
    from: "element",
    to: "family",
    other: true,
    ask: (element) => `To which family of elements does ${element} belong?`,
    state: (element, family) => `The element ${element} belongs to the ${family}.`,
  },
  {
    domain: "chemistry",
    name: "discoverer",
    table: "discoverers",
    from: "element",
    to: "discoverer",
    other: true,
    ask: (element) => `Who discovered the element ${element}?`,
    state: (element, person) => `The element ${element} was discovered by ${person}.`,
  },
  {
    domain: "literature",
    name: "author",
    table: "works",
    from: "work",
    to: "author",
    ask: (work) => `Who wrote "${work}"?`,
    state: (work, author) => `"${work}" was written by ${author}.`,
  },
  {
    domain: "literature",
    name: "character",
    table: "characters",
    from: "character",
    to: "work",
    ask: (character) => `In which work does the character ${character} appear?`,
    state: (character, work) => `The character ${character} appears in ${work}.`,
  },
  {
    domain: "literature",
    name: "country",
    table: "authors",
    from: "author",
    to: "country",
    other: true,
    ask: (author) => `Which country is the writer ${author} from?`,
    state: (author, country) => `The writer ${author} is from ${country}.`,
  },
  {
    domain: "history",
    name: "leader",
    table: "leaders",
    from: "leader",
    to: "country",
    ask: (leader) => `Which country was led by ${leader}?`,
    state: (leader, country) => `${leader} led ${country}.`,
  },
  {
    domain: "history",
    name: "year",
    table: "events",
    from: "event",
    to: "year",
    near: { apart: 2 },
    ask: (event) => `What was the year of ${event}?`,
    state: (event, year) => `The year of ${event} was ${year}.`,
  },
  {
    domain: "history",
    name: "discovery",
    table: "inventions",
    from: "invention",
    to: "inventor",
    ask: (thing) => `Who is credited with ${thing}?`,
    state: (thing, person) => `Credit for ${thing} goes to ${person}.`,
  },
  {
    domain: "history",
    name: "war",
    table: "battles",
    from: "battle",
    to: "war",
    other: true,
    ask: (battle) => `In which war was the ${battle}?`,
    state: (battle, war) => `The ${battle} was part of ${war}.`,
  },
];

/** The tables that the exam is made from. */
export const factTables: readonly string[] = [...new Set(relations.map(({ table }) => table))];

/** Of a domain, by split. */
export type FactExam = Record<FactSplit, Question[]>;

/** One row of a table, by column. */
type Row = Record<string, string>;

/**
 * The exam, from the tables' CSV texts by name. The same tables and seed give the same questions.
 * @throws where a table is missing, is no table, or has too few values for four options
 */
export function makeFactExam(
  tables: ReadonlyMap<string, string>,
  { seed = "facts" }: {
    /** Of splits, options and their places. Default: `facts`, the shipped exam's. */
    seed?: number | string;
  } = {},
): Map<FactDomain, FactExam> {
  const random = new Random(seed);
  const rows = new Map(factTables.map((name) => [name, parseTable(name, tables.get(name))]));
  return new Map(factDomains.map((domain) => {
    const own = random.fork(domain);
    const half = (other: boolean) =>
      relations.filter((one) => one.domain === domain && Boolean(one.other) === other)
        .map((relation) => askedRows(relation, rows.get(relation.table)!, own));
    const [main, other] = [half(false), half(true)].map((parts) => dealt(parts, own));
    const exam = {
      dev: main.slice(0, SHOWN),
      homo: main.slice(SHOWN, SHOWN + TESTED),
      pool: main.slice(SHOWN + TESTED),
      "id-dev": other.slice(0, SHOWN),
      id: other.slice(SHOWN, SHOWN + TESTED),
    };
    return [
      domain,
      Object.fromEntries(
        factSplits.map((split) => [split, placed(exam[split], own.fork(`places/${split}`))]),
      ) as FactExam,
    ];
  }));
}

function parseTable(name: string, text?: string): Row[] {
  if (text === undefined) {
    throw new Error(
      `Cannot make the exam of facts: expected a table of ${name}; found none; ` +
        `give data/facts/tables/${name}.csv`,
    );
  }
  const [header, ...rows] = parseCsv(text);
  return rows.map(({ cells, line }) => {
    if (cells.length !== header.cells.length) {
      throw new Error(
        `Cannot read ${name}.csv, line ${line}: expected ${header.cells.length} cells; ` +
          `found ${cells.length}; quote a cell that holds a comma`,
      );
    }
    return Object.fromEntries(header.cells.map((column, i) => [column, cells[i].trim()]));
  });
}

/** The rows that are asked, in random order, each as a question with its right option first. */
function askedRows(relation: Relation, rows: readonly Row[], random: Random): Question[] {
  const { domain, name, from, to, most = 8 } = relation;
  const own = random.fork(name);
  const asked = new Map<string, number>();
  return own.shuffle(rows.filter((row) => row[to] !== "")).flatMap((row) => {
    const answer = row[to], times = asked.get(answer) ?? 0;
    if (times === most) return [];
    asked.set(answer, times + 1);
    return [{
      id: `${name}/${row[from]}`,
      domain,
      subject: name,
      question: relation.ask(row[from]),
      choices: [answer, ...distractors(relation, { row, rows }, own.fork(row[from]))],
      answer: 0,
      explanation: relation.state(row[from], answer),
    }];
  });
}

/** Three other values of the column: near ones first, none of which is also true. */
function distractors(
  { name, from, to, near = "kind" }: Relation,
  { row, rows }: { row: Row; rows: readonly Row[] },
  random: Random,
): string[] {
  const same = rows.filter((one) => one[from] === row[from]);
  const true_ = new Set(same.flatMap((one) => [one[to], ...(one.also ?? "").split(";")]));
  const others = rows.filter((one) => one[to] !== "" && !true_.has(one[to]));
  let groups: Row[][];
  if (typeof near === "object") {
    const distance = (one: Row) => Math.abs(Number(one[to]) - Number(row[to]));
    const far = others.filter((one) => distance(one) >= near.apart);
    // Of the nearest ones any three, so that the answer is not always in their middle.
    groups = [nearest(far, { distance, count: 3 * OPTIONS, value: (one) => one[to] })];
  } else if (near === "initial") {
    const starts = new Set([row[from], row[to]].map((text) => text[0].toLowerCase()));
    const close = (one: Row) => starts.has(one[to][0].toLowerCase());
    groups = [others.filter(close), others.filter((one) => !close(one))];
  } else {
    groups = [others.filter(({ kind }) => kind === row.kind), others];
  }
  const values = [
    ...new Set(groups.flatMap((group) => random.shuffle(unique(group.map((one) => one[to]))))),
  ];
  if (values.length < OPTIONS - 1) {
    throw new Error(
      `Cannot ask for the ${name} of ${row[from]}: expected ${OPTIONS - 1} other values; ` +
        `found ${values.length}; add rows to the table`,
    );
  }
  return values.slice(0, OPTIONS - 1);
}

const unique = <T>(list: readonly T[]): T[] => [...new Set(list)];

function nearest(
  rows: readonly Row[],
  { distance, count, value }: {
    distance: (row: Row) => number;
    count: number;
    value: (row: Row) => string;
  },
): Row[] {
  const sorted = rows.toSorted((a, b) => distance(a) - distance(b));
  const kept = new Set(unique(sorted.map(value)).slice(0, count));
  return sorted.filter((row) => kept.has(value(row)));
}

/** One of each relation by turns for the demonstrations, then all others in random order. */
function dealt(parts: readonly Question[][], random: Random): Question[] {
  const first = Array.from({ length: SHOWN }, (_, i) => {
    const part = parts[i % parts.length];
    return part[Math.floor(i / parts.length)];
  });
  const rest = parts.flat().filter((question) => !first.includes(question));
  return [...first, ...random.fork("split").shuffle(rest)];
}

/** Options in random order, the right one as often in each place as can be. */
function placed(questions: readonly Question[], random: Random): Question[] {
  const places = random.shuffle(questions.map((_, i) => i % OPTIONS));
  return questions.map((question, i) => {
    const [right, ...wrong] = question.choices;
    const choices = random.shuffle(wrong);
    choices.splice(places[i], 0, right);
    return { ...question, choices, answer: places[i] };
  });
}

/** The questions as JSON lines, as `parseQuestions` reads them. */
export function formatQuestions(questions: readonly Question[]): string {
  return questions.map((question) => `${JSON.stringify(question)}\n`).join("");
}
