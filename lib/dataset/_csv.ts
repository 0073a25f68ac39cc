/** CSV text to rows that know the line they start on, which papaparse leaves to its caller. */
// @ts-types="npm:@types/papaparse@5.5.2"
import Papa from "papaparse";

/** One row: its cells, its 1-based first line and, when its quoting is broken, what is wrong. */
export interface CsvRow {
  cells: string[];
  line: number;
  fault?: string;
}

/** What parts the cells: a first line without a comma has Excel's semicolons, or tabs. */
function delimiterOf(text: string): string {
  const [line] = text.split("\n", 1);
  return [",", ";", "\t"].find((one) => line.includes(one)) ?? ",";
}

/** Rows of delimited text (RFC 4180: quoted cells may hold delimiters and line ends). */
export function parseCsv(text: string): CsvRow[] {
  const rows: CsvRow[] = [];
  let line = 1;
  let cursor = 0;
  Papa.parse<string[]>(text, {
    delimiter: delimiterOf(text),
    step: ({ data, errors, meta }) => {
      const blank = data.length === 1 && data[0].trim() === "";
      const fault = errors[0]
        ? `${
          errors[0].message
        }; if a quote is never closed, all that follows it was read as one cell`
        : undefined;
      if (!blank || fault) rows.push({ cells: data, line, ...(fault ? { fault } : {}) });
      for (; cursor < meta.cursor; cursor++) if (text[cursor] === "\n") line++;
    },
  });
  return rows;
}
