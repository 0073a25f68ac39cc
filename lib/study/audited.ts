/** A study run by a run's settings, with what a reader must know before believing it. */
import { number, object } from "valibot";
import type { Answer } from "../question.ts";
import type { ProbeAudit } from "../audit.ts";
import type { World } from "../world/world.ts";
import { organismCard } from "../organism/folder.ts";
import { openBackend, processesAtOnce } from "../platform/runtime/backend.ts";
import { isOrganism, openSubject } from "./open.ts";
import { auditPools, caveatsOf, studyWarnings } from "./report.ts";
import { checkSettings, type Settings, storePath } from "./settings.ts";
import { Store } from "./store.ts";
import {
  countCells,
  poolAnswers,
  runPlans,
  type Study,
  type StudyOptions,
  type StudyPlan,
} from "./study.ts";
import { fillStore } from "./workers.ts";

export interface AuditedStudy extends Study {
  /** Whether each base model's probe shows knowledge at all. */
  audits: Map<string, ProbeAudit>;
  /** Organisms' worlds. */
  worlds: Map<string, World>;
  /** The worst first. */
  warnings: string[];
  /** What tables must say below them. */
  caveats: string[];
}

/** Runs what is not in the store yet; models and material are opened by the settings. */
export async function runAudited(
  plans: readonly StudyPlan[],
  settings: Settings,
  { onProgress }: Pick<StudyOptions, "onProgress"> = {},
): Promise<AuditedStudy> {
  checkSettings(settings);
  const pools = new Map<string, (answers: Study["bases"][number]) => Map<string, Answer[]>>();
  const worlds = new Map<string, World>();
  await fillAhead(plans, settings, onProgress);
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
  const warnings = studyWarnings(study, { audits, settings });
  return { ...study, audits, worlds, warnings, caveats: caveatsOf(audits) };
}

/** Plans of fewer cells are done before several processes have started. */
const WORTH_PROCESSES = 40;

/**
 * Lets several processes compute the organisms' cells first: their steps keep one core busy each. A plan
 * that was filled once is not looked at again; what it lacks nevertheless is computed by this process.
 */
export async function fillAhead(
  plans: readonly StudyPlan[],
  settings: Settings,
  onProgress: StudyOptions["onProgress"],
): Promise<void> {
  const small = plans.every(({ models }) => models.every(isOrganism));
  const cells = plans.reduce((sum, plan) => sum + countCells(plan), 0);
  if (!small || cells < WORTH_PROCESSES) return;
  await openBackend();
  if (processesAtOnce() < 2) return;
  const store = new Store(storePath());
  const digests = await Promise.all(
    plans.flatMap(({ models }) => models)
      .map(async (name) => (await organismCard(name)).files),
  );
  const { limit, domains, quick } = settings;
  const key = await store.key("filled", [plans, digests, limit ?? null, domains ?? null, quick]);
  if (await store.read(key, object({ cells: number() })) !== undefined) return;
  await fillStore(plans, { settings, store: storePath(), onProgress });
  await store.write(key, { cells });
}
