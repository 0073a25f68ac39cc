/**
 * Training steps: loss, gradients and AdamW, as one traceable function of tensors.
 * AdamW, clipping and schedules are PyTorch's and transformers' to the last term.
 */
import * as tf from "@tensorflow/tfjs";
import { onlyIf, updateAdam } from "../runtime/compile/mod.ts";
import { forward, type ForwardOptions, headWeight } from "../model/architecture.ts";
import { type Batch, checkRows, padRows, roundSize, supervision } from "../model/batch.ts";
import type { LanguageModel } from "../model/language_model.ts";
import { headLoss, lookUp } from "../model/layers.ts";
import { type Schedule, scheduleFactor } from "./schedule.ts";
import { firstMoment as first, readState, secondMoment as second, writeState } from "./state.ts";

export interface TrainerOptions extends ForwardOptions {
  learningRate: number;
  totalSteps: number;
  /** Default 0. */
  warmupSteps?: number;
  /** Default "cosine". */
  schedule?: Schedule;
  /** Largest norm of all gradients together; longer ones are scaled down to it. Default: no clipping. */
  clipNorm?: number;
  /** Decoupled; default 0. */
  weightDecay?: number;
  /** Tensors that decay. Default: all, as torch.optim.AdamW over all parameters. */
  decays?: (name: string) => boolean;
  /** Default .9. */
  beta1?: number;
  /** Default .999. */
  beta2?: number;
  /** Default 1e-8. */
  epsilon?: number;
  /** The factor on the learning rate at a step (from 0), in place of `schedule`. */
  factor?: (step: number) => number;
}

export interface StepResult {
  /** Mean cross-entropy over the supervised tokens, in nats, before the step. */
  loss: number;
  /** L2 norm of all gradients together, before clipping. */
  gradientNorm: number;
  /** The rate that this step used. */
  learningRate: number;
}

/** A batch whose supervised tokens may weigh differently. */
export interface WeightedBatch extends Batch {
  /** Weight of the loss on each label, of the labels' shape. Default: 1 for each. */
  weights?: number[][];
}

/**
 * A batch as the four tensors of `batchLoss`, sizes rounded up; the rest weighs nothing.
 * @param least sizes that the tensors have at least; of `lengths` the smallest that fits is taken
 */
export function batchTensors(
  batch: WeightedBatch,
  vocabularySize: number,
  least: { rows?: number; supervised?: number; lengths?: readonly number[] } = {},
): [tf.Tensor2D, tf.Tensor1D, tf.Tensor1D, tf.Tensor1D] {
  checkRows(batch.inputIds, vocabularySize);
  const longest = Math.max(...batch.inputIds.map((row) => row.length));
  const length = least.lengths?.find((length) => length >= longest) ?? roundSize(longest);
  const rows = Math.max(batch.inputIds.length, least.rows ?? 0);
  const { positions, targets } = supervision(batch, length);
  if (positions.length === 0) {
    throw new Error(
      "Cannot train on the batch: expected a label other than -100 after the first token; found none",
    );
  }
  const wrong = targets.find((id) => !Number.isInteger(id) || id < 0 || id >= vocabularySize);
  if (wrong !== undefined) {
    throw new Error(
      `Cannot train on the batch: expected labels from 0 to ${
        vocabularySize - 1
      } or -100; found ${wrong}`,
    );
  }
  const weights = positions.map((flat) => {
    const row = Math.floor(flat / length);
    return batch.weights?.[row][flat - row * length + 1] ?? 1;
  });
  const total = weights.reduce((a, b) => a + b, 0);
  const size = roundSize(Math.max(positions.length, least.supervised ?? 0));
  const padded = (values: number[], dtype: "int32" | "float32") => {
    const data = dtype === "int32" ? new Int32Array(size) : new Float32Array(size);
    data.set(values);
    return tf.tensor1d(data, dtype);
  };
  return [
    padRows(batch.inputIds, { batch: rows, length }),
    padded(positions, "int32"),
    padded(targets, "int32"),
    padded(weights.map((weight) => weight / total), "float32"),
  ];
}

/** The loss of one batch as a scalar tensor; differentiable in the model's parameters. */
export function batchLoss(
  model: LanguageModel,
  [ids, positions, targets, weights]: tf.Tensor[],
  options: ForwardOptions = {},
): tf.Scalar {
  const hidden = forward(model.parameters, model.config, ids as tf.Tensor2D, options);
  return headLoss(
    lookUp(hidden, positions as tf.Tensor1D),
    headWeight(model.parameters, model.config),
    targets as tf.Tensor1D,
    weights as tf.Tensor1D,
  );
}

