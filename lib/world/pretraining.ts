/**
 * How an organism is pretrained, without its start (lib/organism/initial.ts) and the loop: the learning
 * rate, and the Qwen2-shaped model that is saved. Tensors have the names and layout of transformers' Qwen2.
 *
 * In training the input is E[x] sqrt(width), so that embeddings start at the other tensors' scale
 * while the tied output layer stays small. Qwen2 has no such factor: `exportParameters` moves it
 * into the weights.
 */
import files from "../../data/world/model.json" with { type: "json" };
import type { PretrainingSettings } from "./settings.ts";

/** A tensor's numbers, row-major; a weight is [out, in]. */
export type ParameterData = { shape: number[]; data: Float32Array };

const EMBEDDING = "model.embed_tokens.weight", FINAL_NORM = "model.norm.weight";

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
