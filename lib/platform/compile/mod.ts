/**
 * What tf.function is to Python, for tfjs-node: an ordinary tfjs function becomes one TensorFlow graph,
 * run by one call a step. On other backends the function runs as it is.
 *
 * The function is run once on symbols: what it asks the backend for becomes the graph, gradients and
 * assignments included, and nothing is computed meanwhile. Variables live in a TensorFlow session and
 * change in place; a tf.Variable shows the value that the session has.
 *
 * - Inputs of another shape or type make another graph. Numbers from JavaScript, random ones too, are
 *   fixed in the graph: what changes from call to call must be an input.
 * - Reading a tensor's numbers, an unknown operation, a computed axis, a variable that is not the
 *   session's: each is refused with the place in the code, never answered with a stale number.
 * - A graph is made anew in every process: tracing runs nothing and takes less time than checking that
 *   a stored graph is still the function's, and what isn't stored can't be stale.
 *
 * ```ts
 * import assert from "node:assert/strict";
 * import * as tf from "@tensorflow/tfjs";
 * import { openBackend } from "../runtime/backend.ts";
 *
 * await openBackend();
 * const weight = tf.variable(tf.scalar(0)), session = new Session();
 * session.bind("weight", weight);
 * const step = compile((x, y) => {
 *   const { value, grads } = tf.variableGrads(() => tf.losses.meanSquaredError(y, tf.mul(x, weight)));
 *   weight.assign(tf.sub(weight, tf.mul(grads[weight.name], 0.1)));
 *   return [value];
 * }, session);
 * for (let i = 0; i < 50; i++) step(tf.tensor1d([1, 2]), tf.tensor1d([3, 6]))[0].dispose();
 * assert.ok(Math.abs((await weight.data())[0] - 3) < 1e-4);
 * ```
 */
import * as tf from "@tensorflow/tfjs";
import { isNative } from "./backend.ts";
import { checkResults, type Graph, type TensorFunction } from "./graph.ts";
import { Session } from "./session.ts";
import { activeTrace } from "./trace.ts";

export { addTo, globalNorm, onlyIf, updateAdam, waitFor } from "./adam.ts";
export type { AdamScalars, AdamState } from "./adam.ts";
export { Session } from "./session.ts";
export type { TensorFunction } from "./graph.ts";

/**
 * Compiles `run` over the session's variables: a graph for every combination of the inputs' shapes and
 * types. The function may read the variables, assign to them and compute gradients; numbers that it
 * takes from JavaScript (random ones too) are fixed at the first call, so what changes must be an input.
 * Called from within a function that is being compiled, it becomes part of that function's graph.
 * @param session without one (or on another backend than tensorflow) the function runs uncompiled
 * @returns a function whose results are its caller's to dispose
 */
export function compile(run: TensorFunction, session: Session | undefined): TensorFunction {
  if (session === undefined || !isNative()) return (...inputs) => runOnce(run, inputs);
  const graphs = new Map<string, Graph>();
  return (...inputs) => {
    if (activeTrace() !== undefined) return run(...inputs);
    const key = inputs.map(({ shape, dtype }) => `${dtype}[${shape}]`).join();
    let graph = graphs.get(key);
    if (graph === undefined) {
      graph = session.add(
        run,
        inputs.map(({ shape, dtype }) => ({ shape, dtype: supported(dtype) })),
      );
      graphs.set(key, graph);
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
