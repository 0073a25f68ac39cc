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
 */
export { addTo, globalNorm, onlyIf, updateAdam, waitFor } from "./adam.ts";
export type { AdamScalars, AdamState } from "./adam.ts";
export { compile } from "./compile.ts";
export { Session } from "./session.ts";
export type { TensorFunction } from "./graph.ts";
