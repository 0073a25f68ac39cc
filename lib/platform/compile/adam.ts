/**
 * Changes of variables by AdamW and by sums: TensorFlow's own in-place operations in a graph, plain
 * operations elsewhere.
 */
import * as tf from "@tensorflow/tfjs";
import { activeTrace } from "./active.ts";
import { isNative, nodeBackend, typed } from "./backend.ts";

export interface AdamState {
  variable: tf.Variable;
  /** First moment, of the variable's shape. */
  first: tf.Variable;
  second: tf.Variable;
}

/** Scalars of one step, as tensors: they change from step to step. */
export interface AdamScalars {
  learningRate: tf.Scalar;
  beta1: tf.Scalar;
  beta2: tf.Scalar;
  /** 1 - beta1 to the power of the step (counted from 1), which float32 powers would give badly. */
  correction1: tf.Scalar;
  correction2: tf.Scalar;
  epsilon: tf.Scalar;
  /** Share of the variable that is taken off first (learning rate x weight decay). */
  decay?: tf.Scalar;
}

/**
 * One AdamW step with decoupled decay and bias correction, as torch.optim.AdamW:
 * variable -= decay * variable, then variable -= lr * (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + epsilon).
 */
export function updateAdam(
  { variable, first, second }: AdamState,
  gradient: tf.Tensor,
  { learningRate, beta1, beta2, correction1, correction2, epsilon, decay }: AdamScalars,
): void {
  tf.tidy(() => {
    // The bias correction of both moments, as part of the rate and of epsilon.
    const root = tf.sqrt(correction2);
    const rate = tf.div(tf.mul(learningRate, root), correction1), small = tf.mul(epsilon, root);
    if (activeTrace?.inPlace) {
      if (decay !== undefined) {
        activeTrace.changeInPlace("AssignSubVariableOp", {
          changed: [variable],
          inputs: [tf.mul(variable, decay)],
          attributes: [typed("dtype", "float32")],
        });
      }
      const zero = tf.scalar(0); // powers of beta1 and beta2, for the rate is corrected already
      return activeTrace.changeInPlace("ResourceApplyAdam", {
        changed: [variable, first, second],
        inputs: [zero, zero, rate, beta1, beta2, small, gradient],
        attributes: [typed("T", "float32")],
      });
    }
    const m = tf.add(tf.mul(first, beta1), tf.mul(gradient, tf.sub(1, beta1)));
    const v = tf.add(tf.mul(second, beta2), tf.mul(tf.square(gradient), tf.sub(1, beta2)));
    const step = tf.div(tf.mul(m, rate), tf.add(tf.sqrt(v), small));
    const kept = decay === undefined ? variable : tf.sub(variable, tf.mul(variable, decay));
    variable.assign(tf.sub(kept, step));
    first.assign(m);
    second.assign(v);
  });
}

/**
 * In a function that is being compiled: the changes of `updateAdam` and `addTo` run only where the condition
 * (a boolean scalar) holds.
 */
export function onlyIf(condition: tf.Scalar, change: () => void): void {
  if (activeTrace === undefined) {
    throw new Error(
      "Cannot change under a condition: expected a function that is being compiled; found none; " +
        "read the condition first",
    );
  }
  activeTrace.guard(condition, change);
}

/** variable += value; in a graph without a copy of the variable. */
export function addTo(variable: tf.Variable, value: tf.Tensor): void {
  if (!activeTrace?.inPlace) return tf.tidy(() => variable.assign(tf.add(variable, value)));
  activeTrace.changeInPlace("AssignAddVariableOp", {
    changed: [variable],
    inputs: [value],
    attributes: [typed("dtype", "float32")],
  });
}

/**
 * The same tensor; in a graph, what is computed from it is not computed before `after` is there, though
 * it could be.
 */
export function waitFor<T extends tf.Tensor>(tensor: T, after: tf.Tensor): T {
  return (activeTrace?.waitFor(tensor, after) ?? tensor) as T;
}

/** The L2 norm of all tensors together (float32). It has no gradient. */
export function globalNorm(tensors: tf.Tensor[]): tf.Scalar {
  if (!isNative()) return tf.sqrt(tf.addN(tensors.map((x) => tf.sum(tf.square(x)))));
  const type = typed("T", "float32");
  // Half of the sum of squares, which it doesn't keep.
  const halves = tensors.map((x) => nodeBackend().executeSingleOutput("L2Loss", [type], [x]));
  // TensorFlow's optimizer rewrites a long AddN into operations that XLA lacks.
  const half = activeTrace?.inPlace === false ? tf.sum(tf.stack(halves)) : tf.addN(halves);
  return tf.sqrt(tf.mul(half, 2));
}
