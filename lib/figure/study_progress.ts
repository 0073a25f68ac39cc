/** The live line of a running study: one for each model, updated in place. */
import { modelLabel, type StudyProgress } from "../study/mod.ts";
import { type Progress, progress } from "./display.ts";

/** Something to give to `runStudy` as `onProgress`; `finish` when the study is done. */
export function studyProgress(): {
  onProgress: (state: StudyProgress) => void;
  finish: () => Promise<void>;
} {
  let bar: Progress | undefined;
  let model: string | undefined;
  return {
    onProgress({ done, total, cell, note }) {
      if (cell.model !== model) {
        void bar?.finish("");
        model = cell.model;
        bar = progress(modelLabel(model), total);
      }
      const { domain, treatment, ratio, seed } = cell;
      const what = `${domain} ${treatment}${ratio === undefined ? "" : ` ${ratio}`} seed ${seed}`;
      bar!.update(done, `${what}: ${note}`);
    },
    async finish() {
      await bar?.finish("");
    },
  };
}
