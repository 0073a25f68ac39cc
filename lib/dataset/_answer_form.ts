/**
 * How a file writes its answers. One row rarely tells: 1 is the second option, the first one, or an
 * option that reads "1". So all rows are looked at together; a file that leaves it open is refused.
 */
import { LETTERS } from "../question.ts";
import { RowFault, show } from "./_rows.ts";

/** The option's letter (or the label that its row gives it), its index from 0 or from 1, its text. */
export const answerForms = ["letter", "index0", "index1", "text"] as const;
export type AnswerForm = typeof answerForms[number];

/** How answers are read. */
export interface AnswerOptions {
  /** How answers are written. Default: told from the file, as where none is of this form. */
  answers?: AnswerForm;
}

/** A row whose options are known. */
export interface AnsweredRow {
  line: number;
  answer: unknown;
  choices: readonly string[];
  /** The row's own names of its options. Default: A, B, C, ... */
  labels?: readonly string[];
}

/** Rows of so many that may be damaged without leaving open how the others are written. */
export const few = (rows: number): number => Math.max(1, Math.floor(rows * 0.05));

/** A whole number, also as CSV writes it ("2", pandas' "2.0"), in digits of full width or circled. */
function wholeNumber(value: unknown): number | undefined {
  const text = typeof value === "string" ? value.normalize("NFKC") : "";
  if (/^\s*-?\d{1,9}(\.0+)?\s*$/.test(text)) return Number(text);
  return Number.isSafeInteger(value) ? value as number : undefined;
}

/** Whether a row has no answer: test splits leave it out, or write -1. */
function isMissing(answer: unknown): boolean {
  return answer === undefined || answer === null || wholeNumber(answer) === -1 ||
    typeof answer === "string" && /^\s*(nan|n\/?a|none|null)?\s*$/i.test(answer);
}

/** Says of a file without answers what to do; empty where some row has one. */
export function withoutAnswers(answers: readonly unknown[]): string {
  return answers.every(isMissing)
    ? "; no row of this file has an answer, as in a test split: take a split that has them, " +
      "or name their field answer"
    : "";
}

/** Index of the option that an answer means in `form`; undefined where it means none. */
function optionIndex(
  form: AnswerForm,
  { answer, choices, labels }: Omit<AnsweredRow, "line">,
): number | undefined {
  if (typeof answer !== "string" && typeof answer !== "number") return undefined;
  const text = String(answer).trim();
  const place = (index: number) => index >= 0 && index < choices.length ? index : undefined;
  if (text === "") return undefined;
  if (form === "text") return place(choices.findIndex((choice) => choice.trim() === text));
  if (form === "letter") {
    const names = (labels ?? [...LETTERS]).map((label) => label.trim());
    const letter = /^[([]?([A-Z])[)\].,:、。]*$/i.exec(text.normalize("NFKC"))?.[1].toUpperCase();
    return place(names.includes(text) ? names.indexOf(text) : names.indexOf(letter ?? text));
  }
  const number = wholeNumber(answer);
  // A number that is a label, as in ARC, counts nothing.
  if (number === undefined || labels?.some((label) => label.trim() === text)) return undefined;
  return place(number - (form === "index0" ? 0 : 1));
}

function expected({ choices, labels }: AnsweredRow, form?: AnswerForm): string {
  const last = choices.length - 1, index0 = `an index 0..${last}`, text = "an option's text";
  const letter = labels ? `a label ${labels.join(", ")}` : `a letter A..${LETTERS[last]}`;
  const forms = { letter, index0, index1: `a number 1..${last + 1}`, text };
  return form ? forms[form] : `${index0}, ${letter} or ${text}`;
}

/** Index of the option that a row's answer means in a form. */
type Means = (form: AnswerForm, row: AnsweredRow) => number | undefined;

type FormOptions = AnswerOptions & { usual: readonly AnswerForm[] };

