/** Changes of variables by AdamW and by sums: TensorFlow's own in-place operations in a graph, plain operations elsewhere. */
import * as tf from "@tensorflow/tfjs";
import { activeTrace } from "./trace.ts";

export interface AdamState {
  variable: tf.Variable;
  /** First moment, of the variable's shape. */
  first: tf.Variable;
  /** Second moment. */
  second: tf.Variable;
}

/** Scalars of one step, as tensors: they change from step to step. */
export interface AdamScalars {
  learningRate: tf.Scalar;
  /** beta1 to the power of the step (counted from 1). */
  beta1Power: tf.Scalar;
  beta2Power: tf.Scalar;
  beta1: tf.Scalar;
  beta2: tf.Scalar;
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
  scalars: AdamScalars,
): void {
  const { learningRate, beta1Power, beta2Power, beta1, beta2, epsilon, decay } = scalars;
  const correction = tf.sqrt(tf.sub(1, beta2Power)) as tf.Scalar;
  const trace = activeTrace();
  if (trace !== undefined) {
    if (decay !== undefined) {
      trace.changeInPlace("AssignSubVariableOp", {
        changed: [variable],
        inputs: [tf.mul(variable, decay)],
        attributes: [{ ...trace.typeAttribute("float32"), name: "dtype" }],
      });
    }
    // TensorFlow corrects outside the root, so its epsilon is scaled to mean the same.
    trace.changeInPlace("ResourceApplyAdam", {
      changed: [variable, first, second],
      inputs: [
        beta1Power,
        beta2Power,
        learningRate,
        beta1,
        beta2,
        tf.mul(epsilon, correction),
        gradient,
      ],
      attributes: [trace.typeAttribute("float32")],
    });
    return;
  }
  tf.tidy(() => {
    const m = tf.add(tf.mul(first, beta1), tf.mul(gradient, tf.sub(1, beta1)));
    const v = tf.add(tf.mul(second, beta2), tf.mul(tf.square(gradient), tf.sub(1, beta2)));
    const rate = tf.div(tf.mul(learningRate, correction), tf.sub(1, beta1Power));
    const step = tf.div(tf.mul(m, rate), tf.add(tf.sqrt(v), tf.mul(epsilon, correction)));
    first.assign(m);
    second.assign(v);
    const kept = decay === undefined ? variable : tf.sub(variable, tf.mul(variable, decay));
    variable.assign(tf.sub(kept, step));
  });
}

/**
 * Runs `change` where the condition holds; in a graph, its in-place changes run only then.
 * @param condition a boolean scalar
 */
export function onlyIf(condition: tf.Scalar, change: () => void): void {
  const trace = activeTrace();
  if (trace !== undefined) trace.guard(condition, change);
  else if (condition.dataSync()[0]) change();
}

/** variable += value; in a graph without a copy of the variable. */
export function addTo(variable: tf.Variable, value: tf.Tensor): void {
  const trace = activeTrace();
  if (trace === undefined) return tf.tidy(() => variable.assign(tf.add(variable, value)));
  trace.changeInPlace("AssignAddVariableOp", {
    changed: [variable],
    inputs: [value],
    attributes: [{ ...trace.typeAttribute("float32"), name: "dtype" }],
  });
}
