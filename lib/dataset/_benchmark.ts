/** What MMLU, CMMLU and C-Eval have in common: one file a subject, options in columns A to D. */
import { collectRows, fileStem, RowFault, type RowOptions, show, sourceRows } from "../_rows.ts";
import { type ParsedQuestions, questionFrom, type QuestionRules } from "../question.ts";

/** How a benchmark's file is read. */
export interface BenchmarkOptions extends RowOptions, Pick<QuestionRules, "allowRepeatedChoices"> {
  /** Default: the row's own `subject`, else the file's name without _test, _dev, _val. */
  subject?: string;
}

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
  const named = options.subject ?? fileStem(options.file).replace(/_(test|dev|val|train)$/, "");
  const { values, rejected } = collectRows(
    sourceRows(text, options),
    options.file,
    (row, position) => {
      const fields = (typeof row === "object" && row !== null ? row : {}) as Record<
        string,
        unknown
      >;
      const subject = fields.subject ?? named;
      const domain = typeof subject === "string" ? benchmark.domainOf(subject) : undefined;
      if (domain === undefined) {
        throw new RowFault(
          `subject: expected a subject of ${benchmark.name}; found ${show(subject)}`,
        );
      }
      const choices = fields.choices ?? ["A", "B", "C", "D"].map((letter) => fields[letter]);
      return questionFrom(
        {
          id: `${subject}/${fields.id ?? position}`,
          domain,
          subject,
          question: fields.question ?? fields.Question,
          choices,
          answer: fields.answer ?? fields.Answer,
          explanation: fields.explanation,
        },
        { allowRepeatedChoices: options.allowRepeatedChoices ?? true },
      );
    },
  );
  return { questions: values, rejected };
}
