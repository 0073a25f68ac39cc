/**
 * Questions of a text in JSONL, JSON or CSV. A malformed row is quarantined, never dropped silently.
 */
import {
  type AnsweredRow,
  type AnswerForm,
  type AnswerOptions,
  readAnswerForm,
} from "./_answer_form.ts";
import { layOut, questionColumns } from "./_layout.ts";
import { type ParsedQuestions, QuestionReader, type ReaderOptions } from "./_reader.ts";
import { placeName, RowFault, type RowOptions, type SourceRow, sourceRows } from "./_rows.ts";

export { type AnswerForm, answerForms } from "./_answer_form.ts";
export { questionFrom, type QuestionRules } from "./_question.ts";
export type { ParsedQuestions } from "./_reader.ts";
export type { RejectedRow } from "./_rows.ts";

/** How a text of questions is read; its folder's name is the last-resort domain. */
export interface ParseOptions extends RowOptions, Omit<ReaderOptions, "id"> {}

const isText = (value: unknown) => typeof value === "string";

/**
 * Rows with question, choices and answer by these names, and the answer as an index, or
 * as the `RowFault` that says why there is none: for rows that hold more than a question.
 */
export function questionRows(
  source: readonly SourceRow[],
  { answers }: AnswerOptions,
): SourceRow[] {
  const usual = new Set<AnswerForm>();
  const answered: (AnsweredRow & { value: Record<string, unknown> })[] = [];
  const rows = source.map((row) => {
    const { line, value, fault } = row;
    if (fault || typeof value !== "object" || value === null || Array.isArray(value)) return row;
    try {
      const laid = layOut(value as Record<string, unknown>);
      const { choices, answer } = laid.value;
      if (Array.isArray(choices) && choices.length > 1 && choices.every(isText)) {
        answered.push({ line, answer, choices, labels: laid.labels, value: laid.value });
      }
      for (const form of laid.usual) usual.add(form);
      return { line, value: laid.value };
    } catch (error) {
      if (error instanceof RowFault) return { line, fault: error.message };
      throw error;
    }
  });
  const { indices } = readAnswerForm(answered, { answers, usual: [...usual] });
  for (const [i, { value }] of answered.entries()) value.answer = indices[i];
  return rows;
}

/** The columns of a table of questions: under other names its header alone tells. */
export const columnsFor = ({ columns }: Pick<ReaderOptions, "columns">) =>
  columns ? {} : { columns: questionColumns };

/** What reads the questions of one file of no exam. */
export function fileReader({ file, ...options }: ParseOptions): QuestionReader {
  const domain = options.domain ?? placeName(file);
  return new QuestionReader({ ...options, domain });
}

/**
 * Questions of a text; every row that is none is reported with its line. The domain is the row's
 * own, else `domain`, else the name of the file's folder; an id may come from file and position.
 */
export function parseQuestions(text: string, options: ParseOptions): ParsedQuestions {
  const { file } = options;
  const reader = fileReader(options);
  reader.add(sourceRows(text, { file, ...columnsFor(options) }), file);
  return reader.finish();
}
