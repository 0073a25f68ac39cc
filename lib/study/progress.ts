/** The live line of a running study, updated in place. */
import type { Stoppable } from "../platform/interrupt.ts";
import { modelLabel } from "./labels.ts";
import type { StudyOptions, StudyProgress } from "./study.ts";
import { type Progress, progress } from "../figure/progress.ts";

/** What to give to `runStudy` as `onProgress` and `onAsk`; `finish` when the study is done. */
export function studyProgress(options: Stoppable = {}): {
  onProgress: (state: StudyProgress) => void;
  onAsk: NonNullable<StudyOptions["onAsk"]>;
  finish: () => Promise<void>;
} {
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
      bar.update(
        done,
        `${modelLabel(model)} ${domain} ${group} seed ${seed}: ${note}`,
        total,
        found,
      );
    },
    async finish() {
      await bar?.finish("");
    },
  };
}