/**
 * Mean cross-entropy (nats) over the labels other than -100, shifted as in transformers, and its
 * gradients, keyed and laid out as the checkpoint's tensors.
 */
export async function lossAndGradients(
  model: LanguageModel,
  batch: Batch,
): Promise<{ loss: number; gradients: Map<string, Float32Array> }> {
  const names = [...model.parameters.keys()];
  const variables = [...model.parameters.values()];
  const run = model.compiled("gradients", () => (...inputs) => {
    const { value, grads } = tf.variableGrads(() => batchLoss(model, inputs), variables);
    return [value, ...variables.map((variable) => grads[variable.name])];
  });
  const inputs = batchTensors(batch, model.config.vocabularySize);
  const outputs = run(...inputs);
  const [loss, ...gradients] = await Promise.all(outputs.map((tensor) => tensor.data()));
  tf.dispose([...inputs, ...outputs]);
  return {
    loss: loss[0],
    gradients: new Map(names.map((name, i) => [name, gradients[i] as Float32Array])),
  };
}

/** AdamW over all of a model's parameters. One trainer at a time trains a model. */
export class Trainer {
  readonly options:
    & Required<Omit<TrainerOptions, "clipNorm" | "factor" | "decays">>
    & Pick<TrainerOptions, "clipNorm" | "factor" | "decays">;
  /** Steps done. */
  steps = 0;
  #largest = { rows: 0, supervised: 0 };
  #lengths: number[] = [];

  constructor(readonly model: LanguageModel, options: TrainerOptions) {
    this.options = {
      warmupSteps: 0,
      schedule: "cosine",
      weightDecay: 0,
      beta1: 0.9,
      beta2: 0.999,
      epsilon: 1e-8,
      embeddingScale: 1,
      ...options,
    };
    for (const name of ["learningRate", "totalSteps", "warmupSteps", "weightDecay"] as const) {
      if (!(this.options[name] >= 0)) {
        throw new Error(`Cannot train: expected ${name} >= 0; found ${this.options[name]}`);
      }
    }
    for (const [name, { shape }] of model.parameters) {
      for (const moment of [first(name), second(name)]) {
        const zeros = tf.zeros(shape);
        model.bindState(moment, tf.variable(zeros, false));
        zeros.dispose();
      }
    }
  }

