/** What a decoder-only model is made of, read from config.json as transformers reads it. */
import fieldNames from "../../data/checkpoints.json" with { type: "json" };
import { quote } from "../platform/runtime/quote.ts";
import { FieldReader, type Fields, isEmpty, parseObject, refuseFile, words } from "./fields.ts";

/** The families whose forward pass is here, with transformers' default; SmolLM2 is a `llama`. */
const familyFacts = {
  llama: { architecture: "LlamaForCausalLM", maxPositions: 2048 },
  mistral: { architecture: "MistralForCausalLM", maxPositions: 131072 },
  qwen2: { architecture: "Qwen2ForCausalLM", maxPositions: 32768 },
  qwen3: { architecture: "Qwen3ForCausalLM", maxPositions: 32768 },
};
export type Family = keyof typeof familyFacts;
export const families = Object.keys(familyFacts) as Family[];

export type RopeScaling =
  | { type: "linear"; factor: number }
  | {
    type: "llama3";
    factor: number;
    lowFrequencyFactor: number;
    highFrequencyFactor: number;
    originalMaxPositions: number;
  };

export interface ModelConfiguration {
  family: Family;
  vocabularySize: number;
  hiddenSize: number;
  layers: number;
  heads: number;
  keyValueHeads: number;
  headDimension: number;
  intermediateSize: number;
  normEpsilon: number;
  ropeTheta: number;
  /** Absent: plain rotary positions. */
  ropeScaling?: RopeScaling;
  /** Biases on the q, k and v projections. */
  attentionBias: boolean;
  /** A bias on the attention's output projection. */
  attentionOutputBias: boolean;
  /** RMSNorm over each head of q and k, before the rotation (Qwen3). */
  queryKeyNorm: boolean;
  /** The output layer is the embedding itself; there is no `lm_head.weight`. */
  tieWordEmbeddings: boolean;
  bosTokenId?: number;
  /** Every token that ends a text; may be empty. */
  eosTokenIds: number[];
  padTokenId?: number;
  /** The longest text that the model was made for, in tokens. */
  maxPositions: number;
  /** A position sees itself and `slidingWindow` - 1 before it, in `slidingLayers`. Absent: sees all. */
  slidingWindow?: number;
  /** Indices of the layers with a sliding window; empty without one. */
  slidingLayers: number[];
  /** In training alone. Absent: 0. */
  attentionDropout?: number;
}

/** More than any published model has; lists of this length are still short. */
export const MOST_LAYERS = 4096;

const takeAgain = "take the configuration from the model's own page";
const llama3Fields = ["low_freq_factor", "high_freq_factor"];
const ropeFields = new Set([
  ...llama3Fields,
  ...words(
    "factor original_max_position_embeddings partial_rotary_factor rope_theta rope_type type",
  ),
]);

type Rope = { theta: number; scaling?: RopeScaling };

/** Both published forms: `rope_parameters` (newer), `rope_theta` with `rope_scaling` (older). */
function parseRope(reader: FieldReader, maxPositions: number): Rope {
  const [older, newer] = ["rope_scaling", "rope_parameters"].map((name) =>
    isEmpty(reader.fields[name]) ? undefined : readRope(reader, name, maxPositions)
  );
  if (older !== undefined && newer !== undefined && quote(older) !== quote(newer)) {
    reader.fail("rope_scaling", "what rope_parameters says, or none", takeAgain);
  }
  return older ?? newer ?? readRope(reader, "rope_parameters", maxPositions);
}

