/** Tables and plots over tidy rows: described as plain data, shown in notebooks, saved as files. */
export type { ChartOptions } from "./_chart.ts";
export * from "./chart.ts";
export type { Cell, Column } from "./column.ts";
export { note, show, type Showable, showExplorer, showLinks } from "./display.ts";
export { saveFigure, saveTable, toPng, toSvg } from "./export.ts";
export { frame, join, rowsOf } from "./frame.ts";
export * from "./heatmap.ts";
export * from "./number.ts";
export * from "./progress.ts";
export { melt, pivot, type Row } from "./rows.ts";
export * from "./strip.ts";
export * from "./table.ts";
export type { FigureDescription } from "./theme.ts";
