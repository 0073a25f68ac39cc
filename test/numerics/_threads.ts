/** Models as on a processor of another number of cores. */
import { closeSession, openSession } from "../../lib/platform/compile/compile.ts";
import { withVariables } from "../unit/_environment.ts";

/** Runs the body so: its sessions are not those that models before it gave back, nor do they stay. */
export async function withThreads<T>(threads: number, body: () => Promise<T>): Promise<T> {
  dropIdleSessions();
  try {
    return await withVariables({ TF_NUM_INTRAOP_THREADS: String(threads) }, body);
  } finally {
    dropIdleSessions();
  }
}

/** Few are kept: as many of nobody's take their places. */
function dropIdleSessions(): void {
  for (let i = 0; i < 4; i++) {
    const kind = `nobody's ${i}`, session = openSession(kind);
    if (session !== undefined) closeSession(kind, session);
  }
}
