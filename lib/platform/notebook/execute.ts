/**
 * Runs a notebook from top to bottom in a kernel of its own and writes it back with its outputs.
 * What is written depends on the cells alone: no times, no paths of this machine, no colours.
 */
import { dirname, relative, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { stripVTControlCharacters } from "node:util";
import { ROOT } from "../cache.ts";
import { writeWhole } from "../runtime/files.ts";
import { clean } from "../runtime/quote.ts";
import { checkNotebooks } from "./check.ts";
import { Kernel, KernelError, type Message, type Reply } from "./kernel.ts";
import type { Bundle, Notebook, Output } from "./notebook.ts";
import { codeCells, formatNotebook, joined, lines, readNotebook } from "./notebook.ts";

/** What happens during a run, for those who watch. */
export type Progress =
  | { type: "cell"; cell: number; cells: number; line: string }
  | { type: "done"; cell: number; cells: number; seconds: number }
  /** The text of a display that is updated in place, such as a progress bar. */
  | { type: "live"; text: string }
  | { type: "warning"; text: string };

export interface ExecuteNotebookOptions {
  /** Where the notebook with its outputs is written. Default: in place. */
  output?: string;
  /** Parameters, as environment variables of the kernel. Default none. */
  environment?: Record<string, string>;
  /** Called as the run goes on. */
  onProgress?: (progress: Progress) => void;
  /** Ends the run, and the kernel with it. */
  signal?: AbortSignal;
  /** Whether a cell's outputs say what those already in `output` say, which then stay as they are. */
  agree?: (before: readonly Output[], after: readonly Output[]) => boolean;
}

/** A cell that failed: which, and why. `notebook` holds the outputs up to there. */
export class NotebookError extends Error {
  override name = "NotebookError";
  constructor(
    readonly path: string,
    /** Counted from 1 among the code cells. */
    readonly cell: number,
    /** The cell's first line. */
    readonly line: string,
    /** Name, value and traceback of the error, or what became of the kernel. */
    readonly reason: string,
    readonly notebook: Notebook,
  ) {
    super(`${relative(Deno.cwd(), resolve(path))}, cell ${cell} (${line}): ${reason}`);
  }
}

/** What the ids of displays begin with that show how a wait goes on; they are not kept. */
const PROGRESS_DISPLAY = "progress-";

/** Marks a line of output that tells of an error outside the cell's own course. */
const STRAY = "\0stray error\0";

/**
 * Run before the cells. In a cell Deno swallows a rejection that nobody handles, and waits 30 s
 * after a throw in a timer; and a kernel whose runner was killed would go on alone.
 */
const PRELUDE = `{
  const report = (event, error) => {
    event.preventDefault();
    console.log(${JSON.stringify(STRAY)} + (error instanceof Error ? error.stack : String(error)));
  };
  addEventListener("unhandledrejection", (event) => report(event, event.reason));
  addEventListener("error", (event) => report(event, event.error));
  const runner = Deno.ppid;
  const watch = () => Deno.ppid === runner || Deno.exit(1);
  Deno.unrefTimer(Number(setInterval(watch, 2000)));
}`;

/**
 * Runs a notebook.
 * @throws NotebookError at the first cell that fails, and the signal's reason where it came before all cells;
 *   nothing is written then
 */
export async function executeNotebook(
  path: string,
  options: ExecuteNotebookOptions = {},
): Promise<Notebook> {
  const { output = path, environment, onProgress = () => {}, signal, agree } = options;
  const notebook = await readNotebook(path);
  const cells = codeCells(notebook);
  for (const cell of cells) Object.assign(cell, { execution_count: null, outputs: [] });

  const displays = new Map<string, Shown[]>();
  const variables = { NO_COLOR: "1", ...environment };
  await using kernel = await Kernel.start(dirname(resolve(path)), variables);
  const stop = () => kernel.close();
  signal?.addEventListener("abort", stop);
  try {
    signal?.throwIfAborted(); // what came earlier calls no listener
    await kernel.execute(PRELUDE);
    let count = 0;
    for (const [i, cell] of cells.entries()) {
      const source = joined(cell.source);
      if (!source.trim()) continue;
      const line = source.trim().split("\n")[0].slice(0, 80);
      const fail = (reason: string) => new NotebookError(path, i + 1, line, reason, notebook);
      const start = performance.now();
      onProgress({ type: "cell", cell: i + 1, cells: cells.length, line });
      const collector = new Collector(cell.outputs, displays, onProgress);
      cell.execution_count = ++count;
      let reply: Reply;
      try {
        reply = await kernel.execute(source, (message) => collector.take(message));
      } catch (error) {
        if (!(error instanceof KernelError)) throw error;
        if (signal?.aborted) throw fail("the run was stopped");
        throw fail(explain(error));
      }
      if (reply.status !== "ok") throw fail(await errorText(path, i + 1, reply));
      if (collector.stray) throw fail(`an error that nobody handled: ${collector.stray}`);
      const seconds = (performance.now() - start) / 1000;
      onProgress({ type: "done", cell: i + 1, cells: cells.length, seconds });
    }
  } finally {
    signal?.removeEventListener("abort", stop);
    // Whoever reads the notebook later has nothing to wait for.
    const waited = new Set<Output>(
      [...displays].flatMap(([id, outputs]) => id.startsWith(PROGRESS_DISPLAY) ? outputs : []),
    );
    for (const cell of cells) cell.outputs = cell.outputs.filter((output) => !waited.has(output));
    for (const output of cells.flatMap((cell) => cell.outputs)) {
      if (output.output_type === "stream") output.text = lines(plain(joined(output.text)));
    }
  }
  if (agree) await keepOutputs(notebook, output, agree);
  await writeWhole(output, formatNotebook(notebook));
  return notebook;
}

/** Takes the outputs of the notebook at `path` for those that agree with them, cell by cell. */
async function keepOutputs(
  notebook: Notebook,
  path: string,
  agree: NonNullable<ExecuteNotebookOptions["agree"]>,
): Promise<void> {
  const before = await readNotebook(path).then(codeCells, () => []);
  for (const [i, cell] of codeCells(notebook).entries()) {
    const { source, outputs } = before[i] ?? {};
    if (source === undefined || joined(source) !== joined(cell.source)) continue;
    if (agree(outputs, cell.outputs)) cell.outputs = outputs;
  }
}

/** Turns what the kernel publishes into a cell's outputs. */
class Collector {
  /** An error outside the cell's own course, or "". */
  stray = "";

  constructor(
    private readonly outputs: Output[],
    /** The outputs shown under each display id, in this cell and those before. */
    private readonly displays: Map<string, Shown[]>,
    private readonly onProgress: (progress: Progress) => void,
  ) {}

  take({ header, content }: Message): void {
    switch (header.msg_type) {
      case "stream":
        return this.#stream(content.name, content.text);
      case "display_data":
        return this.#show({ output_type: "display_data", ...contents(content) }, content);
      case "execute_result": {
        const { execution_count } = content;
        const output = { output_type: "execute_result" as const, ...contents(content) };
        return this.#show({ ...output, execution_count }, content);
      }
      case "update_display_data": {
        const shown = this.displays.get(content.transient?.display_id) ?? [];
        for (const output of shown) Object.assign(output, contents(content));
        return this.#live(content.data);
      }
      case "error": {
        const { ename, evalue, traceback } = content;
        this.outputs.push({ output_type: "error", ename, evalue, traceback: traceback.map(plain) });
      }
    }
  }

  #stream(name: "stdout" | "stderr", text: string): void {
    const at = text.indexOf(STRAY);
    if (at >= 0) {
      this.stray ||= plain(text.slice(at + STRAY.length)).trim();
      text = text.slice(0, at);
    }
    if (!text) return;
    if (name === "stderr") this.onProgress({ type: "warning", text: plain(text) });
    const last = this.outputs.at(-1);
    if (last?.output_type === "stream" && last.name === name) last.text = joined(last.text) + text;
    else this.outputs.push({ output_type: "stream", name, text });
  }

  #show(output: Shown, content: Message["content"]): void {
    this.outputs.push(output);
    const id = content.transient?.display_id;
    if (!id) return;
    this.displays.set(id, [...this.displays.get(id) ?? [], output]);
    this.#live(content.data);
  }

  #live(data: Bundle): void {
    const text = data["text/plain"];
    if (typeof text === "string") this.onProgress({ type: "live", text: plain(text) });
  }
}

