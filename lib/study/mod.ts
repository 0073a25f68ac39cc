/** The study: what is run, its cells, its results and what they say. */
export { type AccountRow, accountRows, accountTexts, ACROSS } from "./account.ts";
export { storedAnswers, storedScores } from "./answers.ts";
export { type AuditedStudy, runAudited } from "./audited.ts";
export {
  asRows,
  type Cell,
  cellExamples,
  type CellResult,
  runCell,
  type SuiteRecord,
  targetFit,
  type Treatment,
  treatments,
} from "../experiment.ts";
export { againstBase, compareTreatments, type ComparisonRow, fitRows } from "./context.ts";
export {
  type ConsistencyMeasure,
  consistencyMeasures,
  type CorrelationKind,
  correlationKinds,
  type CorrelationOptions,
  correlationOverModels,
  correlationsByModel,
} from "./correlation.ts";
export {
  compositionDoses,
  type Dose,
  doseLabel,
  dosePlan,
  type DoseResult,
  doseRows,
  epochsLabel,
  itemKindLabels,
  itemKinds,
  rateDoses,
  rateLabel,
  runDoses,
  sizeDoses,
} from "./dose.ts";
export { type DoseSet, runDoseSets } from "./dose_run.ts";
export {
  type DomainMaterial,
  type Exam,
  type ItemKind,
  type Material,
  worldMaterial,
} from "./material.ts";
export { answersToExplain, storedExplanations } from "./explanations.ts";
export {
  bestRatio,
  bestRatioRange,
  bestRatioShares,
  middleRatioFindings,
  mixtureCells,
  mixtureCurve,
  mixtureKlFindings,
  mixtureRows,
  type RatioEstimate,
  readMiddle,
} from "./mixture.ts";
export {
  contextPlans,
  finetuningOf,
  isOrganism,
  mainPlans,
  mixturePlans,
  modelLabel,
  type OpenedSubject,
  openProbed,
  openSubject,
  paperRatios,
  type ProbedSubject,
  studiedModels,
  studyPlan,
} from "./open.ts";
export { paperGroupSizes, paperNumber } from "./paper.ts";
export {
  auditPools,
  caveatsOf,
  claimable,
  emptyAdvice,
  findingsText,
  findingText,
  type ResultContext,
  type ResultRecord,
  saveResults,
  saveText,
  studyWarnings,
  summaryText,
  unprovenTexts,
} from "./report.ts";
export {
  auditText,
  readReleasedGroups,
  releasedFiles,
  type ReleasedMaterial,
  releasedMaterial,
} from "./released.ts";
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
  baseAnswersOf,
  type BaseResult,
  planCells,
  poolAnswers,
  probeBase,
  runStudy,
  type Study,
  type StudyOptions,
  type StudyPlan,
  type StudyProgress,
  type StudyResult,
  type Subject,
} from "./study.ts";
export {
  byModel,
  consistencyCorrelations,
  type ConsistencyPoint,
  consistencyPoints,
  type Contrast,
  contrast,
  type Estimate,
  type Finding,
  findings,
  ratioOf,
  type Reading,
  ruleContrasts,
  suiteLabels,
  treatmentLabels,
} from "../contrast.ts";
export {
  accuracyColumns,
  accuracyRows,
  cellRows,
  consistencyRows,
  contrastRows,
  distanceRows,
  findingResults,
  findingRows,
  type Flips,
  flips,
  type StudyRow,
  treatmentsOf,
} from "./tables.ts";
export { makeVariants, type VariantProgress } from "./variants.ts";
export { type ParallelOptions, runParallel } from "./workers.ts";
