/**
 * Low-rank adapters (LoRA, Hu et al. 2021), with PEFT's numbers and names: a linear layer gives W x +
 * scale B A x, of which A and B are trained. One adapter at a time; no dropout (PEFT's default); float32.
 */
import type * as tf from "@tensorflow/tfjs";
import * as v from "valibot";
import { above0, checkSettings, wholeFrom } from "../platform/runtime/explain.ts";
import { adapterKey, type AdapterTensors, parameterShapes } from "./architecture.ts";
import type { ModelConfiguration } from "./configuration.ts";

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
  /** B A x is scaled by alpha / rank, so that one learning rate fits many ranks. Default 16. */
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

export interface Adapter extends AdapterTensors, LoraShape {
  /** By PEFT's names: A [rank, in], B [out, rank]. */
  readonly parameters: ReadonlyMap<string, tf.Variable>;
  /** Share of inputs that PEFT drops when it trains this adapter. Only 0 can be trained here. */
  readonly dropout: number;
}

const optionsSchema = v.strictObject({
  rank: v.optional(wholeFrom(1)),
  alpha: v.optional(above0),
  rankStabilized: v.optional(v.boolean()),
  targets: v.optional(
    v.pipe(v.array(v.picklist(loraTargets)), v.minLength(1, "expected at least one")),
  ),
  seed: v.optional(v.number()),
});

/** Options with their defaults. @throws naming those that are unknown or do not fit */
export function loraOptions(options: LoraOptions = {}): Required<LoraOptions> {
  checkSettings("use LoRA", optionsSchema, options);
  const { rank = 8, alpha = 16, rankStabilized = false, targets = loraTargets, seed = 0 } = options;
  // In one order, each once, so that adapters alike look alike.
  const ordered = loraTargets.filter((name) => targets.includes(name));
  return { rank, alpha, rankStabilized, targets: ordered, seed };
}

/** The linear layers that have an adapter, in the checkpoint's order, with their weight's [out, in]. */
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

/** The adapter of these tensors: its `scale` is the factor on B A x. */
export function makeAdapter(
  shape: LoraShape,
  parameters: ReadonlyMap<string, tf.Variable>,
  { dropout = 0 }: { dropout?: number } = {},
): Adapter {
  const { alpha, rank, rankStabilized } = shape;
  const scale = alpha / (rankStabilized ? Math.sqrt(rank) : rank);
  return { ...shape, scale, parameters, dropout };
}

/** An adapter in a few words, for errors and tables. */
export function describeAdapter({ rank, alpha, rankStabilized, targets }: LoraShape): string {
  const which = targets.length === loraTargets.length ? "all linear layers" : targets.join(", ");
  const scaled = rankStabilized ? " (rank-stabilized)" : "";
  return `LoRA of rank ${rank}, alpha ${alpha}${scaled}, on ${which}`;
}
