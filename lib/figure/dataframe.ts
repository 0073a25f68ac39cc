/**
 * Tables as danfojs data frames, for pandas-like work in notebooks. danfojs is loaded at the first
 * call: it brings TensorFlow.js along. Missing numbers become NaN, because danfojs's groupby counts
 * a null as 0 in a mean.
 */
import type { DataFrame } from "danfojs-node";
import { flatten, type Table, type TableOptions, unflatten } from "./table.ts";

/** The table as a data frame; a measurement fills the columns key, key_low, key_high, key_n. */
export async function toDataFrame(table: Table): Promise<DataFrame> {
  const danfo = await import("danfojs-node");
  const { columns, kinds, rows } = flatten(table);
  if (rows.length === 0) {
    throw new Error(
      "Cannot make a data frame: expected at least one row, found none; check the table first",
    );
  }
  const dtypes = { text: "string", number: "float32", boolean: "boolean" };
  return new danfo.DataFrame(
    rows.map((row) => row.map((cell, i) => kinds[i] === "number" ? cell ?? NaN : cell)),
    { columns, dtypes: kinds.map((kind) => dtypes[kind]) },
  );
}

/** A table of a data frame's columns; NaN and undefined become missing cells. */
export function fromDataFrame(
  frame: Pick<DataFrame, "columns" | "values">, // danfojs types a result of groupby otherwise
  options: TableOptions = {},
): Table {
  const rows = (frame.values as unknown[][]).map((row) =>
    row.map((cell) =>
      cell === undefined || Number.isNaN(cell) ? null : cell as string | number | boolean | null
    )
  );
  return unflatten({ columns: frame.columns.map(String), rows }, options);
}
