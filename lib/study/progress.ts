/** The live line of a running study, updated in place. */
import { modelLabel } from "./labels.ts";
import type { StudyOptions, StudyProgress } from "./study.ts";
import { type Progress, progress } from "../figure/progress.ts";

/** What to give to `runPlan`: a caller's `onProgress`, or a live line; `finish` when the study is done. */
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
