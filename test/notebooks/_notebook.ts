import { join } from "node:path";
import {
  type CodeCell,
  codeCells,
  formatNotebook,
  joined,
  type Notebook,
} from "../../lib/platform/notebook/notebook.ts";

/** A notebook of the given code cells. */
export function notebookOf(cells: string[]): Notebook {
  return {
    nbformat: 4,
    nbformat_minor: 5,
    metadata: {
      kernelspec: { display_name: "Deno", language: "typescript", name: "deno" },
      language_info: { name: "typescript", file_extension: ".ts", mimetype: "text/x.typescript" },
    },
    cells: cells.map((source, i): CodeCell => ({
      cell_type: "code",
      id: `cell-${i + 1}`,
      metadata: {},
      source: source.split(/(?<=\n)/),
      execution_count: null,
      outputs: [],
    })),
  };
}

/** A folder that lasts as long as the block it is declared in. */
export async function temporaryFolder() {
  const path = await Deno.makeTempDir();
  return {
    path,
    /** Writes a notebook of the given code cells; gives its path. */
    async notebook(cells: string[], name = "a.ipynb"): Promise<string> {
      await Deno.writeTextFile(join(path, name), formatNotebook(notebookOf(cells)));
      return join(path, name);
    },
    async [Symbol.asyncDispose]() {
      await Deno.remove(path, { recursive: true });
    },
  };
}

/** The text of a cell's stream outputs of one name; cells are counted from 1. */
export function streamText(notebook: Notebook, cell: number, name = "stdout"): string {
  return codeCells(notebook)[cell - 1].outputs.map((output) =>
    output.output_type === "stream" && output.name === name ? joined(output.text) : ""
  ).join("");
}
