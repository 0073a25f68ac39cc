/**
 * A plan's cells by several processes at once. A small model's step keeps one core busy and no more, so
 * two processes of one thread do twice the cells of one process of two. They share nothing but the store:
 * each computes its share of the cells, and a process that dies leaves whole files behind.
 */
import { openBackend, processesAtOnce } from "../platform/runtime/backend.ts";
import { runChildren, serveChild } from "./_child.ts";
import { openSubject } from "./subjects.ts";
import type { Settings } from "./settings.ts";
import {
  runPlan,
  type StudyOptions,
  type StudyProgress,
  studyWork,
  type Subject,
} from "./study.ts";
import { countCells, type StudyPlan } from "./plan.ts";
import { number, object } from "valibot";
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

interface ParallelOptions extends Pick<StudyOptions, "onProgress" | "signal"> {
  /** Folder of the results. */
  store: string;
  settings: Settings;
  /** Processes. Default: one a core, and one alone where a graphics card computes. */
  workers?: number;
}

/**
 * Computes what the store lacks of the plans' cells, by several processes.
 * @throws as soon as one ends early, or it is stopped, and the others with it; what is finished is kept
 */
async function computeInParallel(
  plans: readonly StudyPlan[],
  { settings, store, onProgress, workers, signal }: ParallelOptions,
): Promise<void> {
  const of = workers ?? processesAtOnce();
  const task = { plans, settings, store, of };
  const tasks = Array.from({ length: of }, (_, index): Task => ({ ...task, index }));
  let done = 0;
  await runChildren<StudyProgress>("finish the study", import.meta.url, tasks, {
    ...studyWork(signal),
    workers: of,
    onLine: (state) => {
      const total = Math.max(done + 1, state.total);
      onProgress?.({ ...state, done: ++done, total });
    },
  });
}

/** A worker: tells of finished cells. */
async function work(
  { plans, settings, store, index, of }: Task,
  tell: (told: StudyProgress) => void,
): Promise<void> {
  // How many domains a plan has is known when its first model is open.
  const totals = plans.map(countCells);
  const models = [...new Set(plans.flatMap((plan) => plan.models))];
  // Each starts at another model, so that bases are probed by one process each.
  const shift = Math.floor(index * models.length / of);
  for (const name of [...models.slice(shift), ...models.slice(0, shift)]) {
    // Open for all its plans: its compiled steps serve them all.
    let subject: Subject | undefined;
    try {
      for (const [number, plan] of plans.entries()) {
        if (!plan.models.includes(name)) continue;
        await runPlan({ ...plan, models: [name] }, {
          store,
          open: async () => subject ??= await openSubject(name, settings),
          close: () => {},
          only: (cell) => cell % of === index,
          onProgress: (state) => {
            totals[number] = state.total * plan.models.length;
            const total = totals.reduce((a, b) => a + b, 0);
            if (state.note === "done") tell({ ...state, total });
          },
        });
      }
    } finally {
      subject?.model.dispose();
    }
  }
}

/** Plans of fewer cells are done before several processes have started. */
const WORTH_PROCESSES = 40;

/**
 * Lets several processes compute the cells first where that is worth it: for many cells of organisms,
 * whose steps keep one core busy each, or as many processes as are asked for. Plans that were computed
 * once are not looked at again; what they lack nevertheless is computed by this process.
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
  if (await store.read(key, object({ cells: number() })) !== undefined) return false;
  await computeInParallel(plans, options);
  await store.write(key, { cells });
  return true;
}

if (import.meta.main) await serveChild<Task>(work);
