/** Tables and plots: described as plain data, shown in notebooks, saved as files. */
export * from "./table.ts";
export * from "./dataframe.ts";
export * from "./plot.ts";
export * from "./distribution.ts";
export * from "./panels.ts";
export * from "./knowledge.ts";
export * from "./dose.ts";
export * from "./mixture.ts";
export {
  type AxisOptions,
  type FigureDescription,
  type FigureLayout,
  groupColors,
  palette,
  type PlotOptions,
  type PlotTrace,
} from "./theme.ts";
export { describeFigure } from "./describe.ts";
export { saveFigure, saveTable, toPng, toSvg } from "./export.ts";
export * from "./display.ts";
export { studyProgress } from "./study_progress.ts";
