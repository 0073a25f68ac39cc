/**
 * The forward pass of the Llama family: Llama, SmolLM2, Mistral, Qwen2 and Qwen3. Parameters keep
 * the checkpoint's names and layout (weights [out, in]). Rows are padded on the right: a causal
 * position never sees what stands after it, so no padding mask is needed.
 */
import * as tf from "@tensorflow/tfjs";
import type { ModelConfiguration } from "./configuration.ts";
import {
  applyRotary,
  attend,
  attendWithPrefix,
  checkpointed,
  gatherRows,
  lowRank,
  rmsNorm,
  swiGlu,
  swiGluProduct,
} from "./layers.ts";
import type { AttentionTables, PackedRows, PrefixBlock } from "./positions.ts";
import { attentionTables } from "./positions.ts";

/** Tensors by the checkpoint's names. */
export type Parameters = ReadonlyMap<string, tf.Tensor>;

/** What is recomputed for the gradient instead of kept: nothing, or whole layers. */
export type GradientCheckpointing = "nothing" | "layer";

/** Low-rank matrices that are added to some linear layers, whose own weights are constants then. */
export interface AdapterTensors {
  /** By `adapterKey`. */
  parameters: Parameters;
  /** Factor on B A x. */
  scale: number;
}

/** PEFT's name of a linear layer's A [r, in] or B [out, r], e.g. of `model.layers.0.mlp.up_proj`. */
export const adapterKey = (layer: string, matrix: "A" | "B"): string =>
  `base_model.model.${layer}.lora_${matrix}.weight`;

export interface ForwardOptions {
  /** Added to the linear layers that it has matrices for. Default: none. */
  adapter?: AdapterTensors;
  /** Factor on the embedding's rows. Default 1; the organisms are pretrained with sqrt(hidden size). */
  embeddingScale?: number;
  /** Default: nothing. */
  gradientCheckpointing?: GradientCheckpointing;
  /** Into how many parts of rows a batch is cut, to be computed side by side. Default: 1. */
  streams?: number;
  /** Tokens before every row. Default: none. For inference. */
  prefix?: readonly PrefixBlock[];
  /** Position of the rows' first token (int32). Default: the prefix's length. */
  position?: tf.Scalar;
  /** Which texts the rows hold. Default: one each. */
  packing?: PackedRows;
  /** So many tokens of the first row (the rest of it is padding) stand before each other row. Default: 0. */
  shared?: number;
  /** Flat positions b T + t [N] whose states are wanted. Default: all. */
  at?: tf.Tensor1D;
  /** Called with each layer's keys (rotated) and values [B, K, T, D]. */
  onKeyValues?: (keys: tf.Tensor4D, values: tf.Tensor4D) => void;
}

/** Names and shapes of all tensors of a checkpoint, in its order; weights are [out, in]. */
export function parameterShapes(configuration: ModelConfiguration): [string, number[]][] {
  const { hiddenSize: d, intermediateSize: f, headDimension, vocabularySize } = configuration;
  const q = configuration.heads * headDimension;
  const kv = configuration.keyValueHeads * headDimension;
  const shapes: [string, number[]][] = [["model.embed_tokens.weight", [vocabularySize, d]]];
  for (let i = 0; i < configuration.layers; i++) {
    const layer = `model.layers.${i}`;
    shapes.push([`${layer}.input_layernorm.weight`, [d]]);
    for (const [name, size] of [["q", q], ["k", kv], ["v", kv]] as const) {
      shapes.push([`${layer}.self_attn.${name}_proj.weight`, [size, d]]);
      if (configuration.attentionBias) {
        shapes.push([`${layer}.self_attn.${name}_proj.bias`, [size]]);
      }
    }
    shapes.push([`${layer}.self_attn.o_proj.weight`, [d, q]]);
    if (configuration.attentionOutputBias) shapes.push([`${layer}.self_attn.o_proj.bias`, [d]]);
    if (configuration.queryKeyNorm) {
      shapes.push([`${layer}.self_attn.q_norm.weight`, [headDimension]]);
      shapes.push([`${layer}.self_attn.k_norm.weight`, [headDimension]]);
    }
    shapes.push([`${layer}.post_attention_layernorm.weight`, [d]]);
    shapes.push([`${layer}.mlp.gate_proj.weight`, [f, d]]);
    shapes.push([`${layer}.mlp.up_proj.weight`, [f, d]]);
    shapes.push([`${layer}.mlp.down_proj.weight`, [d, f]]);
  }
  shapes.push(["model.norm.weight", [d]]);
  if (!configuration.tieWordEmbeddings) shapes.push(["lm_head.weight", [vocabularySize, d]]);
  return shapes;
}

