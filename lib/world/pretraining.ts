/**
 * How an organism is pretrained, without the loop: the Qwen2-shaped model at its start, its learning
 * rate, and the model that is saved. Tensors have the names and layout of transformers' Qwen2.
 *
 * In training the input is E[x] sqrt(width), so that embeddings start at the other tensors' scale
 * while the tied output layer stays small. Qwen2 has no such factor: `exportParameters` moves it
 * into the weights.
 */
import files from "../../data/world/model.json" with { type: "json" };
import { Random } from "../statistics/random.ts";
import type { LetterSettings } from "./letters.ts";
import { checkPretrainingSettings, type PretrainingSettings } from "./settings.ts";

/** A tensor's numbers, row-major; a weight is [out, in]. */
export type ParameterData = { shape: number[]; data: Float32Array };

const EMBEDDING = "model.embed_tokens.weight", FINAL_NORM = "model.norm.weight";

/** Names and shapes of all parameters, in the order of a checkpoint. */
export function pretrainingShapes(
  { width, layers, mlpWidth }: PretrainingSettings,
  vocabularySize: number,
): [name: string, shape: number[]][] {
  const layer: [string, number[]][] = [
    ["input_layernorm.weight", [width]],
    ...["q_proj", "k_proj", "v_proj"].flatMap((name): [string, number[]][] => [
      [`self_attn.${name}.weight`, [width, width]],
      [`self_attn.${name}.bias`, [width]],
    ]),
    ["self_attn.o_proj.weight", [width, width]],
    ["post_attention_layernorm.weight", [width]],
    ["mlp.gate_proj.weight", [mlpWidth, width]],
    ["mlp.up_proj.weight", [mlpWidth, width]],
    ["mlp.down_proj.weight", [width, mlpWidth]],
  ];
  return [
    [EMBEDDING, [vocabularySize, width]],
    ...Array.from(
      { length: layers },
      (_, i) =>
        layer.map(([name, shape]): [string, number[]] => [`model.layers.${i}.${name}`, shape]),
    ).flat(),
    [FINAL_NORM, [width]],
  ];
}

/** Number of parameters; the tied output layer counts once. */
export function parameterCount(settings: PretrainingSettings, vocabularySize: number): number {
  return pretrainingShapes(settings, vocabularySize)
    .reduce((sum, [, shape]) => sum + shape.reduce((a, b) => a * b), 0);
}

/**
 * The parameters before the first step: embedding N(0, 1/width), matrices N(0, 1/inputs), those
 * that write into the residual stream (o, down) divided by sqrt(2 layers), norms 1, biases 0.
 * Each tensor has a stream of its own, so that a seed means the same at any number of layers.
 * @param letters which heads are wired at the start; default: none
 * @throws where the settings can't work.
 */
export function initialParameters(
  settings: PretrainingSettings,
  { vocabularySize, seed, letters }: {
    vocabularySize: number;
    seed: number | string;
    letters?: LetterSettings;
  },
): Map<string, ParameterData> {
  checkPretrainingSettings(settings);
  const random = new Random(`${seed}/parameters`);
  const parameters = new Map<string, ParameterData>();
  for (const [name, shape] of pretrainingShapes(settings, vocabularySize)) {
    const data = new Float32Array(shape.reduce((a, b) => a * b));
    if (shape.length === 2) {
      const stream = random.fork(name);
      const writes = name.endsWith("o_proj.weight") || name.endsWith("down_proj.weight");
      const deviation = 1 / Math.sqrt(shape[1] * (writes ? 2 * settings.layers : 1));
      for (let i = 0; i < data.length; i++) data[i] = deviation * stream.normal();
    } else if (name.endsWith("norm.weight")) {
      data.fill(1);
    }
    parameters.set(name, { shape, data });
  }
  if (letters) {
    wirePreviousToken(parameters, settings, letters.previousTokenHeads);
    if (letters.copying) wireCopying(parameters, settings);
  }
  return parameters;
}

/** A score of a head that is this much above others, in nats, has nearly all attention. */
const SHARP = 8;

const attention = (layer: number, name: string) => `model.layers.${layer}.self_attn.${name}`;

// Heads that do something at the start, so that training needn't find them. The model stays a Qwen2: only
// the first values of its tensors differ, and training may change them.

/**
 * Makes the first `count` heads of layer 0 attend to the token before. With their q and k weights 0,
 * q and k are the biases alone, and the rotation turns these by their positions i and j: q.k is
 * a sum of cos(theta (i - j) - phi) over the frequencies theta. With phi = theta it is largest at
 * i - j = 1, whatever the tokens are.
 */