type Shown = Extract<Output, { data: Bundle }>;

/** Data and metadata of a display, its texts in lines as Jupyter writes them. */
function contents(content: Message["content"]): { data: Bundle; metadata: Bundle } {
  const isText = (type: string) =>
    type.startsWith("text/") || type === "image/svg+xml" || type === "application/javascript";
  const data = Object.entries(content.data as Bundle).map(([type, value]) =>
    typeof value === "string" && isText(type) ? [type, lines(plain(value))] : [type, value]
  );
  return { data: Object.fromEntries(data), metadata: content.metadata ?? {} };
}

const ROOT_URL = pathToFileURL(ROOT).href;

/**
 * Text without colours and control characters, since a terminal shows it, and with the project's own
 * paths relative to it, since outputs are committed.
 */
function plain(text: string): string {
  return clean(stripVTControlCharacters(text)).replaceAll(ROOT_URL, "").replaceAll(ROOT, "");
}

async function errorText(
  path: string,
  cell: number,
  { ename = "Error", evalue = "", traceback = [] }: Exclude<Reply, { status: "ok" }>,
): Promise<string> {
  const trace = plain(traceback.join("\n")).trim();
  const name = plain(`${ename}: ${evalue}`);
  if (trace) return trace.includes(plain(evalue)) ? trace : `${name}\n${trace}`;
  // The kernel says nothing of a cell that it can't compile; the type checker does.
  const here = new RegExp(`: cell ${cell}, (line \\d+: [^]*)`);
  const problems = (await checkNotebooks([path]))
    .flatMap((problem) => here.exec(problem)?.[1] ?? []);
  return problems.length ? problems.join("\n") : `${name}; run \`deno task check\` for more`;
}

function explain({ reason, message }: KernelError): string {
  if (reason === "stalled") return `${message}; look for a synchronous loop left running`;
  return /SIGKILL|SIGTRAP|SIGABRT|out of memory/i.test(message)
    ? `${message}\nThe memory may have been too small; close other programs or make the run smaller`
    : `${message}\nLook for Deno.exit or a crash of a native library in this cell`;
}
