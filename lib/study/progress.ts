/** The live line of a running study, updated in place. */
import type { Stoppable } from "../platform/interrupt.ts";
import { modelLabel } from "./labels.ts";
import type { StudyProgress } from "./study.ts";
import { type Progress, progress } from "../figure/progress.ts";

/** Something to give to `runStudy` as `onProgress`; `finish` when the study is done. */
export function studyProgress(options: Stoppable = {}): {
  onProgress: (state: StudyProgress) => void;
  finish: () => Promise<void>;
} {
  let bar: Progress | undefined;
  let found = 0;
  return {
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