function wirePreviousToken(
  parameters: ReadonlyMap<string, ParameterData>,
  settings: PretrainingSettings,
  count: number,
): void {
  const { width, heads, ropeTheta } = settings;
  if (count > heads) {
    throw new Error(
      `Cannot wire the heads: previousTokenHeads ${count}: expected at most the ${heads} heads of ` +
        "a layer; give fewer",
    );
  }
  const size = width / heads, half = size / 2;
  const thetas = Array.from({ length: half }, (_, j) => ropeTheta ** (-j / half));
  // The smallest lead over the other distances, for coefficients 1.
  const score = (distance: number) =>
    thetas.reduce((sum, theta) => sum + Math.cos(theta * (distance - 1)), 0);
  const lead = half - Math.max(score(0), score(2));
  const length = Math.sqrt(SHARP * Math.sqrt(size) / lead);
  for (let head = 0; head < count; head++) {
    for (const name of ["q_proj", "k_proj"]) {
      const { data } = parameters.get(attention(0, `${name}.weight`))!;
      data.fill(0, head * size * width, (head + 1) * size * width);
    }
    const q = parameters.get(attention(0, "q_proj.bias"))!.data;
    const k = parameters.get(attention(0, "k_proj.bias"))!.data;
    for (let j = 0; j < half; j++) {
      const first = head * size + j;
      q[first] = length;
      k[first] = length * Math.cos(thetas[j]);
      k[first + half] = length * Math.sin(thetas[j]);
    }
  }
}

/**
 * Makes every head write what it reads: the o weight starts as the transposed v weight, so that what
 * a head brings from another place stays in the directions of the embedding, where the next head's
 * look-up and the tied output layer find it.
 */
function wireCopying(
  parameters: ReadonlyMap<string, ParameterData>,
  { width, layers }: PretrainingSettings,
): void {
  for (let layer = 0; layer < layers; layer++) {
    const v = parameters.get(attention(layer, "v_proj.weight"))!.data;
    const o = parameters.get(attention(layer, "o_proj.weight"))!.data;
    for (let i = 0; i < width; i++) {
      for (let j = 0; j < width; j++) o[i * width + j] = v[j * width + i];
    }
  }
}

/** What the embedding's rows are multiplied by in training. */
export function embeddingScale({ width }: PretrainingSettings): number {
  return Math.sqrt(width);
}

/**
 * The parameters to save: with embedding x sqrt(width) and final norm / sqrt(width), Qwen2 without
 * the factor on its input gives the logits that the training's model gives with it.
 * The other tensors are the given ones, not copies.
 */
export function exportParameters(
  parameters: ReadonlyMap<string, ParameterData>,
  settings: PretrainingSettings,
): Map<string, ParameterData> {
  const scale = embeddingScale(settings);
  const factors = new Map([[EMBEDDING, scale], [FINAL_NORM, 1 / scale]]);
  return new Map([...parameters].map(([name, { shape, data }]) => {
    const factor = factors.get(name);
    return [name, { shape, data: factor === undefined ? data : data.map((x) => x * factor) }];
  }));
}

export function pretrainingSteps({ tokens, batch, window }: PretrainingSettings): number {
  return Math.round(tokens / (batch * window));
}

/**
 * The learning rate of a step (0-based): linear to the full rate at the end of the warm-up, constant,
 * then linear down to its last share, which the step after the last one would have.
 */
export function pretrainingRate(step: number, settings: PretrainingSettings): number {
  const steps = pretrainingSteps(settings);
  const { learningRate, warmupShare, decayFrom, finalRate } = settings;
  const warmup = Math.round(warmupShare * steps), decay = Math.round(decayFrom * steps);
  if (step < warmup) return learningRate * (step + 1) / warmup;
  if (step <= decay) return learningRate;
  const left = Math.max(0, (steps - step) / (steps - decay));
  return learningRate * (finalRate + (1 - finalRate) * left);
}

/**
 * config.json: transformers' Qwen2ForCausalLM, the rotary base in its newer and its older form.
 * Positions are allowed up to twice the window that was trained on; nothing longer was seen.
 */
export function organismConfiguration(
  settings: PretrainingSettings,
  vocabularySize: number,
): Record<string, unknown> {
  const { width, layers, heads, mlpWidth, ropeTheta, normEpsilon, window } = settings;
  return {
    ...files["config.json"], // what is decided here is null there: it keeps the order
    head_dim: width / heads,
    hidden_size: width,
    intermediate_size: mlpWidth,
    layer_types: Array(layers).fill("full_attention"),
    max_position_embeddings: 2 * window,
    max_window_layers: layers,
    num_attention_heads: heads,
    num_hidden_layers: layers,
    num_key_value_heads: heads,
    rms_norm_eps: normEpsilon,
    rope_parameters: { rope_theta: ropeTheta, rope_type: "default" },
    rope_theta: ropeTheta,
    vocab_size: vocabularySize,
  };
}
