/**
 * Many models of one shape trained at once, in one graph: on a graphics card the step of a small model is the
 * launching of its operations, which is paid once for all of them (as torch.func's ensembles).
 */
import * as tf from "@tensorflow/tfjs";
import { globalNorm } from "../platform/compile/adam.ts";
import { closeSession, compile, openSession } from "../platform/compile/compile.ts";
import type { TensorFunction } from "../platform/compile/graph.ts";
import type { Session } from "../platform/compile/session.ts";
import { look, type Stoppable } from "../platform/interrupt.ts";
import { forward, type ForwardOptions, parameterShapes } from "./architecture.ts";
import { worthSharing } from "./lengths.ts";
import type { WeightedBatch } from "./batch.ts";
import { batchTensors, checkBatch, longestOf, roundLength, supervision } from "./batch.ts";
import type { ModelConfiguration } from "./configuration.ts";
import { gradientsOf, stepRates, update } from "./step.ts";
import type { ResolvedOptions, StepResult, TrainerOptions } from "./trainer_options.ts";
import {
  decayedOf,
  firstMoment,
  learningRateAt,
  resolveOptions,
  secondMoment,
} from "./trainer_options.ts";

/** One step of the members, each with its own loss and norm. */
export type MemberSteps = Omit<StepResult, "loss" | "gradientNorm"> & {
  losses: number[];
  gradientNorms: number[];
};

/**
 * M models of one configuration, each trained on its own batches by AdamW over all its parameters, with one
 * schedule and one set of options. Their weights and moments lie stacked [M, ...shape] in a session of their
 * own; the step is the one of a single model, recorded for M members (see operations.ts). It serves one training
 * after another, of whatever models.
 */
export class SideBySide {
  steps = 0;
  readonly session: Session;
  /** Stacked, by name. */
  readonly #stacked = new Map<string, tf.Variable>();
  /** What one member's step sees in their place; they only stand for it. */
  readonly #parameters = new Map<string, tf.Variable>();
  readonly #moments = new Map<string, tf.Variable>();
  #options!: ResolvedOptions;
  #batches: readonly (readonly WeightedBatch[])[] = [];
  #sizes!: ReturnType<typeof sizesOf>;

  /** @throws if graphs can't be compiled here */
  constructor(readonly config: ModelConfiguration, readonly members: number) {
    const session = openSession(this.#kind, members);
    if (session === undefined) {
      throw new Error(
        `Cannot train ${members} models side by side: expected the backend tensorflow; found ` +
          `${tf.getBackend()}; train them one by one`,
      );
    }
    this.session = session;
    for (const [name, shape] of parameterShapes(config)) {
      this.#parameters.set(name, this.#bind(name, shape));
      for (const moment of [firstMoment(name), secondMoment(name)]) {
        this.#moments.set(moment, this.#bind(moment, shape));
      }
    }
  }

  /** @returns what one member sees */
  #bind(name: string, shape: number[]): tf.Variable {
    const zeros = (shape: number[]) => tf.tidy(() => tf.variable(tf.fill(shape, 0)));
    const member = zeros(shape), stacked = zeros([this.members, ...shape]);
    this.#stacked.set(name, stacked);
    this.session.bind(name, stacked, member);
    return member;
  }