function readRope(reader: FieldReader, name: string, maxPositions: number): Rope {
  const fields = reader.fields[name] ?? {};
  if (typeof fields !== "object" || Array.isArray(fields)) {
    reader.fail(name, "an object or null", takeAgain);
  }
  const rope = new FieldReader(fields as Fields, `${reader.file} (${name})`);
  // Also settings by layer type, which no family here has.
  rope.only(Object.keys(fields).filter((name) => !ropeFields.has(name)), []);
  for (const part of [rope, reader]) part.only(["partial_rotary_factor"], [1]);
  const theta = rope.positive("rope_theta", reader.positive("rope_theta", 10000));
  const key = rope.has("rope_type") ? "rope_type" : "type";
  const type = rope.has(key) ? rope.fields[key] : "default";
  const beside = `the rope_type is ${quote(type)}; ${takeAgain}`;
  switch (type) {
    case "default":
      rope.only(["factor", ...llama3Fields], [1], beside);
      return { theta };
    case "linear":
      rope.only(llama3Fields, [1], beside);
      return { theta, scaling: { type, factor: rope.positive("factor") } };
    case "llama3": {
      const original = "original_max_position_embeddings";
      return {
        theta,
        scaling: {
          type,
          factor: rope.positive("factor"),
          lowFrequencyFactor: rope.positive("low_freq_factor"),
          highFrequencyFactor: rope.positive("high_freq_factor"),
          originalMaxPositions: reader.size(original, rope.size(original, maxPositions)),
        },
      };
    }
    default:
      return rope.fail(key, "default, linear or llama3", "choose a model with one of these");
  }
}

/** Which layers see a window only, as transformers has it; what contradicts it is refused. */
function parseSlidingLayers(
  reader: FieldReader,
  { family, layers, maxPositions }: { family: Family; layers: number; maxPositions: number },
): number[] {
  const { sliding_window: window, layer_types: types } = reader.fields;
  const isQwen = family.startsWith("qwen");
  // transformers gives a mistral without the field 4096, and one that says null no window.
  const isOn = window !== null &&
    (family === "mistral" || isQwen && reader.flag("use_sliding_window", false));
  if (family === "llama" && reader.flag("use_sliding_window", reader.has("sliding_window"))) {
    if (reader.size("sliding_window") < maxPositions) {
      const advice = "write null to see all positions, as transformers' llama does";
      reader.fail("sliding_window", "none in a llama", advice);
    }
  }
  const first = isQwen && isOn ? reader.count("max_window_layers", 28) : 0;
  const all = Array.from({ length: layers }, (_, layer) => layer);
  const usual = all.filter((layer) => isOn && layer >= first);
  if (types === undefined || types === null) return usual;
  const known = Array.isArray(types) &&
    types.every((type) => type === "full_attention" || type === "sliding_attention");
  if (!known || types.length !== layers) {
    reader.fail("layer_types", `${layers} of full_attention or sliding_attention`, takeAgain);
  }
  const sliding = all.filter((layer) => types[layer] === "sliding_attention");
  if (sliding.length !== usual.length && !(isQwen && isOn)) {
    const expected = isOn ? "sliding_attention alone" : "full_attention alone";
    reader.fail("layer_types", `${expected}, as the other fields say`, takeAgain);
  }
  return sliding;
}

/** The numbers that do not fit together are found here rather than deep in a forward pass. */
export function checkSizes(configuration: ModelConfiguration, file: string): ModelConfiguration {
  const { heads, keyValueHeads, headDimension, hiddenSize } = configuration;
  if (!Number.isInteger(headDimension) || headDimension % 2 !== 0) {
    const found = `${headDimension} (hidden size ${hiddenSize}, ${heads} heads)`;
    refuseFile(file, "an even head size", found, "check num_attention_heads and head_dim");
  }
  if (heads % keyValueHeads !== 0) {
    const expected = `key-value heads that divide the ${heads} heads`;
    refuseFile(file, expected, `${keyValueHeads}`, "check num_key_value_heads");
  }
  return configuration;
}

/** Refuses models that share a family's settings but are not its causal language model. */
function checkOwner(reader: FieldReader, family: Family): void {
  const { architectures: names, auto_map: map } = reader.fields;
  const own = [`${family}forcausallm`, `${family}model`];
  const isOwn = (name: unknown) => own.includes(`${name}`.toLowerCase());
  if (Array.isArray(names) && names.length > 0 && !names.some(isOwn)) {
    reader.fail(
      "architectures",
      familyFacts[family].architecture,
      "choose a causal language model",
    );
  }
  if (Object.keys(map ?? {}).some((name) => name.startsWith("AutoModel"))) {
    const advice = `where the model is a plain ${family}, take auto_map out of a copy of the file`;
    reader.fail("auto_map", "no forward pass of the model's own", advice);
  }
}

