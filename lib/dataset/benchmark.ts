/** Files of MMLU, CMMLU and C-Eval: one a subject, options in columns A to D. */
import { domainName, type Question } from "../question.ts";
import {
  type ParsedQuestions,
  type ParseOptions,
  questionFrom,
  questionRows,
} from "./questions.ts";
import { collectRows, fault, subjectOf } from "./_rows.ts";
import {
  cevalSubjects,
  cmmluSubjects,
  type ExamSubjects,
  mmluSubjects,
  subjectDomain,
} from "./subjects.ts";

/** How a benchmark's file is read; `subject` by default: the row's own, else `subjectOf` the file. */
export type BenchmarkOptions = Omit<ParseOptions, "domain" | "rejectReplacementCharacter">;

/**
 * Questions of one file; ids are `subject/position` or `subject/id`, because files are put together.
 * Published benchmarks are scored whole: repeated options are kept.
 */
function parserOf(name: string, subjects: ExamSubjects) {
  return (text: string, options: BenchmarkOptions): ParsedQuestions => {
    const { allowRepeatedChoices = true, subject: named = subjectOf(options.file), file } = options;
    // Published as letters, on the hub also as indices from 0.
    const { rows } = questionRows(text, { ...options, usual: ["letter", "index0"] });
    const { values, rejected } = collectRows(rows, file, (row, position) => {
      const fields = (row ?? {}) as Record<string, unknown>;
      const subject = fields.subject || named;
      const domain = typeof subject === "string" ? subjectDomain(subjects, subject) : undefined;
      if (domain === undefined) fault("subject", `a subject of ${name}`, subject);
      const id = `${subject}/${fields.id ?? position}`;
      return questionFrom({ ...fields, id, domain, subject }, { allowRepeatedChoices });
    });
    return { questions: values, rejected };
  };
}

/** Questions of an MMLU file: CSV with or without header, or JSONL with a `subject` a row. */
export const parseMmlu = parserOf("MMLU", mmluSubjects);

/** Questions of a CMMLU file (CSV, named after its subject). */
export const parseCmmlu = parserOf("CMMLU", cmmluSubjects);

/** Questions of a C-Eval file; its test split has no answers and is rejected: use val. */
export const parseCeval = parserOf("C-Eval", cevalSubjects);

/**
 * The paper's suites of a domain: ID, its subjects in MMLU, and OOD, all others.
 * @throws where there are none
 */
export function mmluSuites(
  questions: readonly Question[],
  domain: string,
): { id: Question[]; ood: Question[] } {
  const wanted = domainName(domain);
  const inside = (question: Question) =>
    mmluSubjects.get(question.subject ?? "")?.domain === wanted;
  const id = questions.filter(inside);
  if (id.length === 0) {
    throw new Error(
      `Cannot make MMLU suites for the domain ${wanted}: expected questions of its subjects; ` +
        "found none; give MMLU's files, and one of history, engineering, jurisprudence, medicine",
    );
  }
  return { id, ood: questions.filter((question) => !inside(question)) };
}