/** The output layer's weight [V, D]: the embedding's own where they are tied. */
export function headWeight(parameters: Parameters, configuration: ModelConfiguration) {
  const name = configuration.tieWordEmbeddings ? "model.embed_tokens.weight" : "lm_head.weight";
  return parameters.get(name) as tf.Tensor2D;
}

interface Pass {
  configuration: ModelConfiguration;
  /** The tensor of a name. @throws if the checkpoint has none */
  get: (name: string) => tf.Tensor;
  has: (name: string) => boolean;
  /** Of what is trained: an adapter's joined matrices, or all tensors. */
  names: readonly string[];
  adapter?: AdapterTensors;
  /** Rows B and their length T. */
  batch: number;
  length: number;
  prefix: readonly PrefixBlock[];
  /** In the last layer, what is wanted of its tokens. */
  at?: tf.Tensor1D;
  /** Rotations, masks and places; recomputed with the layers if these are. */
  tables: () => AttentionTables;
  onKeyValues?: ForwardOptions["onKeyValues"];
  gradientCheckpointing: GradientCheckpointing;
}

/** The linear layers of a block; those of one group read the same input. */
const QKV = ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"];
const O = ["self_attn.o_proj"];
const GATE_UP = ["mlp.gate_proj", "mlp.up_proj"];
const DOWN = ["mlp.down_proj"];
type Group = readonly string[];

const layerName = (i: number, name: string) => `model.layers.${i}.${name}`;

/** Those of a group that the adapter has matrices for. */
const adaptedOf = (group: Group, { parameters }: AdapterTensors): Group =>
  group.filter((name) => parameters.has(adapterKey(layerName(0, name), "A")));

/** Name of a group's joined matrices in block i; see `joinedMatrices`. */
const joinedKey = (i: number, group: Group, matrix: "A" | "B") =>
  `${layerName(i, group.join("+"))}.lora_${matrix}`;

/** x [N, D] W^T + bias + the adapter's part -> [N, out], of each layer of a group in block i. */
function linears(x: tf.Tensor2D, i: number, group: Group, pass: Pass): tf.Tensor2D[] {
  const { get, has, adapter } = pass;
  const weight = (name: string) => get(`${layerName(i, name)}.weight`) as tf.Tensor2D;
  const adapted = adapter === undefined ? [] : adaptedOf(group, adapter);
  let parts: tf.Tensor[] = [];
  if (adapted.length > 0) {
    const [a, b] = (["A", "B"] as const).map((matrix) => get(joinedKey(i, group, matrix)));
    const all = lowRank(x, [a as tf.Tensor2D, b as tf.Tensor2D]);
    const sizes = adapted.map((name) => weight(name).shape[0]);
    parts = sizes.length === 1 ? [all] : tf.split(all, sizes, 1);
  }
  return group.map((name) => {
    let y: tf.Tensor2D = tf.matMul(x, weight(name), false, true);
    const bias = `${layerName(i, name)}.bias`, part = parts[adapted.indexOf(name)];
    if (has(bias)) y = tf.add(y, get(bias));
    return part === undefined ? y : tf.add(y, part);
  });
}

/** Root-mean-square norm over the last axis: [N, D] -> [N, D]. */
function norm(x: tf.Tensor2D, name: string, { get, configuration }: Pass): tf.Tensor2D {
  return rmsNorm(x, get(`${name}.weight`) as tf.Tensor1D, configuration.normEpsilon);
}

/** [B T, heads x D] -> [B, heads, T, D]. */
function splitHeads(
  x: tf.Tensor2D,
  heads: number,
  { batch, length }: Pick<Pass, "batch" | "length">,
): tf.Tensor4D {
  // In rows of one token the transposed tensor's numbers stand in the same order.
  return length === 1
    ? tf.reshape(x, [batch, heads, 1, -1])
    : tf.transpose(tf.reshape(x, [batch, length, heads, -1]), [0, 2, 1, 3]);
}

