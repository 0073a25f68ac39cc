/** Functions over a session's variables, compiled where there is one. */
import * as tf from "@tensorflow/tfjs";
import { activeTrace } from "./active.ts";
import { isNative } from "./backend.ts";
import { checkResults, type Graph, type GraphSession, type TensorFunction } from "./graph.ts";

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
 * Called from within a function that is being compiled, it becomes part of that function's graph.
 * @param session without one (or on another backend than tensorflow) the function runs uncompiled
 * @returns a function whose results are its caller's to dispose
 */
export function compile(run: TensorFunction, session: GraphSession | undefined): TensorFunction {
  if (session === undefined || !isNative()) return (...inputs) => runOnce(run, inputs);
  const graphs = new Map<string, Graph>();
  return (...inputs) => {
    if (activeTrace !== undefined) return run(...inputs);
    const key = inputs.map(({ shape, dtype }) => `${dtype}[${shape}]`).join();
    let graph = graphs.get(key);
    if (graph === undefined) {
      const specifications = inputs.map(({ shape, dtype }) => ({ shape, dtype: supported(dtype) }));
      graphs.set(key, graph = session.add(run, specifications));
    }
    return session.call(graph, inputs);
  };
}

/** As compiled: what comes back is never an input or a variable itself. */
function runOnce(run: TensorFunction, inputs: tf.Tensor[]): tf.Tensor[] {
  return tf.tidy(() =>
    checkResults(run(...inputs)).map((result) =>
      result instanceof tf.Variable || inputs.includes(result) ? result.clone() : result
    )
  );
}

function supported(dtype: tf.DataType): "float32" | "int32" | "bool" {
  if (dtype === "float32" || dtype === "int32" || dtype === "bool") return dtype;
  throw new Error(`Cannot compile for an input of ${dtype}: expected float32, int32 or bool`);
}
