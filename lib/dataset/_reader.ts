/**
 * Rows to questions, as they come: what a row gives is kept, the row is not. Only at the end is it told
 * how the answers are written, for all rows tell it together.
 */
import type { Question } from "../question.ts";
import {
  type AnswerForm,
  type AnswerOptions,
  readAnswerForm,
  withoutAnswers,
} from "./_answer_form.ts";
import { layOut } from "./_layout.ts";
import { fault, fileStem, type RejectedRow, RowFault, show, type SourceRow } from "./_rows.ts";
import { questionFrom, type QuestionRules, renamed } from "./_question.ts";

type Fields = Record<string, unknown>;

/** Questions, and the rows that were set aside. */
export interface ParsedQuestions {
  questions: Question[];
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
export interface Layout {
  /** The only forms in which its answers are written. Default: any. */
  forms?: readonly AnswerForm[];
  /** Forms that decide where several fit equally well. */
  usual?: readonly AnswerForm[];
  /** A row as its fields are then looked for. */
  prepare?(row: Fields): Fields;
  /** The questions that a row is, by what they are called; or why the exam leaves it out. */
  place(fields: Fields, from: { file: string; position: number }): readonly Fields[] | string;
}

/** How rows are read that have no layout of their own. */
export interface ReaderOptions extends AnswerOptions, QuestionRules {
  /** Columns by other names: question, choices, answer, A, B, ... to what the file calls them. */
  columns?: ReadonlyMap<string, string>;
}

interface Draft {
  file: string;
  line: number;
  fault?: string;
  question?: Question;
  answer?: unknown;
  labels?: readonly string[];
}

export class QuestionReader {
  readonly #drafts: Draft[] = [];
  readonly #usual = new Set<AnswerForm>();
  readonly #leftOut = new Map<string, number>();
  #rows = 0;

  constructor(readonly options: ReaderOptions, readonly layout?: Layout) {
    for (const form of layout?.usual ?? []) this.#usual.add(form);
  }

  /** Rows of a file; `rules` of these alone. The position of the first is 1 unless `from` says so. */
  add(
    rows: Iterable<SourceRow>,
    file: string,
    { from = 1, ...rules }: QuestionRules & { from?: number } = {},
  ): void {
    let position = from;
    for (const row of rows) {
      this.#rows++;
      this.#draft(row, { file, position: position++ }, { ...this.options, ...rules });
    }
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
      const id = layout ? undefined : `${fileStem(file)}:${place.position}`;
      if (typeof places === "string") {
        this.#leftOut.set(places, (this.#leftOut.get(places) ?? 0) + 1);
        return;
      }
      const { answer } = laid.value, { labels } = laid;
      // The answer waits for the others.
      for (const named of places) {
        const question = questionFrom({ ...laid.value, ...named, answer: 0 }, { ...rules, id });
        this.#drafts.push({ file, line, question, answer, labels });
      }
    } catch (error) {
      if (!(error instanceof RowFault)) throw error;
      this.#drafts.push({ file, line, fault: error.message });
    }
  }

  /** All that was read; a second question of an id and domain is rejected. */
  finish(): ParsedQuestions {
    const drafts = this.#drafts;
    const asked = drafts.flatMap(({ question, line, answer, labels }) =>
      question ? [{ line, answer, labels, choices: question.choices }] : []
    );
    const usual = [...this.#usual], { forms } = this.layout ?? {};
    const { form, indices } = readAnswerForm(asked, {
      ...{ answers: this.options.answers, usual },
      ...(forms && { forms }),
    });
    const questions: Question[] = [], rejected: RejectedRow[] = [];
    const lines = new Map<string, Draft>();
    let next = 0;
    for (const draft of drafts) {
      const { file, line, question } = draft;
      const index = question ? indices[next++] : undefined;
      let reason = draft.fault ?? (index instanceof RowFault ? index.message : undefined);
      if (question && reason === undefined) {
        const key = JSON.stringify([question.domain, String(question.id)]);
        const first = lines.get(key);
        if (first === undefined) {
          lines.set(key, draft);
          question.answer = index as number;
          questions.push(question);
          continue;
        }
        const where = first.file === file ? "" : ` of ${first.file}`;
        reason = `id: ${show(question.id)} stands on line ${first.line}${where} already`;
      }
      rejected.push({ file, line, reason: reason! });
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
