/**
 * Rows to questions, as they come: a malformed row is quarantined, never dropped silently; what a row
 * gives is kept, the row is not. Texts stay as they stand, for prompts are compared byte for byte. Only
 * at the end is it told how the answers are written, for all rows tell it together.
 */
import { LETTERS, type Question } from "../question.ts";
import type { AnsweredRow, AnswerForm, AnswerOptions } from "./_answer_form.ts";
import { readAnswerForm, withoutAnswers } from "./_answer_form.ts";
import { layOut, questionColumns } from "./_layout.ts";
import type { RejectedRow, SourceRow, TextRules } from "./_rows.ts";
import { fault, fileStem, placeName, RowFault, show, sourceRows, textField } from "./_rows.ts";

export { type AnswerForm, answerForms } from "./_answer_form.ts";
export type { RejectedRow } from "./_rows.ts";

/** What a question is checked against, and what it falls back on. */
export interface QuestionRules extends TextRules {
  /** Domain of a row that names none. Default: none, such a row is rejected. */
  domain?: string;
  /** Subject of a row that names none. Default: it has none. */
  subject?: string;
  /** Id of a row that has none. Default: none, such a row is rejected. */
  id?: string;
  /** Keep a question whose options repeat: 10 of the published 2,212 do. Default: false. */
  allowRepeatedChoices?: boolean;
}

export type Fields = Record<string, unknown>;

/** A question from one row, whose `answer` is an index (or the fault of one); throws `RowFault`. */
function questionFrom(fields: Fields, rules: QuestionRules): Question {
  const id = fields.id ?? rules.id;
  if (!(Number.isSafeInteger(id) || (typeof id === "string" && id.trim() !== ""))) {
    fault("id", "an integer or a text", fields.id);
  }
  const question = textField("question", fields.question, rules);
  if (!Array.isArray(fields.choices)) fault("choices", "a list of 2 to 26 texts", fields.choices);
  if (fields.choices.length < 2 || fields.choices.length > LETTERS.length) {
    fault("choices", "2 to 26 options", fields.choices.length);
  }
  const choices = fields.choices.map((choice, i) => textField(`choices[${i}]`, choice, rules));
  if (!rules.allowRepeatedChoices) {
    const plain = choices.map((choice) => choice.trim());
    const i = plain.findIndex((choice, i) => plain.indexOf(choice) < i);
    if (i > 0) {
      fault(`choices[${i}]`, `another text than choices[${plain.indexOf(plain[i])}]`, choices[i]);
    }
  }
  const { answer } = fields;
  if (answer instanceof RowFault) throw answer;
  if (!Number.isInteger(answer) || !((answer as number) in choices)) {
    fault("answer", `an index 0..${choices.length - 1}`, answer);
  }
  const domain = textField("domain", fields.domain || rules.domain, rules);
  const optional = (field: "subject" | "explanation" | "context", value = fields[field]) =>
    value === undefined || value === null || value === ""
      ? {}
      : { [field]: textField(field, value, rules) };
  return {
    ...{ id: id as string | number, domain },
    ...optional("subject", fields.subject || rules.subject),
    ...{ question, choices, answer: answer as number },
    ...optional("explanation"),
    ...optional("context"),
  };
}

/** A row under the names that are looked for; what it has there by itself is hidden. */
function renamed(row: Fields, columns?: ReadonlyMap<string, string>): Fields {
  if (columns === undefined) return row;
  const names = new Map(Object.keys(row).map((name) => [name.trim().toLowerCase(), name]));
  const found = [...columns].map(([ours, theirs]) => {
    const name = names.get(theirs.toLowerCase());
    if (name !== undefined) return [ours, row[name]] as const;
    const there = show(Object.keys(row).join(", "));
    throw new RowFault(`${ours}: expected the column ${show(theirs)}; found ${there}`);
  });
  const hidden = new Set(
    [...columns.keys(), ...columns.values()].map((name) => name.toLowerCase()),
  );
  const kept = Object.entries(row).filter(([name]) => !hidden.has(name.trim().toLowerCase()));
  return Object.fromEntries([...found, ...kept]);
}

/** Questions, and the rows that were set aside. */
export interface ParsedQuestions<T extends Question = Question> {
  questions: T[];
  rejected: RejectedRow[];
  /** How the file writes its answers. Absent where no row has one, or all rows leave it open. */
  answers?: AnswerForm;
  /** Rows that were read: each is in questions, rejected or left out. */
  rows: number;
  /** Whether no row has an answer, as in a test split without labels. */
  unlabelled?: boolean;
  /** Rows that an exam leaves out, by the reason. */
  leftOut?: Readonly<Record<string, number>>;
}

/** What sets an exam's rows apart from those of a plain file of questions. */
export interface Layout<T extends Question = Question> {
  /** The only forms in which its answers are written. Default: any. */
  forms?: readonly AnswerForm[];
  /** Forms that decide where several fit equally well. */
  usual?: readonly AnswerForm[];
  /** A row as its fields are then looked for. */
  prepare?(row: Fields): Fields;
  /** The questions that a row is, by what they are called; or why the exam leaves it out. */
  place(fields: Fields, from: { file: string; position: number }): readonly Fields[] | string;
  /** What the rows hold beside questions, once the answer is known. */
  complete?(question: Question, fields: Fields): T;
}

