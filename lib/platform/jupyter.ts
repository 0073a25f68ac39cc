/**
 * The Deno kernel that this process may be: its interface, and what it does when somebody presses Stop or
 * when its server is gone. Loading this file sets both up, in a kernel alone: elsewhere Ctrl-C ends all.
 */
import { heedStop, pressStop } from "./interrupt.ts";

/** The part of Deno.jupyter used here; Deno types it in the kernel only. */
export interface Kernel {
  broadcast(type: string, content: Record<string, unknown>): void | Promise<void>;
}

/** The kernel's interface, or undefined outside a notebook (where looking at it throws). */
export function kernel(): Kernel | undefined {
  try {
    return (Deno as unknown as { jupyter?: Kernel }).jupyter;
  } catch {
    return undefined;
  }
}

/** Milliseconds between two looks for the server; one takes microseconds. */
const WATCH_EVERY = 2000;

if (kernel() !== undefined) {
  heedStop();
  Deno.addSignalListener("SIGINT", () => {
    const said = pressStop();
    if (said !== undefined) console.error(said);
  });
  // Without this a kernel whose server was killed would wait for it for ever.
  const server = Deno.ppid;
  Deno.unrefTimer(Number(setInterval(() => Deno.ppid === server || Deno.exit(1), WATCH_EVERY)));
}
