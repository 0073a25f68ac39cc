/** Adapters put on a model, merged into it and taken off again; see adapter.ts. */
import { defined } from "../platform/defined.ts";
import * as tf from "@tensorflow/tfjs";
import { Random } from "../statistics/random.ts";
import type { Adapter, LoraOptions } from "./adapter.ts";
import {
  adaptedLayers,
  adapterShapes,
  describeAdapter,
  loraOptions,
  makeAdapter,
} from "./adapter.ts";
import { adapterKey } from "./architecture.ts";
import type { LanguageModel } from "./language_model.ts";
import type { TensorModel } from "./readable_model.ts";

/** Puts a new adapter on: A uniform within 1 / sqrt(in) as in PEFT, B zero. @throws if one is on */
export function addLora(model: LanguageModel, options: LoraOptions = {}): Adapter {
  const { seed, ...shape } = loraOptions(options);
  refuseSecond(model, "add an adapter to");
  const random = new Random(seed).fork("lora");
  const parameters = new Map<string, tf.Variable>();
  for (const [name, [rows, columns]] of adapterShapes(model.config, shape)) {
    const bound = name.includes(".lora_A.") ? 1 / Math.sqrt(columns) : 0;
    const stream = random.fork(name);
    const draw = () => bound * (2 * stream.next() - 1);
    const data = Float32Array.from({ length: rows * columns }, draw);
    parameters.set(name, variableOf(data, [rows, columns]));
  }
  const adapter = makeAdapter(shape, parameters);
  model.setAdapter(adapter);
  return adapter;
}

/**
 * The model's adapter, to be trained; a new one where it has none.
 * @throws if it has one that the given options do not describe, or one that PEFT trains with dropout
 */
export function trainableLora(model: LanguageModel, options: LoraOptions): Adapter {
  const { adapter } = model;
  if (adapter === undefined) return addLora(model, options);
  const { rank, alpha, rankStabilized, targets, dropout } = adapter;
  const asked = loraOptions({ rank, alpha, rankStabilized, targets, ...defined(options) });
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

export const variableOf = (data: Float32Array, shape: number[]): tf.Variable =>
  tf.tidy(() => tf.variable(tf.tensor(data, shape, "float32")));

/** @throws if the model has an adapter already */
export function refuseSecond(model: Pick<TensorModel, "name" | "adapter">, action: string): void {
  if (model.adapter === undefined) return;
  const found = describeAdapter(model.adapter);
  throw new Error(
    `Cannot ${action} ${model.name}: expected a model without one; found ${found}; ` +
      "mergeLora(model) or dropLora(model) first",
  );
}

/** Adds scale B A to the weights and takes the adapter off. @throws if the model has none */
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

/** The model's adapter. @throws if it has none */
export function requireAdapter(model: LanguageModel, action: string): Adapter {
  if (model.adapter !== undefined) return model.adapter;
  throw new Error(
    `Cannot ${action} the adapter of ${model.name}: expected one; found none; ` +
      "train with the option lora, or loadLora(model, folder)",
  );
}
