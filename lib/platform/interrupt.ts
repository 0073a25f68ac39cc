/**
 * Stopping what runs: by a caller's AbortSignal, and in a notebook by its Stop button, whose signal is
 * the default everywhere. A long computation looks up between its parts; elsewhere nothing is waited for.
 */

/** Work that was stopped before its end: what it was, what is kept, and how to go on. */
export class Interrupted extends Error {
  override name = "Interrupted";
  /** Who pressed Stop knows what ran: where in the code it was tells nothing. */
  override stack = `Interrupted: ${this.message}`;
}

/** What can be stopped. */
export interface Stoppable {
  /** Stops it, with an `Interrupted`. Default: in a notebook, its Stop button. */
  signal?: AbortSignal;
}

/** Milliseconds between two looks; one takes half of one. */
const LOOK_EVERY = 500;
/**
 * Turns of the event loop in a look. A timer would put the process to sleep, and on a busy machine that costs
 * many times as much; but without a sleep the loop asks for signals and input every 61 turns alone.
 */
const TURNS = 64;
const turn = () =>
  new Promise<void>((resolve) => (globalThis.setImmediate ?? setTimeout)(() => resolve()));

/** Set where something can press Stop; each press ends what runs by then, and the next is anew. */
let button: AbortController | undefined;
let looked = 0;
const running = new Set<{ what: () => string; signal: AbortSignal }>();

/** From here on work looks up, so that `pressStop` and the process's other events reach it. */
export function heedStop(): void {
  button ??= new AbortController();
}

/** The Stop button's signal, for what runs now; undefined where there is none. */
export const stopSignal = (): AbortSignal | undefined => button?.signal;

/** Work in the words of the error that it is stopped with. */
interface Described extends Stoppable {
  /** What it is and how far it has come. */
  what: () => string;
  /** What is kept, and what to do now. */
  then: string;
}

/**
 * Does work that can be stopped; `work` gets the signal.
 * @throws `Interrupted` where it is stopped
 */
export async function stoppable<T>(
  { what, then, signal: given }: Described,
  work: (signal: AbortSignal | undefined) => Promise<T>,
): Promise<T> {
  const signal = given && button ? AbortSignal.any([given, button.signal]) : given ?? stopSignal();
  if (signal === undefined) return await work(signal);
  const entry = { what, signal };
  running.add(entry);
  try {
    signal.throwIfAborted();
    return await work(signal);
  } catch (error) {
    if (!signal.aborted) throw error;
    throw new Interrupted(`Stopped ${what()}; ${then}`, { cause: signal.reason });
  } finally {
    running.delete(entry);
  }
}

/** Lets other events in, now and then. @throws `Interrupted` where the work is stopped */
export async function look(signal: AbortSignal | undefined = stopSignal()): Promise<void> {
  if (signal === undefined) return;
  if (!signal.aborted && performance.now() - looked < LOOK_EVERY) return;
  const described = { what: () => "this computation", then: "run it again", signal };
  await stoppable(described, async () => {
    for (let i = 0; i < TURNS && !signal.aborted; i++) await turn();
    looked = performance.now();
    signal.throwIfAborted();
  });
}

/** Stops what runs, as the Stop button does. @returns what must be said: that something can't be stopped */
export function pressStop(): string | undefined {
  const [first] = running;
  if (first === undefined) {
    return "Stop: nothing that this cell waits for can be stopped; it ends by itself. " +
      "Kernel > Restart ends it now, and all variables with it.";
  }
  if (first.signal.aborted) {
    return `Stop: still stopping ${first.what()}; it ends after the step that it is at. ` +
      "Kernel > Restart ends it now, and all variables with it.";
  }
  const pressed = button;
  button = new AbortController();
  pressed?.abort(new Interrupted("Stop was pressed"));
}
