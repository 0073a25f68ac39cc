/**
 * Where a row holds its question, options and answer, by the names that published exams use:
 * options in a list, in columns, or as texts with labels (MMLU, CMMLU, C-Eval, MedMCQA, ARC,
 * OpenBookQA, CommonsenseQA, HellaSwag and what pandas writes of them).
 */
import { type CsvRow, fault, headerNames, RowFault, show } from "./_rows.ts";
import { type AnswerForm, few } from "./_answer_form.ts";
import { parseLiteral } from "./_literal.ts";

/** By lower-case name; the first that a row has counts. */
const NAMES = {
  question: ["question", "question_stem", "ctx"],
  choices: ["choices", "options", "endings"],
  answer: ["answer", "answerkey", "answer_key", "label", "cop"],
  explanation: ["explanation", "exp"],
  subject: ["subject", "subject_name"],
};
/** Fields of rows whose answers count from 0: this project's, the authors' exams, a model's. */
const COUNTED_FROM_0 = ["domain", "raw", "pred", "golden_prob"];
/** `a`, `option_a`, `opa`, `choice1`, `choices[0]`, `ending0`: options in columns. */
const COLUMN =
  /^(?:(options?|choices?|op|endings?|sol|answers?)[\s_./-]*)?[[(]?([a-z]|\d{1,2})[\])]?$/;
const ALPHABET = [..."abcdefghijklmnopqrstuvwxyz"];
const numbers = (from: number) => Array.from({ length: 26 }, (_, i) => String(from + i));

/** A row by field; `answer` is still as the file writes it. */
interface LaidOutRow {
  value: Record<string, unknown>;
  labels?: string[];
  /** Forms in which answers of this layout are published. */
  usual: AnswerForm[];
}

type Row = Record<string, unknown>;
const isRow = (value: unknown): value is Row =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** The names of the first complete set of option columns. */
function optionColumns(names: readonly string[]): string[] | undefined {
  const sets = new Map<string, Map<string, string>>();
  for (const name of names) {
    const [, prefix = "", suffix] = COLUMN.exec(name) ?? [];
    if (suffix === undefined || prefix === "" && /\d/.test(suffix)) continue;
    if (!sets.has(prefix)) sets.set(prefix, new Map());
    sets.get(prefix)!.set(suffix, name);
  }
  const found = [...sets.values()].flatMap((set) => {
    const order = [ALPHABET, numbers(0), numbers(1)].find(([first]) => set.has(first)) ?? [];
    const end = order.findIndex((suffix) => !set.has(suffix));
    const columns = order.slice(0, end < 0 ? undefined : end).map((suffix) => set.get(suffix)!);
    return columns.length > 1 ? [columns] : [];
  });
  if (found.length > 1) {
    const sets = found.map((columns) => columns.join(",")).join(" and ");
    throw new RowFault(
      `choices: expected one set of option columns; found ${sets}; leave out all but one`,
    );
  }
  return found[0];
}

