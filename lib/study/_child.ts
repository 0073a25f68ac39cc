/** A process that does a part of the work: its task comes by standard input, JSON lines go back. */
import { fileURLToPath } from "node:url";
import { inheritedBackend } from "../runtime/backend.ts";
import { lines } from "../runtime/lines.ts";

/** Runs `script` with a task to its end. @returns what it said last if it failed */
export async function runChild<T extends object>(
  script: string,
  { task, threads, onLine }: {
    task: unknown;
    /** Of one operation. */
    threads: number;
    /** Told every line but the one on a failure. */
    onLine: (told: T) => void;
  },
): Promise<string | undefined> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", fileURLToPath(script)],
    env: {
      ...inheritedBackend(),
      TF_NUM_INTRAOP_THREADS: `${threads}`,
      TF_NUM_INTEROP_THREADS: `${threads}`,
    },
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
        const told: T | { failure: string } = JSON.parse(line);
        if ("failure" in told) failure = told.failure;
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
  if (signal === "SIGKILL") return "it was killed, as a system that is short of memory does";
  if (signal !== null) return `it was stopped by ${signal}`;
  return failure ?? said.findLast((line) => /error/i.test(line)) ?? said.at(-1) ??
    "it said nothing";
}

/** The child's side: does the task, then ends the process; ends at once when the parent does. */
export async function serveChild<T>(
  work: (task: T, tell: (told: object) => void) => Promise<void>,
): Promise<never> {
  const input = lines(Deno.stdin.readable);
  const task: T = JSON.parse((await input.next()).value!);
  input.next().then(() => Deno.exit(1));
  const tell = (told: object) =>
    void Deno.stdout.writeSync(new TextEncoder().encode(`${JSON.stringify(told)}\n`));
  try {
    await work(task, tell);
  } catch (error) {
    console.error(error);
    tell({ failure: error instanceof Error ? error.message : String(error) });
    Deno.exit(1);
  }
  Deno.exit(0);
}
