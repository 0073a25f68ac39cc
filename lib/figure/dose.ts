/** Tables and heat maps of doses: what more or less fine-tuning does. */
import { type DoseResult, doseRows, epochsLabel, rateLabel } from "../study/dose.ts";
import { type StudyRow } from "../study/rows.ts";
import type { SuiteName } from "../evaluate.ts";
import { heatMap, type HeatMapCell, type HeatMapOptions } from "./plot.ts";
import type { Row } from "./rows.ts";
import { type Table, table as makeTable, type TableOptions } from "./table.ts";
import type { FigureDescription } from "./theme.ts";

const differences = ["INC - base", "HAR - INC", "SELF - INC", "CON - INC"] as const;
export type DoseDifference = typeof differences[number];
/** What a row of a dose measures. */
export type DoseMeasure = DoseDifference | "base" | "HAR - base" | "SELF - base" | "CON - base";

export interface DoseTableOptions extends Omit<TableOptions, "columns"> {
  suites?: readonly SuiteName[];
  /** Which columns of points, in order. @default the rule's differences, and what INC changed */
  measures?: readonly DoseMeasure[];
}

/** A row for each dose and test; see `doseRows`. */
export function doseTable(
  results: readonly DoseResult[],
  { suites, measures = differences, ...options }: DoseTableOptions = {},
): Table {
  const rows = doseRows(results, suites) as Row[];
  return makeTable(rows, {
    columns: [
      "dose",
      "test",
      { key: "items", label: "items of INC", kind: "number", digits: 1 },
      { key: "empty", label: "cells without items", kind: "number", digits: 0 },
      { key: "fit", label: "INC's targets learnt", unit: "%", kind: "number", digits: 1 },
      ...measures
        .filter((key) => rows.some((row) => row[key] !== null))
        .map((key) => ({ key, unit: "points", kind: "measurement" as const, digits: 1 })),
    ],
    ...options,
  });
}

export interface DoseHeatMapOptions extends Omit<HeatMapOptions, "value" | "diverging"> {
  suite: SuiteName;
  /** @default `HAR - INC` */
  difference?: DoseDifference;
}

/**
 * A difference over learning rate (down) and epochs (across), in points.
 * @throws where a dose names none of both
 */
export function doseHeatMap(
  results: readonly DoseResult[],
  { suite, difference = "HAR - INC", ...options }: DoseHeatMapOptions,
): FigureDescription {
  const cells = results.flatMap((result): HeatMapCell[] => {
    const { learningRate, epochs } = result.dose;
    if (learningRate === undefined || epochs === undefined) {
      throw new Error(
        "Cannot draw doses: expected a learning rate and epochs in each; found " +
          `${JSON.stringify(result.dose)}; give results of rateDoses`,
      );
    }
    const [row] = doseRows([result], [suite]) as (StudyRow | undefined)[];
    const found = row?.[difference];
    if (found === undefined || found === null || typeof found !== "object") return [];
    return [{ row: rateLabel(learningRate), column: epochsLabel(epochs), ...found }];
  });
  return heatMap(cells, {
    ...options,
    diverging: true,
    value: { label: difference, unit: "points", digits: 1 },
  });
}
