/**
 * MMLU (Hendrycks et al. 2021): 57 subjects, which the paper uses as two suites for each domain:
 * ID, the subjects of the same domain, and OOD, all the others.
 */
import { domainName, type ParsedQuestions, type Question } from "../question.ts";
import { type BenchmarkOptions, parseBenchmark } from "./_benchmark.ts";

/** Subjects by MMLU's own subcategory. */
const subjects = {
  math: [
    "abstract_algebra",
    "college_mathematics",
    "elementary_mathematics",
    "high_school_mathematics",
    "high_school_statistics",
  ],
  health: [
    "anatomy",
    "clinical_knowledge",
    "college_medicine",
    "human_aging",
    "medical_genetics",
    "nutrition",
    "professional_medicine",
    "virology",
  ],
  physics: ["astronomy", "college_physics", "conceptual_physics", "high_school_physics"],
  business: ["business_ethics", "management", "marketing"],
  biology: ["college_biology", "high_school_biology"],
  chemistry: ["college_chemistry", "high_school_chemistry"],
  "computer science": [
    "college_computer_science",
    "computer_security",
    "high_school_computer_science",
    "machine_learning",
  ],
  economics: ["econometrics", "high_school_macroeconomics", "high_school_microeconomics"],
  engineering: ["electrical_engineering"],
  philosophy: [
    "formal_logic",
    "logical_fallacies",
    "moral_disputes",
    "moral_scenarios",
    "philosophy",
    "world_religions",
  ],
  other: ["global_facts", "miscellaneous", "professional_accounting"],
  history: [
    "high_school_european_history",
    "high_school_us_history",
    "high_school_world_history",
    "prehistory",
  ],
  geography: ["high_school_geography"],
  politics: [
    "high_school_government_and_politics",
    "public_relations",
    "security_studies",
    "us_foreign_policy",
  ],
  psychology: ["high_school_psychology", "professional_psychology"],
  culture: ["human_sexuality", "sociology"],
  law: ["international_law", "jurisprudence", "professional_law"],
} as const;

/** The paper's domains (section 4) by subcategory; the others belong to none. */
const domains: Record<string, string> = {
  health: "medicine",
  engineering: "engineering",
  history: "history",
  politics: "jurisprudence",
  culture: "jurisprudence",
  economics: "jurisprudence",
  geography: "jurisprudence",
  psychology: "jurisprudence",
  law: "jurisprudence",
};

/** Each of the 57 subjects with its subcategory and the paper's domain, if it has one. */
export const mmluSubjects: ReadonlyMap<string, { subcategory: string; domain?: string }> = new Map(
  Object.entries(subjects).flatMap(([subcategory, names]) =>
    names.map((name) => [name, { subcategory, domain: domains[subcategory] }] as const)
  ),
);

/** The paper's domain of a subject; its subcategory where the paper has none (e.g. `math`). */
export function mmluDomain(subject: string): string | undefined {
  const found = mmluSubjects.get(subject);
  return found && (found.domain ?? found.subcategory);
}

/** Questions of an MMLU file: CSV with or without header, or JSONL with a `subject` a row. */
export function parseMmlu(text: string, options: BenchmarkOptions): ParsedQuestions {
  return parseBenchmark(text, { name: "MMLU", domainOf: mmluDomain }, options);
}

/**
 * The paper's ID and OOD suites of a domain. Throws when `questions` hold no subject of it, because
 * an empty ID suite would give a mean of nothing.
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
