/** The organisms: small models that grew up in a synthetic world, made, written, read and described. */
export {
  type Answered,
  CARD_FORMAT,
  type CardGateValues,
  checkCardGate,
  formatCard,
  type GatePoint,
  hasExams,
  type Knowledge,
  type OrganismCard,
  parseCard,
  RECIPE,
  remakeCommand,
  type SampleAnswer,
  serializeCard,
} from "./card.ts";
export {
  letterFolder,
  letterNames,
  loadOrganism,
  type LoadOrganismOptions,
  type Organism,
  organismCard,
  organismNames,
  type OrganismParts,
  organismWorld,
  readCard,
  type WriteOptions,
  writeOrganism,
} from "./folder.ts";
export {
  type Made,
  type MakeOptions,
  makeOrganism,
  type MakeProgress,
  type OrganismPlan,
  planKey,
  planSettings,
} from "./make.ts";
export {
  gateOf,
  heldOutScores,
  letterGateOf,
  organismModel,
  pretrain,
  type PretrainOptions,
} from "./pretrain.ts";
export { askEveryWay, type FactAnswers, type Reader, recallFacts, statusShare } from "./recall.ts";
export {
  type LetterTrial,
  letterTrials,
  organismCards,
  parseRuns,
  type PretrainingRun,
  pretrainingRuns,
} from "./shelf.ts";
export { makeVariant, type Variant, variantCard, type VariantPlan, variantsOf } from "./variant.ts";