/** Queries or keys [B T, D], in Qwen3 normed by head. */
function normedHeads(x: tf.Tensor2D, name: string, pass: Pass): tf.Tensor2D {
  const { queryKeyNorm, headDimension } = pass.configuration;
  if (!queryKeyNorm) return x;
  const byHead = tf.reshape(x, [-1, headDimension]) as tf.Tensor2D;
  return tf.reshape(norm(byHead, name, pass), x.shape);
}

/** Norm and grouped-query attention of layer i: [B T, D] -> [B T, D], or [N, D] where N are wanted. */
function attention(x: tf.Tensor2D, i: number, pass: Pass): tf.Tensor2D {
  const { heads, keyValueHeads, slidingLayers } = pass.configuration;
  const { batch, length, prefix, at } = pass;
  const layer = `model.layers.${i}.self_attn`;
  const { queryRotation, keyRotation, causal, sliding, seen } = pass.tables();
  /** Keys or values [B T, D] that the rows see: [B, heads, P + T, D] for P shared tokens. */
  const splitSeen = (x: tf.Tensor2D) =>
    seen === undefined
      ? splitHeads(x, keyValueHeads, pass)
      : splitHeads(gatherRows(x, seen), keyValueHeads, { batch, length: seen.size / batch });
  x = norm(x, `model.layers.${i}.input_layernorm`, pass);
  const [xq, xk, xv] = linears(x, i, QKV, pass);
  const queries = splitHeads(normedHeads(xq, `${layer}.q_norm`, pass), heads, pass);
  const q = applyRotary(queries, ...queryRotation); // (B, H, T, D)
  const keys = splitSeen(normedHeads(xk, `${layer}.k_norm`, pass));
  const k = applyRotary(keys, ...keyRotation); // (B, K, P + T, D)
  const v = splitSeen(xv);
  pass.onKeyValues?.(k, v);
  const mask = sliding !== undefined && slidingLayers.includes(i) ? sliding : causal;
  const mixed = prefix.length === 0
    ? attend(q, k, v, mask)
    : attendWithPrefix(prefix.map(({ layers }) => layers[i]), [q, k, v], causal);
  const byToken = length === 1 ? mixed : tf.transpose(mixed, [0, 2, 1, 3]);
  const mixedRows = tf.reshape(byToken, [batch * length, -1]) as tf.Tensor2D;
  return linears(at ? gatherRows(mixedRows, at) : mixedRows, i, O, pass)[0];
}

/** Norm and SwiGLU of layer i: [B T, D] -> [B T, D]. */
function mlp(x: tf.Tensor2D, i: number, pass: Pass): tf.Tensor2D {
  const layer = `model.layers.${i}.mlp`;
  x = norm(x, `model.layers.${i}.post_attention_layernorm`, pass);
  const [gate, up] = linears(x, i, GATE_UP, pass); // (B T, F)
  // An adapter's part needs the product's input too, and its weight no gradient.
  return pass.adapter !== undefined
    ? linears(swiGlu(gate, up), i, DOWN, pass)[0]
    : swiGluProduct(gate, up, pass.get(`${layer}.down_proj.weight`) as tf.Tensor2D);
}

/** Layer i, attention and MLP with their residuals: [B T, D] -> [B T, D], or [N, D] where N are wanted. */
function block(x: tf.Tensor2D, i: number, pass: Pass): tf.Tensor2D {
  const [attentionPart, mlpPart] = pass.gradientCheckpointing === "layer"
    ? [recomputed(attention, /input_layernorm|self_attn/), recomputed(mlp, /post_attention|mlp/)]
    : [attention, mlp];
  x = tf.add(pass.at ? gatherRows(x, pass.at) : x, attentionPart(x, i, pass));
  return tf.add(x, mlpPart(x, i, pass));
}

/** A part of a layer whose inner values are recomputed for the gradient; `names` are its tensors'. */
function recomputed(part: typeof attention, names: RegExp): typeof attention {
  return (x, i, pass) => {
    const trained = pass.names.filter((name) =>
      name.includes(`model.layers.${i}.`) && names.test(name)
    );
    return checkpointed<tf.Tensor2D>(
      (x, ...tensors) => {
        const get = (name: string) => tensors[trained.indexOf(name)] ?? pass.get(name);
        return part(x, i, { ...pass, get });
      },
      [x, ...trained.map(pass.get)],
    );
  };
}

/**
 * An adapter's matrices, of each group and block as one pair: A [k r, in] with the scale in it, B [outs, k r],
 * 0 outside each layer's own block. So a group takes the operations of one layer.
 */