  /** One step on a batch. @throws where the loss or a gradient is not finite; nothing has changed then */
  async step(batch: WeightedBatch): Promise<StepResult> {
    const { beta1, beta2 } = this.options;
    const t = this.steps + 1;
    const learningRate = this.options.learningRate *
      (this.options.factor?.(this.steps) ?? scheduleFactor(this.steps, this.options));
    const inputs = batchTensors(batch, this.model.config.vocabularySize, this.#least(batch));
    this.#largest.rows = Math.max(this.#largest.rows, inputs[0].shape[0]);
    this.#largest.supervised = Math.max(this.#largest.supervised, inputs[1].shape[0]);
    const scalars = tf.tensor1d([learningRate, beta1 ** t, beta2 ** t]);
    const outputs = this.#compiled()(...inputs, scalars);
    const [[loss], [gradientNorm]] = await Promise.all(outputs.map((tensor) => tensor.data()));
    tf.dispose([...inputs, scalars, ...outputs]);
    this.#check(loss, gradientNorm);
    this.steps = t;
    return { loss, gradientNorm, learningRate };
  }

  /**
   * Fixes the sizes of the steps to come, so that compiled steps need few graphs: rows and supervised
   * tokens of the largest batch, its length, and halves of that for batches of shorter rows.
   */
  reserve(batches: Iterable<Batch>): void {
    let longest = 1;
    for (const batch of batches) {
      longest = Math.max(longest, ...batch.inputIds.map((row) => row.length));
      const { positions } = supervision(batch, longest);
      this.#largest = {
        rows: Math.max(this.#largest.rows, batch.inputIds.length),
        supervised: Math.max(this.#largest.supervised, roundSize(positions.length)),
      };
    }
    this.#lengths = [];
    for (let length = roundSize(longest); length >= 32; length = roundSize(length / 2)) {
      this.#lengths.unshift(length);
    }
  }

  /** A compiled batch is padded to the sizes of those before, whose graph it then shares. */
  #least(batch: Batch) {
    if (this.model.session === undefined) return {};
    const small = batch.inputIds.length * 2 <= this.#largest.rows / 4;
    return { ...(small ? {} : this.#largest), lengths: this.#lengths };
  }

  #check(loss: number, gradientNorm: number): void {
    if (Number.isFinite(loss) && Number.isFinite(gradientNorm)) return;
    throw new Error(
      `Cannot train on: expected a finite loss and gradient at step ${this.steps + 1}; ` +
        `found loss ${loss}, gradient norm ${gradientNorm}; lower the learning rate`,
    );
  }

  #compiled() {
    const { clipNorm, weightDecay, embeddingScale, beta1, beta2, epsilon, decays } = this.options;
    const names = [...this.model.parameters.keys()];
    const decayed = names.map((name) => weightDecay > 0 && (decays?.(name) ?? true));
    const key = JSON.stringify([
      "step",
      clipNorm,
      weightDecay,
      embeddingScale,
      beta1,
      beta2,
      epsilon,
      decayed,
    ]);
    return this.model.compiled(key, () => (...inputs) => this.#step(inputs, decayed));
  }

  /** Loss, gradients, clipping, decay and AdamW. inputs: a batch's four tensors, then the scalars. */
  #step(inputs: tf.Tensor[], decayed: boolean[]): tf.Tensor[] {
    const { clipNorm, weightDecay, embeddingScale, beta1, beta2, epsilon } = this.options;
    const [learningRate, beta1Power, beta2Power] = tf.unstack(inputs[4]) as tf.Scalar[];
    const names = [...this.model.parameters.keys()];
    const variables = [...this.model.parameters.values()];
    const { value: loss, grads } = tf.variableGrads(
      () => batchLoss(this.model, inputs, { embeddingScale }),
      variables,
    );
    const gradients = variables.map((variable) => grads[variable.name]);
    const norm = tf.sqrt(tf.addN(gradients.map((gradient) => tf.sum(tf.square(gradient)))));
    // torch.nn.utils.clip_grad_norm_
    const scale = clipNorm === undefined
      ? undefined
      : tf.minimum(1, tf.div(clipNorm, tf.add(norm, 1e-6)));
    const scalars = {
      learningRate,
      beta1Power,
      beta2Power,
      beta1: tf.scalar(beta1),
      beta2: tf.scalar(beta2),
      epsilon: tf.scalar(epsilon),
    };
    const { state } = this.model;
    // A step that isn't finite changes nothing.
    onlyIf(tf.isFinite(tf.add(norm, loss)) as tf.Scalar, () =>
      names.forEach((name, i) => {
        const gradient = scale === undefined ? gradients[i] : tf.mul(gradients[i], scale);
        const moments = { first: state.get(first(name))!, second: state.get(second(name))! };
        updateAdam({ variable: variables[i], ...moments }, gradient, {
          ...scalars,
          decay: decayed[i] ? tf.mul(learningRate, weightDecay) as tf.Scalar : undefined,
        });
      }));
    return [loss, norm];
  }

  /** Keeps parameters, moments, options and the count of steps in a folder, in one file. */
  async save(folder: string): Promise<void> {
    const { factor, decays, ...options } = this.options;
    await writeState(folder, this.model, {
      steps: this.steps,
      largest: this.#largest,
      options,
      decayed: decays && [...this.model.parameters.keys()].filter(decays),
      factor: factor?.(this.steps),
    });
  }

  /**
   * The trainer that a folder keeps, and its parameters in `model`: the steps that follow are those
   * that would have followed. `options` may repeat what the trainer was made with, to have it
   * compared; `factor`, a function, can't be kept and must be given again.
   * @throws where the folder keeps another model's state, or options differ; nothing has changed then
   */
  static async resume(
    model: LanguageModel,
    folder: string,
    options: Partial<TrainerOptions> = {},
  ): Promise<Trainer> {
    const state = await readState(folder, model, options);
    const decayed = new Set(state.decayed);
    const trainer = new Trainer(model, {
      ...state.options as TrainerOptions,
      ...(state.decayed && { decays: (name: string) => decayed.has(name) }),
      factor: options.factor,
    });
    try {
      await state.restore();
    } catch (error) {
      trainer.dispose();
      throw error;
    }
    trainer.steps = state.steps;
    trainer.#largest = state.largest;
    return trainer;
  }

  /** Frees the moments; the model keeps its parameters. */
  dispose(): void {
    const names = [...this.model.parameters.keys()];
    this.model.freeState([...names.map(first), ...names.map(second)]);
  }
}
