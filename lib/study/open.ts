/** Opens what a run's settings ask to study: the shipped organisms, or any model with files of questions. */
import { basename } from "node:path";
import type { FinetuneSettings } from "../model/finetune_settings.ts";
import type { ProbedModel } from "../model/readable_model.ts";
import { loadModel, type LoadOptions, openEngine } from "../model/files/load.ts";
import { isOnnx, ONNX } from "../model/files/source.ts";
import { loadOrganism, organismNames } from "../organism/folder.ts";
import type { Question } from "../question.ts";
import type { RejectedRow } from "../dataset/questions.ts";
import type { World } from "../world/world.ts";
import type { Treatment } from "../experiment.ts";
import { FACT_GROUP_SIZE, factFinetuning, factMaterial } from "./facts.ts";
import { readFiles, readGeneral } from "./files.ts";
import { limited, limitText } from "./limit.ts";
import { type Exam, type Material, worldMaterial } from "./material.ts";
import {
  auditText,
  hasReleasedSelf,
  isReleased,
  readReleasedGroups,
  type ReleasedMaterial,
  releasedMaterial,
} from "./released.ts";
import { askingOf, checkSettings, type Settings, studiesFacts } from "./settings.ts";
import type { StudyPlan, Subject } from "./study.ts";

/** Shares of SELF in the paper's mixtures; 0 is INC and 1 is SELF. */
export const paperRatios: readonly number[] = [0, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1];
const quickRatios: readonly number[] = [0, 0.4, 1];

/** What context is held against. */
const controls: readonly Treatment[] = ["general", "context-har"];

/** With `quick`, at most so many questions of a pool or an exam, and so many domains of a world. */
const QUICK_LIMIT = 60;
const QUICK_DOMAINS = 2;

const ORGANISM = "organism";

export const isOrganism = (model: string) => model === ORGANISM || model.startsWith(`${ORGANISM}:`);

/** The models of a run: the one that was asked for, or every organism that ships. */
export async function studiedModels(settings: Settings): Promise<string[]> {
  checkSettings(settings);
  const { model, quick } = settings;
  if (model !== ORGANISM) return [model];
  const names = await organismNames();
  if (names.length === 0) {
    throw new Error(
      "Cannot study the organisms: expected some in data/organisms; found none; " +
        "make one with `deno task pretrain --world=101 --size=small`",
    );
  }
  // Smallest first, so that the first results come soon.
  const order = ["small", "medium", "large"];
  const rank = (name: string) => order.findIndex((size) => name.startsWith(size));
  names.sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1));
  return (quick ? names.slice(0, 1) : names).map((name) => `${ORGANISM}:${name}`);
}

/** What a run's settings change of how a model is fine-tuned. */
export function finetuningOf(settings: Settings): Partial<FinetuneSettings> {
  checkSettings(settings);
  const { learningRate, epochs, batchSize, batchTokens, gradientCheckpointing, lora: rank } =
    settings;
  const lora = rank === undefined ? undefined : { rank };
  const recompute = gradientCheckpointing ? "layer" : undefined;
  return Object.fromEntries(
    Object.entries({ learningRate, epochs, batchSize, batchTokens, recompute, lora })
      .filter(([, value]) => value !== undefined),
  );
}

/** The plan of a run's main table; `changes` for other experiments. */
export async function studyPlan(
  settings: Settings,
  changes: Partial<StudyPlan> = {},
): Promise<StudyPlan> {
  const facts = studiesFacts(settings);
  return {
    models: await studiedModels(settings),
    ...(settings.domains && !settings.questions ? { domains: settings.domains } : {}),
    treatments: await treatmentsOfGroups(settings),
    seeds: Array.from({ length: settings.seeds }, (_, seed) => seed),
    finetuning: { ...(facts ? factFinetuning(settings) : {}), ...finetuningOf(settings) },
    ...(facts ? { count: FACT_GROUP_SIZE } : {}),
    minimumConfidence: settings.minimumConfidence,
    ...(settings.explanations ? { explanations: true } : {}),
    ...changes,
  };
}

async function treatmentsOfGroups({ groups, pool }: Settings): Promise<Treatment[]> {
  const all: Treatment[] = ["har", "inc", "self", "context"];
  if (!isReleased(groups)) return (groups ?? all) as Treatment[];
  return await hasReleasedSelf(pool!) ? all : all.filter((name) => name !== "self");
}

/** Small worlds are many and quick; of larger ones a default run does less. */
const isSmall = (model: string) => model.startsWith(`${ORGANISM}:small`);

