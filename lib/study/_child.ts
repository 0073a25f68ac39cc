/** A process that does a part of the work: its task and answers come by standard input, JSON lines go back. */
import { fileURLToPath } from "node:url";
import { heedStop, stoppable } from "../platform/interrupt.ts";
import { inheritedBackend, openBackend, processesAtOnce } from "../platform/runtime/backend.ts";
import { lines } from "../platform/native/_command.ts";

/**
 * Runs `script` once for each task, each in a process of its own; `action` says in an error what for. The
 * first that fails stops the others.
 * @throws why one failed, or as `stoppable` does
 */
export async function runChildren<T extends object>(
  action: string,
  script: string,
  tasks: readonly unknown[],
  { workers, onLine, answer = () => null, nameOf = () => "", ...work }:
    & Parameters<
      typeof stoppable
    >[0]
    & {
      /** Processes at once. Default: one a core, and one alone where a graphics card computes. */
      workers?: number;
      /** Told every line but the one on a failure, with its task's place. */
      onLine: (told: T, index: number) => void;
      /** What a process is answered that asks. Default: null. */
      answer?: (asked: unknown) => unknown;
      /** Begins what is said of a task's failure. */
      nameOf?: (index: number) => string;
    },
): Promise<void> {
  if (tasks.length === 0) return;
  await openBackend(); // which the processes take too
  const queue = [...tasks.entries()];
  const atOnce = Math.max(1, Math.min(workers ?? processesAtOnce(), queue.length));
  const stop = new AbortController();
  let failure: string | undefined;
  await stoppable(work, async (signal) => {
    await Promise.all(Array.from({ length: atOnce }, async () => {
      for (let next; failure === undefined && (next = queue.shift()) !== undefined;) {
        const [index, task] = next;
        const said = await runChild<T>(script, {
          ...{ task, signal: AbortSignal.any([stop.signal, ...signal ? [signal] : []]) },
          onLine: (told) => onLine(told, index),
          answer,
        });
        if (said === undefined) continue;
        failure ??= `${nameOf(index)}${said}`;
        stop.abort();
      }
    }));
    signal?.throwIfAborted();
  });
  if (failure === undefined) return;
  throw new Error(
    `Cannot ${action}: a process ended early: ${failure}; run the same command again: what is ` +
      "finished is kept",
  );
}

/** Runs `script` with a task to its end. @returns what it said last if it failed */
async function runChild<T extends object>(
  script: string,
  { task, signal: stop, onLine, answer }: {
    task: unknown;
    signal: AbortSignal;
    onLine: (told: T) => void;
    answer: (asked: unknown) => unknown;
  },
): Promise<string | undefined> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", fileURLToPath(script)],
    env: {
      ...inheritedBackend(),
      // One: a long training makes rounding grow, which must not depend on the number of cores.
      TF_NUM_INTRAOP_THREADS: "1",
      TF_NUM_INTEROP_THREADS: "1",
    },
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
    signal: stop,
  }).spawn();
  const stdin = child.stdin.getWriter();
  // One that has ended reads nothing: its status says why.
  const write = (value: unknown) =>
    stdin.write(new TextEncoder().encode(`${JSON.stringify(value)}\n`)).catch(() => {});
  await write(task);
  const said: string[] = [];
  let failure: string | undefined;
  const reading = Promise.all([
    (async () => {
      for await (const line of lines(child.stdout)) {
        const told: T | { failure: string } | { asks: unknown } = JSON.parse(line);
        if ("failure" in told) failure = told.failure;
        else if ("asks" in told) await write(answer(told.asks));
        else onLine(told);
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
  // Who presses Stop or Ctrl-C sends it to all processes: this one may hear of it after its child's end.
  if (signal === "SIGINT") await new Promise((resolve) => setTimeout(resolve, 100));
  if (signal === "SIGKILL") {
    return "it was killed (SIGKILL), by hand or by a system short of memory";
  }
  if (signal !== null) return `it was stopped by ${signal}`;
  return failure ?? said.findLast((line) => /error/i.test(line)) ?? said.at(-1) ??
    "it said nothing";
}

/** Asks the parent for what its `answer` gives. */
export type Ask = (what: unknown) => Promise<unknown>;

/** The child's side: does the task, then ends the process; ends at once when the parent does. */
export async function serveChild<T>(
  work: (task: T, tell: (told: object) => void, ask: Ask) => Promise<void>,
): Promise<never> {
  const input = lines(Deno.stdin.readable);
  const task: T = JSON.parse((await input.next()).value!);
  heedStop(); // so that it looks up now and then, and sees this
  let heard: (line: string) => void = () => {};
  (async () => {
    for await (const line of input) heard(line);
    Deno.exit(1);
  })();
  const tell = (told: object) =>
    void Deno.stdout.writeSync(new TextEncoder().encode(`${JSON.stringify(told)}\n`));
  const ask: Ask = (what) =>
    new Promise((resolve) => {
      heard = (line) => resolve(JSON.parse(line));
      tell({ asks: what });
    });
  try {
    await work(task, tell, ask);
  } catch (error) {
    console.error(error);
    tell({ failure: error instanceof Error ? error.message : String(error) });
    Deno.exit(1);
  }
  Deno.exit(0);
}
