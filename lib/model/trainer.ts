/**
 * Training steps: loss, gradients and AdamW, as one traceable function of tensors.
 * AdamW, clipping and schedules are PyTorch's and transformers' to the last term.
 */
import * as tf from "@tensorflow/tfjs";
import {
  addTo,
  globalNorm,
  onlyIf,
  type TensorFunction,
  updateAdam,
} from "../platform/compile/mod.ts";
import { type ForwardOptions, headWeight, type Recompute } from "./architecture.ts";
import { type Batch, checkBatch, IGNORED, padRows, roundSize, supervision } from "./batch.ts";
import type { LanguageModel } from "./language_model.ts";
import { headLoss, lookUp } from "./layers.ts";
import {
  type Adapter,
  describeAdapter,
  dropLora,
  type LoraOptions,
  loraOptions,
  trainableLora,
} from "./lora.ts";
import { NotFiniteError } from "../statistics/not_finite.ts";
import { chooseLengths } from "./lengths.ts";
import { checkTrainingRoom } from "./room.ts";
import { type Schedule, scheduleFactor } from "./schedule.ts";
import {
  firstMoment as first,
  readState,
  secondMoment as second,
  writeState,
} from "./files/trainer_state.ts";

export interface TrainerOptions extends Pick<ForwardOptions, "embeddingScale"> {
  /**
   * What is computed again for the gradient, to need less memory where rows are long. Default: nothing.
   */
  recompute?: Recompute;
  /**
   * Trains low-rank adapters and no weight of the model: `{}` with the defaults, or one that the model
   * has already. Default: all parameters are trained.
   */
  lora?: LoraOptions;
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
  /** Tensors that decay. Default: all that are trained, as torch.optim.AdamW over all of them. */
  decays?: (name: string) => boolean;
  /** Default .9. */
  beta1?: number;
  /** Default .999. */
  beta2?: number;
  /** Default 1e-8. */
  epsilon?: number;
  /**
   * Most tokens, padding counted, that go through the model at once. A larger batch is cut into parts
   * of like lengths whose gradients are summed: the step is the same, with less memory.
   * Default: 8,192.
   */
  batchTokens?: number;
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

/** Lengths that parts of batches are padded to, each a graph; more leave less padding. */
const MOST_LENGTHS = 16;
/** A reserved number of supervised tokens is rounded up by no more than its 32nd. */
const RESERVED_STEPS = 32;

/** Every token of padding is trained on in vain, and a training has few lengths: closer than elsewhere. */
const roundLength = (length: number) => roundSize(length, 8);

/** The smallest of `lengths` that is at least `length`, or else that length rounded up. */
const fitting = (length: number, lengths?: readonly number[]) =>
  lengths?.find((one) => one >= length) ?? roundLength(length);

/** What a batch's tensors are padded to. */
interface BatchSizes {
  rows?: number;
  supervised?: number;
  /** How finely the number of supervised tokens is rounded up (see `roundSize`). Default: 4. */
  steps?: number;
  /** The smallest that fits is taken. */
  lengths?: readonly number[];
  /** The weights' sum that makes a mean. Default: the batch's own. */
  total?: number;
}

/**
 * A batch (see `checkBatch`) as the four tensors of `batchLoss`, sizes rounded up; the rest weighs nothing.
 * @param least sizes that the tensors have at least
 */
function batchTensors(
  batch: WeightedBatch,
  least: BatchSizes = {},
): [tf.Tensor2D, tf.Tensor1D, tf.Tensor1D, tf.Tensor1D] {
  const longest = Math.max(...batch.inputIds.map((row) => row.length));
  const length = fitting(longest, least.lengths);
  const rows = Math.max(batch.inputIds.length, least.rows ?? 0);
  const { positions, targets } = supervision(batch, length);
  if (positions.length === 0) {
    throw new Error(
      "Cannot train on the batch: expected a label other than -100 after the first token; found none",
    );
  }
  const weights = positions.map((flat) => {
    const row = Math.floor(flat / length);
    return batch.weights?.[row][flat - row * length + 1] ?? 1;
  });
  const total = least.total ?? weights.reduce((a, b) => a + b, 0);
  const size = roundSize(Math.max(positions.length, least.supervised ?? 0), least.steps);
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

/** The loss of one batch as a scalar tensor; differentiable in what the model trains. */
export function batchLoss(
  model: LanguageModel,
  [ids, positions, targets, weights]: tf.Tensor[],
  options: ForwardOptions = {},
): tf.Scalar {
  const hidden = model.forward(ids as tf.Tensor2D, options);
  return headLoss(
    lookUp(hidden, positions as tf.Tensor1D),
    headWeight(model.parameters, model.config),
    targets as tf.Tensor1D,
    weights as tf.Tensor1D,
  );
}

/**
 * Mean cross-entropy (nats) over the labels other than -100, shifted as in transformers, and its
 * gradients, keyed and laid out as the checkpoint's tensors; of a model with an adapter the adapter's
 * alone, as PEFT names them.
 */
export async function lossAndGradients(
  model: LanguageModel,
  batch: Batch,
): Promise<{ loss: number; gradients: Map<string, Float32Array> }> {
  checkBatch(batch, model.config.vocabularySize);
  const names = [...model.trained.keys()];
  const run = model.compiled("gradients", () => (...inputs) => {
    const variables = [...model.trained.values()];
    const { value, grads } = tf.variableGrads(() => batchLoss(model, inputs), variables);
    return [value, ...variables.map((variable) => grads[variable.name])];
  });
  const inputs = batchTensors(batch);
  const outputs = run(...inputs);
  const [loss, ...gradients] = await Promise.all(outputs.map((tensor) => tensor.data()));
  tf.dispose([...inputs, ...outputs]);
  return {
    loss: loss[0],
    gradients: new Map(names.map((name, i) => [name, gradients[i] as Float32Array])),
  };
}

/** AdamW over all of a model's parameters, or over its adapter's. One trainer at a time trains a model. */
export class Trainer {
  readonly options:
    & Required<Omit<TrainerOptions, "clipNorm" | "factor" | "decays" | "lora">>
    & Pick<TrainerOptions, "clipNorm" | "factor" | "decays" | "lora">;
  /** Steps done. */
  steps = 0;
  #largest = { rows: 0, supervised: 0 };
  #lengths: number[] = [];
  /** The most supervised tokens of a part, by its rows and length. */
  #supervised = new Map<string, number>();
  /** Tokens of the largest batch that was found to have room. */
  #roomy = 0;
  readonly #adapter?: Adapter;

  /** @throws where an option does not fit, or the model has an adapter that `lora` does not ask for */
  constructor(readonly model: LanguageModel, options: TrainerOptions) {
    this.options = {
      warmupSteps: 0,
      schedule: "cosine",
      weightDecay: 0,
      beta1: 0.9,
      beta2: 0.999,
      epsilon: 1e-8,
      embeddingScale: 1,
      batchTokens: 8192,
      recompute: "nothing",
      ...options,
    };
    for (const name of ["learningRate", "totalSteps", "warmupSteps", "weightDecay"] as const) {
      if (!(this.options[name] >= 0)) {
        throw new Error(`Cannot train: expected ${name} >= 0; found ${this.options[name]}`);
      }
    }
    const { attentionDropout = 0 } = model.config;
    if (attentionDropout > 0) {
      throw new Error(
        `Cannot train ${model.name}: expected attention_dropout 0; found ${attentionDropout}; set it ` +
          "to 0 in config.json to train without dropout",
      );
    }
    // Moments alone can be more than there is.
    checkTrainingRoom(model, { ...this.options, tokens: 1, length: 1 }, {
      action: `train ${model.name}`,
    });
    this.#adapter = adapterFor(model, this.options.lora);
    if (this.#adapter !== undefined) {
      const { rank, alpha, rankStabilized, targets } = this.#adapter;
      const { seed } = this.options.lora!;
      this.options.lora = loraOptions({ rank, alpha, rankStabilized, targets, seed });
    }
    for (const [name, { shape }] of model.trained) {
      for (const moment of [first(name), second(name)]) {
        const zeros = tf.fill(shape, 0); // by the backend: tf.zeros makes them in JavaScript
        model.bindState(moment, tf.variable(zeros, false));
        zeros.dispose();
      }
    }
  }

  /** One step on a batch. @throws where the loss or a gradient is not finite; nothing has changed then */
  async step(batch: WeightedBatch): Promise<StepResult> {
    if (this.model.adapter !== this.#adapter) {
      throw new Error(
        `Cannot train on: expected ${
          this.#adapter ? "the adapter that this trainer was made with" : "no adapter"
        }; found ${this.model.adapter ? "another" : "none"}; make another trainer`,
      );
    }
    checkBatch(batch, this.model.config.vocabularySize);
    const { beta1, beta2 } = this.options;
    const t = this.steps + 1;
    const learningRate = this.options.learningRate *
      (this.options.factor?.(this.steps) ?? scheduleFactor(this.steps, this.options));
    const scalars = tf.tensor1d([learningRate, 1 - beta1 ** t, 1 - beta2 ** t]);
    this.#checkRoom(batch);
    const parts = splitBatch(batch, this.options.batchTokens, this.#lengths);
    try {
      const [loss, gradientNorm] = parts.length === 1
        ? await this.#whole(batch, scalars)
        : await this.#summed(parts, scalars);
      this.#check(loss, gradientNorm);
      this.steps = t;
      return { loss, gradientNorm, learningRate };
    } finally {
      scalars.dispose();
    }
  }

  /**
   * @throws where memory is too small for the batch. Compiled, the first one tells: later ones find memory
   *   that this process holds already.
   */
  #checkRoom({ inputIds, labels }: WeightedBatch): void {
    const length = inputIds.reduce((most, row) => Math.max(most, row.length), 0);
    const tokens = inputIds.length * length;
    if (tokens <= this.#roomy || this.#roomy > 0 && this.model.session !== undefined) return;
    const supervised = labels.flat().filter((label) => label >= 0).length;
    checkTrainingRoom(this.model, { ...this.options, tokens, length, supervised }, {
      action: `train ${this.model.name} on ${inputIds.length} x ${length} tokens`,
      has: ["process", "weights", "moments"],
    });
    this.#roomy = tokens;
  }

  async #whole(batch: WeightedBatch, scalars: tf.Tensor1D): Promise<[number, number]> {
    const inputs = batchTensors(batch, this.#least(batch));
    this.#largest.rows = Math.max(this.#largest.rows, inputs[0].shape[0]);
    this.#largest.supervised = Math.max(this.#largest.supervised, inputs[1].shape[0]);
    const outputs = this.model.session === undefined
      ? this.#compiled("gradients", () => (...inputs) => {
        const { loss, gradients } = this.#gradients(inputs);
        return [loss, ...gradients];
      })(...inputs)
      : this.#compiled("step", (decayed) => (...inputs) => {
        const { loss, gradients } = this.#gradients(inputs);
        const norm = globalNorm(gradients);
        // A step that isn't finite changes nothing.
        onlyIf(
          tf.isFinite(tf.add(loss, norm)) as tf.Scalar,
          () => this.#update(gradients, { norm, rates: inputs[4] as tf.Tensor1D, decayed }),
        );
        return [loss, norm];
      })(...inputs, scalars);
    tf.dispose(inputs);
    try {
      const [first, ...others] = outputs;
      const [loss] = await first.data();
      if (this.model.session === undefined) return [loss, await this.#apply(loss, others, scalars)];
      return [loss, (await others[0].data())[0]];
    } finally {
      tf.dispose(outputs);
    }
  }

