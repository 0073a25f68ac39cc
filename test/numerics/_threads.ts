/** Models as on a processor of another number of cores. */
import { closeSession, openSession } from "../../lib/platform/compile/compile.ts";

const THREADS = "TF_NUM_INTRAOP_THREADS";

/** Runs the body so: its sessions are not those that models before it gave back, nor do they stay. */
export async function withThreads<T>(threads: number, body: () => Promise<T>): Promise<T> {
  const before = Deno.env.get(THREADS);
  Deno.env.set(THREADS, String(threads));
  try {
    dropIdleSessions();
    return await body();
  } finally {
    dropIdleSessions();
    if (before === undefined) Deno.env.delete(THREADS);
    else Deno.env.set(THREADS, before);
  }
}

/** Few are kept: as many of nobody's take their places. */
function dropIdleSessions(): void {
  for (let i = 0; i < 4; i++) {
    const kind = `nobody's ${i}`, session = openSession(kind);
    if (session !== undefined) closeSession(kind, session);
  }
}
