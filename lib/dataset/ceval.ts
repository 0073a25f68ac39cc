/**
 * C-Eval (Huang et al. 2023): 52 subjects in Chinese. Its categories are coarse (STEM, Humanities,
 * Social Science, Other), so which subjects belong to the paper's domains is our choice, below.
 * Rows of its test split carry no answer and are rejected as such: use val.
 */
import type { ParsedQuestions } from "../question.ts";
import { type BenchmarkOptions, parseBenchmark } from "./_benchmark.ts";

/** Chinese name (shown in the Chinese header) and category of each subject. */
const subjects: Record<string, [chinese: string, category: string]> = {
  high_school_physics: ["高中物理", "STEM"],
  fire_engineer: ["注册消防工程师", "Other"],
  computer_network: ["计算机网络", "STEM"],
  advanced_mathematics: ["高等数学", "STEM"],
  logic: ["逻辑学", "Humanities"],
  middle_school_physics: ["初中物理", "STEM"],
  clinical_medicine: ["临床医学", "Other"],
  probability_and_statistics: ["概率统计", "STEM"],
  ideological_and_moral_cultivation: ["思想道德修养与法律基础", "Humanities"],
  operating_system: ["操作系统", "STEM"],
  middle_school_mathematics: ["初中数学", "STEM"],
  chinese_language_and_literature: ["中国语言文学", "Humanities"],
  electrical_engineer: ["注册电气工程师", "STEM"],
  business_administration: ["工商管理", "Social Science"],
  high_school_geography: ["高中地理", "Social Science"],
  modern_chinese_history: ["近代史纲要", "Humanities"],
  legal_professional: ["法律职业资格", "Humanities"],
  middle_school_geography: ["初中地理", "Social Science"],
  middle_school_chemistry: ["初中化学", "STEM"],
  high_school_biology: ["高中生物", "STEM"],
  high_school_chemistry: ["高中化学", "STEM"],
  physician: ["医师资格", "Other"],
  high_school_chinese: ["高中语文", "Humanities"],
  tax_accountant: ["税务师", "Other"],
  high_school_history: ["高中历史", "Humanities"],
  mao_zedong_thought: ["毛泽东思想和中国特色社会主义理论概论", "Social Science"],
  high_school_mathematics: ["高中数学", "STEM"],
  professional_tour_guide: ["导游资格", "Humanities"],
  veterinary_medicine: ["兽医学", "STEM"],
  environmental_impact_assessment_engineer: ["环境影响评价工程师", "Other"],
  basic_medicine: ["基础医学", "Other"],
  education_science: ["教育学", "Social Science"],
  urban_and_rural_planner: ["注册城乡规划师", "Other"],
  middle_school_biology: ["初中生物", "STEM"],
  plant_protection: ["植物保护", "Other"],
  middle_school_history: ["初中历史", "Humanities"],
  high_school_politics: ["高中政治", "Social Science"],
  metrology_engineer: ["注册计量师", "STEM"],
  art_studies: ["艺术学", "Humanities"],
  college_economics: ["大学经济学", "Social Science"],
  college_chemistry: ["大学化学", "STEM"],
  law: ["法学", "Humanities"],
  sports_science: ["体育学", "Other"],
  civil_servant: ["公务员", "Other"],
  college_programming: ["大学编程", "STEM"],
  middle_school_politics: ["初中政治", "Social Science"],
  teacher_qualification: ["教师资格", "Social Science"],
  computer_architecture: ["计算机组成", "STEM"],
  college_physics: ["大学物理", "STEM"],
  discrete_mathematics: ["离散数学", "STEM"],
  marxism: ["马克思主义基本原理", "Social Science"],
  accountant: ["注册会计师", "Other"],
};

const domains: Record<string, string[]> = {
  history: ["high_school_history", "middle_school_history", "modern_chinese_history"],
  engineering: [
    "electrical_engineer",
    "environmental_impact_assessment_engineer",
    "fire_engineer",
    "metrology_engineer",
  ],
  jurisprudence: [
    "college_economics",
    "high_school_geography",
    "high_school_politics",
    "law",
    "legal_professional",
    "middle_school_geography",
    "middle_school_politics",
  ],
  medicine: ["basic_medicine", "clinical_medicine", "physician"],
};

/** Each of the 52 subjects: Chinese name, category, and the domain, if it has one. */
export const cevalSubjects: ReadonlyMap<
  string,
  { chinese: string; category: string; domain?: string }
> = new Map(
  Object.entries(subjects).map(([name, [chinese, category]]) => [name, {
    chinese,
    category,
    domain: Object.keys(domains).find((domain) => domains[domain].includes(name)),
  }]),
);

/** The domain of a subject; its category in lower case where it has none. */
export function cevalDomain(subject: string): string | undefined {
  const found = cevalSubjects.get(subject);
  return found && (found.domain ?? found.category.toLowerCase());
}

/** Questions of a C-Eval file (CSV, named after its subject). */
export function parseCeval(text: string, options: BenchmarkOptions): ParsedQuestions {
  return parseBenchmark(text, { name: "C-Eval", domainOf: cevalDomain }, options);
}
