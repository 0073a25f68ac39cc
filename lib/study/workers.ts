/**
 * A plan's cells by several processes at once. A small model's step keeps one core busy and no more, so
 * two processes of one thread do twice the cells of one process of two. They share nothing but the store:
 * each computes its share of the cells, and a process that dies leaves whole files behind.
 */
import { fileURLToPath } from "node:url";
import { lines } from "../runtime/lines.ts";
import { openSubject } from "./open.ts";
import type { Settings } from "./settings.ts";
import {
  countCells,
  runStudy,
  type StudyOptions,
  type StudyPlan,
  type StudyProgress,
  type StudyResult,
} from "./study.ts";

/** What a worker reads on its standard input. */
interface Task {
  plans: readonly StudyPlan[];
  settings: Settings;
  store: string;
  index: number;
  of: number;
}

export interface ParallelOptions extends Pick<StudyOptions, "store" | "onProgress"> {
  settings: Settings;
  /** Processes. Default: one a core. */
  workers?: number;
}

/** As `runStudy`, by several processes; models are opened by the settings. */
export async function runParallel(
  plan: StudyPlan,
  { settings, store, onProgress, workers = navigator.hardwareConcurrency }: ParallelOptions,
): Promise<StudyResult> {
  const open = (name: string) => openSubject(name, settings);
  if (workers > 1) await fillStore([plan], { settings, store, onProgress, workers });
  // All cells are there by now: this reads them.
  return await runStudy(plan, { open, store, onProgress: workers > 1 ? undefined : onProgress });
}

/**
 * Computes what the store lacks of the plans' cells, by several processes.
 * @throws where one ends early; what is finished is kept
 */
export async function fillStore(
  plans: readonly StudyPlan[],
  { settings, store, onProgress, workers = navigator.hardwareConcurrency }: ParallelOptions,
): Promise<void> {
  let done = 0;
  const ended = await Promise.all(
    Array.from(
      { length: workers },
      (_, index) =>
        work({ plans, settings, store, index, of: workers }, (state) => {
          const total = Math.max(done + 1, state.total);
          onProgress?.({ ...state, done: ++done, total });
        }),
    ),
  );
  const failed = ended.find((message) => message !== undefined);
  if (failed !== undefined) {
    throw new Error(
      `Cannot finish the study: a process ended early: ${failed}; ` +
        "run the same command again: what is finished is kept",
    );
  }
}

/** Runs one worker to its end. @returns what it said last if it failed */
async function work(
  task: Task,
  onProgress: NonNullable<StudyOptions["onProgress"]>,
): Promise<string | undefined> {
  const threads = String(Math.max(1, Math.floor(navigator.hardwareConcurrency / task.of)));
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", fileURLToPath(import.meta.url)],
    env: { TF_NUM_INTRAOP_THREADS: threads, TF_NUM_INTEROP_THREADS: threads },
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const stdin = child.stdin.getWriter();
  // One that has ended reads nothing: its status says why.
  await stdin.write(new TextEncoder().encode(`${JSON.stringify(task)}\n`)).catch(() => {});
  const said: string[] = [];
  let failure: string | undefined;
  const reading = Promise.all([
    (async () => {
      for await (const line of lines(child.stdout)) {
        const told: StudyProgress | { failure: string } = JSON.parse(line);
        if ("failure" in told) failure = told.failure;
        else onProgress(told);
      }
    })(),
    (async () => {
      for await (const line of lines(child.stderr)) said.push(line);
    })(),
  ]);
  const { success, signal } = await child.status;
  await reading;
  // It is open for as long as this process lives: a worker ends with who started it.
  await stdin.close().catch(() => {});
  if (success) return undefined;
  if (signal === "SIGKILL") return "it was killed, as a system that is short of memory does";
  if (signal !== null) return `it was stopped by ${signal}`;
  return failure ?? said.findLast((line) => /error/i.test(line)) ?? said.at(-1) ??
    "it said nothing";
}

/** A worker: its task comes by standard input; finished cells, or why it failed, go to standard output. */
async function serve(): Promise<void> {
  const input = lines(Deno.stdin.readable);
  const { plans, settings, store, index, of }: Task = JSON.parse((await input.next()).value!);
  input.next().then(() => Deno.exit(1));
  // How many domains a plan has is known when its first model is open.
  const totals = plans.map(countCells);
  const tell = (told: StudyProgress | { failure: string }) =>
    Deno.stdout.writeSync(new TextEncoder().encode(`${JSON.stringify(told)}\n`));
  try {
    for (const [number, plan] of plans.entries()) {
      // Each starts at another model, so that bases are probed by one process each.
      const shift = Math.floor(index * plan.models.length / of);
      const models = [...plan.models.slice(shift), ...plan.models.slice(0, shift)];
      await runStudy({ ...plan, models }, {
        store,
        open: (name) => openSubject(name, settings),
        only: (cell) => cell % of === index,
        onProgress: (state) => {
          totals[number] = state.total;
          const total = totals.reduce((a, b) => a + b, 0);
          if (state.note === "done") tell({ ...state, total });
        },
      });
    }
  } catch (error) {
    console.error(error);
    tell({ failure: error instanceof Error ? error.message : String(error) });
    Deno.exit(1);
  }
  Deno.exit(0);
}

if (import.meta.main) await serve();
