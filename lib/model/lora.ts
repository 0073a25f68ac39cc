/**
 * Low-rank adapters (LoRA, Hu et al. 2021), with the numbers and names of PEFT: a linear layer gives
 * W x + scale B A x, of which A and B are trained and W stays as it is.
 *
 * Choices: one adapter at a time; no dropout, whose default in PEFT is 0; float32.
 */
import * as tf from "@tensorflow/tfjs";
import { Random } from "../statistics/random.ts";
import { adapterKey, type AdapterTensors, parameterShapes } from "./architecture.ts";
import type { ModelConfiguration } from "./configuration.ts";
import type { LanguageModel } from "./language_model.ts";

/** The linear layers that can have an adapter: those of attention and MLP. */
export const loraTargets = [
  "q_proj",
  "k_proj",
  "v_proj",
  "o_proj",
  "gate_proj",
  "up_proj",
  "down_proj",
] as const;
export type LoraTarget = typeof loraTargets[number];

export interface LoraOptions {
  /** Rows of A and columns of B. Default 8, PEFT's. */
  rank?: number;
  /**
   * B A x is scaled by alpha / rank. Default 16: with it the scale falls as the rank rises, so that one
   * learning rate fits many ranks.
   */
  alpha?: number;
  /** Scales by alpha / sqrt(rank) instead (Kalajdzievski 2023; PEFT's use_rslora). Default false. */
  rankStabilized?: boolean;
  /** Layers that get an adapter, in every block. Default: all of `loraTargets`. */
  targets?: readonly LoraTarget[];
  /** Of the first values of A; B starts at zero. Default 0. */
  seed?: number;
}

/** What an adapter computes; two adapters alike in this share compiled graphs. */
export type LoraShape = Required<Omit<LoraOptions, "seed">>;

/** An adapter on a model. */
export interface Adapter extends AdapterTensors, LoraShape {
  /** By PEFT's names: A [rank, in], B [out, rank]. */
  readonly parameters: ReadonlyMap<string, tf.Variable>;
  /** Share of inputs that PEFT drops when it trains this adapter. Only 0 can be trained here. */
  readonly dropout: number;
}

const OPTIONS = ["rank", "alpha", "rankStabilized", "targets", "seed"];

/** Options with their defaults. @throws naming the first that is unknown or does not fit */
export function loraOptions(options: LoraOptions = {}): Required<LoraOptions> {
  const refuse = (expected: string, found: unknown): never => {
    throw new Error(`Cannot use LoRA: expected ${expected}; found ${JSON.stringify(found)}`);
  };
  const unknown = Object.keys(options).find((name) => !OPTIONS.includes(name));
  if (unknown !== undefined) refuse(`the options ${OPTIONS.join(", ")}`, unknown);
  const { rank = 8, alpha = 16, rankStabilized = false, targets = loraTargets, seed = 0 } = options;
  if (!(Number.isSafeInteger(rank) && rank >= 1)) refuse("a whole rank from 1 up", rank);
  if (!(Number.isFinite(alpha) && alpha > 0)) refuse("an alpha above 0", alpha);
  if (typeof rankStabilized !== "boolean") refuse("rankStabilized true or false", rankStabilized);
  const known = (name: LoraTarget) => loraTargets.includes(name);
  if (!Array.isArray(targets) || targets.length === 0 || !targets.every(known)) {
    refuse(`some targets of ${loraTargets.join(", ")}`, targets);
  }
  // In one order, each once, so that adapters alike look alike.
  const ordered = loraTargets.filter((name) => targets.includes(name));
  return { rank, alpha, rankStabilized, targets: ordered, seed };
}

/** The linear layers that an adapter stands beside, in the checkpoint's order, with their weight's [out, in]. */
export function adaptedLayers(
  configuration: ModelConfiguration,
  targets: readonly LoraTarget[],
): { layer: string; shape: [number, number] }[] {
  return parameterShapes(configuration).flatMap(([name, shape]) => {
    const layer = name.replace(/\.weight$/, "");
    const isTarget = layer !== name && targets.some((target) => layer.endsWith(`.${target}`));
    return isTarget ? [{ layer, shape: shape as [number, number] }] : [];
  });
}

/** Names and shapes of an adapter's tensors. */
export function adapterShapes(
  configuration: ModelConfiguration,
  { rank, targets }: Pick<LoraShape, "rank" | "targets">,
): Map<string, [number, number]> {
  return new Map(
    adaptedLayers(configuration, targets).flatMap(({ layer, shape: [out, inside] }) => [
      [adapterKey(layer, "A"), [rank, inside] as [number, number]],
      [adapterKey(layer, "B"), [out, rank] as [number, number]],
    ]),
  );
}

/** The factor on B A x. */
function scaleOf({ alpha, rank, rankStabilized }: LoraShape): number {
  return alpha / (rankStabilized ? Math.sqrt(rank) : rank);
}

