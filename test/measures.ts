/**
 * How large the project is and how its parts hang together, with the limits that it keeps. `deno task
 * check` prints the table and fails where a limit is passed.
 */
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** The method, in the order in which a question becomes a finding. */
export const METHOD = [
  "question",
  "prompt",
  "probe",
  "audit",
  "groups",
  "finetune",
  "evaluate",
  "experiment",
  "contrast",
  "findings",
].map((name) => `lib/${name}.ts`);

/** What is bundled for browsers; no module imports these. */
const PAGE_ENTRIES = ["page", "worker", "reader"].map((name) => `lib/site/${name}.ts`);

/** One measure; `limit` is the largest value that passes. */
export interface Measure {
  name: string;
  value: number;
  limit?: number;
  /** What the value counts, where the number alone does not tell. */
  detail?: string;
}

/** Each file of lib with those of lib that it imports. */
export type ImportGraph = Map<string, Set<string>>;

/** The import graph of these entries, by `deno info`; `types: false` leaves out imports of types alone. */
export async function importGraph(
  entries: readonly string[],
  { types = true }: { types?: boolean } = {},
): Promise<ImportGraph> {
  const graph: ImportGraph = new Map();
  for (const entry of entries) {
    const { stdout } = await new Deno.Command(Deno.execPath(), {
      args: ["info", "--json", entry],
      cwd: ROOT,
      stderr: "null",
    }).output();
    const { modules } = JSON.parse(new TextDecoder().decode(stdout)) as {
      modules: {
        local?: string;
        dependencies?: { code?: Specified; type?: Specified }[];
      }[];
    };
    for (const { local, dependencies = [] } of modules) {
      const name = local && inLib(local);
      if (!name) continue;
      const imports = graph.get(name) ?? new Set();
      for (const { code, type } of dependencies) {
        for (const specifier of [code?.specifier, types ? type?.specifier : undefined]) {
          const target = specifier?.startsWith("file:") && inLib(fileURLToPath(specifier));
          if (target) imports.add(target);
        }
      }
      graph.set(name, imports);
    }
  }
  return graph;
}

interface Specified {
  specifier?: string;
}

function inLib(path: string): string | undefined {
  const name = relative(ROOT, path);
  return name.startsWith("lib/") && !name.includes("/links/") ? name : undefined;
}

/** The sets of nodes that reach each other (Tarjan's strongly connected components of two or more). */
export function circles(graph: ReadonlyMap<string, ReadonlySet<string>>): string[][] {
  const index = new Map<string, number>(), low = new Map<string, number>();
  const stack: string[] = [], found: string[][] = [];
  const visit = (node: string) => {
    index.set(node, index.size);
    low.set(node, index.get(node)!);
    stack.push(node);
    for (const next of graph.get(node) ?? []) {
      if (!index.has(next)) visit(next);
      if (stack.includes(next)) low.set(node, Math.min(low.get(node)!, low.get(next)!));
    }
    if (low.get(node) !== index.get(node)) return;
    const circle = stack.splice(stack.indexOf(node));
    if (circle.length > 1) found.push(circle.sort());
  };
  for (const node of graph.keys()) if (!index.has(node)) visit(node);
  return found;
}

/** The graph of innermost folders; a file at lib's root stands for itself. Doors (mod.ts) do not count. */
export function folderGraph(files: ImportGraph): ImportGraph {
  const place = (file: string) => dirname(file) === "lib" ? file : dirname(file);
  const folders: ImportGraph = new Map();
  for (const [file, imports] of files) {
    if (file.endsWith("/mod.ts")) continue;
    const targets = folders.get(place(file)) ?? new Set();
    for (const target of imports) if (place(target) !== place(file)) targets.add(place(target));
    folders.set(place(file), targets);
  }
  return folders;
}

/** How many files of lib a file loads, itself included. */
export function reach(graph: ImportGraph, file: string): Set<string> {
  const seen = new Set<string>();
  const visit = (name: string) => {
    if (seen.has(name)) return;
    seen.add(name);
    for (const next of graph.get(name) ?? []) visit(next);
  };
  visit(file);
  return seen;
}

function* filesOf(folder: string): Generator<string> {
  for (const { name, isDirectory } of Deno.readDirSync(join(ROOT, folder))) {
    if (name.startsWith(".")) continue; // such as .ipynb_checkpoints
    const path = `${folder}/${name}`;
    if (isDirectory) yield* filesOf(path);
    else yield path;
  }
}

const linesOf = (path: string) => Deno.readTextFileSync(join(ROOT, path)).split("\n").length - 1;

