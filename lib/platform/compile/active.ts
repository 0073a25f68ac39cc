/** The trace that is under way, apart from the tracer so that what computes need not load it. */
import type * as tf from "@tensorflow/tfjs";
import type { Attribute } from "./backend.ts";

/** What a function that is being traced may record beyond ordinary operations; see `Trace`. */
export interface ActiveTrace {
  /** Whether operations may change variables in place; else their values are assigned. */
  readonly inPlace: boolean;
  changeInPlace(
    operation: string,
    change: { changed: tf.Variable[]; inputs: tf.Tensor[]; attributes: Attribute[] },
  ): void;
  waitFor(tensor: tf.Tensor, after: tf.Tensor): tf.Tensor;
  guard(condition: tf.Scalar, change: () => void): void;
}

/** The trace that is under way, if any. */
export let activeTrace: ActiveTrace | undefined;

export function setActiveTrace(trace: ActiveTrace | undefined): void {
  activeTrace = trace;
}

/** The first place outside of this folder, the backends' and the libraries that led here. */
export function caller(): string {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 100; // the libraries' frames come first, more than the usual ten
  const lines = new Error().stack?.split("\n").slice(2) ?? [];
  Error.stackTraceLimit = limit;
  const line = lines.find((line) =>
    /:\d+:\d+/.test(line) && !/node_modules|\/platform\/(?:compile|runtime)\/|ext:|node:/.test(line)
  );
  return line === undefined ? "" : ` ${line.trim()}`;
}
