/** A study run by a run's settings, with what a reader must know before believing it; and its variations. */
import { auditProbe } from "../audit.ts";
import type { CellResult, Material } from "../cell.ts";
import { type Progress, progress } from "../figure/progress.ts";
import type { ReadableModel } from "../model/readable_model.ts";
import { openBackend } from "../platform/runtime/backend.ts";
import { poolAnswers } from "./base.ts";
import { modelLabel } from "./labels.ts";
import { precompute } from "./parallel.ts";
import type { StudyPlan } from "./plan.ts";
import { organismSettings } from "./plans.ts";
import { caveatsOf, studyWarnings } from "./report.ts";
import { cellRows } from "./rows.ts";
import { checkSettings, parseSettings, type Settings, storePath } from "./settings.ts";
import type { Study, StudyOptions, StudyProgress, StudyResult, Subject } from "./study.ts";
import { runPlans } from "./study.ts";
import { type OpenOptions, openProbed, openSubject } from "./subjects.ts";
import { type Variation, type VariationResult, variedPlan } from "./variation.ts";

/** How a study is run by a run's settings. */
export interface RunOptions extends Pick<StudyOptions, "close" | "onProgress" | "signal"> {
  /** Default: those of a run of which nothing is said. */
  settings?: Settings;
  /** Folder of the results. Default: the one that all notebooks share. */
  store?: string;
  /** Processes. Default: one a core for many cells of small models, else this one alone. */
  workers?: number;
  /** Opens a model in this process, which then computes alone. Default: by the settings. */
  open?: StudyOptions["open"];
}

/**
 * Runs what is not in the store yet of one plan or of several, and gives all results, with what a reader
 * must know before believing the numbers. Progress is shown unless `onProgress` takes it.
 * @throws naming the model, the file or the setting that can't be used
 */
export async function runStudy(
  plans: StudyPlan | readonly StudyPlan[],
  { settings = parseSettings(), ...options }: RunOptions = {},
) {
  checkSettings(settings);
  const list = [plans].flat() as StudyPlan[];
  const materials = new Map<string, Material>();
  const results = await compute(list, {
    ...{ ...options, settings },
    onOpen: (name, { material }) => void materials.set(name, material),
  });
  const cells = results.flatMap((one) => one.cells);
  // A model that several plans name was asked once.
  const asked = new Map(results.flatMap((one) => one.bases).map((base) => [base.model, base]));
  const bases = [...asked.values()];
  const study: Study = { plans: list, backend: await openBackend(), bases, cells };
  const audits = new Map(
    bases.map((base) => {
      const answers = poolAnswers(base, materials.get(base.model)!);
      return [base.model, auditProbe([...answers.values()].flat())];
    }),
  );
  return {
    ...study,
    /** Whether each base model's probe shows knowledge at all. */
    audits,
    /** The kinds of facts that each organism's questions are about. */
    kinds: new Map([...materials].flatMap(([name, { kinds }]) => kinds ? [[name, kinds]] : [])),
    /** What a reader must know first, the worst first. */
    warnings: [...studyWarnings(study, { audits, settings }), ...boundedTexts(cells)],
    /** What tables must say below them. */
    caveats: caveatsOf(audits),
    /** A row for each cell and test, as cells.csv has them. */
    rows: cellRows(cells),
  };
}

/** What a server did not tell of tuned models. */
function boundedTexts(cells: readonly CellResult[]): string[] {
  const tests = cells.flatMap(({ suites }) => Object.values(suites));
  const letters = tests.reduce((sum, { bounded = 0 }) => sum + bounded, 0);
  const text =
    `${letters} letters in the tests of tuned models are not among the tokens that the server ` +
    "named: KL and the like are of the most that they can have; a larger --top-logprobs finds more";
  return letters > 0 ? [text] : [];
}

export type AuditedStudy = Awaited<ReturnType<typeof runStudy>>;

/** Runs what is not in the store yet of a plan's variations, on organisms unless `open` opens others. */
export async function runVariations(
  plan: StudyPlan,
  variations: readonly Variation[],
  { settings = parseSettings(), ...options }: RunOptions,
): Promise<VariationResult[]> {
  // Base models that an experiment has made are few: all their domains are studied.
  const made = variations.some(({ bases }) => bases !== undefined);
  const ours = { ...organismSettings(settings), ...(made ? { domains: undefined } : {}) };
  // Some are made to fail their gate, which is a column of their rows.
  const warn = made ? () => {} : undefined;
  const plans = variations.map((variation) => variedPlan(plan, variation));
  const results = await compute(plans, { ...options, settings: ours, warn });
  return results.map((result, i) => ({ variation: variations[i], ...result }));
}

/** Computes what the store lacks, by several processes where that is worth it, and shows how far it is. */
async function compute(
  plans: readonly StudyPlan[],
  { settings, store = storePath(), workers, open, close, warn, onOpen, onProgress, signal }:
    & RunOptions
    & OpenOptions
    & { settings: Settings; onOpen?: (name: string, subject: Subject<ReadableModel>) => void },
): Promise<StudyResult[]> {
  const bar = studyProgress({ onProgress, signal });
  const common = { store, signal, onProgress: bar.onProgress };
  try {
    const computed = !open && await precompute(plans, { ...common, settings, workers });
    return await runPlans(plans, {
      ...{ ...common, close, onProgress: computed ? undefined : bar.onProgress, onAsk: bar.onAsk },
      async open(name) {
        const isAsked = settings.server && settings.tuned; // and nothing is trained
        const subject = await (open?.(name) ??
          (isAsked ? openProbed(name, settings) : openSubject(name, settings, { warn })));
        onOpen?.(name, subject);
        return subject;
      },
    });
  } finally {
    await bar.finish();
  }
}

/** What to give to `runPlans`: a caller's `onProgress`, or a live line; `finish` when the study is done. */
export function studyProgress(
  { onProgress, ...options }: Pick<StudyOptions, "onProgress" | "signal"> = {},
): Pick<StudyOptions, "onAsk"> & {
  onProgress: (state: StudyProgress) => void;
  finish: () => Promise<void>;
} {
  if (onProgress) return { onProgress, finish: async () => {} };
  let bar: Progress | undefined, asking: Progress | undefined;
  let found = 0;
  return {
    onAsk({ model, done, found, total, exam }) {
      if (done > found) asking ??= progress(`asking ${modelLabel(model)}`, total, options);
      asking?.update(done, exam, total, found);
      if (done < total) return;
      asking?.finish("");
      asking = undefined;
    },
    onProgress({ done, total, reused, cell, note }) {
      bar ??= progress("cells", total, options);
      if (reused && note === "done") found++;
      const { model, domain, treatment, ratio, seed } = cell;
      const group = `${treatment}${ratio === undefined ? "" : ` ${ratio}`}`;
      const text = `${modelLabel(model)} ${domain} ${group} seed ${seed}: ${note}`;
      bar.update(done, text, total, found);
    },
    async finish() {
      await bar?.finish("");
    },
  };
}
