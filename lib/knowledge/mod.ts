/** What a model believes: its answers, and whether they show knowledge. */
export {
  type Answer,
  answerFrom,
  formatAnswers,
  fromAnswerRow,
  parseAnswers,
  type StoredAnswer,
  toAnswerRow,
} from "../answer.ts";
export {
  type Belief,
  beliefOf,
  type BeliefOptions,
  type Reliability,
  type ReliabilityBin,
  reliabilityOf,
  type Share,
  shareOf,
} from "./belief.ts";
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