/** The form of all rows; a fault where they leave it open; undefined where no row has an answer. */
function formOf(
  rows: readonly AnsweredRow[],
  { answers, usual, forms, means }: FormOptions & { forms: readonly AnswerForm[]; means: Means },
): AnswerForm | RowFault | undefined {
  const fits = (form: AnswerForm) => (row: AnsweredRow) => means(form, row) !== undefined;
  const readable = rows.filter((row) => forms.some((form) => fits(form)(row)));
  if (readable.length === 0) return undefined;
  if (answers !== undefined && readable.some(fits(answers))) return answers;
  const counts = Object.fromEntries(
    answerForms.map((form) => [form, readable.filter(fits(form)).length]),
  );
  // Only a 0 tells an index from 0, and only the number of options one from 1; one row of these
  // may be an error.
  const only = (form: AnswerForm, other: AnswerForm) =>
    readable.filter((row) => fits(form)(row) && !fits(other)(row)).length;
  const zeros = only("index0", "index1"), tops = only("index1", "index0");
  const most = few(readable.length);
  const indices: AnswerForm[] = zeros > tops && tops <= most
    ? ["index0"]
    : tops > Math.max(1, zeros) && zeros <= most
    ? ["index1"]
    : ["index0", "index1"];
  const candidates = (["letter", "text", ...indices] as const).filter((form) =>
    forms.includes(form)
  );
  const best = Math.max(...candidates.map((form) => counts[form]));
  const start = `answer: expected ${expected(readable[0])}, one of these in the whole file; found`;
  const say = "say which by --answers=FORM (the option answers)";
  if (readable.length - best > most) {
    const found = answerForms.filter((form) => counts[form] > 0)
      .map((form) => `${counts[form]} that fit ${form}`);
    return new RowFault(`${start} of ${readable.length} answers ${found.join(", ")}; ${say}`);
  }
  const likely = candidates.filter((form) => counts[form] === best);
  const chosen = usual.find((form) => likely.includes(form));
  if (chosen !== undefined) return chosen;
  const open = indices.some((form) => likely.includes(form))
    ? [...new Set([...likely, ...indices])].filter((form) => forms.includes(form))
    : likely;
  const unlike = readable.find((row) =>
    open.some((form) => means(form, row) !== means(open[0], row))
  );
  if (unlike === undefined) return open[0];
  const readings = open.map((form) => {
    const index = means(form, unlike);
    return `${form} (${index === undefined ? "no option" : show(unlike.choices[index])})`;
  });
  const found = `${show(unlike.answer)} on line ${unlike.line}`, all = readings.join(" or ");
  return new RowFault(
    `${start} ${found}, which may be ${all}, and the other rows do not tell; ${say}`,
  );
}

/**
 * How the rows write their answers, where that can be told, and the index that each answer means or
 * the fault of its row. `usual`: the forms of this layout, which decide where several fit equally
 * well; `forms`: the only ones that it may have.
 */
export function readAnswerForm(
  rows: readonly AnsweredRow[],
  { forms = answerForms, ...options }: FormOptions & { forms?: readonly AnswerForm[] },
): { form?: AnswerForm; indices: (number | RowFault)[] } {
  const none = withoutAnswers(rows.map(({ answer }) => answer));
  // Where no row has an answer, an option that reads -1 or None is none either.
  const known = new Map(
    rows.map((row) => [row, answerForms.map((form) => optionIndex(form, row))]),
  );
  const means: Means = (form, row) => known.get(row)![answerForms.indexOf(form)];
  const found = none ? undefined : formOf(rows, { ...options, forms, means });
  const form = found instanceof RowFault ? undefined : found;
  const indices = rows.map((row) => {
    const readable = forms.some((one) => means(one, row) !== undefined);
    if (found instanceof RowFault && readable) return found;
    const index = form && means(form, row);
    if (index !== undefined) return index;
    const wanted = form && readable
      ? `${expected(row, form)}, as in the other rows`
      : expected(row);
    return new RowFault(`answer: expected ${wanted}; found ${show(row.answer)}${none}`);
  });
  return { ...(form ? { form } : {}), indices };
}
