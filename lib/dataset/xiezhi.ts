/**
 * Xiezhi (Gu et al. 2024), the paper's history, engineering and jurisprudence: options on one line
 * each, the gold option's text. A row belongs to every domain that labels it.
 */
import { optionIndex } from "./_answer_form.ts";
import { collectRows, fault, type RejectedRow, sourceRows } from "./_rows.ts";
import type { Question } from "../question.ts";
import { questionFrom } from "./questions.ts";
import { PythonRandom } from "./published_order.ts";

/** Labels of the four domains, English and Chinese, in the order in which the authors shuffled them. */
export const xiezhiLabels = {
  engineering: ["Engineering", "工学"],
  history: ["History", "历史学"],
  science: ["Science", "理学"],
  jurisprudence: ["Jurisprudence", "法学"],
} as const;

export type XiezhiDomain = keyof typeof xiezhiLabels;

/** Questions of each domain, and what was left out. */
export interface XiezhiExams {
  exams: Record<XiezhiDomain, Question[]>;
  /** Rows of a domain without exactly four options, which the paper leaves out. */
  dropped: Record<XiezhiDomain, number>;
  /** Rows that no domain labels, in files where others are labelled. */
  others: number;
  rejected: RejectedRow[];
}

const domains = Object.keys(xiezhiLabels) as XiezhiDomain[];
const domainLabels: ReadonlySet<string> = new Set(Object.values(xiezhiLabels).flat());

function perDomain<T>(value: (domain: XiezhiDomain) => T): Record<XiezhiDomain, T> {
  return Object.fromEntries(domains.map((d) => [d, value(d)])) as Record<XiezhiDomain, T>;
}

/**
 * Questions of Xiezhi's files (the paper: the English inter- and specialised-discipline ones, in
 * this order), by domain. Ids count a domain's rows from 0, as in the published splits.
 */
export function parseXiezhi(files: { file: string; text: string }[]): XiezhiExams {
  const exams = perDomain((): Question[] => []);
  const dropped = perDomain(() => 0);
  const next = perDomain(() => 0);
  const rejected: RejectedRow[] = [];
  let others = 0;
  for (const { file, text } of files) {
    const rows = sourceRows(text, { file });
    const labelsOf = (row: unknown) => (row as { labels?: unknown } | null | undefined)?.labels;
    const labelled = rows.some(({ value }) => {
      const labels = labelsOf(value);
      return Array.isArray(labels) && labels.some((label) => domainLabels.has(label));
    });
    let row = 0;
    const { rejected: bad } = collectRows(rows, file, (value) => {
      const fields = (value ?? {}) as Record<string, unknown>;
      const { labels, options } = fields;
      if (!Array.isArray(labels) || !labels.every((label) => typeof label === "string")) {
        fault("labels", "a list of texts", labels);
      }
      if (typeof options !== "string") fault("options", "a text, one option a line", options);
      const choices = options.split(/\r?\n/);
      const subject = labels.find((label) => !domainLabels.has(label));
      const own = domains.filter((name) => xiezhiLabels[name].some((one) => labels.includes(one)));
      if (own.length === 0 && !labelled) {
        const expected = `one of ${[...domainLabels].join(", ")} in some row of the file`;
        fault("labels", expected, labels);
      }
      if (own.length === 0) others++;
      for (const domain of own) {
        const id = next[domain]++;
        if (choices.length !== 4) {
          dropped[domain]++;
          continue;
        }
        // Xiezhi gives the option's text, also where that looks like a letter or a number.
        const answer = optionIndex("text", { answer: fields.answer, choices });
        if (answer === undefined) fault("answer", "an option's text", fields.answer);
        const asked = { id, domain, subject, question: fields.question, choices, answer };
        exams[domain].push(questionFrom(asked, { allowRepeatedChoices: true }));
      }
      return { id: row++, domain: file };
    });
    rejected.push(...bad);
  }
  return { exams, dropped, others, rejected };
}

/** One domain's questions, split. */
export interface ExamSplit {
  train: Question[];
  dev: Question[];
  test: Question[];
}

/** Sizes of the split, and its seed. Default: the paper's 250, 10 and 42. */
export interface SplitOptions {
  test?: number;
  dev?: number;
  seed?: number;
}

/**
 * The paper's split: each domain shuffled by Python's generator, one after the other on one stream;
 * then test, dev, and the rest. With the defaults this gives the items of the published files.
 */
export function splitXiezhi(
  exams: Record<XiezhiDomain, Question[]>,
  options: SplitOptions = {},
): Record<XiezhiDomain, ExamSplit> {
  const { seed = 42, test = 250, dev = 10 } = options;
  const random = new PythonRandom(seed);
  return perDomain((domain) => {
    const shuffled = random.shuffle(exams[domain]);
    const [asked, shown] = [shuffled.slice(0, test), shuffled.slice(test, test + dev)];
    return { test: asked, dev: shown, train: shuffled.slice(test + dev) };
  });
}
