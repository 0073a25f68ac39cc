/** Tables of `figures/`, so that a short run can stand beside the study that was published. */
import papa from "papaparse";
import { rearm } from "../figure/_text.ts";
import type { Cell } from "../figure/column.ts";
import { rowsOf } from "../figure/frame.ts";
import type { Row } from "../figure/rows.ts";
import { readText } from "../platform/runtime/files.ts";
import { outputPath, parseSettings, SETTINGS_VARIABLE } from "./settings.ts";

/**
 * The rows of the published table `path`, such as `05-evaluation/contrasts`; undefined in the run that
 * publishes, whose own rows these are.
 * @throws where there is no such table
 */
export async function published(path: string): Promise<Row[] | undefined> {
  const json = Deno.env.get(SETTINGS_VARIABLE), folder = outputPath({ output: "figures" });
  if (json !== undefined && outputPath(parseSettings(json)) === folder) return undefined;
  return parseTable(await readText(`${folder}/${path}.csv`, "show the published table"));
}

/** The rows of a csv that `toCsv` wrote. */
export function parseTable(csv: string): Row[] {
  const { data, meta: { fields = [] } } = papa.parse<Record<string, Cell>>(csv, {
    header: true,
    skipEmptyLines: true,
    delimiter: ",",
    dynamicTyping: true,
  });
  const read = (cell: Cell) => typeof cell === "string" ? rearm(cell) : cell;
  const values = data.map((row) => fields.map((key) => read(row[key])));
  return rowsOf({ columns: fields, values } as unknown as Parameters<typeof rowsOf>[0]);
}
