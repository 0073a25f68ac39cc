/** What MMLU, CMMLU and C-Eval have in common: one file a subject, options in columns A to D. */
import { collectRows, RowFault, show, subjectOf } from "./_rows.ts";
import {
  type ParsedQuestions,
  type ParseOptions,
  questionFrom,
  questionRows,
} from "../question.ts";

/** How a benchmark's file is read; `subject` by default: the row's own, else `subjectOf` the file. */
export type BenchmarkOptions = Omit<ParseOptions, "domain" | "rejectReplacementCharacter">;

/** A benchmark's subjects. */
export interface Benchmark {
  name: string;
  /** The domain of a subject; undefined when the benchmark has no such subject. */
  domainOf(subject: string): string | undefined;
}

/**
 * Questions of one file; ids are `subject/position`, or `subject/id` where rows have ids, because files
 * are put together. Published benchmarks are scored whole: repeated options are kept.
 */
export function parseBenchmark(
  text: string,
  benchmark: Benchmark,
  options: BenchmarkOptions,
): ParsedQuestions {
  const { allowRepeatedChoices = true, subject: named = subjectOf(options.file) } = options;
  const { values, rejected } = collectRows(
    // Published as letters, on the hub also as indices from 0.
    questionRows(text, { ...options, usual: ["letter", "index0"] }).rows,
    options.file,
    (row, position) => {
      const fields = (row ?? {}) as Record<string, unknown>;
      const subject = fields.subject || named;
      const domain = typeof subject === "string" ? benchmark.domainOf(subject) : undefined;
      if (domain === undefined) {
        throw new RowFault(
          `subject: expected a subject of ${benchmark.name}; found ${show(subject)}`,
        );
      }
      return questionFrom(
        { ...fields, id: `${subject}/${fields.id ?? position}`, domain, subject },
        { allowRepeatedChoices },
      );
    },
  );
  return { questions: values, rejected };
}
