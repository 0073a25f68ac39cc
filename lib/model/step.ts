/** One training step as traceable functions: PyTorch's and transformers' to the last term. */
import * as tf from "@tensorflow/tfjs";
import { updateAdam } from "../platform/compile/adam.ts";
import { type ForwardOptions, headWeight } from "./architecture.ts";
import { gatherRows, lmHeadCrossEntropy } from "./layers.ts";
import type { TensorModel } from "./readable_model.ts";
import { firstMoment, secondMoment, type TrainerOptions } from "./trainer_options.ts";

/** What is cut smaller than so many rows, or supervised tokens, has operations too small again. */
export const LEAST_ROWS = 4;
const LEAST_SUPERVISED = 32;

/** Tensors of one length cut along it into at most `streams` parts. */
function cut(tensors: tf.Tensor[], streams: number, least: number): tf.Tensor[][] {
  const [length] = tensors[0].shape;
  const parts = Math.max(1, Math.min(streams, Math.floor(length / least)));
  if (parts === 1) return [tensors];
  const ends = Array.from({ length: parts + 1 }, (_, i) => Math.round(i * length / parts));
  const sizes = ends.slice(1).map((end, i) => end - ends[i]);
  const pieces = tensors.map((tensor) => tf.split(tensor, sizes));
  return sizes.map((_, part) => pieces.map((piece) => piece[part]));
}

/** A batch's loss in nats: ids [B, T], positions, labels and weights [N] -> scalar. */
export function batchLoss(
  model: Pick<TensorModel, "forward" | "parameters" | "config">,
  [ids, positions, labels, weights]: tf.Tensor[],
  { streams = 1, ...options }: ForwardOptions = {},
): tf.Scalar {
  const parts = cut([ids], streams, LEAST_ROWS);
  // Of several parts none knows its own positions; one alone has its last layer compute these only.
  const supervised = parts.length === 1
    ? model.forward(ids as tf.Tensor2D, { ...options, at: positions as tf.Tensor1D })
    : gatherRows(
      tf.concat(parts.map(([rows]) => model.forward(rows as tf.Tensor2D, options))),
      positions as tf.Tensor1D,
    ); // (N, D)
  const losses = cut([supervised, labels, weights], streams, LEAST_SUPERVISED)
    .map(([hidden, labels, weights]) =>
      lmHeadCrossEntropy(
        hidden as tf.Tensor2D,
        headWeight(model.parameters, model.config), // (V, D)
        labels as tf.Tensor1D,
        weights as tf.Tensor1D,
      )
    );
  return losses.length === 1 ? losses[0] : tf.addN(losses);
}

/** Loss and gradients of a batch's tensors, in the order of the trained tensors. */
export function gradientsOf(
  model: Parameters<typeof batchLoss>[0] & Pick<TensorModel, "trained">,
  batch: tf.Tensor[],
  options: ForwardOptions = {},
): { loss: tf.Scalar; gradients: tf.Tensor[] } {
  const variables = [...model.trained.values()];
  const { value, grads } = tf.variableGrads(() => batchLoss(model, batch, options), variables);
  return { loss: value, gradients: variables.map(({ name }) => grads[name]) };
}

/** Scalars of one step that change from step to step, [3]; `step` counts from 1. */
export function stepRates(
  learningRate: number,
  step: number,
  { beta1, beta2 }: { beta1: number; beta2: number },
): tf.Tensor1D {
  return tf.tensor1d([learningRate, 1 - beta1 ** step, 1 - beta2 ** step]);
}

/**
 * Clips the gradients to the largest norm (torch.nn.utils.clip_grad_norm_) and updates the trained
 * tensors and their moments by AdamW (torch.optim.AdamW); `norm` is of all gradients together.
 */
export function update(
  model: Pick<TensorModel, "trained" | "state">,
  gradients: tf.Tensor[],
  { norm, rates, decayed, ...options }:
    & { norm: tf.Scalar; rates: tf.Tensor1D; decayed: boolean[] }
    & Required<Pick<TrainerOptions, "beta1" | "beta2" | "epsilon" | "weightDecay">>
    & Pick<TrainerOptions, "clipNorm">,
): void {
  const { clipNorm, weightDecay } = options;
  const [learningRate, correction1, correction2] = tf.unstack(rates) as tf.Scalar[];
  const [beta1, beta2, epsilon] = [options.beta1, options.beta2, options.epsilon]
    .map((value) => tf.scalar(value));
  const scale = clipNorm === undefined
    ? undefined
    : tf.minimum(1, tf.div(clipNorm, tf.add(norm, 1e-6)));
  const states = [...model.trained].map(([name, variable]) => ({
    variable,
    first: model.state.get(firstMoment(name))!,
    second: model.state.get(secondMoment(name))!,
  }));
  const decay = tf.mul(learningRate, weightDecay) as tf.Scalar;
  const scalars = { learningRate, correction1, correction2, beta1, beta2, epsilon };
  states.forEach((state, i) =>
    tf.tidy(() => {
      const gradient = scale === undefined ? gradients[i] : tf.mul(gradients[i], scale);
      updateAdam(state, gradient, { ...scalars, decay: decayed[i] ? decay : undefined });
    })
  );
}
