/**
 * The subjects of MMLU (Hendrycks et al. 2021), CMMLU (Li et al. 2024) and C-Eval (Huang et al. 2023),
 * with the paper's domains. Choices: the paper names domains by MMLU's subcategories, which CMMLU
 * shares except for health, so its medicine is the subjects named as MMLU's health ones and
 * traditional Chinese medicine; C-Eval's categories are coarse, so its domains are listed here.
 */

/** One subject of a benchmark. */
export interface ExamSubject {
  /** The benchmark's own subcategory (C-Eval: category). */
  category: string;
  /** The paper's domain, where the subject belongs to one. */
  domain?: string;
  /** The name that a Chinese header shows. */
  chinese?: string;
}

/** MMLU's subjects by subcategory. */
const mmlu: Record<string, string> = {
  math: `abstract_algebra college_mathematics elementary_mathematics high_school_mathematics
    high_school_statistics`,
  health: `anatomy clinical_knowledge college_medicine human_aging medical_genetics nutrition
    professional_medicine virology`,
  physics: "astronomy college_physics conceptual_physics high_school_physics",
  business: "business_ethics management marketing",
  biology: "college_biology high_school_biology",
  chemistry: "college_chemistry high_school_chemistry",
  "computer science":
    "college_computer_science computer_security high_school_computer_science machine_learning",
  economics: "econometrics high_school_macroeconomics high_school_microeconomics",
  engineering: "electrical_engineering",
  philosophy:
    "formal_logic logical_fallacies moral_disputes moral_scenarios philosophy world_religions",
  other: "global_facts miscellaneous professional_accounting",
  history:
    "high_school_european_history high_school_us_history high_school_world_history prehistory",
  geography: "high_school_geography",
  politics:
    "high_school_government_and_politics public_relations security_studies us_foreign_policy",
  psychology: "high_school_psychology professional_psychology",
  culture: "human_sexuality sociology",
  law: "international_law jurisprudence professional_law",
};

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

const cmmlu: Record<string, [chinese: string, category: string]> = {
  agronomy: ["农学", "other"],
  anatomy: ["解剖学", "biology"],
  ancient_chinese: ["古汉语", "linguistics"],
  arts: ["艺术学", "arts"],
  astronomy: ["天文学", "physics"],
  business_ethics: ["商业伦理", "business"],
  chinese_civil_service_exam: ["中国公务员考试", "politics"],
  chinese_driving_rule: ["中国驾驶规则", "other"],
  chinese_food_culture: ["中国饮食文化", "culture"],
  chinese_foreign_policy: ["中国外交政策", "politics"],
  chinese_history: ["中国历史", "history"],
  chinese_literature: ["中国文学", "literature"],
  chinese_teacher_qualification: ["中国教师资格", "education"],
  college_actuarial_science: ["大学精算学", "math"],
  college_education: ["大学教育学", "education"],
  college_engineering_hydrology: ["大学工程水文学", "engineering"],
  college_law: ["大学法律", "law"],
  college_mathematics: ["大学数学", "math"],
  college_medical_statistics: ["大学医学统计", "statistics"],
  clinical_knowledge: ["临床知识", "other"],
  college_medicine: ["大学医学", "other"],
  computer_science: ["计算机科学", "computer science"],
  computer_security: ["计算机安全", "other"],
  conceptual_physics: ["概念物理学", "physics"],
  construction_project_management: ["建设工程管理", "other"],
  economics: ["经济学", "economics"],
  education: ["教育学", "education"],
  elementary_chinese: ["小学语文", "linguistics"],
  elementary_commonsense: ["小学常识", "other"],
  elementary_information_and_technology: ["小学信息技术", "other"],
  electrical_engineering: ["电气工程", "engineering"],
  elementary_mathematics: ["初等数学", "math"],
  ethnology: ["民族学", "culture"],
  food_science: ["食品科学", "other"],
  genetics: ["遗传学", "biology"],
  global_facts: ["全球事实", "global"],
  high_school_biology: ["高中生物", "biology"],
  high_school_chemistry: ["高中化学", "chemistry"],
  high_school_geography: ["高中地理", "geography"],
  high_school_mathematics: ["高中数学", "math"],
  high_school_physics: ["高中物理学", "physics"],
  high_school_politics: ["高中政治", "politics"],
  human_sexuality: ["人类性行为", "other"],
  international_law: ["国际法学", "law"],
  journalism: ["新闻学", "sociology"],
  jurisprudence: ["法理学", "law"],
  legal_and_moral_basis: ["法律与道德基础", "other"],
  logical: ["逻辑学", "philosophy"],
  machine_learning: ["机器学习", "computer science"],
  management: ["管理学", "business"],
  marketing: ["市场营销", "business"],
  marxist_theory: ["马克思主义理论", "philosophy"],
  modern_chinese: ["现代汉语", "linguistics"],
  nutrition: ["营养学", "other"],
  philosophy: ["哲学", "philosophy"],
  professional_accounting: ["专业会计", "business"],
  professional_law: ["专业法学", "law"],
  professional_medicine: ["专业医学", "other"],
  professional_psychology: ["专业心理学", "psychology"],
  public_relations: ["公共关系", "politics"],
  security_study: ["安全研究", "politics"],
  sociology: ["社会学", "culture"],
  sports_science: ["体育学", "other"],
  traditional_chinese_medicine: ["中医中药", "other"],
  virology: ["病毒学", "biology"],
  world_history: ["世界历史", "history"],
  world_religions: ["世界宗教", "global"],
};

const cmmluMedicine = words(
  `anatomy clinical_knowledge college_medicine nutrition professional_medicine
traditional_chinese_medicine virology`,
);

const ceval: Record<string, [chinese: string, category: string]> = {
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

const cevalDomains: Record<string, string[]> = {
  history: words("high_school_history middle_school_history modern_chinese_history"),
  engineering: words(`electrical_engineer environmental_impact_assessment_engineer fire_engineer
    metrology_engineer`),
  jurisprudence: words(
    `college_economics high_school_geography high_school_politics law legal_professional
    middle_school_geography middle_school_politics`,
  ),
  medicine: words("basic_medicine clinical_medicine physician"),
};

function words(text: string): string[] {
  return text.split(/\s+/);
}

/** The 57 subjects of MMLU. */
export const mmluSubjects: ReadonlyMap<string, ExamSubject> = new Map(
  Object.entries(mmlu).flatMap(([category, names]) =>
    words(names).map((name) => [name, { category, domain: domains[category] }] as const)
  ),
);

/** The 67 subjects of CMMLU. */
export const cmmluSubjects: ReadonlyMap<string, ExamSubject> = new Map(
  Object.entries(cmmlu).map(([name, [chinese, category]]) => {
    const domain = cmmluMedicine.includes(name) ? "medicine" : domains[category];
    return [name, { chinese, category, domain }];
  }),
);

/** The 52 subjects of C-Eval. */
export const cevalSubjects: ReadonlyMap<string, ExamSubject> = new Map(
  Object.entries(ceval).map(([name, [chinese, category]]) => {
    const domain = Object.keys(cevalDomains).find((one) => cevalDomains[one].includes(name));
    return [name, { chinese, category: category.toLowerCase(), domain }];
  }),
);

/** The paper's domain of a subject; its category where the paper has none (e.g. `math`). */
export function subjectDomain(
  subjects: ReadonlyMap<string, ExamSubject>,
  name: string,
): string | undefined {
  const subject = subjects.get(name);
  return subject?.domain ?? subject?.category;
}
