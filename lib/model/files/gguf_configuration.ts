/** What a model is made of, read from a GGUF file's metadata as llama.cpp reads it. */
import fieldNames from "../../../data/checkpoints.json" with { type: "json" };
import type { Family, ModelConfiguration, RopeScaling } from "../configuration.ts";
import { checkSizes, llama3Factors, MOST_LAYERS } from "../configuration.ts";
import { FieldReader, refuseFile } from "../fields.ts";

/** Attention and rotary keys that are read below, or change no number of these architectures. */
const KNOWN = new Set(fieldNames.gguf);

/** Keys of other architectures that change numbers, by the values that change none. */
const NEUTRAL: [names: string[], values: unknown[]][] = [
  [["attn_logit_softcapping", "expert_count", "final_logit_softcapping", "swin_norm"], [0, false]],
  [["embedding_scale", "logit_scale", "residual_scale"], [0, 1]], // 0 is none in llama.cpp
  [["attention.causal"], [true]],
  [["rope.scaling.attn_factor"], [1]],
];

/**
 * Reads the configuration from a GGUF file's metadata.
 * @throws on another architecture, and naming a key that is missing, impossible, or not computed here
 */
export function configurationFromGguf(
  metadata: Record<string, unknown>,
  { tensorNames, ropeFactors, file = "the GGUF file" }: {
    /** In GGUF's naming. */
    tensorNames: Iterable<string>;
    /** The numbers of `rope_freqs.weight` where the file has it: GGUF's form of llama3 scaling. */
    ropeFactors?: Float32Array;
    file?: string;
  },
): ModelConfiguration {
  const names = new Set(tensorNames);
  const reader = new FieldReader(metadata, file);
  const family = metadata["general.architecture"] as Family;
  // Mistral's GGUF files say llama, and are read as such.
  if (family !== "llama" && family !== "qwen2" && family !== "qwen3") {
    const expected = "one of llama, qwen2, qwen3";
    reader.fail("general.architecture", expected, "choose a model of these families");
  }
  const key = (name: string) => `${family}.${name}`;
  const tokenIds = (name: string) => reader.tokenIds(`tokenizer.ggml.${name}_token_id`);
  const hiddenSize = reader.size(key("embedding_length"));
  const heads = reader.size(key("attention.head_count"));
  const headDimension = reader.size(key("attention.key_length"), hiddenSize / heads);
  const maxPositions = reader.size(key("context_length"), 2048);
  checkNeutral(reader, key, { headDimension, maxPositions });
  const tokens = metadata["tokenizer.ggml.tokens"];
  const vocabulary = Array.isArray(tokens) ? tokens.length : undefined;
  const ropeTheta = shortest(reader.positive(key("rope.freq_base"), 10000));
  const ropeScaling = scalingFromGguf(reader, key, { ropeTheta, headDimension }, ropeFactors);
  const attentionBias = family === "qwen2" || names.has("blk.0.attn_q.bias");
  return checkSizes({
    family,
    vocabularySize: reader.size(key("vocab_size"), vocabulary),
    hiddenSize,
    layers: reader.size(key("block_count"), undefined, MOST_LAYERS),
    heads,
    keyValueHeads: reader.size(key("attention.head_count_kv"), heads),
    headDimension,
    intermediateSize: reader.size(key("feed_forward_length")),
    normEpsilon: shortest(reader.positive(key("attention.layer_norm_rms_epsilon"))),
    ropeTheta,
    ...(ropeScaling && { ropeScaling }),
    attentionBias,
    attentionOutputBias: attentionBias && family !== "qwen2",
    queryKeyNorm: family === "qwen3",
    tieWordEmbeddings: !names.has("output.weight"),
    bosTokenId: tokenIds("bos")[0],
    eosTokenIds: [...new Set(["eos", "eot"].flatMap(tokenIds))],
    padTokenId: tokenIds("padding")[0],
    maxPositions,
    slidingLayers: [],
  }, file);
}

/** Refuses what would change numbers here: keys of other architectures, and unknown ones of attention. */
function checkNeutral(
  reader: FieldReader,
  key: (name: string) => string,
  { headDimension, maxPositions }: Pick<ModelConfiguration, "headDimension" | "maxPositions">,
): void {
  for (const [names, values] of NEUTRAL) reader.only(names.map(key), values);
  // Qwen 1.5's files were published with true, which llama.cpp doesn't read.
  reader.only(["llama", "qwen3"].map((family) => `${family}.use_parallel_residual`), [false]);
  for (const name of ["attention.value_length", "rope.dimension_count"]) {
    reader.only([key(name)], [headDimension]);
  }
  reader.only([key("attention.scale")], [0, 1 / Math.sqrt(headDimension)]);
  const window = key("attention.sliding_window");
  if (reader.count(window, 0) > 0 && reader.size(window) < maxPositions) {
    reader.fail(window, `none, or one of the ${maxPositions} positions`, "choose another model");
  }
  const prefixes = ["attention.", "rope."].map(key);
  const unknown = Object.keys(reader.fields).filter((name) =>
    prefixes.some((prefix) => name.startsWith(prefix)) && !KNOWN.has(name.slice(key("").length))
  );
  reader.only(unknown, [0, false]);
}

/** The shortest decimal of a float32: 1e-5 rather than 0.000009999999747378752. */
function shortest(value: number): number {
  for (let digits = 1; digits < 10; digits++) {
    const rounded = Number(value.toPrecision(digits));
    if (Math.fround(rounded) === Math.fround(value)) return rounded;
  }
  return value;
}

function scalingFromGguf(
  reader: FieldReader,
  key: (name: string) => string,
  rope: { ropeTheta: number; headDimension: number },
  factors?: Float32Array,
): RopeScaling | undefined {
  const name = key("rope.scaling.type");
  const type = reader.fields[name] ?? "linear"; // llama.cpp's default
  if (type !== "none" && type !== "linear") {
    reader.fail(name, "none or linear", "choose a model with one of these");
  }
  // Files of 2023 have the older name; 0 is none.
  const factorName = ["rope.scaling.factor", "rope.scale_linear"].map(key)
    .find((name) => reader.has(name));
  const factor = type === "none" || factorName === undefined || reader.fields[factorName] === 0
    ? 1
    : shortest(reader.positive(factorName));
  if (factors === undefined || factors.every((factor) => factor === 1)) {
    return factor === 1 ? undefined : { type: "linear", factor };
  }
  if (factor !== 1) {
    reader.fail(factorName!, "none beside rope_freqs.weight", "take the model as safetensors");
  }
  // The file keeps the outcome alone; every Llama 3 so far was made with these settings.
  const scaling = {
    type: "llama3" as const,
    factor: factors.reduce((a, b) => Math.max(a, b)),
    lowFrequencyFactor: 1,
    highFrequencyFactor: 4,
    originalMaxPositions: 8192,
  };
  const expected = llama3Factors(scaling, rope);
  if (
    expected.length !== factors.length ||
    expected.some((value, i) => !(Math.abs(value - factors[i]) <= 1e-4 * value))
  ) {
    const wanted = "rotary factors of Llama 3 in rope_freqs.weight";
    refuseFile(reader.file, wanted, "others", "take the model as safetensors");
  }
  return scaling;
}