function joinedMatrices(adapter: AdapterTensors, { layers }: ModelConfiguration): Parameters {
  const joined = new Map<string, tf.Tensor>();
  for (const group of [QKV, O, GATE_UP, DOWN]) {
    const adapted = adaptedOf(group, adapter);
    if (adapted.length === 0) continue;
    const names = [...Array(layers).keys()].flatMap((i) => adapted.map((one) => layerName(i, one)));
    const all = (matrix: "A" | "B") =>
      names.map((name) => adapter.parameters.get(adapterKey(name, matrix)) as tf.Tensor2D);
    const as = all("A"), bs = all("B"), [rank, width] = as[0].shape;
    const ranks = rank * adapted.length;
    const a = tf.mul(tf.reshape(tf.concat(as), [layers, ranks, width]), adapter.scale);
    const rows = tf.concat(bs); // (L outs, r)
    const b = tf.reshape(tf.concat(adapted.map(() => rows), 1), [layers, -1, ranks]);
    const own = adapted.flatMap((_, k) => {
      const row = Array.from({ length: ranks }, (_, column) => Number(column / rank >> 0 === k));
      return Array<number[]>(bs[k].shape[0]).fill(row);
    });
    const blocks = adapted.length === 1 ? b : tf.mul(b, tf.tensor2d(own));
    for (const [matrix, stacked] of [["A", a], ["B", blocks]] as const) {
      // tfjs has no gradient for what unstacks one.
      const each = layers > 1 ? tf.unstack(stacked) : [tf.squeeze(stacked, [0])];
      each.forEach((one, i) => joined.set(joinedKey(i, group, matrix), one));
    }
  }
  return joined;
}

/**
 * Hidden states after the final norm: ids [B, T] (int32) -> [B T, D], or [N, D] where N are wanted, for
 * which alone the last layer's MLP runs. @throws without a tensor
 */
export function forward(
  parameters: Parameters,
  configuration: ModelConfiguration,
  ids: tf.Tensor2D,
  options: ForwardOptions = {},
): tf.Tensor2D {
  const { adapter, embeddingScale = 1, gradientCheckpointing = "nothing" } = options;
  const { prefix = [], at } = options;
  const [batch, length] = ids.shape;
  const makeTables = () => attentionTables(configuration, [batch, length], { ...options, prefix });
  // Recomputed layers make their own, since those of the forward pass are gone by then.
  const tables = gradientCheckpointing === "layer" ? undefined : makeTables();
  const joined = adapter && joinedMatrices(adapter, configuration);
  const pass: Pass = {
    ...{ configuration, adapter, batch, length, prefix, gradientCheckpointing },
    names: [...(joined ?? parameters).keys()],
    has: (name) => parameters.has(name),
    get: (name) => {
      const tensor = parameters.get(name) ?? joined?.get(name);
      if (tensor !== undefined) return tensor;
      throw new Error(`Cannot run the model: expected a tensor ${name}; the checkpoint has none`);
    },
    tables: () => tables ?? makeTables(),
  };
  const embedding = pass.get("model.embed_tokens.weight") as tf.Tensor2D;
  let x = gatherRows(embedding, tf.reshape(ids, [-1]));
  if (embeddingScale !== 1) x = tf.mul(x, embeddingScale);
  for (let i = 0; i < configuration.layers; i++) {
    const wanted = i === configuration.layers - 1 ? at : undefined;
    x = layer(x, i, { ...pass, at: wanted }, options.onKeyValues);
  }
  return norm(x, "model.norm", pass);
}

/** A block; if nothing is differentiated, its inner values are freed as soon as it is done. */
function layer(x: tf.Tensor2D, i: number, pass: Pass, onKeyValues: ForwardOptions["onKeyValues"]) {
  const kept: tf.Tensor4D[] = [];
  const collect = onKeyValues && ((...keyValues: tf.Tensor4D[]) => void kept.push(...keyValues));
  const run = () => [block(x, i, { ...pass, onKeyValues: collect }), ...kept];
  const isDifferentiated = tf.engine().state.gradientDepth > 0;
  const [y, ...keyValues] = isDifferentiated ? run() : tf.tidy(run);
  if (onKeyValues !== undefined) onKeyValues(...keyValues as [tf.Tensor4D, tf.Tensor4D]);
  return y as tf.Tensor2D;
}
