/** The base models of a run, asked before anything is trained: where every notebook begins. */
import type { Answer } from "../question.ts";
import { auditProbe, type ProbeAudit } from "../audit.ts";
import { progress } from "../figure/progress.ts";
import { type Stoppable, stoppable } from "../platform/interrupt.ts";
import type { PromptFormat } from "../prompt.ts";
import { type BaseResult, poolAnswers } from "./base.ts";
import { modelLabel } from "./labels.ts";
import { studiedModels } from "./plans.ts";
import { type Settings, storePath } from "./settings.ts";
import { Store } from "./store.ts";
import { probeBase, type ProbedSubject } from "./study.ts";
import { openProbed } from "./subjects.ts";

/** A base model and what it answers, five examples shown. */
export interface ProbedBase extends Omit<ProbedSubject, "model"> {
  /** What tables call it. */
  model: string;
  /** What a plan calls it. */
  name: string;
  /** To the questions that groups are made from, by domain. */
  answers: Map<string, Answer[]>;
  /** To every exam. */
  base: BaseResult;
  /** Whether these answers show knowledge. */
  audit: ProbeAudit;
  format: PromptFormat;
}

/**
 * Asks every model of a run the questions of its material, one model after the other.
 * @throws `Interrupted` where it is stopped
 */
export async function probeBases(
  settings: Settings,
  { signal }: Stoppable = {},
): Promise<ProbedBase[]> {
  const work = {
    what: () => "asking the base models",
    then: "the answers to finished exams are kept; run it again to go on",
    signal,
  };
  return await stoppable(work, async (signal) => {
    const names = await studiedModels(settings);
    const store = new Store(storePath());
    const bar = progress("asking the base models", names.length, { signal });
    const bases: ProbedBase[] = [];
    let before = 0;
    for (const [i, name] of names.entries()) {
      const label = modelLabel(name);
      bar.update(i, label);
      const { model: opened, ...subject } = await openProbed(name, settings);
      using model = opened;
      const base = await probeBase(name, { model, ...subject }, {
        ...{ store, signal },
        onProgress({ done, found, total, exam }) {
          bar.update(i + done / total, `${label} ${exam}`, names.length, before + found / total);
          if (done === total) before += found / total;
        },
      });
      const answers = poolAnswers(base, subject.material),
        audit = auditProbe([...answers.values()].flat());
      bases.push({ ...subject, model: label, name, answers, base, audit, format: model.format });
    }
    bar.update(names.length, "");
    await bar.finish();
    return bases;
  });
}
