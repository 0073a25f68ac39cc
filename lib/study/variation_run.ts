/** Runs variations of a plan, organisms' cells by several processes. */
import { precompute } from "./parallel.ts";
import { countCells, type StudyPlan } from "./plan.ts";
import { organismSettings } from "./plans.ts";
import { studyProgress } from "./progress.ts";
import type { RunOptions } from "./run.ts";
import { storePath } from "./settings.ts";
import { runPlan, type StudyOptions, type Subject } from "./study.ts";
import { openSubject } from "./subjects.ts";
import { type Variation, type VariationResult, variedPlan } from "./variation.ts";

/** Runs what is not in the store yet; models stay open, since most variations share them. */
export async function runVariations(
  plan: StudyPlan,
  variations: readonly Variation[],
  { settings, store = storePath(), workers, open, onProgress, signal }:
    & RunOptions
    & Partial<Pick<StudyOptions, "open">>,
): Promise<VariationResult[]> {
  if (variations.length === 0) return [];
  // Base models that an experiment has made are few: all their domains are studied.
  const made = variations.some(({ bases }) => bases !== undefined);
  const ours = { ...organismSettings(settings), ...(made ? { domains: undefined } : {}) };
  // Some are made to fail their gate, which is a column of their rows.
  const warn = made ? () => {} : undefined;
  const bar = studyProgress({ onProgress, signal });
  const common = { store, signal, onProgress: bar.onProgress };
  const plans = variations.map((variation) => variedPlan(plan, variation));
  if (!open) await precompute(joined(plans), { ...common, settings: ours, workers });
  const total = plans.reduce((sum, varied) => sum + countCells(varied), 0);
  const opened = new Map<string, Subject>();
  const results: VariationResult[] = [];
  let before = 0;
  try {
    for (const [i, varied] of plans.entries()) {
      const { cells, bases } = await runPlan(varied, {
        ...common,
        async open(name) {
          const subject = opened.get(name) ??
            await (open?.(name) ?? openSubject(name, ours, { warn }));
          opened.set(name, subject);
          return subject;
        },
        onAsk: bar.onAsk,
        close() {}, // another variation may ask for it
        onProgress(state) {
          // How many domains there are is known once a model is open.
          const all = Math.round(total * state.total / countCells(varied));
          bar.onProgress({ ...state, done: before + state.done, total: all });
        },
      });
      before += cells.length;
      results.push({ variation: variations[i], cells, bases });
    }
  } finally {
    for (const { model } of opened.values()) model.dispose();
    await bar.finish();
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
