/**
 * Attention heads that do something at the start, so that training needn't find them. The model
 * stays a Qwen2: only the first values of its tensors differ, and training may change them.
 */
import type { ParameterData, PretrainingSettings } from "./pretraining_settings.ts";

/** A score of a head that is this much above others, in nats, has nearly all attention. */
const SHARP = 8;

const attention = (layer: number, name: string) => `model.layers.${layer}.self_attn.${name}`;

/**
 * Makes the first `count` heads of layer 0 attend to the token before. With their q and k weights 0,
 * q and k are the biases alone, and the rotation turns these by their positions i and j: q.k is
 * a sum of cos(theta (i - j) - phi) over the frequencies theta. With phi = theta it is largest at
 * i - j = 1, whatever the tokens are.
 */
export function wirePreviousToken(
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
export function wireCopying(
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