/**
 * The plans of a run's main table and of its mixtures. All shipped organisms: the small ones with every
 * seed and the paper's mixtures, as data/study-rule.md has it; the larger ones with one seed and no
 * mixtures. A model that was asked for by name: every seed; mixtures for organisms. `quick`: one
 * mixture between INC and SELF; `full`: all of it for every model, and the controls.
 */
export async function mainPlans(settings: Settings): Promise<StudyPlan[]> {
  const { model, quick, full, groups } = settings;
  const plan = await studyPlan(settings);
  const mixable = plan.treatments.includes("inc") && plan.treatments.includes("self");
  const mixtures: Partial<StudyPlan> = {
    treatments: [...plan.treatments, "mix"],
    ratios: quick ? quickRatios : paperRatios,
  };
  if (full) {
    const all = mixable ? { ...plan, ...mixtures } : plan;
    return [{ ...all, treatments: [...all.treatments, ...groups ? [] : controls] }];
  }
  if (!mixable || !isOrganism(model)) return [plan];
  if (quick || model !== ORGANISM) return [{ ...plan, ...mixtures }];
  const small = plan.models.filter(isSmall);
  const larger = plan.models.filter((name) => !isSmall(name));
  return [
    { ...plan, ...mixtures, models: small },
    { ...plan, models: larger, seeds: [0] },
  ].filter(({ models }) => models.length > 0);
}

/** The main plans' mixtures alone, with INC and SELF, their ends; the ends where nothing is mixed. */
export async function mixturePlans(settings: Settings): Promise<StudyPlan[]> {
  const plans = await mainPlans(settings);
  const mixed = plans.filter(({ treatments }) => treatments.includes("mix"));
  return (mixed.length > 0 ? mixed : plans).map((plan) => ({
    ...plan,
    treatments: plan.treatments.filter((name) => ["inc", "self", "mix"].includes(name)),
  }));
}

/**
 * The main plans without mixtures, and for organisms with the controls that the paper lacks: general
 * instructions alone, and HAR with the knowledge in the query. The larger ones have them with `full`.
 */
export async function contextPlans(settings: Settings): Promise<StudyPlan[]> {
  const { model, full, groups } = settings;
  return (await mainPlans(settings)).map((plan) => {
    const controlled = !groups && (full || isOrganism(model) && plan.models.every(isControlled));
    const own = plan.treatments.filter((name) => name !== "mix" && !controls.includes(name));
    const asked = plan.treatments.filter((name) => controls.includes(name));
    return { ...plan, treatments: [...own, ...controlled ? controls : asked] };
  });

  function isControlled(name: string): boolean {
    return isSmall(name) || model !== ORGANISM;
  }
}

/** What a model is called in tables: an organism by its name, a path by its last part. */
export function modelLabel(model: string): string {
  if (isOnnx(model)) return `${ONNX}${modelLabel(model.slice(ONNX.length))}`;
  const name = isOrganism(model) ? model.slice(ORGANISM.length + 1) : model;
  return /^[./]|^[A-Za-z]:\\/.test(name) ? basename(name) : name;
}

/** A model with its material, and the rows of its files that were set aside. */
export interface OpenedSubject extends Subject {
  rejected: RejectedRow[];
  /** Questions of the pool that a test or the demonstrations ask too, and were left out. */
  leaked: number;
  /** An organism's, which tells what it should know. */
  world?: World;
}

/** The same of a model that is only asked: it may be an ONNX graph. */
export interface ProbedSubject extends Omit<OpenedSubject, "model"> {
  model: ProbedModel;
}

export interface OpenOptions {
  /** Told what the audit of released groups found. Default: prints to stderr. */
  tell?: (text: string) => void;
}

/**
 * Loads a model of `studiedModels` and its questions.
 * @throws naming the file or setting that is missing, and the flag that gives it; and on an ONNX graph,
 *   which can't be trained
 */
export async function openSubject(
  name: string,
  settings: Settings,
  options: OpenOptions = {},
): Promise<OpenedSubject> {
  return await open(name, settings, { ...options, load: loadModel });
}

/** As `openSubject`, for what asks a model and does not train it: ONNX graphs are opened too. */
export async function openProbed(
  name: string,
  settings: Settings,
  options: OpenOptions = {},
): Promise<ProbedSubject> {
  return await open(name, settings, { ...options, load: openEngine });
}

