/**
 * Many models of one shape trained at once, in one graph: on a graphics card the step of a small model is the
 * launching of its operations, which is paid once for all of them (as torch.func's ensembles).
 */
import * as tf from "@tensorflow/tfjs";
import { globalNorm } from "../platform/compile/adam.ts";
import { newSession } from "../platform/compile/compile.ts";
import type { Graph, GraphSession } from "../platform/compile/graph.ts";
import { look, type Stoppable } from "../platform/interrupt.ts";
import { batchTensors, checkBatch, roundSize, supervision, type WeightedBatch } from "./batch.ts";
import type { LanguageModel } from "./language_model.ts";
import { gradientsOf, stepRates, update } from "./step.ts";
import {
  decayedOf,
  firstMoment,
  learningRateAt,
  type ResolvedOptions,
  resolveOptions,
  secondMoment,
  type StepResult,
  type TrainerOptions,
} from "./trainer_options.ts";

/** One step of the members, each with its own loss and norm. */
export type MemberSteps = Omit<StepResult, "loss" | "gradientNorm"> & {
  losses: number[];
  gradientNorms: number[];
};

interface Sizes {
  rows: number;
  lengths: [number];
  supervised: number;
}

/**
 * M copies of a model, each trained on its own batches by AdamW over all its parameters, with one schedule and
 * one set of options. Their weights and moments lie stacked [M, ...shape] in a session of their own; the step is
 * the one of a single model, recorded for M members (see members.ts).
 */
export class SideBySide {
  steps = 0;
  readonly #session: GraphSession;
  /** Stacked, by the names of `#members`. */
  readonly #stacked = new Map<string, tf.Variable>();
  /** What one member's step sees besides the model's parameters. */
  readonly #moments = new Map<string, tf.Variable>();
  readonly #graphs = new Map<string, Graph>();
  #options!: ResolvedOptions;
  #batches: readonly (readonly WeightedBatch[])[] = [];
  #sizes!: Sizes;

  /**
   * @param model whose shape the members have, and whose variables stand for one member's in their graph
   * @throws if graphs can't be compiled here, or the model has an adapter
   */
  constructor(readonly model: LanguageModel, readonly members: number) {
    const session = model.session && newSession(members);
    if (session === undefined || model.adapter !== undefined) {
      throw new Error(
        `Cannot train ${members} models like ${model.name} side by side: expected the backend ` +
          "tensorflow and a model without an adapter; found " +
          `${session === undefined ? tf.getBackend() : "an adapter"}; train them one by one`,
      );
    }
    this.#session = session;
    for (const [name, parameter] of model.parameters) {
      this.#bind(name, parameter);
      for (const moment of [firstMoment(name), secondMoment(name)]) {
        const one = tf.tidy(() => tf.variable(tf.fill(parameter.shape, 0), false));
        this.#moments.set(moment, one);
        this.#bind(moment, one);
      }
    }
  }