  /**
   * Starts a training: the moments are 0, and each member has its start's weights.
   * @param batches those of each member, one a step; of members beyond them nothing is told
   * @param starts the members' weights by the checkpoint's names
   * @throws if there are more lists than members, they differ in steps, or an option does not fit
   */
  begin(
    batches: readonly (readonly WeightedBatch[])[],
    options: TrainerOptions,
    starts: readonly ReadonlyMap<string, tf.Tensor>[],
  ): void {
    const counts = new Set(batches.map(({ length }) => length));
    const fits = batches.length <= this.members && starts.length === batches.length;
    if (!fits || counts.size !== 1 || options.lora !== undefined) {
      throw new Error(
        `Cannot train side by side: expected batches and weights for 1 to ${this.members} models, ` +
          `as many batches for each, and no adapter; found ${batches.length} lists of ` +
          `${[...counts].join(" and ")}, weights for ${starts.length}` +
          `${options.lora === undefined ? "" : ", and lora"}; train them one by one`,
      );
    }
    for (const batch of batches.flat()) checkBatch(batch, this.config);
    this.#options = resolveOptions(options);
    this.#sizes = sizesOf(batches.flat(), this.config.slidingWindow);
    // All places are computed: those that nobody asked for do the last member's work.
    const filled = <T>(list: readonly T[]) =>
      Array.from({ length: this.members }, (_, i) => list[Math.min(i, list.length - 1)]);
    this.#batches = filled(batches);
    this.steps = 0;
    for (const [name, variable] of this.#stacked) {
      tf.tidy(() => {
        const own = () => tf.stack(filled(starts).map((start) => start.get(name)!));
        variable.assign(this.#parameters.has(name) ? own() : tf.fill(variable.shape, 0));
      });
    }
  }

  /**
   * The next step. A member that is not finite spoils itself alone, from there on: its loss or norm tells.
   * @throws if it is stopped, or TensorFlow reports an error
   */
  async step({ signal }: Stoppable = {}): Promise<MemberSteps> {
    await look(signal);
    const learningRate = learningRateAt(this.steps, this.#options);
    const parts = this.#batches.map((batches) => batchTensors(batches[this.steps], this.#sizes));
    const inputs = parts[0].map((_, kind) => joined(parts.map((tensors) => tensors[kind])));
    const rates = stepRates(learningRate, this.steps + 1, this.#options);
    let outputs: tf.Tensor[] = [];
    try {
      outputs = this.#compiled()(...inputs, rates);
      const [losses, norms] = await Promise.all(outputs.map((tensor) => tensor.data()));
      this.steps++;
      return { losses: [...losses], gradientNorms: [...norms], learningRate };
    } finally {
      tf.dispose([parts, inputs, outputs, rates]);
    }
  }

  /** The step, compiled; its inputs are stacked, as `batchTensors` orders them, but for the rates. */
  #compiled(): TensorFunction {
    const { clipNorm, weightDecay, beta1, beta2, epsilon, totalSteps } = this.#options;
    const { embeddingScale, gradientCheckpointing } = this.#options;
    const decayed = decayedOf(this.#parameters.keys(), this.#options);
    const how = { embeddingScale, gradientCheckpointing, shared: this.#sizes.shared };
    const settings = { weightDecay, beta1, beta2, epsilon, clipNorm, decayed };
    const [config, parameters] = [this.config, this.#parameters];
    const member = {
      ...{ config, parameters, trained: parameters, state: this.#moments },
      forward: (ids: tf.Tensor2D, options: ForwardOptions = {}) =>
        forward(parameters, config, ids, options),
    };
    return compile(
      (...inputs) => {
        const { loss, gradients } = gradientsOf(member, inputs, how);
        const norm = globalNorm(gradients);
        update(member, gradients, { ...settings, norm, rates: inputs[4] as tf.Tensor1D });
        return [loss, norm];
      },
      this.session,
      { key: JSON.stringify([how, settings]), runs: totalSteps, stacked: 4 },
    );
  }

  /** Each member's weights, as `LanguageModel.snapshot` gives them; they are the caller's to dispose. */
  weights(): Map<string, tf.Tensor>[] {
    const own = this.#batches.map(() => new Map<string, tf.Tensor>());
    for (const name of this.#parameters.keys()) {
      tf.unstack(this.#stacked.get(name)!).forEach((tensor, i) =>
        own[i].set(name, tf.keep(tensor))
      );
    }
    return own;
  }

  dispose(): void {
    const all = [this.#stacked, this.#parameters, this.#moments];
    for (const variable of all.flatMap((one) => [...one.values()])) variable.dispose();
    closeSession(this.#kind, this.session);
  }

  /** Its graphs serve the next ones of a kind. */
  get #kind(): string {
    return JSON.stringify([this.config, this.members]);
  }
}

/** Sizes that all batches are padded to, and what all rows start with: one graph for them. */
function sizesOf(batches: readonly WeightedBatch[], window?: number) {
  const texts = batches.flatMap(({ inputIds }) => inputIds);
  const lengths = batches.map(longestOf), longest = Math.max(...lengths);
  const most = (of: (batch: WeightedBatch) => number) => Math.max(...batches.map(of));
  const rows = most(({ inputIds }) => inputIds.length);
  const start = worthSharing(texts, { count: rows, least: Math.min(...lengths), window });
  return {
    rows,
    lengths: [roundLength(longest - start.length)],
    supervised: most((batch) => supervision(batch, longest).positions.length),
    // A power of two of them: other trainings then share the graph, for few more rows of logits.
    steps: 1,
    shared: start.length,
  };
}

/** Members' tensors as one, [M, ...shape], joined before they are sent: one copy to a card. */
function joined(parts: tf.Tensor[]): tf.Tensor {
  const [{ shape, size, dtype }] = parts;
  const data = tf.util.getTypedArrayFromDType(dtype as "int32" | "float32", parts.length * size);
  parts.forEach((part, i) => data.set(part.dataSync(), i * size));
  return tf.tensor(data, [parts.length, ...shape], dtype);
}
