/**
 * How published exams lie in their files: one table of what sets each apart from a plain file of
 * questions. Xiezhi (Gu et al. 2024) and MedMCQA (Pal et al. 2022) are the paper's pools and HOMO;
 * MMLU (Hendrycks et al. 2021), CMMLU (Li et al. 2024) and C-Eval (Huang et al. 2023) have a file,
 * or a field, for each subject.
 */
import { domainName, type Question } from "../question.ts";
import { type Layout, type ParsedQuestions, QuestionReader } from "./questions.ts";
import { fault, subjectOf } from "./_rows.ts";
import { PythonRandom } from "./published_order.ts";
import type { ExamSubjects } from "./subjects.ts";
import { cevalSubjects, cmmluSubjects, mmluSubjects, subjectDomain } from "./subjects.ts";

export const examNames = ["xiezhi", "medmcqa", "mmlu", "cmmlu", "ceval"] as const;
export type ExamName = typeof examNames[number];

/** Labels of the four domains, English and Chinese, in the order in which the authors shuffled them. */
const xiezhiLabels = {
  engineering: ["Engineering", "工学"],
  history: ["History", "历史学"],
  science: ["Science", "理学"],
  jurisprudence: ["Jurisprudence", "法学"],
} as const;

type XiezhiDomain = keyof typeof xiezhiLabels;

const xiezhiDomains = Object.keys(xiezhiLabels) as XiezhiDomain[];
const domainLabels: ReadonlySet<string> = new Set(Object.values(xiezhiLabels).flat());

/**
 * A row belongs to every domain that labels it. Ids count a domain's rows from 0 over all files, those
 * that the paper leaves out too, as in the published splits.
 */
function xiezhi(): Layout {
  const next = new Map<string, number>();
  return {
    forms: ["text"],
    prepare: (row) => {
      if (typeof row.options !== "string") {
        fault("options", "a text, one option a line", row.options);
      }
      return { ...row, options: row.options.split(/\r?\n/) };
    },
    place: ({ labels, choices }) => {
      if (!Array.isArray(labels) || !labels.every((label) => typeof label === "string")) {
        fault("labels", "a list of texts", labels);
      }
      const own = xiezhiDomains.filter((name) =>
        xiezhiLabels[name].some((one) => labels.includes(one))
      );
      const places = own.map((domain) => {
        const id = next.get(domain) ?? 0;
        next.set(domain, id + 1);
        return { id, domain, subject: labels.find((label) => !domainLabels.has(label)) };
      });
      if (own.length === 0) return "of no domain of the paper";
      return (choices as unknown[]).length === 4 ? places : "without exactly four options";
    },
  };
}

/** What the paper's medicine leaves out. */
const NOT_SINGLE = "with several answers, or unexplained";

/** `cop` counts from 1 in the original JSON files, from 0 on the hub: a 0 or a 4 in the files tells. */
function medmcqa({ published = false }: ExamOptions): Layout {
  return {
    forms: ["index0", "index1"],
    place: ({ id, explanation, choice_type: type }, { position }) => {
      if (!published) return [{ id, domain: "medicine" }];
      // The paper's exam numbers the rows of the file.
      const isIn = type === "single" && typeof explanation === "string" && explanation !== "";
      return isIn ? [{ id: position - 1, domain: "medicine" }] : NOT_SINGLE;
    },
  };
}

/** Ids are `subject/position` or `subject/id`, because files are put together. */
const benchmark = (name: string, subjects: ExamSubjects) => (): Layout => ({
  // Published as letters, on the hub also as indices from 0.
  usual: ["letter", "index0"],
  place: (fields, { file, position }) => {
    const subject = fields.subject || subjectOf(file);
    const domain = typeof subject === "string" ? subjectDomain(subjects, subject) : undefined;
    if (domain === undefined) fault("subject", `a subject of ${name}`, subject);
    return [{ id: `${subject}/${fields.id ?? position}`, domain, subject }];
  },
});

export interface ExamOptions {
  /** MedMCQA: what the paper's exam holds alone, `single` and explained. Default: false, all. */
  published?: boolean;
}

const layouts: Record<ExamName, (options: ExamOptions) => Layout> = {
  xiezhi,
  medmcqa,
  mmlu: benchmark("MMLU", mmluSubjects),
  cmmlu: benchmark("CMMLU", cmmluSubjects),
  ceval: benchmark("C-Eval", cevalSubjects),
};

/**
 * Reads the rows of an exam's files, which together tell how its answers are written. Repeated options
 * are kept, for published exams are scored whole. Of Xiezhi `xiezhi_inter_eng` and `xiezhi_spec_eng`, in this
 * order, give the paper's ids.
 */
export function examReader(exam: ExamName, options: ExamOptions = {}): QuestionReader {
  return new QuestionReader({ allowRepeatedChoices: true }, layouts[exam](options));
}

/** One domain's questions, split. */
export type ExamSplit = { train: Question[]; dev: Question[]; test: Question[] };

/** The authors' seed, and the sizes of each domain's test and demonstrations. */
const [SEED, TEST, DEV] = [42, 250, 10];

/**
 * The paper's split: each domain shuffled by Python's generator, one after the other on one stream; then
 * test, dev, and the rest. This gives the items of the published files.
 */
export function splitXiezhi(questions: readonly Question[]): Record<XiezhiDomain, ExamSplit> {
  const random = new PythonRandom(SEED);
  const byDomain = Map.groupBy(questions, ({ domain }) => domain);
  const splits = xiezhiDomains.map((domain): [string, ExamSplit] => {
    const shuffled = random.shuffle(byDomain.get(domain) ?? []), shown = TEST + DEV;
    const [test, dev] = [shuffled.slice(0, TEST), shuffled.slice(TEST, shown)];
    return [domain, { test, dev, train: shuffled.slice(shown) }];
  });
  return Object.fromEntries(splits) as Record<XiezhiDomain, ExamSplit>;
}

/** Rows of MedMCQA's train file that the published demonstrations of medicine are. */
const MEDICINE_DEV = [70096, 78314, 110299, 63697, 116396, 113746, 170820, 485, 99581, 121178];

/**
 * The paper's medicine: its test is MedMCQA's validation file, its demonstrations ten rows of the train
 * file (where a train file lacks them, ten drawn by the seed); the others are the pool. All `published`.
 */
function splitMedmcqa(train: readonly Question[], test: Question[]): ExamSplit {
  const byId = new Map(train.map((question) => [question.id, question]));
  const published = MEDICINE_DEV.flatMap((id) => byId.get(id) ?? []);
  const dev = published.length === MEDICINE_DEV.length
    ? published
    : new PythonRandom(SEED).shuffle(train).slice(0, MEDICINE_DEV.length);
  const shown = new Set(dev);
  return { train: train.filter((question) => !shown.has(question)), dev, test };
}

/** The paper's domains in one of its two exams, split. */
export function paperSplits(
  exam: "xiezhi" | "medmcqa",
  { test, train, validation }: Readonly<Record<string, ParsedQuestions>>,
): [domain: string, split: ExamSplit][] {
  return exam === "xiezhi"
    ? Object.entries(splitXiezhi(test.questions))
    : [["medicine", splitMedmcqa(train.questions, validation.questions)]];
}

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
