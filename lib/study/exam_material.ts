/**
 * The paper's own setting as material: pools, demonstrations and HOMO from Xiezhi (history, engineering,
 * jurisprudence) and MedMCQA (medicine), ID and OOD from MMLU, general instructions of alpaca-gpt4.
 */
import type { DomainMaterial, Exam, Material } from "../cell.ts";
import { allExams, questionCount } from "../cell.ts";
import type { DataCard, ExplanationOrigin, LeakRow } from "../exam/card.ts";
import { dataCard, writeDataCard } from "../exam/card.ts";
import { type GetOptions } from "../exam/get.ts";
import { readGeneralData, readParts } from "../exam/read.ts";
import { type ExamSplit, mmluSuites, paperSplits } from "../dataset/exams.ts";
import { findLeaks } from "../dataset/duplicates.ts";
import { publishedDemonstrations, PythonRandom } from "../dataset/published_order.ts";
import type { RejectedRow } from "../dataset/questions.ts";
import { readOnce } from "../platform/runtime/settled.ts";
import type { Question } from "../question.ts";
import { limited } from "./file_material.ts";
import { readGeneral } from "./files.ts";
import { DOMAINS } from "./plan.ts";
import { outputPath, servingOf, type Settings } from "./settings.ts";
import type { OpenedSubject } from "./study.ts";

/**
 * Of MedMCQA's train split so many are the pool, drawn by the split's seed: which ones the paper probed
 * is not published, and its groups (1,400 to 1,782 items) are a share of about so many as of Xiezhi's.
 */
const MEDICINE_POOL = 10_000;

export interface PaperOptions extends GetOptions {
  /** At most so many questions of a pool or a test. Default: all. */
  limit?: number;
}

/** What a process has read, by what was asked for: a notebook opens its model more than once. */
const opened = new Map<string, ReturnType<typeof read>>();

/**
 * The paper's exams as material, one domain after the other, with a card of what was read in the run's
 * folder of figures.
 * @throws naming the source, file or setting that can't be used
 */
export async function paperMaterial(
  settings: Settings,
  options: PaperOptions = {},
): Promise<Omit<OpenedSubject, "model">> {
  const { domains, keepLeaks, maxRejected, general } = settings;
  const place = [outputPath(settings), options.cacheDirectory, Deno.env.get("SELF_ALIGNING_DATA")];
  const { teacher } = settings, { limit } = options;
  const key = JSON.stringify([domains, keepLeaks, maxRejected, general, teacher, limit, place]);
  return await readOnce(opened, key, () => read(settings, options));
}

async function read(
  settings: Settings,
  { limit, ...getting }: PaperOptions,
): Promise<Omit<OpenedSubject, "model">> {
  const domains = settings.domains ?? DOMAINS;
  const how = { ...getting, maxRejected: settings.maxRejected, onProgress: console.error };
  const cards: DataCard[] = [], rejected: RejectedRow[] = [];
  const parts = async (...asked: Parameters<typeof readParts>) => {
    const found = await readParts(...asked);
    cards.push(dataCard(found));
    rejected.push(...Object.values(found.parts).flatMap((part) => part.rejected));
    return found.parts;
  };
  const splits = new Map<string, ExamSplit>();
  const take = async (exam: "xiezhi" | "medmcqa") => {
    const found = await parts(exam, how, { published: true });
    for (const [domain, split] of paperSplits(exam, found)) splits.set(domain, split);
  };
  if (domains.some((name) => name !== "medicine")) await take("xiezhi");
  if (domains.includes("medicine")) {
    await take("medmcqa");
    const split = splits.get("medicine")!;
    split.train = new PythonRandom(42).shuffle(split.train).slice(0, MEDICINE_POOL);
  }
  const mmlu = await parts("mmlu", how);
  const shown = Map.groupBy(mmlu.dev.questions, ({ subject }) => subject!);
  const leaks: LeakRow[] = [];
  const found = new Map(
    domains.map((domain): [string, DomainMaterial] => {
      const { train, dev, test } = splits.get(domain)!;
      const { id, ood } = mmluSuites(mmlu.test.questions, domain);
      const { clean, ...counts } = findLeaks(train, [...dev, ...test, ...id, ...ood]);
      leaks.push({ domain, pool: train.length, ...counts });
      const demonstrations = publishedDemonstrations(dev);
      const make = (part: string, all: readonly Question[]): Exam => (
        { name: `${domain}/${part}`, questions: limited(all, limit), demonstrations }
      );
      const subjects = (all: readonly Question[]): Exam[] => {
        const kept = limited(all, limit), isWhole = kept.length === all.length;
        return [...Map.groupBy(kept, ({ subject }) => subject!)].map(([subject, questions]) => ({
          // A whole subject is one exam of all domains.
          name: isWhole ? `mmlu/${subject}` : `${domain}/mmlu/${subject}`,
          questions,
          demonstrations: publishedDemonstrations(shown.get(subject) ?? []),
        }));
      };
      return [domain, {
        pool: make("pool", settings.keepLeaks ? train : clean),
        suites: { homo: [make("homo", test)], id: subjects(id), ood: subjects(ood) },
      }];
    }),
  );
  const explanations: ExplanationOrigin[] = [];
  for (const [domain, { pool }] of settings.teacher ? found : []) {
    // Here alone: what asks servers takes its time to load.
    const { explainPool } = await import("./teacher.ts");
    const { questions, origin } = await explainPool(pool.questions, {
      ...{ teacher: settings.teacher!, domain, serving: servingOf(settings) },
      most: settings.maxRejected,
    });
    pool.questions = questions;
    explanations.push(origin);
  }
  const { general, rejected: bad } = settings.general
    ? await readGeneral(settings.general)
    : await readGeneralData("alpaca-gpt4-en", how);
  const material = { domains: found, general };
  const facts = { cards, leaks, kept: settings.keepLeaks, explanations };
  await writeDataCard(outputPath(settings), facts);
  console.error(materialText(material, settings));
  const leaked = leaks.reduce((sum, { exact, near }) => sum + exact + near, 0);
  return { material, rejected: [...rejected, ...bad], leaked: settings.keepLeaks ? 0 : leaked };
}

/** What is asked before anything is trained, and what of the method can't be had. */
function materialText(material: Material, { explanations, teacher }: Settings): string {
  const targets = explanations
    ? ", and HAR's and INC's targets are bare where SELF's are explained"
    : "";
  const lines = [...material.domains].map(([domain, { pool, suites: { homo, id, ood } }]) => {
    const [n, near, far] = [homo, id, ood].map(questionCount);
    const tests = `HOMO ${n}, ID ${near}, OOD ${far}`;
    const bare = pool.questions.filter((one) => !one.explanation && !one.context).length;
    return `${domain}: pool ${pool.questions.length}, ${tests}` +
      (bare === 0 ? "" : `; ${bare} of ` +
        `the pool have neither explanation nor context, so that CON is left out${targets}` +
        (teacher ? "" : "; --teacher=MODEL asks a model for them"));
  });
  const all = questionCount(allExams(material));
  return [...lines, `The base model is asked ${all} questions once; each fine-tuned one its tests`]
    .join("\n");
}
