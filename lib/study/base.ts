/** What a base model answers to the exams of the study. */
import type { Answer } from "../question.ts";
import type { SuiteName } from "../evaluate.ts";
import type { CellResult, Material } from "../cell.ts";

export interface BaseResult {
  model: string;
  /** Of the model, as `modelDigest` has it. */
  digest: string;
  /** Absent where it can't be told: of some ONNX graphs. */
  parameters?: number;
  /** By exam. */
  answers: Record<string, Answer[]>;
}

/** Of a base model's answers those that groups are made from, by domain. */
export function poolAnswers({ answers }: BaseResult, { domains }: Material): Map<string, Answer[]> {
  return new Map([...domains].map(([name, { pool }]) => [name, answers[pool.name]]));
}

/** A base model's answers to the questions of one tested cell, in the record's order. */
export function baseAnswersOf(
  bases: readonly BaseResult[],
  { cell, suites }: CellResult,
  suite: SuiteName,
): Answer[] {
  const { answers } = bases.find(({ model }) => model === cell.model)!;
  const own = answers[`${cell.domain}/${suite}`];
  // OOD of a world has no exam of its own: it is the ID exams of the other domains.
  const found = new Map(
    (own ?? Object.values(answers).flat()).map((answer) => [
      `${answer.domain}/${answer.id}`,
      answer,
    ]),
  );
  return suites[suite]!.items.map((item) => found.get(item)!);
}
