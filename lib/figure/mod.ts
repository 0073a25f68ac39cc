/** Tables and plots over tidy rows: described as plain data, shown in notebooks, saved as files. */
export * from "./number.ts";
export {
  type Cell,
  type Column,
  type ColumnKind,
  columns as columnDictionary,
  type NumberFormat,
} from "./column.ts";
export { melt, pivot, type Row } from "./rows.ts";
export {
  flatten,
  type Table,
  table,
  type TableOptions,
  toCsv,
  toHtml,
  toMarkdown,
} from "./table.ts";
export { checkAnswer, type ExerciseOptions } from "./exercise.ts";
export { frame, join, rowsOf } from "./frame.ts";
export type { ChartOptions } from "./_chart.ts";
export { bars, lines, scatter } from "./chart.ts";
export { heatmap } from "./heatmap.ts";
export type { Reference } from "./grid.ts";
export { type FigureDescription, groupColors, palette, type PlotTrace } from "./theme.ts";
export { describeFigure } from "./describe.ts";
export { saveFigure, saveTable, toPng, toSvg } from "./export.ts";
export {
  type Link,
  type MimeBundle,
  mimeBundle,
  note,
  show,
  type Showable,
  showLinks,
} from "./display.ts";
export { type Progress, progress, type ProgressOptions } from "./progress.ts";