/** The cells' code of one notebook: lines, the longest cell, names imported (namespaces count once). */
function notebookSize(path: string) {
  const { cells } = JSON.parse(Deno.readTextFileSync(join(ROOT, path))) as {
    cells: { cell_type: string; source: string[] | string }[];
  };
  const code = cells.filter(({ cell_type }) => cell_type === "code")
    .map(({ source }) => [source].flat().join(""));
  const lengths = code.map((text) => text.split("\n").length);
  const names = code.flatMap((text) =>
    [...text.matchAll(/^import\s+(?:\{([^}]*)\}|\*\s+as\s+\w+|\w+)\s+from\s+"\.\.\/lib\//gm)]
      .flatMap(([, list]) =>
        list === undefined
          ? ["*"]
          : list.split(",").map((name) => name.trim()).filter((name) =>
            name && !/^type\s/.test(name)
          )
      )
  );
  return {
    lines: lengths.reduce((sum, n) => sum + n, 0),
    longest: Math.max(0, ...lengths),
    names: names.length,
  };
}

/** All measures, and what breaks a limit, by name. */
export async function measure(): Promise<{ measures: Measure[]; problems: string[] }> {
  const all = [...filesOf("lib")].filter((path) =>
    path.endsWith(".ts") && !path.includes("/links/")
  );
  const graph = await importGraph([
    "lib/mod.ts",
    ...all.filter((path) => /^lib\/tasks\//.test(path)),
    ...PAGE_ENTRIES,
  ]);
  const fileCircles = circles(graph), folderCircles = circles(folderGraph(graph));
  const door = Object.keys(await import("../lib/mod.ts"));
  const longest = all.toSorted((a, b) => linesOf(b) - linesOf(a))[0];
  const notebooks = [...filesOf("notebooks")].filter((path) => path.endsWith(".ipynb")).sort();
  const sizes = notebooks.map((path) => ({ path, ...notebookSize(path) }));
  const most = (key: "names" | "longest") => sizes.toSorted((a, b) => b[key] - a[key])[0];
  const method = METHOD.filter((path) => all.includes(path));
  const sum = (paths: readonly string[]) => paths.reduce((total, path) => total + linesOf(path), 0);
  const table = "lib/study/rows.ts";
  const unreached = all.filter((path) => !graph.has(path));
  const way = onTheWay();
  const measures: Measure[] = [
    {
      name: "lines of the method",
      value: sum(method),
      limit: 2400,
      detail: `${method.length} files`,
    },
    {
      name: "lines of lib",
      value: sum(all),
      limit: 35814, // towards 25,000: what comes in must be less than what goes
      detail: `${all.length} files; the aim is 25,000`,
    },
    { name: "longest file of lib, lines", value: linesOf(longest), limit: 400, detail: longest },
    { name: "names at the door", value: door.length, limit: 60 },
    { name: "circles of files", value: fileCircles.length, limit: 0 },
    { name: "circles of folders", value: folderCircles.length, limit: 0 },
    { name: "files on the way of HAR - INC on HOMO", value: way.length, limit: 15 },
    {
      name: "files that the tables' code loads",
      value: reach(await importGraph([table], { types: false }), table).size,
      limit: 35,
      detail: table,
    },
    {
      name: "lines of the notebooks' code",
      value: sizes.reduce((total, { lines }) => total + lines, 0),
      limit: 2192,
      detail: `${sizes.length} notebooks`,
    },
    {
      name: "longest cell, lines",
      value: most("longest").longest,
      limit: 15,
      detail: most("longest").path,
    },
    {
      name: "most names imported by a notebook",
      value: most("names").names,
      limit: 10,
      detail: most("names").path,
    },
  ];
  const problems = [
    ...fileCircles.map((circle) => `a circle of files: ${circle.join(", ")}`),
    ...folderCircles.map((circle) => `a circle of folders: ${circle.join(", ")}`),
    ...METHOD.filter((path) => !all.includes(path)).map((path) => `the method lacks ${path}`),
    ...unreached.map((path) => `nothing imports ${path}`),
    ...way.filter((path) => !all.includes(path)).map((path) =>
      `README's way names ${path}: no file`
    ),
  ];
  const over = measures.filter(({ value, limit = Infinity }) => value > limit)
    .map(({ name, value, limit }) => `${name}: ${value}, at most ${limit}`);
  return { measures, problems: [...problems, ...over] };
}

/** The files that README lists under "The way of one number". */
function onTheWay(): string[] {
  const readme = Deno.readTextFileSync(join(ROOT, "README.md"));
  const [, section = ""] = readme.split(/^#+ The way of one number$/m);
  return [...section.split(/^#+ /m)[0].matchAll(/`(lib\/[\w/]+\.ts)`/g)].map(([, path]) => path);
}

/** The measures as a Markdown table. */
export function measuresText(measures: readonly Measure[]): string {
  const rows = measures.map(({ name, value, limit, detail }) =>
    `| ${name} | ${value} | ${limit ?? ""} | ${detail ?? ""} |`
  );
  return ["| measure | now | at most | |", "| --- | ---: | ---: | --- |", ...rows].join("\n");
}

if (import.meta.main) {
  const { measures, problems } = await measure();
  console.log(measuresText(measures));
  for (const problem of problems) console.error(problem);
  Deno.exit(problems.length > 0 ? 1 : 0);
}
