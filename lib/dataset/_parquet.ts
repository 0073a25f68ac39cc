/** Rows of Parquet, a row group at a time. */
import { asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects } from "hyparquet";
import { compressors } from "hyparquet-compressors";
import type { SourceRow } from "./_rows.ts";

/** Whole numbers that fit are numbers; others stay, to be refused by their field's name. */
function plain(value: unknown): unknown {
  if (typeof value === "bigint") {
    return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
  }
  if (Array.isArray(value)) return value.map(plain);
  if (value === null || typeof value !== "object") return value;
  if (Object.getPrototypeOf(value) !== Object.prototype) return value;
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, plain(one)]));
}

/**
 * The rows of a file; `line` counts them from 1.
 * @throws where the file is none of Parquet, or is cut
 */
export async function* parquetRows(path: string): AsyncGenerator<SourceRow[]> {
  const file = await asyncBufferFromFile(path);
  const metadata = await parquetMetadataAsync(file);
  let line = 1;
  for (const { num_rows: rows } of metadata.row_groups) {
    const rowStart = line - 1, rowEnd = rowStart + Number(rows);
    const group = await parquetReadObjects({ file, metadata, compressors, rowStart, rowEnd });
    yield group.map((row): SourceRow => ({ line: line++, value: plain(row) }));
  }
}
