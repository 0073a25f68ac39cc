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
import type { Graph, GraphSession, Specification, TensorFunction } from "./graph.ts";

let makeSession: (() => GraphSession) | undefined;

/** Called by session.ts, which needs TensorFlow's library: what computes runs without it too. */
export function attachSessions(make: () => GraphSession): void {
  makeSession = make;
}

/** A session on the native backend, whose opening loads session.ts; undefined on other backends. */
export function newSession(): GraphSession | undefined {
  return isNative() ? makeSession?.() : undefined;
}

/**
 * Compiles `run` over the session's variables: a graph for every combination of the inputs' shapes and
 * types. The function may read the variables, assign to them and compute gradients; numbers that it
 * takes from JavaScript (random ones too) are fixed at the first call, so what changes must be an input.
 * @param session without one (or on another backend than tensorflow) the function runs uncompiled
 * @param options `runs`: how often the function is to run, where that is known
 * @returns a function whose results are its caller's to dispose
 */
export function compile(
  run: TensorFunction,
  session: GraphSession | undefined,
  { runs }: { runs?: number } = {},
): TensorFunction {
  if (session === undefined || !isNative()) return (...inputs) => tf.tidy(() => run(...inputs));
  const graphs = new Map<string, Graph>();
  return (...inputs) => {
    const key = inputs.map(({ shape, dtype }) => `${dtype}[${shape}]`).join();
    let graph = graphs.get(key);
    if (graph === undefined) {
      const specifications = inputs.map(({ shape, dtype }) => ({ shape, dtype }));
      graphs.set(key, graph = session.add(run, specifications as Specification[], runs));
    }
    return session.call(graph, inputs);
  };
}