/** The adapter of these tensors. */
export function makeAdapter(
  shape: LoraShape,
  parameters: ReadonlyMap<string, tf.Variable>,
  { dropout = 0 }: { dropout?: number } = {},
): Adapter {
  const { rank, alpha, rankStabilized, targets } = shape;
  const scale = scaleOf(shape);
  return { rank, alpha, rankStabilized, targets, scale, parameters, dropout };
}

/**
 * Puts a new adapter on a model, whose outputs stay as they are: A is uniform within 1 / sqrt(in)
 * (PEFT's kaiming_uniform with a = sqrt(5)), B zero.
 * @throws where the model has an adapter
 */
export function addLora(model: LanguageModel, options: LoraOptions = {}): Adapter {
  const { seed, ...shape } = loraOptions(options);
  refuseSecond(model, "add an adapter to");
  const random = new Random(seed).fork("lora");
  const parameters = new Map<string, tf.Variable>();
  for (const [name, [rows, columns]] of adapterShapes(model.config, shape)) {
    const bound = name.includes(".lora_A.") ? 1 / Math.sqrt(columns) : 0;
    const own = random.fork(name);
    const data = Float32Array.from(
      { length: rows * columns },
      () => bound * (2 * own.next() - 1),
    );
    parameters.set(name, variableOf(data, [rows, columns]));
  }
  const adapter = makeAdapter(shape, parameters);
  model.setAdapter(adapter);
  return adapter;
}

/**
 * The model's adapter, to be trained; a new one where it has none.
 * @throws where it has one that the given options do not describe, or one that PEFT trains with dropout
 */
export function trainableLora(model: LanguageModel, options: LoraOptions): Adapter {
  const { adapter } = model;
  if (adapter === undefined) return addLora(model, options);
  const { rank, alpha, rankStabilized, targets, dropout } = adapter;
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  const asked = loraOptions({
    ...{ rank, alpha, rankStabilized, targets },
    ...Object.fromEntries(given),
  });
  if (describeAdapter(asked) !== describeAdapter(adapter)) {
    throw new Error(
      `Cannot train the adapter of ${model.name}: expected ${describeAdapter(asked)}; found ` +
        `${describeAdapter(adapter)}; give its options or lora: {}, or dropLora(model) first`,
    );
  }
  if (dropout > 0) {
    throw new Error(
      `Cannot train the adapter of ${model.name}: expected lora_dropout 0; found ${dropout}; set it ` +
        "to 0 in adapter_config.json to train on without dropout",
    );
  }
  return adapter;
}

/** A variable of these numbers. */
export function variableOf(data: Float32Array, shape: number[]): tf.Variable {
  return tf.tidy(() => tf.variable(tf.tensor(data, shape, "float32")));
}

/** @throws where the model has an adapter already */
export function refuseSecond(model: LanguageModel, action: string): void {
  if (model.adapter === undefined) return;
  throw new Error(
    `Cannot ${action} ${model.name}: expected a model without one; found ${
      describeAdapter(model.adapter)
    }; mergeLora(model) or dropLora(model) first`,
  );
}

/** An adapter in a few words, for errors and tables. */
export function describeAdapter({ rank, alpha, rankStabilized, targets }: LoraShape): string {
  const which = targets.length === loraTargets.length ? "all linear layers" : targets.join(", ");
  return `LoRA of rank ${rank}, alpha ${alpha}${
    rankStabilized ? " (rank-stabilized)" : ""
  }, on ${which}`;
}

/**
 * Adds scale B A to the weights of the adapter's layers and takes the adapter off: the model gives the
 * same outputs (to rounding), and `save` writes a whole model.
 * @throws where the model has no adapter
 */
export function mergeLora(model: LanguageModel): void {
  const { parameters, scale, targets } = requireAdapter(model, "merge");
  for (const { layer } of adaptedLayers(model.config, targets)) {
    const weight = model.parameters.get(`${layer}.weight`)!;
    tf.tidy(() => {
      const [a, b] = (["A", "B"] as const)
        .map((matrix) => parameters.get(adapterKey(layer, matrix)) as tf.Variable<tf.Rank.R2>);
      weight.assign(tf.add(weight, tf.mul(tf.matMul(b, a), scale)));
    });
  }
  model.setAdapter(undefined);
}

/** Takes the adapter off, if there is one: the model is its base again, bit for bit. */
export function dropLora(model: LanguageModel): void {
  model.setAdapter(undefined);
}

/** The model's adapter. @throws where it has none */
export function requireAdapter(model: LanguageModel, action: string): Adapter {
  if (model.adapter !== undefined) return model.adapter;
  throw new Error(
    `Cannot ${action} the adapter of ${model.name}: expected one; found none; ` +
      "train with the option lora, or loadLora(model, folder)",
  );
}