  /**
   * The step by gradients that were computed apart, where no graph ties the update to their norm: it is
   * read first, and what was kept for the gradients is free by then.
   * @returns the gradients' norm
   */
  async #apply(loss: number, gradients: tf.Tensor[], scalars: tf.Tensor1D): Promise<number> {
    const [norm] = this.#compiled("norm", () => (...gradients) => [globalNorm(gradients)])(
      ...gradients,
    );
    try {
      const value = (await norm.data())[0];
      this.#check(loss, value);
      const [done] = this.#compiled("update", (decayed) => (norm, rates, ...gradients) => {
        this.#update(gradients, {
          norm: norm as tf.Scalar,
          rates: rates as tf.Tensor1D,
          decayed,
        });
        return [tf.add(norm, 0)];
      })(norm, scalars, ...gradients);
      // A device tells what it could not do when something is read.
      await done.data();
      done.dispose();
      return value;
    } finally {
      norm.dispose();
    }
  }

  /** Sums the parts' gradients, then takes the step. */
  async #summed(parts: WeightedBatch[], scalars: tf.Tensor1D): Promise<[number, number]> {
    const sums = this.#sums(); // made before anything is compiled
    const total = parts.reduce((sum, part) => sum + weightOf(part), 0);
    let loss = 0;
    try {
      for (const part of parts) {
        // Such as a conversation that was cut before its answer.
        if (weightOf(part) === 0 && total > 0) continue;
        const inputs = this.#partTensors(part, total);
        const [partLoss] = this.#compiled("accumulate", () => (...inputs) => {
          const { loss, gradients } = this.#gradients(inputs);
          this.#sums().forEach((sum, i) => addTo(sum, gradients[i]));
          return [loss];
        })(...inputs);
        loss += (await partLoss.data())[0];
        tf.dispose([...inputs, partLoss]);
      }
      this.#check(loss, 0);
      if (this.model.session === undefined) {
        const norm = await this.#apply(loss, sums, scalars);
        clear(sums);
        return [loss, norm];
      }
    } catch (error) {
      // A part of a batch must not count for the next one.
      clear(sums);
      throw error;
    }
    const [norm] = this.#compiled("apply", (decayed) => (rates) => {
      const norm = globalNorm(this.#sums());
      onlyIf(
        tf.isFinite(norm) as tf.Scalar,
        () => this.#update(this.#sums(), { norm, rates: rates as tf.Tensor1D, decayed }),
      );
      for (const sum of this.#sums()) sum.assign(tf.zerosLike(sum));
      return [norm];
    })(scalars);
    const value = (await norm.data())[0];
    norm.dispose();
    return [loss, value];
  }

  /** Rows and length that a part is padded to; compiled, such that parts share few graphs. */
  #partSize({ inputIds }: Batch): { rows: number; length: number } {
    const length = fitting(Math.max(...inputIds.map((row) => row.length)), this.#lengths);
    let rows = inputIds.length;
    if (this.model.session !== undefined) {
      rows = Math.max(1, Math.floor(this.options.batchTokens / length));
      while (rows >= 2 * inputIds.length) rows = Math.floor(rows / 2);
    }
    return { rows, length };
  }

  #partTensors(part: WeightedBatch, total: number) {
    const { rows, length } = this.#partSize(part);
    const supervised = this.#supervised.get(`${rows}x${length}`);
    const reserved = supervised === undefined
      ? { steps: this.model.session === undefined ? undefined : 1 }
      : { supervised, steps: RESERVED_STEPS };
    const sizes = { total, rows, lengths: this.#lengths, ...reserved };
    return batchTensors(part, sizes);
  }

  /** Tokens that a step on this batch reads, padding counted. */
  paddedTokens(batch: Batch): number {
    const parts = splitBatch(batch, this.options.batchTokens, this.#lengths);
    if (parts.length === 1) {
      return Math.max(this.#least(batch).rows ?? 0, batch.inputIds.length) *
        this.#partSize(batch).length;
    }
    return parts.map((part) => this.#partSize(part))
      .reduce((sum, { rows, length }) => sum + rows * length, 0);
  }

  /** Where gradients are summed; made when a batch first needs it. */
  #sums(): tf.Variable[] {
    return [...this.model.trained].map(([name, { shape }]) => {
      if (!this.model.state.has(sumOf(name))) {
        this.model.bindState(sumOf(name), tf.tidy(() => tf.variable(tf.fill(shape, 0), false)));
      }
      return this.model.state.get(sumOf(name))!;
    });
  }

  /**
   * Fixes the sizes of the steps to come, so that compiled steps need few graphs. Where batches go
   * through the model whole: rows and supervised tokens of the largest, its length, and halves of that
   * for batches of shorter rows. Where they are cut into parts: a few lengths that leave the least
   * padding, and for each the most supervised tokens.
   */
  reserve(batches: readonly Batch[]): void {
    const longest = batches.map(({ inputIds }) => Math.max(...inputIds.map((row) => row.length)));
    const { batchTokens } = this.options;
    if (batches.some(({ inputIds }, i) => inputIds.length * longest[i] > batchTokens)) {
      const rows = batches.flatMap(({ inputIds }) => inputIds.map((row) => row.length));
      this.#lengths = chooseLengths(rows, MOST_LENGTHS);
      for (const part of batches.flatMap((one) => splitBatch(one, batchTokens, this.#lengths))) {
        const { rows, length } = this.#partSize(part);
        const { positions } = supervision(part, length);
        const key = `${rows}x${length}`;
        this.#supervised.set(key, Math.max(this.#supervised.get(key) ?? 0, positions.length));
      }
      return;
    }
    for (const [i, batch] of batches.entries()) {
      const { positions } = supervision(batch, longest[i]);
      this.#largest = {
        rows: Math.max(this.#largest.rows, batch.inputIds.length),
        supervised: Math.max(this.#largest.supervised, roundSize(positions.length)),
      };
    }
    const most = Math.max(1, ...longest);
    this.#lengths = [roundLength(most)];
    for (let half = roundLength(most / 2); half >= 32; half = roundLength(half / 2)) {
      this.#lengths.unshift(half);
    }
  }

  /** A compiled batch is padded to the sizes of those before, whose graph it then shares. */
  #least(batch: Batch): BatchSizes {
    if (this.model.session === undefined) return {};
    const small = batch.inputIds.length * 2 <= this.#largest.rows / 4;
    return { ...(small ? {} : this.#largest), lengths: this.#lengths };
  }

  #check(loss: number, gradientNorm: number): void {
    if (Number.isFinite(loss) && Number.isFinite(gradientNorm)) return;
    throw new NotFiniteError(
      `Cannot train on: expected a finite loss and gradient at step ${this.steps + 1}; ` +
        `found loss ${loss}, gradient norm ${gradientNorm}; lower the learning rate`,
    );
  }

  #compiled(kind: string, run: (decayed: boolean[]) => TensorFunction): TensorFunction {
    const { clipNorm, weightDecay, embeddingScale, recompute, beta1, beta2, epsilon, decays } =
      this.options;
    const names = [...this.model.trained.keys()];
    const decayed = names.map((name) => weightDecay > 0 && (decays?.(name) ?? true));
    const key = JSON.stringify([
      kind,
      clipNorm,
      weightDecay,
      embeddingScale,
      recompute,
      beta1,
      beta2,
      epsilon,
      decayed,
    ]);
    return this.model.compiled(key, () => run(decayed));
  }

  /** Loss and gradients of a batch's four tensors, in the parameters' order. */
  #gradients(inputs: tf.Tensor[]): { loss: tf.Scalar; gradients: tf.Tensor[] } {
    const { embeddingScale, recompute } = this.options;
    const variables = [...this.model.trained.values()];
    const { value, grads } = tf.variableGrads(
      () => batchLoss(this.model, inputs, { embeddingScale, recompute }),
      variables,
    );
    return { loss: value, gradients: variables.map((variable) => grads[variable.name]) };
  }

  /** Clipping, decay and AdamW. */
  #update(
    gradients: tf.Tensor[],
    { norm, rates, decayed }: { norm: tf.Scalar; rates: tf.Tensor1D; decayed: boolean[] },
  ): void {
    const { clipNorm, weightDecay, beta1, beta2, epsilon } = this.options;
    const [learningRate, correction1, correction2] = tf.unstack(rates) as tf.Scalar[];
    const names = [...this.model.trained.keys()];
    const variables = [...this.model.trained.values()];
    // torch.nn.utils.clip_grad_norm_
    const scale = clipNorm === undefined
      ? undefined
      : tf.minimum(1, tf.div(clipNorm, tf.add(norm, 1e-6)));
    const scalars = {
      learningRate,
      correction1,
      correction2,
      beta1: tf.scalar(beta1),
      beta2: tf.scalar(beta2),
      epsilon: tf.scalar(epsilon),
    };
    const { state } = this.model;
    names.forEach((name, i) =>
      tf.tidy(() => {
        const gradient = scale === undefined ? gradients[i] : tf.mul(gradients[i], scale);
        const moments = { first: state.get(first(name))!, second: state.get(second(name))! };
        updateAdam({ variable: variables[i], ...moments }, gradient, {
          ...scalars,
          decay: decayed[i] ? tf.mul(learningRate, weightDecay) as tf.Scalar : undefined,
        });
      })
    );
  }

  /**
   * Keeps what is trained (of LoRA the adapter, not the model below it), moments, options and the count
   * of steps in a folder, in one file.
   */
  async save(folder: string): Promise<void> {
    const { factor, decays, ...options } = this.options;
    await writeState(folder, this.model, {
      steps: this.steps,
      largest: this.#largest,
      options,
      decayed: decays && [...this.model.trained.keys()].filter(decays),
      factor: factor?.(this.steps),
    });
  }

  /**
   * The trainer that a folder keeps, and its parameters or its adapter in `model`: the steps that follow
   * are those that would have followed. `options` may repeat what the trainer was made with, to have it
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
    const hadAdapter = model.adapter !== undefined;
    const trainer = new Trainer(model, {
      ...state.options as TrainerOptions,
      ...(state.decayed && { decays: (name: string) => decayed.has(name) }),
      factor: options.factor,
    });
    try {
      await state.restore();
    } catch (error) {
      trainer.dispose();
      if (!hadAdapter) dropLora(model);
      throw error;
    }
    trainer.steps = state.steps;
    trainer.#largest = state.largest;
    return trainer;
  }

  /** Frees the moments; the model keeps its parameters and its adapter. */
  dispose(): void {
    const names = [...(this.#adapter?.parameters ?? this.model.parameters).keys()];
    this.model.freeState([...names.map(first), ...names.map(second), ...names.map(sumOf)]);
  }
}

/** The adapter to train, added where the model has none; undefined where all parameters are trained. */
function adapterFor(model: LanguageModel, lora: LoraOptions | undefined): Adapter | undefined {
  if (lora !== undefined) return trainableLora(model, lora);
  if (model.adapter === undefined) return undefined;
  throw new Error(
    `Cannot train all parameters of ${model.name}: expected no adapter; found ` +
      `${describeAdapter(model.adapter)}; give lora: {} to train it on, or mergeLora(model) or ` +
      "dropLora(model) first",
  );
}

/** Name of a tensor's summed gradient among the model's state. */
const sumOf = (name: string) => `gradient/${name}`;

function clear(sums: tf.Variable[]): void {
  for (const sum of sums) tf.tidy(() => sum.assign(tf.fill(sum.shape, 0)));
}

/** The weights of a batch's supervised tokens, summed. */
function weightOf({ labels, weights }: WeightedBatch): number {
  let total = 0;
  labels.forEach((row, b) =>
    row.forEach((label, t) => {
      if (t > 0 && label !== IGNORED) total += weights?.[b][t] ?? 1;
    })
  );
  return total;
}

/** The batch in parts of like lengths, each of at most `batchTokens` padded tokens (or one row). */
function splitBatch(
  batch: WeightedBatch,
  batchTokens: number,
  lengths: readonly number[],
): WeightedBatch[] {
  const rounded = (row: number) => fitting(batch.inputIds[row].length, lengths);
  const order = batch.inputIds.map((_, row) => row)
    .sort((a, b) => batch.inputIds[b].length - batch.inputIds[a].length);
  if (order.length * rounded(order[0]) <= batchTokens) return [batch];
  const parts: number[][] = [];
  for (let start = 0; start < order.length;) {
    const count = Math.max(1, Math.floor(batchTokens / rounded(order[start])));
    parts.push(order.slice(start, start += count));
  }
  return parts.map((rows) => ({
    inputIds: rows.map((row) => batch.inputIds[row]),
    labels: rows.map((row) => batch.labels[row]),
    weights: batch.weights && rows.map((row) => batch.weights![row]),
  }));
}
