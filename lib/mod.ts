/**
 * The public door: what a notebook or a script of one's own calls, in the order in which a question
 * becomes a finding. The namespaces at its end hold the rest, folder by folder.
 *
 * @example
 * ```ts
 * import { klDivergence } from "./mod.ts";
 * import assert from "node:assert/strict";
 * assert.ok(klDivergence([.7, .3], [.5, .5]) > 0);
 * ```
 */

// A question, and what a model believes about it.
export { type Answer, answerFrom, type Example, type Message, type Question } from "./question.ts";
export { readAnswers, readQuestions, writeAnswers } from "./dataset/read.ts";
export { paperFormat, type PromptFormat } from "./prompt.ts";
export { type Backend, type BackendName, openBackend } from "./platform/runtime/backend.ts";
export { loadModel, type LoadOptions, openModel } from "./model/files/load.ts";
export { LanguageModel } from "./model/language_model.ts";
export type { GenerateOptions, ReadableModel } from "./model/readable_model.ts";
export { loadOrganism } from "./organism/folder.ts";
export { probe, type ProbeOptions, scoreOptions } from "./probe.ts";
export { auditProbe, beliefOf, type ProbeAudit, reliabilityOf } from "./audit.ts";

// What is trained on.
export {
  constructGroups,
  type Groups,
  mixGroups,
  toAlpaca,
  toMessages,
  toShareGpt,
  withContext,
  withGeneral,
} from "./groups.ts";
export { encodeConversation } from "./model/encode.ts";
export { finetune, type FinetuneOptions, type FinetuneResult } from "./finetune.ts";
export { lossAndGradients, Trainer } from "./model/trainer.ts";
export type { StepResult, TrainerOptions } from "./model/trainer_options.ts";

// What came of it.
export { compareAnswers, evaluate, scoreAnswers, type SuiteName } from "./evaluate.ts";
export { cosineSimilarity, klDivergence } from "./statistics/divergence.ts";
export { rankConsistency } from "./statistics/rank.ts";
export { partialCorrelation, rankResidualSpearman } from "./statistics/correlation.ts";
export { type Cell, type CellResult } from "./cell.ts";
export { runCell } from "./experiment.ts";
export { plans } from "./study/plans.ts";
export { probeBases, type ProbedBase } from "./study/bases.ts";
export { type AuditedStudy, runStudy } from "./study/run.ts";
export type { StudyPlan } from "./study/plan.ts";
export { contrast } from "./contrast.ts";
export { type Finding, findings } from "./findings.ts";

// What a notebook shows.
export { notebook } from "./study/notebook.ts";
export { pivot, type Row } from "./figure/rows.ts";
export { table } from "./figure/table.ts";
export { frame, join, rowsOf } from "./figure/frame.ts";
export { bars, lines, scatter } from "./figure/chart.ts";
export { heatmap } from "./figure/heatmap.ts";
export { progress } from "./figure/progress.ts";
export { check } from "./exercise/mod.ts";
export { Random } from "./statistics/random.ts";

// The rest, by folder.
export * as dataset from "./dataset/mod.ts";
export * as world from "./world/mod.ts";
export * as organism from "./organism/mod.ts";
export * as model from "./model/mod.ts";
export * as study from "./study/mod.ts";
export * as statistics from "./statistics/mod.ts";
export * as figure from "./figure/mod.ts";
