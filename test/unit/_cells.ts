/** Made-up results of cells: so many questions right, and numbers that a test can reckon with. */
import { answerFrom } from "../../lib/question.ts";
import type { CellResult, SuiteRecord, Treatment } from "../../lib/cell.ts";
import type { BaseResult } from "../../lib/study/base.ts";

/** A base model that has the first ten of twenty questions of history right. */
export function madeBase(model: string): BaseResult {
  const answers = Array.from({ length: 20 }, (_, id) =>
    answerFrom(
      { id, domain: "history", question: "?", choices: ["a", "b"], answer: id < 10 ? 0 : 1 },
      [0.9, 0.1],
    ));
  return { model, digest: "", parameters: 1, answers: { "history/homo": answers } };
}

/** A cell that answers the first `right` of `of` questions on HOMO. */
export function madeCell(
  { model = "a", domain = "history", seed = 0, ratio, treatment = "mix", right, of, ...record }:
    & {
      model?: string;
      domain?: string;
      seed?: number;
      /** Share of SELF; 0 makes the cell INC and 1 SELF. */
      ratio?: number;
      treatment?: Treatment;
      right: number;
      of: number;
    }
    & Partial<SuiteRecord>,
): CellResult {
  const correct = Array.from({ length: of }, (_, i) => Number(i < right));
  const own = ratio === 0 ? "inc" : ratio === 1 ? "self" : treatment;
  return {
    cell: { model, domain, treatment: own, seed, ...(own === "mix" ? { ratio } : {}) },
    size: 10,
    sizes: {} as CellResult["sizes"],
    suites: {
      homo: {
        n: of,
        accuracy: right / of,
        interval: [0, 1],
        baseAccuracy: 0.5,
        kl: 0.1,
        cosine: 1,
        rank: 0.8,
        entropy: 1,
        baseEntropy: 1,
        lost: 0,
        gained: 0,
        correct,
        probabilities: [],
        items: correct.map((_, i) => `${domain}/${i}`),
        ...record,
      },
    },
    seconds: 1,
  };
}
