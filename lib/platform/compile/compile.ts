/**
 * What tf.function is to Python, for tfjs-node: a tfjs function becomes one TensorFlow graph, run by one
 * call. On other backends it runs as it is.
 *
 * The function is run once on symbols: what it asks the backend for becomes the graph, gradients and
 * assignments included, and nothing is computed meanwhile. Variables live in a TensorFlow session and
 * change in place; a tf.Variable shows the value that the session has. A graph is made anew in every
 * process: what isn't stored can't be stale.
 */
import * as tf from "@tensorflow/tfjs";
import { isNative } from "./backend.ts";
import type { Specification, TensorFunction } from "./graph.ts";
import type { Compiled, Session } from "./session.ts";

type MakeSession = (members?: number, streams?: number) => Session;
let makeSession: MakeSession | undefined;

/** Called once TensorFlow's library is loaded, which sessions need: what computes runs without it too. */
export function attachSessions(make: MakeSession): void {
  makeSession = make;
}

/** Sessions that no model uses, by the kind of model: making graphs anew costs more than many steps. */
const idle = new Map<string, Session>();
const MOST_IDLE = 4;

/**
 * A session on the native backend, whose opening attaches them; undefined on other backends.
 * @param kind models of one kind have variables of equal names and shapes, and the same functions by
 * their keys: one goes on with the graphs of another that gave its session back
 * @param options see `Session`; part of the kind
 */
export function openSession(
  kind: string,
  ...options: Parameters<MakeSession>
): Session | undefined {
  if (!isNative()) return undefined;
  const found = idle.get(kind);
  idle.delete(kind);
  return found ?? makeSession?.(...options);
}

/** Gives back a session whose variables are disposed. */
export function closeSession(kind: string, session: Session): void {
  session.clear();
  idle.get(kind)?.dispose();
  idle.delete(kind);
  idle.set(kind, session);
  for (const [oldest, session] of [...idle].slice(0, -MOST_IDLE)) {
    session.dispose();
    idle.delete(oldest);
  }
}

/**
 * Compiles `run` over the session's variables: a graph for every combination of the inputs' shapes and
 * types. The function may read the variables, assign to them and compute gradients; numbers that it
 * takes from JavaScript (random ones too) are fixed at the first call, so what changes must be an input.
 * @param session without one (or on another backend than tensorflow) the function runs uncompiled
 * @param options `key` names what it computes: its graphs serve all functions of the session that have the
 * key; `runs`: how often the function is to run, where that is known; `stacked`: so many of the first inputs
 * are each member's own, in a session of members
 * @returns a function whose results are its caller's to dispose
 */
export function compile(
  run: TensorFunction,
  session: Session | undefined,
  { key, runs, stacked = 0 }: { key?: string; runs?: number; stacked?: number } = {},
): TensorFunction {
  if (session === undefined || !isNative()) return (...inputs) => tf.tidy(() => run(...inputs));
  const graphs = key === undefined ? new Map<string, Compiled>() : session.graphsOf(key);
  return (...inputs) => {
    const key = inputs.map(({ shape, dtype }) => `${dtype}[${shape}]`).join();
    let graph = graphs.get(key);
    if (graph === undefined) {
      const specifications = inputs.map(({ shape, dtype }, i) =>
        i < stacked ? { shape: shape.slice(1), dtype, stacked: true } : { shape, dtype }
      );
      graphs.set(key, graph = session.add(run, specifications as Specification[], runs));
    }
    return session.call(graph, inputs);
  };
}
