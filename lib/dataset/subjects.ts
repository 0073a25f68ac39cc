/**
 * The subjects of MMLU (Hendrycks et al. 2021), CMMLU (Li et al. 2024) and C-Eval (Huang et al.
 * 2023) with the paper's domains, out of data/subjects.json. The paper (section 4) names domains by
 * MMLU's subcategories; CMMLU's medicine is the subjects named as MMLU's health ones and
 * traditional Chinese medicine; C-Eval's coarse categories were parted subject by subject.
 */
import subjects from "../../data/subjects.json" with { type: "json" };

/** One subject of a benchmark. */
export interface ExamSubject {
  /** The benchmark's own subcategory (C-Eval: category). */
  category: string;
  /** The paper's domain, where the subject belongs to one. */
  domain?: string;
  /** The name that a Chinese header shows. */
  chinese?: string;
}

export type ExamSubjects = ReadonlyMap<string, ExamSubject>;

/** The 57 subjects of MMLU. */
export const mmluSubjects: ExamSubjects = new Map(Object.entries(subjects.mmlu));

/** The 67 subjects of CMMLU. */
export const cmmluSubjects: ExamSubjects = new Map(Object.entries(subjects.cmmlu));

/** The 52 subjects of C-Eval. */
export const cevalSubjects: ExamSubjects = new Map(Object.entries(subjects.ceval));

/** The paper's domain of a subject; its category where the paper has none (e.g. `math`). */
export function subjectDomain(subjects: ExamSubjects, name: string): string | undefined {
  const subject = subjects.get(name);
  return subject?.domain ?? subject?.category;
}

/** The wider categories of MMLU's and CMMLU's subcategories; C-Eval's subjects have one already. */
const categories: Record<string, Record<string, readonly string[]>> = subjects.categories;

/** The groups whose means a benchmark's tables give a subject to: its subcategory, its categories. */
export function subjectGroups(
  exam: "mmlu" | "cmmlu" | "ceval",
  name: string,
): { subcategory?: string; categories: string[] } {
  const own = { mmlu: mmluSubjects, cmmlu: cmmluSubjects, ceval: cevalSubjects }[exam].get(name);
  if (own === undefined) return { categories: [] };
  if (exam === "ceval") return { categories: [own.category] };
  const wider = Object.entries(categories[exam])
    .filter(([, subcategories]) => subcategories.includes(own.category)).map(([one]) => one);
  const china = exam === "cmmlu" && subjects.chinaSpecific.includes(name) ? ["China specific"] : [];
  return { subcategory: own.category, categories: [...wider, ...china] };
}
