/** Training steps on a model: one graph a step on the native backend, parts of large batches summed. */
import * as tf from "@tensorflow/tfjs";
import { addTo, globalNorm, onlyIf } from "../platform/compile/adam.ts";
import type { TensorFunction } from "../platform/compile/graph.ts";
import { look, type Stoppable } from "../platform/interrupt.ts";
import { quote } from "../platform/runtime/quote.ts";
import { NotFiniteError } from "../statistics/not_finite.ts";
import type { ForwardOptions } from "./architecture.ts";
import { type Adapter, describeAdapter, type LoraOptions, loraOptions } from "./adapter.ts";
import type { Batch, WeightedBatch } from "./batch.ts";
import { Batching, batchTensors, checkBatch, longestOf, weightOf } from "./batch.ts";
import type { LanguageModel } from "./language_model.ts";
import { dropLora, trainableLora } from "./lora.ts";
import { checkTrainingRoom } from "./room.ts";
import type { ResolvedOptions, StepResult, TrainerOptions } from "./trainer_options.ts";
import {
  decayedOf,
  firstMoment,
  learningRateAt,
  resolveOptions,
  secondMoment,
} from "./trainer_options.ts";
import { gradientsOf, stepRates, update } from "./step.ts";
import { requireStorage } from "./storage.ts";

/**
 * Mean cross-entropy (nats) over the labels other than -100, shifted as in transformers, and its
 * gradients, keyed and laid out as the checkpoint's tensors; of an adapter alone, as PEFT names them.
 */
