/** The notebook format (nbformat 4.5): what is read, what must hold, and how it is written. */
import { readText } from "../runtime/files.ts";

/** Data by media type; the values of JSON types are objects, all others text. */
export type Bundle = Record<string, unknown>;

export type Output =
  | { output_type: "stream"; name: "stdout" | "stderr"; text: string | string[] }
  | { output_type: "display_data"; data: Bundle; metadata: Bundle }
  | { output_type: "execute_result"; data: Bundle; metadata: Bundle; execution_count: number }
  | { output_type: "error"; ename: string; evalue: string; traceback: string[] };

export interface CodeCell {
  cell_type: "code";
  id: string;
  metadata: Bundle & { tags?: string[] };
  source: string | string[];
  execution_count: number | null;
  outputs: Output[];
}

export interface TextCell {
  cell_type: "markdown" | "raw";
  id: string;
  metadata: Bundle;
  source: string | string[];
}

export interface Notebook {
  nbformat: 4;
  nbformat_minor: number;
  metadata: Bundle;
  cells: (CodeCell | TextCell)[];
}

/** Reads a notebook; throws an error that lists all that is wrong with its structure. */
export async function readNotebook(path: string): Promise<Notebook> {
  const text = await readText(path, "read notebook");
  let notebook: unknown;
  try {
    notebook = JSON.parse(text);
  } catch (error) {
    throw new Error(
      `Cannot read notebook ${path}: expected JSON: ${(error as Error).message}; mend or remake it`,
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
  const sorted = (_key: string, value: unknown) =>
    isObject(value)
      ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => a < b ? -1 : 1))
      : value;
  return JSON.stringify(notebook, sorted, 1) + "\n";
}

/**
 * What is wrong with a notebook's structure, one sentence a fault; empty when all is well.
 * Beyond nbformat 4.5 it asks for the metadata that Jupyter finds the kernel by, that
 * `deno fmt` needs to format code cells, and for outputs of one complete run or of none.
 */
export function notebookProblems(notebook: unknown): string[] {
  if (!isObject(notebook)) return ["the file must hold an object"];
  const problems: string[] = [];
  const { nbformat, nbformat_minor, metadata, cells } = notebook;
  if (nbformat !== 4 || !(Number(nbformat_minor) >= 5)) {
    problems.push(`nbformat must be 4.5 or a later 4, found ${nbformat}.${nbformat_minor}`);
  }
  const { kernelspec, language_info } = isObject(metadata) ? metadata : {};
  if (!isObject(kernelspec) || kernelspec.name !== "deno") {
    problems.push(`metadata.kernelspec.name must be "deno"`);
  }
  if (!isObject(language_info) || language_info.name !== "typescript") {
    problems.push(`metadata.language_info.name must be "typescript"`);
  }
  if (!Array.isArray(cells)) return [...problems, "cells must be a list"];
  const ids = new Set<unknown>();
  let number = 0;
  for (const [i, cell] of cells.entries()) {
    const isCode = isObject(cell) && cell.cell_type === "code";
    const name = isCode ? `cell ${++number}` : `entry ${i + 1} of cells`;
    const fault = (message: string) => problems.push(`${name}: ${message}`);
    if (!isObject(cell)) {
      fault("must be an object");
      continue;
    }
    if (!["code", "markdown", "raw"].includes(String(cell.cell_type))) {
      fault(`cell_type must be code, markdown or raw, found ${JSON.stringify(cell.cell_type)}`);
    }
    if (typeof cell.id !== "string" || !/^[\w-]{1,64}$/.test(cell.id)) {
      fault(`id must be 1 to 64 letters, digits, - and _, found ${JSON.stringify(cell.id)}`);
    } else if (ids.has(cell.id)) fault(`id ${cell.id} is used twice`);
    ids.add(cell.id);
    if (!isObject(cell.metadata)) fault("metadata must be an object");
    if (!isText(cell.source)) fault("source must be a string or a list of strings");
    if (!isCode) continue;
    const count = cell.execution_count;
    if (count !== null && !Number.isInteger(count)) fault("execution_count must be null or whole");
    if (!Array.isArray(cell.outputs)) fault("outputs must be a list");
    else cell.outputs.forEach((output) => outputProblem(output).forEach(fault));
  }
  return problems;
}

function outputProblem(output: unknown): string[] {
  if (!isObject(output)) return ["an output must be an object"];
  switch (output.output_type) {
    case "stream":
      return isText(output.text) && typeof output.name === "string"
        ? []
        : ["a stream output must have a name and a text"];
    case "display_data":
    case "execute_result":
      return isObject(output.data) && isObject(output.metadata)
        ? []
        : [`a ${output.output_type} output must have data and metadata`];
    case "error":
      return Array.isArray(output.traceback) ? [] : ["an error output must have a traceback"];
    default:
      return [`output_type ${JSON.stringify(output.output_type)} is not known`];
  }
}

/** What is wrong with the outputs that a notebook was saved with: errors, gaps, a mixed order. */
export function runProblems(notebook: Notebook): string[] {
  const cells = codeCells(notebook).map((cell, i) => ({ cell, number: i + 1 }))
    .filter(({ cell }) => joined(cell.source).trim());
  const problems = cells
    .filter(({ cell }) =>
      cell.outputs.some((output) => output.output_type === "error") && !mayFail(cell)
    )
    .map(({ number }) => `cell ${number}: was saved with an error; run the notebook again`);
  const counts = cells.map(({ cell }) => cell.execution_count);
  const complete = counts.every((count, i) => count === i + 1);
  if (!complete && counts.some((count) => count !== null)) {
    problems.push("the cells were not run once each from top to bottom; run the notebook again");
  }
  return problems;
}

/** Whether a cell is there to show an error (Jupyter's own tag for that). */
export function mayFail(cell: CodeCell): boolean {
  return cell.metadata.tags?.includes("raises-exception") ?? false;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isText(value: unknown): value is string | string[] {
  return typeof value === "string" ||
    Array.isArray(value) && value.every((line) => typeof line === "string");
}
