/** The notebook format (nbformat 4.5): how it is read and written. */
import { readText } from "../runtime/files.ts";

/** Data by media type; the values of JSON types are objects, all others text. */
export type Bundle = Record<string, unknown>;

type Text = string | string[];
type Shown = { data: Bundle; metadata: Bundle };

export type Output =
  | { output_type: "stream"; name: "stdout" | "stderr"; text: Text }
  | { output_type: "display_data" } & Shown
  | { output_type: "execute_result"; execution_count: number } & Shown
  | { output_type: "error"; ename: string; evalue: string; traceback: string[] };

interface Cell {
  id: string;
  metadata: Bundle;
  source: Text;
}

export interface CodeCell extends Cell {
  cell_type: "code";
  execution_count: number | null;
  outputs: Output[];
}

export interface Notebook {
  nbformat: 4;
  nbformat_minor: number;
  metadata: Bundle;
  cells: (CodeCell | Cell & { cell_type: "markdown" | "raw" })[];
}

/** @throws where a file is no notebook, with its path */
export async function readNotebook(path: string): Promise<Notebook> {
  const text = await readText(path, "read notebook");
  const refuse = (expected: string) =>
    new Error(`Cannot read notebook ${path}: expected ${expected}; correct or remake it`);
  let notebook: Notebook;
  try {
    notebook = JSON.parse(text);
  } catch (error) {
    throw refuse(`JSON: ${(error as Error).message}`);
  }
  const isText = (text: unknown) => [text].flat().every((line) => typeof line === "string");
  const isCell = (cell: Notebook["cells"][number] | null) =>
    isText(cell?.source) && (cell!.cell_type !== "code" || Array.isArray(cell!.outputs));
  if (notebook?.nbformat !== 4 || !Array.isArray(notebook.cells) || !notebook.cells.every(isCell)) {
    throw refuse("nbformat 4, with a source in each cell and outputs in each of code");
  }
  return notebook;
}

/** The code cells in order; "cell 3" in messages is the third of these. */
export function codeCells(notebook: Notebook): CodeCell[] {
  return notebook.cells.filter((cell) => cell.cell_type === "code");
}

/** A multi-line string of the format, joined. */
export function joined(text: Text): string {
  return typeof text === "string" ? text : text.join("");
}

/** A text as the format's list of lines, each with its line break. */
export function lines(text: string): string[] {
  return text.match(/[^\n]*\n|[^\n]+$/g) ?? [];
}

/** The file's text laid out as Jupyter does it: keys sorted, one space of indent. */
export function formatNotebook(notebook: Notebook): string {
  const sorted = (_key: string, value: unknown) => {
    if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
    return Object.fromEntries(Object.entries(value).sort(([a], [b]) => a < b ? -1 : 1));
  };
  return JSON.stringify(notebook, sorted, 1) + "\n";
}