/** A list or record that a cell holds as text; texts of several lines are one option a line. */
function unpacked(value: unknown): unknown {
  if (typeof value !== "string") return value;
  const text = value.trim();
  if (/^([[({]|array\()/.test(text)) {
    try {
      return parseLiteral(text);
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
      if (/^[[{a]/.test(text)) return value;
    }
  }
  return text.includes("\n") ? text.split(/\r?\n/) : value;
}

const texts = (list: unknown): unknown => {
  const found = unpacked(list);
  return Array.isArray(found)
    ? found.map((item) => typeof item === "number" && Number.isFinite(item) ? String(item) : item)
    : found;
};

/** Options, and the labels that the row gives them. */
function optionsOf(given: unknown): { choices: unknown; labels?: string[] } {
  const value = unpacked(given);
  let labels: unknown, choices: unknown;
  if (Array.isArray(value) && value.length > 0 && value.every((one) => isRow(one) && one.label)) {
    [labels, choices] = [value.map(({ label }) => label), value.map(({ text }) => text)];
  } else if (isRow(value) && "text" in value && "label" in value) {
    [labels, choices] = [texts(value.label), texts(value.text)];
  } else if (isRow(value)) {
    [labels, choices] = [Object.keys(value), texts(Object.values(value))];
  } else return { choices: texts(value) };
  const fit = Array.isArray(labels) && Array.isArray(choices) && labels.length === choices.length &&
    new Set(labels).size === labels.length && labels.every((one) => typeof one === "string");
  if (!fit) fault("choices", "a text and a label of its own for each option", given);
  return { choices, labels: labels as string[] };
}

/** Looks a file's names up once: its rows mostly have the same. */
function lookedUp<T>(look: (names: readonly string[]) => T): (names: readonly string[]) => T {
  let last: string | undefined, found: T;
  return (names) => {
    const key = names.join("\n");
    if (key !== last) [found, last] = [look(names), key];
    return found;
  };
}

const plainNames = lookedUp((own) => {
  const names = new Map<string, string>();
  for (const name of own) {
    const plain = name.trim().toLowerCase();
    if (!names.has(plain)) names.set(plain, name);
  }
  return names;
});

const columnsAmong = lookedUp(optionColumns);

/** The parts of a row by the names that they have here. @throws RowFault where options are unclear */
export function layOut(row: Row): LaidOutRow {
  const names = plainNames(Object.keys(row));
  const field = (name: keyof typeof NAMES): unknown => {
    const there = NAMES[name].map((one) => names.get(one)).filter((one) => one !== undefined);
    const filled = there.find((one) => row[one] !== "" && row[one] !== null) ?? there[0];
    return filled === undefined ? undefined : row[filled];
  };
  // ARC and OpenBookQA as first published: {"question": {"stem": ..., "choices": [...]}}.
  const asked = field("question");
  if (asked === undefined) {
    const found = show(Object.keys(row).join(", "));
    throw new RowFault(
      `question: expected a text; found nothing of that name among ${found}; say by --columns (the ` +
        "option columns) what it is called",
    );
  }
  const nested = isRow(asked) ? asked : undefined;
  let given = field("choices") ?? nested?.choices;
  const [text, label] = [names.get("choices.text"), names.get("choices.label")];
  if (text && label) given = { text: row[text], label: row[label] };

  const answer = field("answer");
  const usual: AnswerForm[] = [];
  let options: ReturnType<typeof optionsOf>;
  const columns = given === undefined ? columnsAmong([...names.keys()]) : undefined;
  if (columns) {
    const cells = columns.map((name) => row[names.get(name)!]);
    const isBlank = (cell: unknown) =>
      cell === undefined || cell === null || typeof cell === "string" && cell.trim() === "";
    // A question with fewer options than others leaves the last columns empty.
    while (cells.length > 0 && isBlank(cells.at(-1))) cells.pop();
    options = { choices: texts(cells) };
    if (/a\W?$/.test(columns[0])) usual.push("letter");
    if (/0\W?$/.test(columns[0])) usual.push("index0");
  } else {
    if (given === undefined) {
      fault("choices", "a list of options, or columns of them", Object.keys(row).join(", "));
    }
    options = optionsOf(given);
    if (options.labels) usual.push("letter");
    // The four fields of MMLU on the hub, whose answers count from 0.
    if ([...names.keys()].toSorted().join() === "answer,choices,question,subject") {
      usual.push("index0");
    }
  }
  if (typeof answer === "number" && COUNTED_FROM_0.some((name) => names.has(name))) {
    usual.push("index0");
  }
  const part = (name: "id" | "domain" | "context") => row[names.get(name) ?? name];
  const { labels, choices } = options, question = nested ? nested.stem : asked;
  const value = {
    ...row,
    ...{ id: part("id"), domain: part("domain"), context: part("context") },
    ...{ subject: field("subject"), explanation: field("explanation") },
    ...{ question, answer, choices },
  };
  return { value, ...(labels ? { labels } : {}), usual };
}

/**
 * The columns of a CSV: those of its header, or without one the six of MMLU's own files, whose last
 * cell is a letter in every row.
 * @throws RowFault on another header
 */
export function questionColumns(rows: readonly CsvRow[]): string[] {
  const [first] = rows;
  const names = first.cells.map((cell) => cell.trim().toLowerCase());
  const has = (name: keyof typeof NAMES) => NAMES[name].some((one) => names.includes(one));
  if (has("question")) {
    const columns = headerNames(first);
    if (has("choices") || names.includes("choices.text") || optionColumns(names)) return columns;
  }
  const whole = rows.filter(({ cells, fault }) => !fault && cells.length === 6);
  const answered = whole.filter(({ cells }) => /^\s*[A-D]\s*$/.test(cells[5]));
  // A header of other words may end in C,D too; its rows then rarely end in letters.
  const isHeader = names.slice(-4).join() === "a,b,c,d";
  const damaged = whole.length - answered.length;
  if (!isHeader && answered[0] === first && damaged <= few(whole.length)) {
    return ["question", "a", "b", "c", "d", "answer"];
  }
  const found = show(first.cells.join(","));
  throw new RowFault(
    `header: expected question,A,B,C,D,answer, or other names of option columns; found ${found}; ` +
      "name the columns so, or say by --columns (the option columns) what they are called",
  );
}
