/** One row to a question, checked: texts are kept as they stand, for prompts are compared byte for byte. */
import { LETTERS, type Question } from "../question.ts";
import { fault, RowFault, show, textField, type TextRules } from "./_rows.ts";

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

type Fields = Record<string, unknown>;

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

/** A row under the names that are looked for; what it has there by itself is hidden. */
export function renamed(row: Fields, columns?: ReadonlyMap<string, string>): Fields {
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
