/**
 * Checks notebooks before they run. The kernel neither checks types nor says what is wrong with a
 * cell that it can't compile, and `deno check` and `deno lint` take no notebooks; so a notebook's
 * code cells are joined into one module, and its errors are reported by notebook, cell and line.
 */
import { basename, dirname, join, relative, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { run } from "../native/_command.ts";
import { exists, writeWhole } from "../runtime/files.ts";
import { codeCells, joined, lines, type Notebook, readNotebook } from "./notebook.ts";

interface JoinedNotebook {
  notebook: string;
  module: string;
  /** For each line of the module: the cell and the line in it, counted from 1. */
  origins: { cell: number; line: number }[];
}

/**
 * Checks the cells of notebooks by commands of Deno, by default their types.
 * @returns what is wrong, as `notebooks/03.ipynb: cell 4, line 2: message` as far as it is known
 */
export async function checkNotebooks(paths: string[], commands = [["check"]]): Promise<string[]> {
  const problems: string[] = [], modules: JoinedNotebook[] = [];
  for (const path of paths) {
    try {
      modules.push(await joinCells(path, await readNotebook(path)));
    } catch (error) {
      problems.push(`${placeOf(path)}: ${(error as Error).message}`);
    }
  }
  for (const command of commands) problems.push(...await checkModules(command, modules));
  return problems;
}

const placeOf = (notebook: string) => relative(Deno.cwd(), resolve(notebook));

/**
 * Writes a notebook's cells as a module under the git-ignored `.cache/` of the project it is in,
 * with its relative imports bent so that they still resolve.
 */
async function joinCells(path: string, notebook: Notebook): Promise<JoinedNotebook> {
  const root = projectOf(path);
  const name = relative(root, resolve(path)).replace(/[\\/]/g, "--").replace(/\.ipynb$/, ".ts");
  const module = join(root, ".cache", "check", name);
  const text: string[] = [];
  const origins: JoinedNotebook["origins"] = [];
  for (const [i, cell] of codeCells(notebook).entries()) {
    // The semicolon keeps a cell that starts with a bracket from going on with the one before.
    text.push(`; // cell ${i + 1}`);
    origins.push({ cell: i + 1, line: 1 });
    for (const [j, line] of lines(joined(cell.source)).entries()) {
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
function projectOf(path: string): string {
  const own = dirname(resolve(path));
  for (let folder = own; folder !== dirname(folder); folder = dirname(folder)) {
    if (exists(join(folder, "deno.json"))) return folder;
  }
  return own;
}

/** What `deno check` says before the place, and `deno lint --compact` behind it. */
const problem =
  /(?:^|\n\n)(?:Check .*\n)*(?:error: )?(.+(?:\n.+)*?)\n +at (file:\S+?):(\d+):\d+$|^(file:\S+): line (\d+), col \d+ - (.*)$/gm;

/** What a command of Deno says of the modules, in terms of the notebooks. */
async function checkModules(command: string[], modules: JoinedNotebook[]): Promise<string[]> {
  if (modules.length === 0) return [];
  const paths = modules.map(({ module }) => resolve(module));
  const { ok, stdout, output } = await run([Deno.execPath(), ...command, ...paths], {
    cwd: projectOf(modules[0].notebook),
    env: { NO_COLOR: "1" },
  });
  if (ok) return [];
  // One that lies in an imported file keeps that file's name.
  const problems = [...`${output.slice(stdout.length)}\n\n${stdout}`.matchAll(problem)]
    .map(([, before, ...[file = "", line, lintFile = "", lintLine, behind]]) => {
      const place = file || lintFile, at = Number(line ?? lintLine);
      const found = modules.find(({ module }) => pathToFileURL(resolve(module)).href === place);
      const message = before ?? behind;
      if (!found) return `${placeOf(modules[0].notebook)}: ${message} (${place}:${at})`;
      const origin = found.origins[at - 1];
      return `${placeOf(found.notebook)}: cell ${origin.cell}, line ${origin.line}: ${message}`;
    });
  return problems.length ? problems : [`${placeOf(modules[0].notebook)}: ${output.trim()}`];
}

/** A relative path as an import specifier. */
function slashed(path: string): string {
  const specifier = path.replaceAll("\\", "/");
  return basename(specifier) === specifier ? `./${specifier}` : specifier;
}
