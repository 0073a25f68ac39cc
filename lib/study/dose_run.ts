/** Runs doses by a run's settings, organisms' cells by several processes. */
import { fillAhead } from "./audited.ts";
import { type Dose, dosePlan, type DoseResult, runDoses } from "./dose.ts";
import { openSubject } from "./open.ts";
import { type Settings, storePath } from "./settings.ts";
import { countCells, runStudy, type StudyOptions, type StudyPlan } from "./study.ts";

/** Doses of one experiment. */
export interface DoseSet {
  plan: StudyPlan;
  doses: readonly Dose[];
}

/** Runs what is not in the store yet. @returns the results of each set */
export async function runDoseSets(
  sets: readonly DoseSet[],
  settings: Settings,
  { onProgress }: Pick<StudyOptions, "onProgress"> = {},
): Promise<DoseResult[][]> {
  const plans = sets.flatMap(({ plan, doses }) => doses.map((dose) => dosePlan(plan, dose)));
  await fillAhead(joined(plans), settings, onProgress);
  const total = plans.reduce((sum, one) => sum + countCells(one), 0);
  const options = { open: (name: string) => openSubject(name, settings), store: storePath() };
  const results: DoseResult[][] = [];
  let before = 0;
  for (const { plan, doses } of sets) {
    results.push(
      await runDoses(plan, doses, async (some) => {
        const found = await runStudy(some, {
          ...options,
          onProgress: (state) => onProgress?.({ ...state, done: before + state.done, total }),
        });
        before += found.cells.length;
        return found;
      }),
    );
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
