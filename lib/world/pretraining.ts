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
import type { ParameterData, PretrainingSettings } from "./pretraining_settings.ts";
import { checkPretrainingSettings } from "./pretraining_settings.ts";
import { wireCopying, wirePreviousToken } from "./wiring.ts";

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
