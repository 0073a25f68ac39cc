/** The notebook format (nbformat 4.5): what is read, what must hold, and how it is written. */
import * as v from "valibot";
import { explainIssue } from "../runtime/explain.ts";
import { readText } from "../runtime/files.ts";

/** Data by media type; the values of JSON types are objects, all others text. */
export type Bundle = Record<string, unknown>;

const text = v.union([v.string(), v.array(v.string())], "expected a text or a list of texts");
const bundle = v.record(v.string(), v.unknown());
const whole = v.pipe(v.number(), v.integer());
const shown = { data: bundle, metadata: bundle };
const named = <Name extends string>(name: Name) => v.looseObject({ name: v.literal(name) });

const outputSchema = v.variant("output_type", [
  v.object({ output_type: v.literal("stream"), name: v.picklist(["stdout", "stderr"]), text }),
  v.object({ output_type: v.literal("display_data"), ...shown }),
  v.object({ output_type: v.literal("execute_result"), ...shown, execution_count: whole }),
  v.object({
    output_type: v.literal("error"),
    ename: v.string(),
    evalue: v.string(),
    traceback: v.array(v.string()),
  }),
]);

const cell = {
  id: v.custom<string>(
    (id) => typeof id === "string" && /^[\w-]{1,64}$/.test(id),
    "expected 1 to 64 letters, digits, - and _",
  ),
  source: text,
};
const codeSchema = v.object({
  cell_type: v.literal("code"),
  ...cell,
  metadata: bundle,
  execution_count: v.nullable(whole),
  outputs: v.array(outputSchema),
});

/** nbformat 4.5, with the metadata that Jupyter finds the kernel by and `deno fmt` formats cells by. */
const notebookSchema = v.object({
  nbformat: v.literal(4),
  nbformat_minor: v.pipe(v.number(), v.minValue(5)),
  metadata: v.looseObject({ kernelspec: named("deno"), language_info: named("typescript") }),
  cells: v.array(v.variant("cell_type", [
    codeSchema,
    v.object({ cell_type: v.picklist(["markdown", "raw"]), ...cell, metadata: bundle }),
  ])),
});

export type Output = v.InferOutput<typeof outputSchema>;
export type CodeCell = v.InferOutput<typeof codeSchema>;
export type Notebook = v.InferOutput<typeof notebookSchema>;

/** Reads a notebook; throws an error that lists all that is wrong with its structure. */
export async function readNotebook(path: string): Promise<Notebook> {
  const text = await readText(path, "read notebook");
  let notebook: unknown;
  try {
    notebook = JSON.parse(text);
  } catch (error) {
    const { message } = error as Error;
    throw new Error(
      `Cannot read notebook ${path}: expected JSON: ${message}; correct or remake it`,
    );
  }
  const problems = notebookProblems(notebook);
  if (problems.length) {
    throw new Error(
      `Cannot read notebook ${path}: expected nbformat 4.5:\n  ${problems.join("\n  ")}`,
    );
  }
  return notebook as Notebook;
}

/** The code cells in order; "cell 3" in messages is the third of these. */
export function codeCells(notebook: Notebook): CodeCell[] {
  return notebook.cells.filter((cell) => cell.cell_type === "code");
}

/** A multi-line string of the format, joined. */
export function joined(text: string | string[]): string {
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

/** What is wrong with a notebook's structure, one text a fault; empty when all is well. */
export function notebookProblems(notebook: unknown): string[] {
  const { success, output, issues = [] } = v.safeParse(notebookSchema, notebook);
  const ids = success ? output.cells.map(({ id }) => id) : [];
  return [
    ...issues.map((issue) => `${v.getDotPath(issue) ?? "the file"}: ${explainIssue(issue)}`),
    ...ids.filter((id, i) => ids.indexOf(id) < i).map((id) => `cells: id ${id} is used twice`),
  ];
}