async function open<Model extends ProbedModel>(
  name: string,
  settings: Settings,
  { load, ...options }: OpenOptions & {
    load: (name: string, options: LoadOptions) => Promise<Model>;
  },
) {
  checkSettings(settings);
  const limit = settings.limit ?? (settings.quick ? QUICK_LIMIT : undefined);
  if (isOrganism(name)) {
    const { batchTokens } = settings;
    const { model, world } = await loadOrganism(name.slice(ORGANISM.length + 1), { batchTokens });
    const all = world.domains.map(({ name }) => name);
    const domains = settings.domains ?? (settings.quick ? all.slice(0, QUICK_DOMAINS) : all);
    const material = worldMaterial(world, { domains, limit });
    return { model, material, rejected: [], leaked: 0, world };
  }
  const files = studiesFacts(settings)
    ? await openFacts(settings)
    : await fileMaterial(settings, { ...options, limit });
  const { template, batchTokens } = settings;
  const asked = { template, ...askingOf(settings), batchTokens };
  return { model: await load(name, asked), ...files };
}

async function openFacts(settings: Settings): Promise<Omit<OpenedSubject, "model">> {
  const { general, rejected } = await readGeneral(settings.general);
  return { material: { ...await factMaterial(settings), general }, rejected, leaked: 0 };
}

/** The material of the settings' files: one domain. Errors as of `openSubject`. */
export async function fileMaterial(
  settings: Settings,
  { limit, tell = console.error }: OpenOptions & {
    /** At most so many questions of a pool or an exam. Default: all. */
    limit?: number;
  } = {},
): Promise<Omit<OpenedSubject, "model">> {
  const { questions, demonstrations, id, ood, pool, general, rejected } = await readFiles(
    settings,
    tell,
  );
  const asked = new Set([...questions, ...id, ...ood, ...demonstrations].map(fingerprint));
  const clean = pool.filter((question) => !asked.has(fingerprint(question)));
  if (clean.length === 0) {
    throw new Error(
      `Cannot make groups from ${settings.pool}: expected questions that no test and no demonstration ` +
        `asks; found none of ${pool.length}; give --pool=FILE with other questions`,
    );
  }
  const domain = questions[0]?.domain ?? "questions";
  const shortened: string[] = [];
  const make = (part: string, all: Question[]): Exam => {
    const name = `${domain}/${part}`;
    const kept = limited(all, limit);
    const text = limitText(name, kept, all);
    if (text !== undefined) shortened.push(text);
    // One domain's study: the pool's and the test's names for it may differ.
    return {
      name,
      questions: part === "ood" ? kept : asOneDomain(kept, { domain, all }),
      demonstrations,
    };
  };
  const released = isReleased(settings.groups)
    ? await openReleased(settings.pool!, { domain, limit, asked, tell })
    : undefined;
  const suites = {
    homo: [make("homo", questions)],
    ...(id.length > 0 ? { id: [make("id", id)] } : {}),
    ...(ood.length > 0 ? { ood: [make("ood", ood)] } : {}),
  };
  const material: Material = {
    domains: new Map([[domain, {
      pool: make("pool", clean),
      suites,
      ...(released && { released }),
    }]]),
    general,
  };
  if (shortened.length > 0) {
    tell(
      `At most ${limit} questions a file, drawn by a fixed seed over all subjects: ` +
        shortened.join(", "),
    );
  }
  return { material, rejected, leaked: pool.length - clean.length };
}

const fingerprint = ({ question, choices }: Question) =>
  JSON.stringify([
    question.trim().toLowerCase(),
    ...choices.map((c) => c.trim().toLowerCase()).sort(),
  ]);

/** Under one name of the domain; ids that count anew in each of several get their domain's before them. */
function asOneDomain(
  questions: readonly Question[],
  { domain, all }: { domain: string; all: readonly Question[] },
): Question[] {
  const repeated = new Set(all.map(({ id }) => String(id))).size < all.length;
  return questions.map((question) => ({
    ...question,
    ...(repeated ? { id: `${question.domain}/${question.id}` } : {}),
    domain,
  }));
}

/** Released groups as they are: those of their questions that a test asks stay, and are told. */
async function openReleased(
  folder: string,
  { asked, tell, ...options }: {
    domain: string;
    limit?: number;
    asked: ReadonlySet<string>;
    tell: (text: string) => void;
  },
): Promise<ReleasedMaterial> {
  const { groups, findings } = await readReleasedGroups(folder);
  const rows = [...groups.har, ...groups.inc];
  const shared = rows.filter((row) => asked.has(fingerprint(row))).length;
  tell(
    auditText(folder, findings) +
      (shared > 0
        ? `\nWARNING: ${shared} of its ${rows.length} questions are asked by the tests or the ` +
          "demonstrations too; they are trained on as published, so accuracies can be too high"
        : ""),
  );
  return releasedMaterial(groups, options);
}
