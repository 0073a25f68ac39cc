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
export type { Question } from "./question.ts";
export { optionLetter, parseQuestions } from "./question.ts";
export type { Message } from "./conversation.ts";
export * from "./dataset/mod.ts";
export * from "./world/mod.ts";
export { type ChatTemplate, chatTemplateFromFiles } from "./chat_template.ts";
export {
  type Asking,
  createChatFormat,
  createPaperFormat,
  type Formulation,
  type Normalization,
  paperFormat,
  type PromptFormat,
  type Template,
} from "./prompt.ts";
export { type Tokenizer, tokenizerFromFiles } from "./tokenizer.ts";
export type { ModelConfiguration } from "./model/configuration.ts";
export {
  loadingMemory,
  type MemoryEstimate,
  probingMemory,
  trainingMemory,
  type TrainingUse,
} from "./model/memory.ts";
export { type GenerateOptions, LanguageModel } from "./model/language_model.ts";
export type { ProbedModel } from "./model/engine.ts";
export { loadModel, type LoadOptions, openEngine } from "./model/load.ts";
export {
  type Adapter,
  addLora,
  dropLora,
  type LoraOptions,
  type LoraTarget,
  loraTargets,
  mergeLora,
} from "./model/lora.ts";
export { loadLora, saveLora } from "./model/adapter_folder.ts";
export * from "./knowledge/mod.ts";
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
} from "./group.ts";
export * from "./finetune/mod.ts";
export * from "./organism/mod.ts";
export {
  evaluate,
  type Evaluation,
  scoreAnswers,
  type SuiteName,
  suiteNames,
  type SuiteResult,
  type Suites,
} from "./evaluation.ts";
export { compareAnswers, type Consistency } from "./consistency.ts";
export { Random } from "./random.ts";
export * from "./statistics/mod.ts";
export * from "./study/mod.ts";
export type { Cell } from "./study/mod.ts"; // figure/ has a Cell of tables
export * from "./figure/mod.ts";
export { notebook } from "./study/notebook.ts";
export { checkAnswer, type ExerciseOptions } from "./exercise.ts";
export { type Backend, type BackendName, openBackend } from "./runtime/backend.ts";
export { compile, Session } from "./runtime/compile/mod.ts";