/** How rows are read that have no layout of their own. */
export interface ReaderOptions extends AnswerOptions, QuestionRules {
  /** Columns by other names: question, choices, answer, A, B, ... to what the file calls them. */
  columns?: ReadonlyMap<string, string>;
}

/** A question whose answer waits for those of the others, or a row's fault. */
type Draft =
  | AnsweredRow & { file: string; question: Question; fields?: Fields }
  | { file: string; line: number; fault: string };

export class QuestionReader<T extends Question = Question> {
  readonly #drafts: Draft[] = [];
  readonly #usual = new Set<AnswerForm>();
  readonly #leftOut = new Map<string, number>();
  #rows = 0;
  /** The file that is read, and its rows so far. */
  #place = { file: "", position: 0 };

  constructor(readonly options: ReaderOptions, readonly layout?: Layout<T>) {
    for (const form of layout?.usual ?? []) this.#usual.add(form);
  }

  /** Rows of a file, the next ones where some were added before; `rules` of these alone. */
  add(rows: Iterable<SourceRow>, file: string, rules: TextRules = {}): void {
    const all: QuestionRules = { ...this.options, ...rules };
    if (this.#place.file !== file) this.#place = { file, position: 0 };
    for (const row of rows) {
      this.#rows++;
      this.#place.position++;
      if (!this.layout) all.id = `${fileStem(file)}:${this.#place.position}`;
      this.#draft(row, this.#place, all);
    }
  }

  /** Rows of a whole text. */
  addText(text: string, file: string): void {
    this.add(sourceRows(text, { file, ...columnsFor(this.options) }), file);
  }

  #draft(
    { line, value, fault: unreadable }: SourceRow,
    place: { file: string; position: number },
    rules: QuestionRules,
  ): void {
    const { file } = place, { layout } = this;
    try {
      if (unreadable) throw new RowFault(unreadable);
      if (typeof value !== "object" || value === null || Array.isArray(value)) {
        fault("row", "an object with question, choices and answer", value);
      }
      const row = renamed(value as Fields, this.options.columns);
      const laid = layOut(layout?.prepare?.(row) ?? row);
      for (const form of laid.usual) this.#usual.add(form);
      const places = layout ? layout.place(laid.value, place) : [{}];
      if (typeof places === "string") {
        this.#leftOut.set(places, (this.#leftOut.get(places) ?? 0) + 1);
        return;
      }
      const { answer } = laid.value, { labels } = laid;
      for (const named of places) {
        const question = questionFrom(Object.assign(laid.value, named, { answer: 0 }), rules);
        const { choices } = question, fields = layout?.complete && laid.value;
        this.#drafts.push({ file, line, question, answer, labels, choices, fields });
      }
    } catch (error) {
      if (!(error instanceof RowFault)) throw error;
      this.#drafts.push({ file, line, fault: error.message });
    }
  }

  /** All that was read; a second question of an id and domain is rejected. */
  finish(): ParsedQuestions<T> {
    const drafts = this.#drafts;
    const asked = drafts.filter((draft) => "question" in draft);
    const usual = [...this.#usual], { forms } = this.layout ?? {};
    const { form, indices } = readAnswerForm(asked, {
      ...{ answers: this.options.answers, usual },
      ...(forms && { forms }),
    });
    const questions: T[] = [], rejected: RejectedRow[] = [];
    const lines = new Map<string, Draft>();
    let next = 0;
    for (const draft of drafts) {
      const { file, line } = draft;
      try {
        if ("fault" in draft) throw new RowFault(draft.fault);
        const { question, fields = {} } = draft, index = indices[next++];
        if (index instanceof RowFault) throw index;
        const whole = this.layout?.complete?.({ ...question, answer: index }, fields);
        const key = `${question.domain}\n${question.id}`, first = lines.get(key);
        if (first !== undefined) {
          const where = first.file === file ? "" : ` of ${first.file}`;
          throw new RowFault(
            `id: ${show(question.id)} stands on line ${first.line}${where} already`,
          );
        }
        lines.set(key, draft);
        question.answer = index;
        questions.push(whole ?? question as T);
      } catch (error) {
        if (!(error instanceof RowFault)) throw error;
        rejected.push({ file, line, reason: error.message });
      }
    }
    return {
      ...{ questions, rejected, rows: this.#rows },
      ...(form ? { answers: form } : {}),
      ...(asked.length > 0 && withoutAnswers(asked.map(({ answer }) => answer)) !== ""
        ? { unlabelled: true }
        : {}),
      ...(this.#leftOut.size > 0 ? { leftOut: Object.fromEntries(this.#leftOut) } : {}),
    };
  }
}

/** How a text of questions is read; its folder's name is the last-resort domain. */
export interface ParseOptions extends Omit<ReaderOptions, "id"> {
  /** The file's name, for rejected rows. */
  file: string;
}

/** The columns of a table of questions: under other names its header alone tells. */
export const columnsFor = ({ columns }: Pick<ReaderOptions, "columns">) =>
  columns ? {} : { columns: questionColumns };

/** What reads the questions of one file of no exam. */
export function fileReader<T extends Question = Question>(
  { file, ...options }: ParseOptions,
  layout?: Layout<T>,
): QuestionReader<T> {
  return new QuestionReader({ ...options, domain: options.domain ?? placeName(file) }, layout);
}
