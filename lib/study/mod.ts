/** The study: what is run, its cells, its results and what they say. */
export { type AccountRow, accountRows, accountTexts, ACROSS, runAccount } from "./account.ts";
export {
  type AnswerGroups,
  auditRows,
  baseRows,
  beliefRows,
  changeRows,
  choiceRows,
  optionRows,
  outcomeColors,
  outcomeRows,
  reliabilityRows,
} from "./belief_rows.ts";
export { suiteNames } from "../evaluate.ts";
export { contents } from "./contents.ts";
export { askFormulations } from "./formulations.ts";
export { keepBase } from "./keep_base.ts";
export {
  factOptionRows,
  factRows,
  gateCheckRows,
  gateColumns,
  gateRows,
  knowledgeRows,
  learningRows,
  letterCurveRows,
  letterTrialColumns,
  letterTrialRows,
  mentionRows,
  pretrainingRows,
  wayRows,
} from "./organism_rows.ts";
export { published } from "./published.ts";
export { auditProbe } from "../audit.ts";
export * from "./group_rows.ts";
export type { Row } from "../figure/rows.ts";
export * from "./shipped_run.ts";
export * from "./real.ts";
export * from "./training.ts";
export { studyProgress } from "./progress.ts";
export { type AuditedStudy, type RunOptions, runStudy } from "./run.ts";
export { cellExamples, runCell, targetFit } from "../experiment.ts";
export {
  asRows,
  type Cell,
  type CellResult,
  type SuiteRecord,
  type Treatment,
  treatments,
} from "../cell.ts";
export { correlations, correlationTitles, movedQuestion, pointRows } from "./correlations.ts";
export { recallRows } from "./recall.ts";
export { againstBase, compareTreatments, type ComparisonRow, fitRows } from "./comparisons.ts";
export {
  type ConsistencyMeasure,
  consistencyMeasures,
  type CorrelationKind,
  correlationKinds,
  type CorrelationOptions,
  correlationOverModels,
  correlationsByModel,
} from "../contrast.ts";
export {
  factKindContrasts,
  factKindSweep,
  groupEffects,
  groupSizeSweep,
  itemKindLabels,
  itemKinds,
  learningRateSweep,
  rangeOf,
  type Variation,
  variationLabel,
  type VariationResult,
  variationRows,
  variationTable,
  variedPlan,
} from "./variation.ts";
export { runVariations } from "./variation_run.ts";
export { worldMaterial } from "./material.ts";
export { type DomainMaterial, type Exam, type ItemKind, type Material } from "../cell.ts";
export { explanationPrompt, explanationSettings, parseExplanation } from "../explanation.ts";
export {
  bestRatios,
  middleRatioFindings,
  mixtureCells,
  mixtureCurve,
  mixtureKlFindings,
  mixtureRows,
  sharpness,
} from "./mixture.ts";
export { openFirst, openOrganism, openProbed, openSubject } from "./subjects.ts";
export { type OpenedSubject, type ProbedSubject } from "./study.ts";
export {
  contextPlans,
  doseGrid,
  finetuningOf,
  mainPlans,
  mixturePlans,
  paperRatios,
  plans,
  studiedModels,
  studyPlan,
} from "./plans.ts";
export { isOrganism, modelLabel } from "./labels.ts";
export { paperGroupSizes, paperNumber } from "../dataset/paper.ts";
export {
  allFindings,
  auditPools,
  caveatsOf,
  claimable,
  emptyAdvice,
  findingTable,
  type ResultContext,
  type ResultRecord,
  saveResults,
  saveRows,
  saveText,
  studyWarnings,
  summaryText,
  unprovenTexts,
} from "./report.ts";
export {
  auditText,
  readReleasedGroups,
  releasedChecks,
  releasedFiles,
  releasedMaterial,
} from "./released.ts";
export { type ReleasedMaterial } from "../cell.ts";
export {
  outputPath,
  parseSettings,
  realSettings,
  type Settings,
  settings,
  storePath,
} from "./settings.ts";
export { FACT_GROUP_SIZE, factMaterial } from "./facts.ts";
export { Store } from "./store.ts";
export {
  probeBase,
  type Study,
  type StudyOptions,
  type StudyProgress,
  type StudyResult,
  type Subject,
} from "./study.ts";
export { planCells, type StudyPlan } from "./plan.ts";
export { baseAnswersOf, type BaseResult, poolAnswers } from "./base.ts";
export {
  byModel,
  type ConsistencyPoint,
  consistencyPoints,
  type Contrast,
  contrast,
  type Estimate,
  suiteLabels,
  treatmentLabels,
} from "../contrast.ts";
export { findingText } from "./finding_text.ts";
export { type Finding, findings, ruleContrasts, type Verdict } from "../findings.ts";
export { ratioOf } from "../cell.ts";
export { cellRows, type StudyRow, treatmentsOf } from "./rows.ts";
export {
  accuracyColumns,
  accuracyRows,
  contrastRows,
  distanceRows,
  findingResults,
  findingRows,
  type Flips,
  flips,
} from "./tables.ts";
export { makeVariants, type VariantProgress } from "./variants.ts";
export {
  baseGateRows,
  type BaseSweep,
  baseSweep,
  chatAccuracies,
  formTable,
  gateTable,
  pretrainBases,
  type PretrainedBase,
} from "./pretrained_bases.ts";
export { showBeside } from "./beside.ts";
export {
  accuracies,
  ALL_DOMAINS,
  ALL_MODELS,
  consistencies,
  contrasts,
  findingRecords,
  flipRows,
  movement,
  overall,
  type PairedAnswer,
  pairedAnswers,
} from "./rows.ts";
