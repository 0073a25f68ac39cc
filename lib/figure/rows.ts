/** Tidy rows: plain records, a field a column; what tables, frames and figures are made from. */
import { suggestion } from "../platform/runtime/nearest.ts";
import type { Cell } from "./column.ts";
import { isMeasurement } from "./number.ts";

/** A field may be missing in some rows: its cell is empty then. */
export type Row = Readonly<Record<string, Cell | undefined>>;

/** Each once, in the order in which they first appear. */
export const unique = <T>(list: readonly T[]): T[] => [...new Set(list)];

export const columnNames = (rows: readonly Row[]): string[] => unique(rows.flatMap(Object.keys));

/** @throws where `rows` are some but none has the column `key`, or one holds no cell there */
export function checkColumns(action: string, rows: readonly Row[], keys: readonly string[]): void {
  if (rows.length === 0) return;
  const known = columnNames(rows);
  for (const key of keys) {
    if (!known.includes(key)) {
      throw new Error(
        `Cannot ${action}: expected one of the columns ${known.join(", ")}; found ${key}` +
          `${suggestion(key, known)}; name a column of the rows`,
      );
    }
    const odd = rows.findIndex(({ [key]: cell }) =>
      typeof cell === "object" && cell !== null && !isMeasurement(cell) ||
      ["function", "symbol", "bigint"].includes(typeof cell)
    );
    if (odd < 0) continue;
    const cell: unknown = rows[odd][key];
    const found = typeof cell === "object" ? JSON.stringify(cell).slice(0, 60) : `a ${typeof cell}`;
    throw new Error(
      `Cannot ${action}: expected a text, a number, true or false, a { value, interval?, n? } or ` +
        `null in column ${key}; found ${found} in row ${odd + 1}; change that cell`,
    );
  }
}

/**
 * Wide rows: one for each combination of the `index` columns, with a column for each value of the
 * column `columns`, all in the order in which they first appear. A value that is a number names its
 * column too: `seed 1`. Where no row has a combination, null.
 * @throws where two rows fall into one cell, or a value is named like an index column
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * const rows = [{ test: "ID", group: "INC", value: 1 }, { test: "ID", group: "HAR", value: 2 }];
 * const wide = pivot(rows, { index: "test", columns: "group", values: "value" });
 * assert.deepEqual(wide, [{ test: "ID", INC: 1, HAR: 2 }]);
 * ```
 */
export function pivot(
  rows: readonly Row[],
  { index, columns, values = "value" }: {
    index: string | readonly string[];
    columns: string;
    values?: string;
  },
): Record<string, Cell>[] {
  const keys = [index].flat() as string[];
  checkColumns("pivot rows", rows, [...keys, columns, values]);
  const nameOf = (row: Row) => {
    const name = String(row[columns] ?? "none");
    // A record's fields that look like whole numbers would come before all others.
    return typeof row[columns] === "number" || /^\d+$/.test(name) ? `${columns} ${name}` : name;
  };
  const names = unique(rows.map(nameOf));
  const taken = names.find((name) => keys.includes(name));
  if (taken !== undefined) {
    throw new Error(
      `Cannot pivot rows: expected values of ${columns} other than the index columns; found ` +
        `${taken}; rename one of the two`,
    );
  }
  const wide = new Map<string, Record<string, Cell>>();
  for (const row of rows) {
    const place = keys.map((key) => row[key] ?? null);
    const id = JSON.stringify(place);
    if (!wide.has(id)) {
      const start = keys.map((key, i): [string, Cell] => [key, place[i]]);
      wide.set(id, Object.fromEntries([...start, ...names.map((name) => [name, null])]));
    }
    const found = wide.get(id)!, name = nameOf(row);
    if (found[name] !== null) {
      const [each, both] = [[...keys, columns].join(", "), [...place, name].map(String).join(", ")];
      throw new Error(
        `Cannot pivot rows: expected one row for each ${each}; found two for ${both}; filter the ` +
          "rows, or add a column to index",
      );
    }
    found[name] = row[values] ?? null;
  }
  return [...wide.values()];
}

/**
 * Long rows, the other way round than `pivot`: of each row one for each of `columns`, named in the column
 * `names`, its cell in the column `values`; the other columns stay. Cells that are missing are left out.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * const long = melt([{ test: "ID", INC: 1, HAR: 2 }], ["INC", "HAR"], { names: "group" });
 * assert.deepEqual(long[1], { test: "ID", group: "HAR", value: 2 });
 * ```
 */
export function melt(
  rows: readonly Row[],
  columns: readonly string[],
  { names = "measure", values = "value" }: { names?: string; values?: string } = {},
): Record<string, Cell>[] {
  checkColumns("melt rows", rows, columns);
  return rows.flatMap((row) => {
    const others = Object.entries(row).filter(([key]) => !columns.includes(key));
    return columns.filter((key) => (row[key] ?? null) !== null).map((key) => ({
      ...Object.fromEntries(others.map(([name, cell]) => [name, cell ?? null])),
      [names]: key,
      [values]: row[key]!,
    }));
  });
}
