/** The live line of a running study, updated in place. */
import { modelLabel, type StudyProgress } from "../study/mod.ts";
import { type Progress, progress } from "./progress.ts";

/** Something to give to `runStudy` as `onProgress`; `finish` when the study is done. */
export function studyProgress(): {
  onProgress: (state: StudyProgress) => void;
  finish: () => Promise<void>;
} {
  let bar: Progress | undefined;
  return {
    onProgress({ done, total, cell, note }) {
      bar ??= progress("cells", total);
      const { model, domain, treatment, ratio, seed } = cell;
      const group = `${treatment}${ratio === undefined ? "" : ` ${ratio}`}`;
      bar.update(done, `${modelLabel(model)} ${domain} ${group} seed ${seed}: ${note}`, total);
    },
    async finish() {
      await bar?.finish("");
    },
  };
}
