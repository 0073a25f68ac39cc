/**
 * The synthetic world that the organisms grow up in: what is true in it, the corpus that tells of
 * it, its exams, its words, and how a model is pretrained on it.
 */
export {
  checkWorldSettings,
  type Size,
  withChatShare,
  withShares,
  type WorldSettings,
  worldSizes,
} from "./settings.ts";
export {
  allFacts,
  createWorld,
  type Domain,
  type Fact,
  findDomain,
  type Relation,
  type Split,
  type Status,
  type World,
  type WorldOptions,
} from "./world.ts";
export { parseWorld, serializeWorld } from "./serialization.ts";
export { vocabulary, WordTokenizer, worldTokenizer } from "./vocabulary.ts";
export {
  contextStatement,
  createOrganismFormat,
  organismFormat,
  type OrganismFormatOptions,
  type OrganismPromptOptions,
  questionWords,
  statementTemplates,
  type Wording,
} from "./format.ts";
export {
  answerWords,
  checkLetterSettings,
  type Drill,
  drillDrawer,
  type LetterSettings,
  plainLetters,
} from "./letters.ts";
export {
  type Document,
  type DocumentOptions,
  documents,
  documentShares,
  type DocumentType,
  type LetterCorpus,
  type Window,
  type WindowOptions,
  windows,
} from "./documents.ts";
export { type FactMentions, factMentions, type MentionOptions, type Tally } from "./mentions.ts";
export {
  exam,
  type ExamOptions,
  type Exams,
  exams,
  factQuestion,
  factsById,
  withStatement,
} from "./exam.ts";
export { generalExamples } from "./instruction.ts";
export {
  checkPretrainingSettings,
  type ParameterData,
  type PretrainingSettings,
  pretrainingSizes,
} from "./pretraining_settings.ts";
export {
  embeddingScale,
  exportParameters,
  type InitialOptions,
  initialParameters,
  isDecayed,
  organismConfiguration,
  parameterCount,
  pretrainingRate,
  pretrainingShapes,
  pretrainingSteps,
} from "./pretraining.ts";
export {
  checkGate,
  type GateCheck,
  gateThresholds,
  type GateValues,
  gateValues,
  heldOutAnswers,
  type HeldOutOptions,
  type HeldOutScores,
  measureGate,
  type ScoredPrompt,
  scoreHeldOut,
  type ScoreOptions,
} from "./gate.ts";
export {
  checkLetterGate,
  type LetterGateValues,
  letterThresholds,
  measureLetterGate,
} from "./letter_gate.ts";
