/** What a run studies: models, domains, groups, ratios and seeds. */
import type { FinetuneSettings } from "../model/finetune_settings.ts";
import type { Treatment } from "../cell.ts";
import { organismNames } from "../model/files/source.ts";
import { defined } from "../platform/defined.ts";
import { FACT_GROUP_SIZE, factFinetuning } from "./facts.ts";
import { hasReleasedSelf, isReleased } from "./released.ts";
import {
  checkSettings,
  loadingOf,
  parseSettings,
  type Settings,
  studiesFacts,
} from "./settings.ts";
import { isOrganism, ORGANISM } from "./labels.ts";
import type { StudyPlan } from "./plan.ts";
import { tunedCells } from "./tuned.ts";

/** Shares of SELF in the paper's mixtures; 0 is INC and 1 is SELF. */
export const paperRatios: readonly number[] = [0, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1];

const quickRatios: readonly number[] = [0, 0.4, 1];

/** What context is held against. */
const controls: readonly Treatment[] = ["general", "context-har"];

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
  const { learningRate, epochs, batchSize, batchTokens, lora: rank } = settings;
  const lora = rank === undefined ? undefined : { rank };
  const gradientCheckpointing = settings.gradientCheckpointing ? "layer" : undefined;
  return defined({ learningRate, epochs, batchSize, batchTokens, gradientCheckpointing, lora });
}

/** The plan of a run's main table; `changes` for other experiments. */
export async function studyPlan(
  settings: Settings,
  changes: Partial<StudyPlan> = {},
): Promise<StudyPlan> {
  const facts = studiesFacts(settings);
  const loading = settings.server ? loadingOf(settings) : undefined;
  const tuned = settings.tuned && await tunedCells(settings.tuned, loading);
  return {
    models: await studiedModels(settings),
    ...(settings.domains ? { domains: settings.domains } : {}),
    treatments: treatmentsOfGroups(settings),
    seeds: Array.from({ length: settings.seeds }, (_, seed) => seed),
    ...(tuned && {
      tuned,
      treatments: [...new Set(tuned.map(({ treatment }) => treatment))],
      seeds: [...new Set(tuned.map(({ seed }) => seed))],
    }),
    finetuning: { ...(facts ? factFinetuning(settings) : {}), ...finetuningOf(settings) },
    ...(facts ? { count: FACT_GROUP_SIZE } : {}),
    minimumConfidence: settings.minimumConfidence,
    ...(settings.explanations ? { explanations: true } : {}),
    ...changes,
  };
}

function treatmentsOfGroups({ groups, pool }: Settings): Treatment[] {
  const all: Treatment[] = ["har", "inc", "self", "context"];
  if (!isReleased(groups)) return (groups ?? all) as Treatment[];
  return hasReleasedSelf(pool!) ? all : all.filter((name) => name !== "self");
}

/** Small worlds are many and quick; of larger ones a default run does less. */
const isSmall = (model: string) => model.startsWith(`${ORGANISM}:small`);

/**
 * The main table and its mixtures. All shipped organisms: the small ones with every seed and
 * mixtures, the larger ones with one seed and none. A model by name: every seed; mixtures for
 * organisms. `quick`: one mixture; `full`: all of it for every model, and the controls.
 */
export async function mainPlans(settings: Settings): Promise<StudyPlan[]> {
  const { model, quick, full, groups } = settings;
  const plan = await studyPlan(settings);
  if (plan.tuned) return [plan];
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

/** The main plans without mixtures, for organisms with controls; larger ones with `full` alone. */
export async function contextPlans(settings: Settings): Promise<StudyPlan[]> {
  const { model, full, groups } = settings;
  const isControlled = (name: string) => isSmall(name) || model !== ORGANISM;
  return (await mainPlans(settings)).map((plan) => {
    const controlled = !groups && !plan.tuned &&
      (full || isOrganism(model) && plan.models.every(isControlled));
    const own = plan.treatments.filter((name) => name !== "mix" && !controls.includes(name));
    const asked = plan.treatments.filter((name) => controls.includes(name));
    return { ...plan, treatments: [...own, ...controlled ? controls : asked] };
  });
}

/** A run's settings where an experiment is on organisms whatever the model: theirs, if it asks for another. */
export function organismSettings({ tuned: _, ...settings }: Settings): Settings {
  if (isOrganism(settings.model)) return settings;
  const { quick, full, seeds } = settings;
  return parseSettings(JSON.stringify({ quick, full, seeds }));
}

/** What is varied where the question is how much of it does the harm: less of it with one model or `quick`. */
export function doseGrid({ model, quick }: Settings) {
  const coarse = quick || model !== ORGANISM && isOrganism(model);
  const learningRates = coarse ? [3e-4, 1e-3] : [1e-4, 3e-4, 1e-3];
  if (quick) return { learningRates, epochs: [1, 3], sizes: [0.25, 1], count: 5 };
  return { learningRates, epochs: [1, 3, 6], sizes: [0.25, 0.5, 1], count: 20 };
}

/** The small organisms on one domain with one seed; all domains and seeds with `full`. */
export async function dosePlan(run: Settings): Promise<StudyPlan> {
  const settings = organismSettings(run), { full, domains = ["history"] } = settings;
  const every = await studiedModels(settings), small = every.filter(isSmall);
  return await studyPlan(settings, {
    models: small.length > 0 ? small : every,
    treatments: ["har", "inc", "self"],
    ...(full ? {} : { seeds: [0], domains }),
  });
}

/** What is asked of base models that an experiment has made: all their domains; one seed without `full`. */
export async function basePlan(run: Settings): Promise<StudyPlan> {
  const { domains: _, ...settings } = organismSettings(run);
  return await studyPlan(settings, {
    models: [],
    treatments: ["har", "inc", "self", "context"],
    ...(settings.full ? {} : { seeds: [0] }),
  });
}

/** The plans of a run, by what they answer. */
export const plans = {
  main: mainPlans,
  mixtures: mixturePlans,
  context: contextPlans,
  doses: dosePlan,
  bases: basePlan,
};
