/** A study run by a run's settings, with what a reader must know before believing it. */
import type { Answer } from "../answer.ts";
import type { ProbeAudit } from "../knowledge/mod.ts";
import type { World } from "../world/mod.ts";
import { openSubject } from "./open.ts";
import { auditPools, studyWarnings } from "./report.ts";
import { type Settings, storePath } from "./settings.ts";
import { poolAnswers, runPlans, type Study, type StudyOptions, type StudyPlan } from "./study.ts";

export interface AuditedStudy extends Study {
  /** Whether each base model's probe shows knowledge at all. */
  audits: Map<string, ProbeAudit>;
  /** Organisms' worlds. */
  worlds: Map<string, World>;
  /** The worst first. */
  warnings: string[];
}

/** Runs what is not in the store yet; models and material are opened by the settings. */
export async function runAudited(
  plans: readonly StudyPlan[],
  settings: Settings,
  { onProgress }: Pick<StudyOptions, "onProgress"> = {},
): Promise<AuditedStudy> {
  const pools = new Map<string, (answers: Study["bases"][number]) => Map<string, Answer[]>>();
  const worlds = new Map<string, World>();
  const study = await runPlans(plans, {
    store: storePath(),
    onProgress,
    open: async (name) => {
      const subject = await openSubject(name, settings);
      pools.set(name, (base) => poolAnswers(base, subject.material));
      if (subject.world) worlds.set(name, subject.world);
      return subject;
    },
  });
  const audits = new Map(
    study.bases.map((base) => [base.model, auditPools(pools.get(base.model)!(base))]),
  );
  return { ...study, audits, worlds, warnings: studyWarnings(study, { audits, settings }) };
}