/** @throws naming the first field that asks for what the forward pass lacks */
function checkForeign(
  reader: FieldReader,
  sizes: Pick<ModelConfiguration, "hiddenSize" | "headDimension" | "ropeTheta" | "queryKeyNorm">,
): void {
  const { hiddenSize, headDimension, ropeTheta, queryKeyNorm } = sizes;
  const unquantized = "take the unquantized model, or a GGUF file";
  reader.only(["quantization_config", "compression_config", "quantization"], [], unquantized);
  reader.only(fieldNames.off, [false, 0]); // what other families have
  reader.only(fieldNames.factors, [1]);
  reader.only(["is_causal", "causal", "scale_attn_weights"], [true]);
  reader.only(["qk_norm", "use_qk_norm"], [queryKeyNorm]);
  reader.only(["hidden_activation", "activation_function"], ["silu", "swish"]);
  reader.only(["position_embedding_type"], ["rope", "rotary"]);
  reader.only(["attention_multiplier", "attn_scale"], [1 / Math.sqrt(headDimension)]);
  reader.only(["query_pre_attn_scalar", "rotary_dim", "v_head_dim"], [headDimension]);
  reader.only(["dim_model_base"], [hiddenSize]);
  reader.only(fieldNames.theta, [ropeTheta]);
  if (!reader.has("rms_norm_eps")) {
    reader.only(["layer_norm_eps", "layer_norm_epsilon", "norm_eps", "norm_epsilon"], []);
  }
}

/**
 * Reads config.json, as text or parsed.
 * @throws on an unknown family, and naming a field that is missing, impossible, or not computed here
 */
export function parseConfiguration(
  config: string | Record<string, unknown>,
  { file = "config.json", generation }: {
    /** What errors call the file. */
    file?: string;
    /** generation_config.json, whose ends of text are added to the configuration's. */
    generation?: string | Record<string, unknown>;
  } = {},
): ModelConfiguration {
  const reader = new FieldReader(parseObject(config, file), file);
  const family = reader.fields.model_type as Family;
  if (!families.includes(family)) {
    reader.fail("model_type", `one of ${families.join(", ")}`, "choose a model of these families");
  }
  checkOwner(reader, family);
  const activation = reader.fields.hidden_act;
  if (activation !== undefined && activation !== "silu" && activation !== "swish") {
    reader.fail("hidden_act", "silu", "choose a model with this activation");
  }
  const hiddenSize = reader.size("hidden_size");
  const layers = reader.size("num_hidden_layers", undefined, MOST_LAYERS);
  const heads = reader.size("num_attention_heads");
  // Only llama's published files leave these two out; the other families' own defaults differ.
  const keyValueHeads = reader.size(
    "num_key_value_heads",
    family === "llama" || reader.fields.num_key_value_heads === null ? heads : undefined,
  );
  const headDimension = reader.size("head_dim", family === "qwen3" ? 128 : hiddenSize / heads);
  const maxPositions = reader.size("max_position_embeddings", familyFacts[family].maxPositions);
  const rope = parseRope(reader, maxPositions);
  const slidingLayers = parseSlidingLayers(reader, { family, layers, maxPositions });
  const queryKeyNorm = family === "qwen3";
  checkForeign(reader, { hiddenSize, headDimension, ropeTheta: rope.theta, queryKeyNorm });
  const attentionDropout = reader.share("attention_dropout");
  const bias = family === "qwen2" || reader.flag("attention_bias", false);
  return checkSizes({
    family,
    vocabularySize: reader.size("vocab_size"),
    hiddenSize,
    layers,
    heads,
    keyValueHeads,
    headDimension,
    intermediateSize: reader.size("intermediate_size"),
    normEpsilon: reader.positive("rms_norm_eps", 1e-6),
    ropeTheta: rope.theta,
    ...(rope.scaling && { ropeScaling: rope.scaling }),
    attentionBias: bias && family !== "mistral",
    attentionOutputBias: bias && (family === "llama" || family === "qwen3"),
    queryKeyNorm,
    tieWordEmbeddings: reader.flag("tie_word_embeddings", false),
    bosTokenId: reader.tokenIds("bos_token_id")[0],
    eosTokenIds: endTokens(reader, generation),
    padTokenId: reader.tokenIds("pad_token_id")[0],
    maxPositions,
    ...(attentionDropout > 0 && { attentionDropout }),
    ...(slidingLayers.length > 0 && { slidingWindow: reader.size("sliding_window", 4096) }),
    slidingLayers,
  }, file);
}

