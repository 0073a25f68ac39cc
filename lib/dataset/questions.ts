/**
 * Questions of a text in JSONL, JSON or CSV. A malformed row is quarantined, never dropped
 * silently. Texts are kept as they stand, because prompts are compared byte for byte.
 */
import { LETTERS, type Question } from "../question.ts";
import {
  type AnsweredRow,
  type AnswerForm,
  type AnswerOptions,
  readAnswerForm,
} from "./_answer_form.ts";
import { layOut, questionColumns } from "./_layout.ts";
import {
  collectRows,
  fault,
  fileStem,
  placeName,
  type RejectedRow,
  RowFault,
  type RowOptions,
  type SourceRow,
  sourceRows,
  textField,
  type TextRules,
} from "./_rows.ts";

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

/** How a text of questions is read; its folder's name is the last-resort domain. */
export interface ParseOptions extends RowOptions, AnswerOptions, Omit<QuestionRules, "id"> {}

/** Questions, and the rows that were set aside. */
export interface ParsedQuestions {
  questions: Question[];
  rejected: RejectedRow[];
  /** How the file writes its answers. Absent where no row has one, or all rows leave it open. */
  answers?: AnswerForm;
}

/** A question from one row, whose `answer` is an index (or the fault of one); throws `RowFault`. */
export function questionFrom(row: unknown, rules: QuestionRules = {}): Question {
  if (typeof row !== "object" || row === null || Array.isArray(row)) {
    fault("row", "an object with question, choices and answer", row);
  }
  const fields = row as Record<string, unknown>;
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

const isText = (value: unknown) => typeof value === "string";

/**
 * Rows of a text with question, choices and answer by these names, and the answer as an index, or
 * as the `RowFault` that says why there is none. `usual`: see `readAnswerForm`.
 */
export function questionRows(
  text: string,
  options: RowOptions & AnswerOptions & { usual?: readonly AnswerForm[] },
): { rows: SourceRow[]; answers?: AnswerForm } {
  const usual = new Set(options.usual);
  const answered: (AnsweredRow & { value: Record<string, unknown> })[] = [];
  const rows = sourceRows(text, { ...options, columns: questionColumns }).map((row) => {
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
  const { answers } = options;
  const { form, indices } = readAnswerForm(answered, { answers, usual: [...usual] });
  for (const [i, { value }] of answered.entries()) value.answer = indices[i];
  return { rows, ...(form ? { answers: form } : {}) };
}

/**
 * Questions of a text; every row that is none is reported with its line. The domain is the row's
 * own, else `domain`, else the name of the file's folder; an id may come from file and position.
 */
export function parseQuestions(text: string, options: ParseOptions): ParsedQuestions {
  const { file } = options;
  const domain = options.domain ?? placeName(file);
  const { rows, ...form } = questionRows(text, options);
  const { values, rejected } = collectRows(rows, file, (row, position) => {
    return questionFrom(row, { ...options, domain, id: `${fileStem(file)}:${position}` });
  });
  return { questions: values, rejected, ...form };
}
