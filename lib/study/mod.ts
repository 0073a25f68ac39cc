/** The study: what is run, its cells, its results and what they say. */
export {
  type Cell,
  cellExamples,
  type CellResult,
  runCell,
  type SuiteRecord,
  type Treatment,
  treatments,
} from "./cell.ts";
export { type DomainMaterial, type Exam, type Material, worldMaterial } from "./material.ts";
export {
  isOrganism,
  type OpenedSubject,
  openSubject,
  paperRatios,
  studiedModels,
  studyPlan,
} from "./open.ts";
export { outputPath, parseSettings, type Settings, settings } from "./settings.ts";
export { Store } from "./store.ts";
export {
  type BaseResult,
  planCells,
  runStudy,
  type StudyOptions,
  type StudyPlan,
  type StudyProgress,
  type StudyResult,
  type Subject,
} from "./study.ts";
export {
  byModel,
  consistencyCorrelations,
  consistencyPoints,
  type Contrast,
  contrast,
  type Estimate,
  type Finding,
  findings,
  ratioOf,
  type Reading,
  suiteLabels,
  treatmentLabels,
} from "./summary.ts";