export async function lossAndGradients(
  model: LanguageModel,
  batch: Batch,
): Promise<{ loss: number; gradients: Map<string, Float32Array> }> {
  checkBatch(batch, model.config);
  const names = [...model.trained.keys()];
  const run = model.compiled("gradients", (...inputs) => {
    const { loss, gradients } = gradientsOf(model, inputs);
    return [loss, ...gradients];
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
  readonly options: ResolvedOptions;
  steps = 0;
  readonly #batching: Batching;
  #hasRoom = false;
  readonly #adapter?: Adapter;

  /** @throws if an option does not fit, or the model has an adapter that `lora` does not ask for */
  constructor(readonly model: LanguageModel, options: TrainerOptions) {
    this.options = resolveOptions(options);
    const { attentionDropout = 0 } = model.config;
    if (attentionDropout > 0) {
      throw new Error(
        `Cannot train ${model.name}: expected attention_dropout 0; found ${attentionDropout}; set it ` +
          "to 0 in config.json to train without dropout",
      );
    }
    // The moments alone can be more than there is room for.
    checkTrainingRoom(model, { ...this.options, tokens: 1, length: 1 }, {
      action: `train ${model.name}`,
    });
    const { session, config } = model;
    // Chains of rows, each computed by itself, have no row in common.
    const window = (session?.streams ?? 1) > 1 ? 0 : config.slidingWindow;
    this.#batching = new Batching(this.options.batchTokens, session !== undefined, window);
    this.#adapter = adapterFor(model, this.options.lora);
    if (this.#adapter !== undefined) {
      const { rank, alpha, rankStabilized, targets } = this.#adapter;
      const { seed } = this.options.lora!;
      this.options.lora = loraOptions({ rank, alpha, rankStabilized, targets, seed });
    }
    for (const [name, { shape }] of model.trained) {
      for (const moment of [firstMoment(name), secondMoment(name)]) bindZeros(model, moment, shape);
    }
  }

  /** Fixes the sizes of the steps to come, so that compiled steps need few graphs. */
  reserve(batches: readonly Batch[], batchSize?: number): void {
    this.#batching.reserve(batches, batchSize);
  }

  /**
   * One step on a batch.
   * @throws if the loss or a gradient is not finite, or it is stopped; nothing has changed then
   */
  async step(batch: WeightedBatch, { signal }: Stoppable = {}): Promise<StepResult> {
    await look(signal);
    if (this.model.adapter !== this.#adapter) {
      const expected = this.#adapter ? "the adapter that this trainer was made with" : "no adapter";
      const found = this.model.adapter ? "another" : "none";
      throw new Error(
        `Cannot train on: expected ${expected}; found ${found}; make another trainer`,
      );
    }
    checkBatch(batch, this.model.config);
    if (!this.#hasRoom) this.#checkRoom(batch);
    const learningRate = learningRateAt(this.steps, this.options);
    const rates = stepRates(learningRate, this.steps + 1, this.options);
    const parts = this.#batching.split(batch);
    try {
      const [loss, gradientNorm] = parts.length === 1
        ? await this.#stepWhole(batch, rates)
        : await this.#stepInParts(parts, rates, signal);
      this.#checkFinite(loss, gradientNorm);
      this.steps++;
      return { loss, gradientNorm, learningRate };
    } finally {
      rates.dispose();
    }
  }

  /** By the first batch alone: later ones find its memory held. */
  #checkRoom(batch: Batch): void {
    const rows = batch.inputIds.length, length = longestOf(batch);
    checkTrainingRoom(this.model, { ...this.options, tokens: rows * length, length }, {
      action: `train ${this.model.name} on ${rows} x ${length} tokens`,
      has: ["process", "weights", "moments"],
    });
    this.#hasRoom = true;
  }

  async #stepWhole(batch: WeightedBatch, rates: tf.Tensor1D): Promise<[number, number]> {
    const inputs = this.#batching.wholeTensors(batch);
    const shared = this.#batching.sharedBy(batch), options = { ...this.#forwardOptions, shared };
    const isCompiled = this.model.session !== undefined;
    const outputs = isCompiled
      ? this.#compiled(`step/${shared}`, (...inputs) => {
        const { loss, gradients } = gradientsOf(this.model, inputs, options);
        const norm = globalNorm(gradients);
        // A step that is not finite changes nothing.
        const isFinite = tf.isFinite(tf.add(loss, norm)) as tf.Scalar;
        onlyIf(isFinite, () => this.#update(gradients, norm, inputs[4]));
        return [loss, norm];
      })(...inputs, rates)
      : this.#compiled(`gradients/${shared}`, (...inputs) => {
        const { loss, gradients } = gradientsOf(this.model, inputs, options);
        return [loss, ...gradients];
      })(...inputs);
    tf.dispose(inputs);
    try {
      const [lossTensor, ...others] = outputs;
      const [loss] = await lossTensor.data();
      if (!isCompiled) return [loss, await this.#apply(loss, others, rates)];
      return [loss, (await others[0].data())[0]];
    } finally {
      tf.dispose(outputs);
    }
  }

  /**
   * The step by computed gradients, if no graph ties the update to their norm: that is read first,
   * and the forward pass's tensors are free by then. @returns the norm
   */
  async #apply(loss: number, gradients: tf.Tensor[], rates: tf.Tensor1D): Promise<number> {
    const normOf = this.#compiled("norm", (...gradients) => [globalNorm(gradients)]);
    const [norm] = normOf(...gradients);
    try {
      const value = (await norm.data())[0];
      this.#checkFinite(loss, value);
      const [done] = this.#compiled("update", (norm, rates, ...gradients) => {
        this.#update(gradients, norm, rates);
        return [tf.add(norm, 0)];
      })(norm, rates, ...gradients);
      // A device reports what it could not do when something is read.
      await done.data();
      done.dispose();
      return value;
    } finally {
      norm.dispose();
    }
  }

  async #stepInParts(
    parts: WeightedBatch[],
    rates: tf.Tensor1D,
    signal: AbortSignal | undefined,
  ): Promise<[number, number]> {
    const sums = this.#sums(); // made before anything is compiled
    const total = parts.reduce((sum, part) => sum + weightOf(part), 0);
    let loss = 0;
    try {
      for (const part of parts) {
        // For example a conversation that was cut before its answer.
        if (weightOf(part) === 0 && total > 0) continue;
        await look(signal);
        const inputs = this.#batching.partTensors(part, total);
        const [partLoss] = this.#compiled("accumulate", (...inputs) => {
          const { loss, gradients } = gradientsOf(this.model, inputs, this.#forwardOptions);
          this.#sums().forEach((sum, i) => addTo(sum, gradients[i]));
          return [loss];
        })(...inputs);
        loss += (await partLoss.data())[0];
        tf.dispose([...inputs, partLoss]);
      }
      this.#checkFinite(loss, 0);
      if (this.model.session === undefined) {
        const norm = await this.#apply(loss, sums, rates);
        clear(sums);
        return [loss, norm];
      }
    } catch (error) {
      // A part of a batch must not count for the next one.
      clear(sums);
      throw error;
    }
    const [norm] = this.#compiled("apply", (rates) => {
      const sums = this.#sums(), norm = globalNorm(sums);
      const isFinite = tf.isFinite(norm) as tf.Scalar;
      onlyIf(isFinite, () => this.#update(sums, norm, rates));
      for (const sum of sums) sum.assign(tf.zerosLike(sum));
      return [norm];
    })(rates);
    const value = (await norm.data())[0];
    norm.dispose();
    return [loss, value];
  }

  /** Where gradients are summed; made when a batch first needs it. */
  #sums(): tf.Variable[] {
    return [...this.model.trained].map(([name, { shape }]) => {
      if (!this.model.state.has(sumOf(name))) bindZeros(this.model, sumOf(name), shape);
      return this.model.state.get(sumOf(name))!;
    });
  }

  #update(gradients: tf.Tensor[], norm: tf.Tensor, rates: tf.Tensor): void {
    const tensors = { norm: norm as tf.Scalar, rates: rates as tf.Tensor1D };
    update(this.model, gradients, { ...this.options, ...tensors, decayed: this.#decayed });
  }

  get #decayed(): boolean[] {
    return decayedOf(this.model.trained.keys(), this.options);
  }

  get #forwardOptions(): ForwardOptions {
    const { embeddingScale, gradientCheckpointing } = this.options;
    return { embeddingScale, gradientCheckpointing, streams: this.model.session?.streams };
  }

  #checkFinite(loss: number, gradientNorm: number): void {
    if (Number.isFinite(loss) && Number.isFinite(gradientNorm)) return;
    throw new NotFiniteError(
      `Cannot train on: expected a finite loss and gradient at step ${this.steps + 1}; ` +
        `found loss ${loss}, gradient norm ${gradientNorm}; lower the learning rate`,
    );
  }

  /** A function compiled once for the options whose numbers are fixed in its graph. */
  #compiled(kind: string, run: TensorFunction): TensorFunction {
    const { clipNorm, weightDecay, beta1, beta2, epsilon } = this.options;
    const fixed = [clipNorm, weightDecay, this.#forwardOptions, beta1, beta2, epsilon];
    const key = JSON.stringify([kind, fixed, this.#decayed]);
    return this.model.compiled(key, run, { runs: this.options.totalSteps });
  }

  /** Keeps what is trained, moments, options and the count of steps in one file of a folder. */
  async save(folder: string): Promise<void> {
    const { factor, decays, ...options } = this.options;
    await requireStorage("save the training").saveTrainer(folder, this.model, {
      steps: this.steps,
      largest: this.#batching.largest,
      options,
      decayed: decays && [...this.model.trained.keys()].filter(decays),
      factor: factor?.(this.steps),
    });
  }

  /**
   * The trainer that a folder keeps, what it trains put into `model`: the steps that follow are those
   * that would have followed. `factor`, a function, must be given again; other options need not be, and those
   * that are must be the ones kept. Which tensors decay is kept too.
   * @throws if the folder keeps another model's state, or another value of an option; nothing has changed then
   */
  static async resume(
    model: LanguageModel,
    folder: string,
    options: Partial<Omit<TrainerOptions, "decays">> = {},
  ): Promise<Trainer> {
    const state = await requireStorage("resume a training").readTrainer(folder, model);
    const kept: Record<string, unknown> = { ...state.options, factor: state.factor };
    const given = { ...options, factor: options.factor?.(state.steps) }, { lora } = state.options;
    // What is left out of LoRA's options is as it was.
    if (lora && given.lora) given.lora = loraOptions({ ...lora, ...given.lora });
    for (const [name, value] of Object.entries(given)) {
      if (JSON.stringify(value) === JSON.stringify(kept[name])) continue;
      const expected = `expected ${name} ${quote(value)} at step ${state.steps}`;
      const advice = "give the options that the trainer was made with, or start anew";
      throw new Error(
        `Cannot go on from ${folder}: ${expected}; found ${quote(kept[name])}; ${advice}`,
      );
    }
    const decayed = new Set(state.decayed);
    const hadAdapter = model.adapter !== undefined;
    const trainer = new Trainer(model, {
      ...state.options,
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
    trainer.#batching.largest = state.largest;
    return trainer;
  }

  dispose(): void {
    const names = [...(this.#adapter?.parameters ?? this.model.parameters).keys()];
    const stateOf = (name: string) => [firstMoment(name), secondMoment(name), sumOf(name)];
    this.model.freeState(names.flatMap(stateOf));
  }
}

/** The adapter to train, added if the model has none; undefined if all parameters are trained. */
function adapterFor(model: LanguageModel, lora: LoraOptions | undefined): Adapter | undefined {
  if (lora !== undefined) return trainableLora(model, lora);
  if (model.adapter === undefined) return undefined;
  throw new Error(
    `Cannot train all parameters of ${model.name}: expected no adapter; found ` +
      `${describeAdapter(model.adapter)}; give lora: {} to train it on, or mergeLora(model) or ` +
      "dropLora(model) first",
  );
}

const sumOf = (name: string) => `gradient/${name}`;

/** The zeros are the backend's: tf.zeros would make them in JavaScript. */
function bindZeros(model: LanguageModel, name: string, shape: number[]): void {
  model.bindState(name, tf.tidy(() => tf.variable(tf.fill(shape, 0), false)));
}

function clear(sums: tf.Variable[]): void {
  for (const sum of sums) tf.tidy(() => sum.assign(tf.fill(sum.shape, 0)));
}
