/**
 * Checks notebooks before they run. The kernel neither checks types nor says what is wrong with a
 * cell that it can't compile, and `deno check` and `deno lint` take no notebooks; so a notebook's
 * code cells are joined into one module, and its errors are reported by notebook, cell and line.
 */
import { basename, dirname, join, relative, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { writeWhole } from "../runtime/files.ts";
import {
  codeCells,
  joined,
  lines,
  type Notebook,
  readNotebook,
  runProblems,
  shipProblems,
} from "./notebook.ts";

export interface NotebookProblem {
  notebook: string;
  /** Counted from 1 among the code cells. */
  cell?: number;
  /** Counted from 1 within the cell. */
  line?: number;
  message: string;
}

interface JoinedNotebook {
  notebook: string;
  module: string;
  /** For each line of the module: the cell and the line in it. */
  origins: { cell: number; line: number }[];
}

/** What goes unnoticed in a cell, or fails in one only. */
const UNFIT: [RegExp, string][] = [
  [/\bimport\.meta\b/, "import.meta does not exist in a cell; use a path relative to the notebook"],
  [/\bDeno\.test\(/, "a failing Deno.test leaves a cell green; use an assertion"],
];

const CHECKS = ["structure", "types", "lint", "format"] as const;

/** Checks notebooks (structure with saved outputs, types, lint, format); gives what is wrong. */
export async function checkNotebooks(
  paths: string[],
  { only = CHECKS }: { only?: readonly typeof CHECKS[number][] } = {},
): Promise<NotebookProblem[]> {
  const problems: NotebookProblem[] = [];
  const modules: JoinedNotebook[] = [];
  for (const path of paths) {
    try {
      const notebook = await readNotebook(path);
      if (only.includes("structure")) {
        const faults = [...runProblems(notebook), ...shipProblems(notebook)];
        problems.push(...faults.map((message) => ({ notebook: path, message })));
      }
      modules.push(await joinCells(path, notebook, problems));
    } catch (error) {
      problems.push({ notebook: path, message: (error as Error).message });
    }
  }
  if (!modules.length) return problems;
  if (only.includes("types")) problems.push(...await checkTypes(modules));
  if (only.includes("lint")) problems.push(...await lint(modules));
  if (only.includes("format")) problems.push(...await checkFormat(modules));
  return problems;
}

/** `notebooks/03.ipynb: cell 4, line 2: message`, as far as it is known. */
export function problemText({ notebook, cell, line, message }: NotebookProblem): string {
  const place = [relative(Deno.cwd(), resolve(notebook))];
  if (cell) place.push(line ? `cell ${cell}, line ${line}` : `cell ${cell}`);
  return `${place.join(": ")}: ${message}`;
}

/**
 * Writes a notebook's cells as a module under the git-ignored `.cache/` of the project it is in,
 * with its relative imports bent so that they still resolve.
 */
async function joinCells(
  path: string,
  notebook: Notebook,
  problems: NotebookProblem[],
): Promise<JoinedNotebook> {
  const root = await projectOf(path);
  const name = relative(root, resolve(path)).replace(/[\\/]/g, "--").replace(/\.ipynb$/, ".ts");
  const module = join(root, ".cache", "check", name);
  const text: string[] = [];
  const origins: JoinedNotebook["origins"] = [];
  for (const [i, cell] of codeCells(notebook).entries()) {
    // The semicolon keeps a cell that starts with a bracket from going on with the one before.
    text.push(`; // cell ${i + 1}`);
    origins.push({ cell: i + 1, line: 1 });
    for (const [j, line] of lines(joined(cell.source)).entries()) {
      for (const [pattern, message] of UNFIT) {
        if (pattern.test(line)) {
          problems.push({ notebook: path, cell: i + 1, line: j + 1, message });
        }
      }
      text.push(
        line.trimEnd().replace(
          /(\b(?:from\s*|import\s*\(?\s*)(["']))(\.\.?\/[^"']*)(?=\2)/g,
          (_, before, _quote, specifier) =>
            before + slashed(relative(dirname(module), resolve(dirname(path), specifier))),
        ),
      );
      origins.push({ cell: i + 1, line: j + 1 });
    }
  }
  await writeWhole(module, text.join("\n") + "\n");
  return { notebook: path, module, origins };
}

/** The nearest folder above a notebook that holds a deno.json, or else the notebook's own. */
async function projectOf(path: string): Promise<string> {
  const own = dirname(resolve(path));
  for (let folder = own; folder !== dirname(folder); folder = dirname(folder)) {
    const found = await Deno.stat(join(folder, "deno.json")).catch(() => undefined);
    if (found?.isFile) return folder;
  }
  return own;
}

async function checkTypes(modules: JoinedNotebook[]): Promise<NotebookProblem[]> {
  const { success, text } = await deno("check", modules);
  if (success) return [];
  // One blank line stands between two errors; each ends with where it was found.
  const problems = text.split(/\n\s*\n/).flatMap((block) => {
    const place = /^\s+at (file:\S+?):(\d+):\d+$/m.exec(block);
    if (!place) return [];
    const [at, file, line] = place;
    const message = block.replace(at, "").replace(/^(Check .*\n)+/, "").replace(/^error: /, "");
    return [locate(modules, file, Number(line), message.trim())];
  });
  return problems.length ? problems : [{ notebook: modules[0].notebook, message: text.trim() }];
}

async function lint(modules: JoinedNotebook[]): Promise<NotebookProblem[]> {
  const { success, text, output } = await deno("lint", modules, "--json");
  if (success) return [];
  interface Report {
    diagnostics: {
      filename: string;
      range: { start: { line: number } };
      message: string;
      code: string;
      hint?: string;
    }[];
    errors: { file_path: string; message: string }[];
  }
  const { diagnostics, errors }: Report = JSON.parse(output);
  const problems = [
    ...diagnostics.map(({ filename, range, message, code, hint }) =>
      locate(modules, filename, range.start.line, `${code}: ${message}${hint ? `; ${hint}` : ""}`)
    ),
    ...errors.map(({ file_path, message }) => {
      const line = Number(/:(\d+):\d+\s*$/.exec(message)?.[1]);
      const said = message.replace(/^\s+at .*$/m, "");
      return locate(modules, pathToFileURL(file_path).href, line, said);
    }),
  ];
  return problems.length ? problems : [{ notebook: modules[0].notebook, message: text.trim() }];
}

/** Compares texts, since `deno fmt --check` of Deno 2.9 finds fault with every notebook of code. */
async function checkFormat(modules: JoinedNotebook[]): Promise<NotebookProblem[]> {
  const problems: NotebookProblem[] = [];
  for (const { notebook } of modules) {
    const text = await Deno.readTextFile(notebook);
    const child = new Deno.Command(Deno.execPath(), {
      args: ["fmt", "--ext=ipynb", "-"],
      cwd: await projectOf(notebook),
      stdin: "piped",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    const [{ stdout }] = await Promise.all([
      child.output(),
      new Blob([text]).stream().pipeTo(child.stdin),
    ]);
    const message = `not formatted; run deno fmt ${relative(Deno.cwd(), resolve(notebook))}`;
    if (new TextDecoder().decode(stdout) !== text) problems.push({ notebook, message });
  }
  return problems;
}

/** The problem in terms of a notebook; one that lies in an imported file keeps that file's name. */
function locate(
  modules: JoinedNotebook[],
  file: string,
  line: number,
  message: string,
): NotebookProblem {
  const found = modules.find(({ module }) => pathToFileURL(module).href === file);
  if (!found) return { notebook: modules[0].notebook, message: `${message} (${file}:${line})` };
  return { notebook: found.notebook, ...found.origins[line - 1], message: message.trim() };
}

async function deno(command: string, modules: JoinedNotebook[], ...flags: string[]) {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [command, ...flags, ...modules.map(({ module }) => resolve(module))],
    cwd: await projectOf(modules[0].notebook),
    env: { NO_COLOR: "1" },
  }).output();
  const output = new TextDecoder().decode(stdout);
  return { success, output, text: new TextDecoder().decode(stderr) + output };
}

/** A relative path as an import specifier. */
function slashed(path: string): string {
  const specifier = path.replaceAll("\\", "/");
  return basename(specifier) === specifier ? `./${specifier}` : specifier;
}
