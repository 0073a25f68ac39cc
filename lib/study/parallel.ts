/**
 * A plan's cells by several processes at once. A small model's step keeps one core busy and no more, so
 * two processes of one thread do twice the cells of one process of two. They share nothing but the store:
 * each computes its share of the cells, and a process that dies leaves whole files behind.
 */
import { openBackend, processesAtOnce } from "../platform/runtime/backend.ts";
import { type Ask, runChildren, serveChild } from "./_child.ts";
import { openSubject, studiedDomains } from "./subjects.ts";
import type { Settings } from "./settings.ts";
import type { StudyOptions, StudyProgress, Subject } from "./study.ts";
import { cellsInAll, runPlan, studyWork } from "./study.ts";
import { countCells, type StudyPlan } from "./plan.ts";
import { number, record, string } from "valibot";
import { organismCard } from "../organism/folder.ts";
import { isOrganism } from "./labels.ts";
import { Store } from "./store.ts";

/** What a worker reads on its standard input. */
interface Task {
  plans: readonly StudyPlan[];
  settings: Settings;
  store: string;
  index: number;
  of: number;
}

/** Cells of one model and plan, by their place: from `from` on, before `to` where it is given. */
type Share = { plan: number; model: string; from: number; to?: number };

/**
 * Deals the cells out to those who ask for some. Who has a model open gets its cells as long as there are
 * any, then those of a model that nobody has, the longest first, then what others have still to do. Shares
 * become smaller towards a model's end, so that all end at one time.
 * @param costs of one cell, by model @param of processes
 */
export function dealCells(
  plans: readonly StudyPlan[],
  { costs, of }: { costs: ReadonlyMap<string, number>; of: number },
): (open: string | null) => Share | null {
  const rest = plans.flatMap(({ models, ...plan }, number) =>
    [...new Set(models)].map((model) => (
      { plan: number, model, from: 0, count: countCells({ ...plan, models: [model] }) }
    ))
  );
  const taken = new Set<string>();
  const leftOf = (model: string) =>
    rest.reduce((sum, one) => sum + (one.model === model ? one.count - one.from : 0), 0);
  const costOf = (model: string) => costs.get(model)! * leftOf(model);
  return (open) => {
    const models = [...new Set(rest.map(({ model }) => model))]
      .sort((a, b) => costOf(b) - costOf(a));
    const own = models.find((model) => model === open);
    const model = own ?? models.find((model) => !taken.has(model)) ?? models[0];
    if (model === undefined) return null;
    taken.add(model);
    const part = rest.find((one) => one.model === model)!, { plan, from, count } = part;
    part.from += Math.ceil((count - from) / (2 * of));
    if (part.from < count) return { plan, model, from, to: part.from };
    rest.splice(rest.indexOf(part), 1);
    return { plan, model, from };
  };
}

interface ParallelOptions extends Pick<StudyOptions, "onProgress" | "signal"> {
  /** Folder of the results. */
  store: string;
  settings: Settings;
  /** Processes. Default: one a core, and one alone where a graphics card computes. */
  workers?: number;
}

/**
 * Computes what the store lacks of the plans' cells, by several processes.
 * @returns the names of all cells in the store
 * @throws as soon as one ends early, or it is stopped, and the others with it; what is finished is kept
 */
async function computeInParallel(
  plans: readonly StudyPlan[],
  { settings, store, onProgress, workers, signal }: ParallelOptions,
): Promise<string[]> {
  const of = workers ?? processesAtOnce();
  const task = { plans, settings, store, of };
  const tasks = Array.from({ length: of }, (_, index): Task => ({ ...task, index }));
  const models = plans.flatMap(({ models }) => models);
  const costOf = async (name: string) =>
    isOrganism(name) ? (await organismCard(name)).parameters : 1;
  const costs = new Map(
    await Promise.all(models.map(async (name) => [name, await costOf(name)] as const)),
  );
  // Where a plan names no domains, the settings say which there are.
  const domains = studiedDomains(settings);
  const counted = plans.map((plan) => ({ ...plan, domains: plan.domains ?? domains }));
  const deal = dealCells(counted, { costs, of });
  const keys: string[] = [];
  await runChildren<StudyProgress>("finish the study", import.meta.url, tasks, {
    ...studyWork(signal),
    workers: of,
    answer: (open) => deal(open as string | null),
    onLine: (state) => {
      const done = keys.push(state.key), total = Math.max(done, state.total);
      onProgress?.({ ...state, done, total });
    },
  });
  return keys;
}

/** A worker: asks for cells until there are none, and tells of finished ones. */
async function work(
  { plans, settings, store, index, of }: Task,
  tell: (told: StudyProgress) => void,
  ask: Ask,
): Promise<void> {
  // Its compiled steps serve all its shares.
  let open: { name: string; subject: Subject } | undefined;
  try {
    for (let share; (share = await ask(open?.name ?? null) as Share | null) !== null;) {
      const { plan: number, model: name, from, to = Infinity } = share;
      if (open?.name !== name) {
        open?.subject.model.dispose();
        open = undefined;
        open = { name, subject: await openSubject(name, settings) };
      }
      const { subject } = open, total = cellsInAll(plans, subject);
      await runPlan({ ...plans[number], models: [name] }, {
        store,
        open: () => Promise.resolve(subject),
        close: () => {},
        only: (cell) => cell >= from && cell < to,
        first: (place) => place % of === index,
        onProgress: (state) => state.note === "done" && tell({ ...state, total }),
      });
    }
  } finally {
    open?.subject.model.dispose();
  }
}

/** Fewer cells are done before several processes have started. */
const WORTH_PROCESSES = 40;

/**
 * Lets several processes compute the cells first where that is worth it: for many cells of organisms,
 * whose steps keep one core busy each, or as many processes as are asked for. Of plans that were computed once
 * the cells count whose files are gone or of another size.
 * @returns whether they computed
 */
export async function precompute(
  plans: readonly StudyPlan[],
  { workers, ...options }: ParallelOptions,
): Promise<boolean> {
  if (workers !== undefined) {
    if (workers > 1) await computeInParallel(plans, { ...options, workers });
    return workers > 1;
  }
  const models = plans.flatMap(({ models }) => models);
  const cells = plans.reduce((sum, plan) => sum + countCells(plan), 0);
  if (!models.every(isOrganism) || cells < WORTH_PROCESSES) return false;
  await openBackend();
  if (processesAtOnce() < 2) return false;
  const store = new Store(options.store);
  const digests = (await Promise.all(models.map(organismCard))).map(({ files }) => files);
  const { limit, domains, quick } = options.settings;
  const key = await store.key("filled", [plans, digests, limit ?? null, domains ?? null, quick]);
  const kept = await store.read(key, record(string(), number()));
  const isLost = ([name, size]: [string, number]) => store.sizeOf(name) !== size;
  if (kept && Object.entries(kept).filter(isLost).length < WORTH_PROCESSES) return false;
  const names = await computeInParallel(plans, options);
  await store.write(key, Object.fromEntries(names.map((name) => [name, store.sizeOf(name)])));
  return true;
}

if (import.meta.main) await serveChild<Task>(work);
