/** A study run by a run's settings, with what a reader must know before believing it. */
import type { ProbeAudit } from "../audit.ts";
import type { Material } from "../cell.ts";
import type { World } from "../world/world.ts";
import { openSubject } from "./subjects.ts";
import { studyProgress } from "./progress.ts";
import { cellRows, type StudyRow } from "./rows.ts";
import { auditPools, caveatsOf, studyWarnings } from "./report.ts";
import { checkSettings, type Settings, storePath } from "./settings.ts";
import { runPlan, runPlans, type Study, type StudyOptions, type StudyResult } from "./study.ts";
import type { StudyPlan } from "./plan.ts";
import { poolAnswers } from "./base.ts";
import { precompute } from "./parallel.ts";

export interface AuditedStudy extends Study {
  /** Whether each base model's probe shows knowledge at all. */
  audits: Map<string, ProbeAudit>;
  /** Organisms' worlds. */
  worlds: Map<string, World>;
  /** The worst first. */
  warnings: string[];
  /** What tables must say below them. */
  caveats: string[];
  /** A row for each cell and test, as cells.csv has them. */
  rows: StudyRow[];
}

/** How a study is run by a run's settings. */
export interface RunOptions extends Pick<StudyOptions, "onProgress" | "signal"> {
  settings: Settings;
  /** Folder of the results. Default: the one that all notebooks share. */
  store?: string;
  /** Processes. Default: one a core for many cells of small models, else this one alone. */
  workers?: number;
}

/**
 * Runs what is not in the store yet of one plan or of several, and gives all results. With `settings`
 * models and material are opened by them, progress is shown unless `onProgress` takes it, and what a
 * reader must know before believing the numbers comes along. With `open` the caller opens the models.
 * @throws naming the model, the file or the setting that can't be used
 */
export async function runStudy(plan: StudyPlan, options: StudyOptions): Promise<StudyResult>;

export async function runStudy(
  plans: StudyPlan | readonly StudyPlan[],
  options: RunOptions,
): Promise<AuditedStudy>;

export async function runStudy(
  plans: StudyPlan | readonly StudyPlan[],
  options: StudyOptions | RunOptions,
): Promise<StudyResult | AuditedStudy> {
  if ("open" in options) return await runPlan(plans as StudyPlan, options);
  const { settings, store = storePath(), workers, onProgress, signal } = options;
  checkSettings(settings);
  const list = [plans].flat() as StudyPlan[];
  const materials = new Map<string, Material>(), worlds = new Map<string, World>();
  const bar = studyProgress({ onProgress, signal });
  const common = { store, signal, onProgress: bar.onProgress };
  const computed = await precompute(list, { ...common, settings, workers });
  const study = await runPlans(list, {
    ...common,
    onProgress: computed ? undefined : bar.onProgress,
    onAsk: bar.onAsk,
    open: async (name) => {
      const subject = await openSubject(name, settings);
      materials.set(name, subject.material);
      if (subject.world) worlds.set(name, subject.world);
      return subject;
    },
  });
  await bar.finish();
  const audits = new Map(
    study.bases.map((base) => {
      const answers = poolAnswers(base, materials.get(base.model)!);
      return [base.model, auditPools(answers)];
    }),
  );
  const warnings = studyWarnings(study, { audits, settings });
  const caveats = caveatsOf(audits);
  return { ...study, audits, worlds, warnings, caveats, rows: cellRows(study.cells) };
}
