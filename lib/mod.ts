/**
 * The public door: everything that a notebook or a script of one's own needs, in the order in which
 * a question becomes a figure.
 *
 * @example
 * ```ts
 * import { klDivergence } from "./mod.ts";
 * import assert from "node:assert/strict";
 * assert.ok(klDivergence([.7, .3], [.5, .5]) > 0);
 * ```
 */
export { type Answer, answerFrom, type Message, optionLetter, type Question } from "./question.ts";
export { parseQuestions } from "./dataset/questions.ts";
export * from "./dataset/mod.ts";
export * from "./world/mod.ts";
export { createChatFormat } from "./model/chat_format.ts";
export { type ChatTemplate, chatTemplateFromFiles } from "./model/chat_template.ts";
export {
  type Asking,
  createPaperFormat,
  type Formulation,
  type Normalization,
  paperFormat,
  type PromptFormat,
  type Template,
} from "./prompt.ts";
export { type Tokenizer, tokenizerFromFiles } from "./model/tokenizer.ts";
export type { ModelConfiguration } from "./model/configuration.ts";
export {
  loadingMemory,
  type MemoryEstimate,
  probingMemory,
  trainingMemory,
  type TrainingUse,
} from "./model/memory.ts";
export { LanguageModel } from "./model/language_model.ts";
export type { GenerateOptions, ReadableModel } from "./model/readable_model.ts";
export { loadModel, type LoadOptions, openModel } from "./model/files/load.ts";
export { type Adapter, type LoraOptions, type LoraTarget, loraTargets } from "./model/adapter.ts";
export { addLora, dropLora, mergeLora } from "./model/lora.ts";
export { loadLora, saveLora } from "./model/files/adapter_folder.ts";
export {
  formatAnswers,
  fromAnswerRow,
  parseAnswers,
  type StoredAnswer,
  toAnswerRow,
} from "./dataset/answers.ts";
export {
  type Belief,
  beliefOf,
  type BeliefOptions,
  type Reliability,
  type ReliabilityBin,
  reliabilityOf,
  type Share,
  shareOf,
} from "./audit.ts";
export {
  checkExplainer,
  countExplanations,
  explainAnswers,
  type Explained,
  type Explainer,
  type ExplainOptions,
  type Explanation,
  type ExplanationCounts,
  explanationPrompt,
  type ExplanationPromptOptions,
  type ExplanationReason,
  explanationSettings,
  type ParsedExplanation,
  parseExplanation,
} from "./explanation.ts";
export { auditProbe, type ProbeAudit, type ProbeAuditOptions } from "./audit.ts";
export {
  type LetterForm,
  type LetterMass,
  letterMass,
  type LetterOptions,
  type LetterToken,
  type LetterTokens,
  letterTokens,
} from "./letters.ts";
export {
  optionProbabilities,
  type OptionScore,
  probe,
  type ProbeOptions,
  scoreOptions,
  softmaxOver,
} from "./probe.ts";
export {
  constructGroups,
  type Example,
  type GroupOptions,
  type Groups,
  mixGroups,
  toAlpaca,
  toMessages,
  toShareGpt,
  withContext,
  withGeneral,
} from "./groups.ts";
export { encodeConversation, type EncodedConversation } from "./model/encode.ts";
export {
  defaultFinetuning,
  finetune,
  type FinetuneOptions,
  type FinetuneResult,
  resolveFinetuning,
} from "./finetune.ts";
export { type Schedule, scheduleFactor, type ScheduleOptions } from "./model/schedule.ts";
export {
  type FinetuneSettings,
  organismFinetuning,
  paperFinetuning,
} from "./model/finetune_settings.ts";
export type { WeightedBatch } from "./model/batching.ts";
export type { StepResult, TrainerOptions } from "./model/trainer_options.ts";
export { lossAndGradients, Trainer } from "./model/trainer.ts";
export * from "./organism/mod.ts";
export {
  evaluate,
  type Evaluation,
  scoreAnswers,
  type SuiteName,
  suiteNames,
  type SuiteResult,
  type Suites,
} from "./evaluate.ts";
export { compareAnswers, type Consistency } from "./evaluate.ts";
export { Random } from "./statistics/random.ts";
export * from "./statistics/mod.ts";
export * from "./study/mod.ts";
export * from "./figure/mod.ts";
export { notebook } from "./study/notebook.ts";
export { probeBases, type ProbedBase } from "./study/bases.ts";
export { checkAnswer, type ExerciseOptions } from "./figure/exercise.ts";
export { type Backend, type BackendName, openBackend } from "./platform/runtime/backend.ts";
export { compile, Session } from "./platform/compile/mod.ts";
export * as dataset from "./dataset/mod.ts";
export * as world from "./world/mod.ts";
export * as organism from "./organism/mod.ts";
export * as statistics from "./statistics/mod.ts";
export * as study from "./study/mod.ts";
export * as figure from "./figure/mod.ts";

export type { Cell } from "./cell.ts"; // figure/ has a Cell of tables
