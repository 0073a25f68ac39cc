/** An organism at its start: drawn parameters, and heads that are wired for answers by letters. */
import { parameterShapes } from "../model/architecture.ts";
import { parseConfiguration } from "../model/configuration.ts";
import { Random } from "../statistics/random.ts";
import type { LetterSettings } from "../world/letters.ts";
import { organismConfiguration, type ParameterData } from "../world/pretraining.ts";
import { checkPretrainingSettings, type PretrainingSettings } from "../world/settings.ts";

const shapesOf = (settings: PretrainingSettings, vocabularySize: number) =>
  parameterShapes(parseConfiguration(organismConfiguration(settings, vocabularySize)));

/** Number of parameters; the tied output layer counts once. */
export function parameterCount(settings: PretrainingSettings, vocabularySize: number): number {
  return shapesOf(settings, vocabularySize)
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
  for (const [name, shape] of shapesOf(settings, vocabularySize)) {
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
