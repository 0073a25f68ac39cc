/** Runs doses by a run's settings, organisms' cells by several processes. */
import { precompute } from "./parallel.ts";
import { type Dose, dosePlan, type DoseResult, runDoses } from "./dose.ts";
import { studyProgress } from "./progress.ts";
import { openSubject } from "./subjects.ts";
import { type Settings, storePath } from "./settings.ts";
import { runPlan, type StudyOptions, type Subject } from "./study.ts";
import { countCells, type StudyPlan } from "./plan.ts";

/** Doses of one experiment. */
export interface DoseSet {
  plan: StudyPlan;
  doses: readonly Dose[];
}

/** Runs what is not in the store yet; models stay open until all is done. @returns the results of each set */
export async function runDoseSets(
  sets: readonly DoseSet[],
  settings: Settings,
  options: Pick<StudyOptions, "onProgress"> = {},
): Promise<DoseResult[][]> {
  const bar = options.onProgress ? undefined : studyProgress();
  const onProgress = options.onProgress ?? bar!.onProgress;
  const plans = sets.flatMap(({ plan, doses }) => doses.map((dose) => dosePlan(plan, dose)));
  await precompute(joined(plans), { settings, store: storePath(), onProgress });
  const total = plans.reduce((sum, one) => sum + countCells(one), 0);
  const opened = new Map<string, Subject>();
  const results: DoseResult[][] = [];
  let before = 0;
  try {
    for (const { plan, doses } of sets) {
      const run = async (some: StudyPlan) => {
        const found = await runPlan(some, {
          store: storePath(),
          async open(name) {
            const subject = opened.get(name) ?? await openSubject(name, settings);
            opened.set(name, subject);
            return subject;
          },
          close() {}, // another dose may ask for it
          onProgress: (state) => onProgress({ ...state, done: before + state.done, total }),
        });
        before += found.cells.length;
        return found;
      };
      results.push(await runDoses(plan, doses, run));
    }
  } finally {
    for (const { model } of opened.values()) model.dispose();
    await bar?.finish();
  }
  return results;
}

/** Plans that differ in their models alone as one, so that processes share models and not cells. */
export function joined(plans: readonly StudyPlan[]): StudyPlan[] {
  const groups = Map.groupBy(plans, ({ models: _, ...rest }) => JSON.stringify(rest));
  return [...groups.values()].map((same) => ({
    ...same[0],
    models: [...new Set(same.flatMap(({ models }) => models))],
  }));
}