/** Every token that ends a text, by config.json and generation_config.json. */
export function endTokens(reader: FieldReader, generation: string | Fields = {}): number[] {
  const name = "generation_config.json";
  const both = [reader, new FieldReader(parseObject(generation, name), name)];
  return [...new Set(both.flatMap((reader) => reader.tokenIds("eos_token_id")))];
}

/** The config.json that transformers loads, in the form that its older versions read as well. */
export function toTransformersConfig(configuration: ModelConfiguration): Record<string, unknown> {
  const { family, slidingLayers, ropeScaling, eosTokenIds } = configuration;
  const scaling = ropeScaling === undefined
    ? null
    : ropeScaling.type === "linear"
    ? { rope_type: "linear", factor: ropeScaling.factor }
    : {
      rope_type: "llama3",
      factor: ropeScaling.factor,
      low_freq_factor: ropeScaling.lowFrequencyFactor,
      high_freq_factor: ropeScaling.highFrequencyFactor,
      original_max_position_embeddings: ropeScaling.originalMaxPositions,
    };
  const windows: Record<string, unknown> = { sliding_window: configuration.slidingWindow ?? null };
  if (family.startsWith("qwen")) {
    windows.use_sliding_window = slidingLayers.length > 0;
    windows.layer_types = Array.from(
      { length: configuration.layers },
      (_, layer) => slidingLayers.includes(layer) ? "sliding_attention" : "full_attention",
    );
    windows.max_window_layers = slidingLayers[0] ?? configuration.layers;
  }
  return {
    architectures: [familyFacts[family].architecture],
    model_type: family,
    vocab_size: configuration.vocabularySize,
    hidden_size: configuration.hiddenSize,
    num_hidden_layers: configuration.layers,
    num_attention_heads: configuration.heads,
    num_key_value_heads: configuration.keyValueHeads,
    head_dim: configuration.headDimension,
    intermediate_size: configuration.intermediateSize,
    hidden_act: "silu",
    rms_norm_eps: configuration.normEpsilon,
    rope_theta: configuration.ropeTheta,
    rope_scaling: scaling,
    ...((family === "llama" || family === "qwen3") &&
      { attention_bias: configuration.attentionBias }),
    ...(family === "llama" && { mlp_bias: false }),
    ...(family !== "llama" && windows),
    ...(configuration.attentionDropout &&
      { attention_dropout: configuration.attentionDropout }),
    tie_word_embeddings: configuration.tieWordEmbeddings,
    bos_token_id: configuration.bosTokenId ?? null,
    eos_token_id: eosTokenIds.length > 1 ? eosTokenIds : eosTokenIds[0] ?? null,
    pad_token_id: configuration.padTokenId ?? null,
    max_position_embeddings: configuration.maxPositions,
    initializer_range: 0.02,
    use_cache: true,
    torch_dtype: "float32",
  };
}

/** What llama3 scaling (Llama 3.1's) divides each rotary frequency by: [headDimension / 2]. */
export function llama3Factors(
  scaling: RopeScaling & { type: "llama3" },
  { ropeTheta, headDimension }: { ropeTheta: number; headDimension: number },
): Float64Array {
  const { factor, lowFrequencyFactor: low, highFrequencyFactor: high, originalMaxPositions } =
    scaling;
  return Float64Array.from({ length: headDimension / 2 }, (_, i) => {
    const wavelength = 2 * Math.PI * ropeTheta ** (2 * i / headDimension);
    if (wavelength < originalMaxPositions / high) return 1;
    if (wavelength > originalMaxPositions / low) return factor;
    const smooth = (originalMaxPositions / wavelength - low) / (high - low);
    return 1 / ((1 - smooth) / factor + smooth);
  });
}