  #bind(name: string, member: tf.Variable): void {
    const shape = [this.members, ...member.shape];
    const variable = tf.tidy(() => tf.variable(tf.fill(shape, 0), false));
    this.#stacked.set(name, variable);
    this.#session.bind(name, variable, member);
  }

  /**
   * Starts a training: the moments are 0, and each member has its start's weights.
   * @param batches those of each member, one a step; of members beyond them nothing is told
   * @param starts by member. Default: the model's own parameters for all
   * @throws if there are more lists than members, they differ in steps, or an option does not fit
   */
  begin(
    batches: readonly (readonly WeightedBatch[])[],
    options: TrainerOptions,
    starts: readonly ReadonlyMap<string, tf.Tensor>[] = batches.map(() => this.model.parameters),
  ): void {
    const counts = new Set(batches.map(({ length }) => length));
    if (batches.length > this.members || counts.size !== 1 || options.lora !== undefined) {
      throw new Error(
        `Cannot train side by side: expected batches for 1 to ${this.members} models, as many for ` +
          `each, and no adapter; found ${batches.length} lists of ${[...counts].join(" and ")}` +
          `${options.lora === undefined ? "" : ", and lora"}; train them one by one`,
      );
    }
    for (const batch of batches.flat()) checkBatch(batch, this.model.config.vocabularySize);
    this.#options = resolveOptions(options);
    this.#sizes = sizesOf(batches.flat());
    // All places are computed: those that nobody asked for do the last member's work.
    const filled = <T>(list: readonly T[]) =>
      Array.from({ length: this.members }, (_, i) => list[Math.min(i, list.length - 1)]);
    this.#batches = filled(batches);
    this.steps = 0;
    for (const [name, variable] of this.#stacked) {
      tf.tidy(() => {
        const isMoment = this.#moments.has(name);
        const own = isMoment ? [] : filled(starts).map((start) => start.get(name)!);
        variable.assign(isMoment ? tf.fill(variable.shape, 0) : tf.stack(own));
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
    const outputs = this.#session.call(this.#graphOf(inputs), [...inputs, rates]);
    tf.dispose([parts, inputs, rates]);
    try {
      const [losses, norms] = await Promise.all(outputs.map((tensor) => tensor.data()));
      this.steps++;
      return { losses: [...losses], gradientNorms: [...norms], learningRate };
    } finally {
      tf.dispose(outputs);
    }
  }

  /** The step's graph; inputs stacked, as `batchTensors` orders them. */
  #graphOf(inputs: tf.Tensor[]): Graph {
    const { clipNorm, weightDecay, beta1, beta2, epsilon, ...rest } = this.#options;
    const { embeddingScale, gradientCheckpointing } = rest;
    const decayed = decayedOf(this.model.parameters.keys(), this.#options);
    const key = JSON.stringify([
      inputs.map(({ shape }) => shape),
      [clipNorm, weightDecay, beta1, beta2, epsilon, embeddingScale, gradientCheckpointing],
      decayed,
    ]);
    let graph = this.#graphs.get(key);
    if (graph !== undefined) return graph;
    const member = { trained: this.model.parameters, state: this.#moments };
    const settings = { weightDecay, beta1, beta2, epsilon, clipNorm, decayed };
    const forward = { embeddingScale, gradientCheckpointing };
    graph = this.#session.add((...inputs) => {
      const { loss, gradients } = gradientsOf(this.model, inputs, forward);
      const norm = globalNorm(gradients);
      update(member, gradients, { ...settings, norm, rates: inputs[4] as tf.Tensor1D });
      return [loss, norm];
    }, [
      ...inputs.map(({ shape, dtype }) => ({
        shape: shape.slice(1),
        dtype: dtype as "float32" | "int32",
        stacked: true,
      })),
      { shape: [3], dtype: "float32" },
    ]);
    this.#graphs.set(key, graph);
    return graph;
  }

  /** Operations of a step, constants left out: the most that any graph has. */
  get operations(): number {
    const counts = [...this.#graphs.values()]
      .map(({ nodes }) => nodes.filter(({ operation }) => operation !== "Const").length);
    return Math.max(0, ...counts);
  }

  /** Puts a member's weights into the model. */
  give(member: number): void {
    for (const [name, parameter] of this.model.parameters) {
      tf.tidy(() => {
        const { shape } = parameter;
        const begin = [member, ...shape.map(() => 0)];
        const own = tf.slice(this.#stacked.get(name)!, begin, [1, ...shape]);
        parameter.assign(tf.reshape(own, shape));
      });
    }
  }

  dispose(): void {
    this.#session.dispose();
    for (const variable of [...this.#stacked.values(), ...this.#moments.values()]) {
      variable.dispose();
    }
  }
}

/** Sizes that all batches are padded to: one graph for them. */
function sizesOf(batches: readonly WeightedBatch[]): Sizes {
  const length = batches.flatMap(({ inputIds }) => inputIds)
    .reduce((most, { length }) => Math.max(most, length), 0);
  const most = (of: (batch: WeightedBatch) => number) => Math.max(...batches.map(of));
  return {
    rows: most(({ inputIds }) => inputIds.length),
    lengths: [roundSize(length, 8)],
    supervised: most((batch) => supervision(batch, length).positions.length),
  };
}

/** Members' tensors as one, [M, ...shape], joined before they are sent: one copy to a card. */
function joined(parts: tf.Tensor[]): tf.Tensor {
  const [{ shape, size, dtype }] = parts;
  const data = dtype === "int32"
    ? new Int32Array(parts.length * size)
    : new Float32Array(parts.length * size);
  parts.forEach((part, i) => data.set(part.dataSync(), i * size));
  return tf.tensor(data, [parts.length, ...shape], dtype);
}
