/** What a decoder-only model is made of, read from config.json or from a GGUF file's metadata. */

/** The families whose forward pass this project has. SmolLM2 is a `llama`. */
export const families = ["llama", "mistral", "qwen2", "qwen3"] as const;
export type Family = typeof families[number];

/** Stretching of the rotary positions. */
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
}

type Fields = Record<string, unknown>;

/** Reads fields one by one, and says of each wrong one where it is and what was expected. */
class FieldReader {
  constructor(readonly fields: Fields, readonly file: string) {}

  fail(name: string, expected: string, advice: string): never {
    const value = this.fields[name];
    const found = value === undefined ? "none" : JSON.stringify(value)?.slice(0, 80);
    throw new Error(
      `Cannot read ${this.file}: expected ${expected} in ${name}; found ${found}; ${advice}`,
    );
  }

  has(name: string): boolean {
    return this.fields[name] !== undefined && this.fields[name] !== null;
  }

  /** A size: an integer from 1 up. */
  size(name: string, otherwise?: number): number {
    if (!this.has(name) && otherwise !== undefined) return otherwise;
    const value = this.fields[name];
    if (!Number.isSafeInteger(value) || (value as number) < 1) {
      this.fail(name, "a positive integer", "take the configuration from the model's own page");
    }
    return value as number;
  }

  /** An integer from 0 up. */
  count(name: string, otherwise: number): number {
    return this.fields[name] === 0 ? 0 : this.size(name, otherwise);
  }

  /** A number above zero. */
  positive(name: string, otherwise?: number): number {
    if (!this.has(name) && otherwise !== undefined) return otherwise;
    const value = this.fields[name];
    if (typeof value !== "number" || !Number.isFinite(value) || value <= 0) {
      this.fail(name, "a number above 0", "take the configuration from the model's own page");
    }
    return value;
  }

  flag(name: string, otherwise: boolean): boolean {
    if (!this.has(name)) return otherwise;
    const value = this.fields[name];
    if (typeof value !== "boolean") this.fail(name, "true or false", "write one of them");
    return value;
  }

  /** One token id, several, or none. */
  tokenIds(name: string): number[] {
    if (!this.has(name)) return [];
    const value = this.fields[name];
    const ids = Array.isArray(value) ? value : [value];
    // -1 stands for "none" in some published files.
    if (!ids.every((id) => Number.isSafeInteger(id) && id >= -1)) {
      this.fail(name, "a token id or a list of them", "write null where there is none");
    }
    return ids.filter((id) => id >= 0);
  }
}

function parseObject(text: string | Fields, file: string): Fields {
  let value: unknown = text;
  if (typeof text === "string") {
    try {
      value = JSON.parse(text);
    } catch (error) {
      throw new Error(
        `Cannot read ${file}: expected JSON; found ${(error as Error).message}; ` +
          "take the file again from the model's own page",
      );
    }
  }
  if (value === null || typeof value !== "object" || Array.isArray(value)) {
    throw new Error(`Cannot read ${file}: expected a JSON object; found ${typeName(value)}`);
  }
  return value as Fields;
}

const typeName = (value: unknown) =>
  value === null ? "null" : Array.isArray(value) ? "a list" : `a ${typeof value}`;

/** Both published forms: `rope_parameters` (newer), `rope_theta` with `rope_scaling` (older). */
function parseRope(
  reader: FieldReader,
  maxPositions: number,
): { theta: number; scaling?: RopeScaling } {
  const name = reader.has("rope_scaling") ? "rope_scaling" : "rope_parameters";
  const fields = reader.has(name) ? reader.fields[name] : {};
  if (typeof fields !== "object" || fields === null || Array.isArray(fields)) {
    reader.fail(name, "an object or null", "take the configuration from the model's own page");
  }
  const rope = new FieldReader(fields as Fields, `${reader.file} (${name})`);
  const theta = rope.positive("rope_theta", reader.positive("rope_theta", 10000));
  for (const part of [rope, reader]) {
    if (part.has("partial_rotary_factor") && part.fields.partial_rotary_factor !== 1) {
      part.fail("partial_rotary_factor", "1", "choose a model that rotates whole heads");
    }
  }
  const key = rope.has("rope_type") ? "rope_type" : "type";
  const type = rope.has(key) ? rope.fields[key] : "default";
  switch (type) {
    case "default":
      return { theta };
    case "linear":
      return { theta, scaling: { type, factor: rope.positive("factor") } };
    case "llama3":
      return {
        theta,
        scaling: {
          type,
          factor: rope.positive("factor"),
          lowFrequencyFactor: rope.positive("low_freq_factor"),
          highFrequencyFactor: rope.positive("high_freq_factor"),
          originalMaxPositions: rope.size("original_max_position_embeddings", maxPositions),
        },
      };
    default:
      return rope.fail(key, "default, linear or llama3", "choose a model with one of these");
  }
}

/** What transformers takes where the field is absent. */
const defaultMaxPositions: Record<Family, number> = {
  llama: 2048,
  mistral: 131072,
  qwen2: 32768,
  qwen3: 32768,
};

/** Which layers see a window only; none when the window is off. */
function parseSlidingLayers(reader: FieldReader, family: Family, layers: number): number[] {
  const all = Array.from({ length: layers }, (_, layer) => layer);
  // transformers gives a mistral without the field 4096, and one that says null no window.
  if (family === "llama" || reader.fields.sliding_window === null) return [];
  if (family !== "mistral" && !reader.flag("use_sliding_window", false)) return [];
  const types = reader.fields.layer_types;
  if (Array.isArray(types)) {
    const known = types.every((type) => type === "full_attention" || type === "sliding_attention");
    if (!known || types.length !== layers) {
      reader.fail("layer_types", `${layers} of full_attention or sliding_attention`, "mend it");
    }
    return all.filter((layer) => types[layer] === "sliding_attention");
  }
  if (family === "mistral") return all;
  return all.filter((layer) => layer >= reader.count("max_window_layers", 28));
}

/** The numbers that do not fit together are found here rather than deep in a forward pass. */
function checkSizes(configuration: ModelConfiguration, file: string): ModelConfiguration {
  const { heads, keyValueHeads, headDimension, hiddenSize } = configuration;
  if (!Number.isInteger(headDimension) || headDimension % 2 !== 0) {
    throw new Error(
      `Cannot read ${file}: expected an even head size; found ${headDimension} ` +
        `(hidden size ${hiddenSize}, ${heads} heads); check num_attention_heads and head_dim`,
    );
  }
  if (heads % keyValueHeads !== 0) {
    throw new Error(
      `Cannot read ${file}: expected key-value heads that divide the ${heads} heads; ` +
        `found ${keyValueHeads}; check num_key_value_heads`,
    );
  }
  return configuration;
}

export interface ConfigurationOptions {
  /** What errors call the file; default "config.json". */
  file?: string;
  /** generation_config.json: its ends of text are added to the configuration's; default none. */
  generation?: string | Record<string, unknown>;
}

/**
 * Reads config.json, as text or parsed.
 * Throws on an unknown family, rotary type or activation, and on missing or impossible sizes.
 */
export function parseConfiguration(
  config: string | Record<string, unknown>,
  options: ConfigurationOptions = {},
): ModelConfiguration {
  const file = options.file ?? "config.json";
  const reader = new FieldReader(parseObject(config, file), file);
  const family = reader.fields.model_type as Family;
  if (!families.includes(family)) {
    reader.fail("model_type", `one of ${families.join(", ")}`, "choose a model of these families");
  }
  const activation = reader.fields.hidden_act ?? "silu";
  if (activation !== "silu") {
    reader.fail("hidden_act", "silu", "choose a model with this activation");
  }
  if (reader.flag("mlp_bias", false)) {
    reader.fail("mlp_bias", "false", "choose a model without biases in the feed-forward part");
  }
  if (reader.has("quantization_config")) {
    reader.fail("quantization_config", "none", "take the unquantized model, or a GGUF file");
  }
  const hiddenSize = reader.size("hidden_size");
  const layers = reader.size("num_hidden_layers");
  const heads = reader.size("num_attention_heads");
  // Only llama's published files leave these two out; the other families' own defaults differ.
  const keyValueHeads = reader.size(
    "num_key_value_heads",
    family === "llama" || reader.fields.num_key_value_heads === null ? heads : undefined,
  );
  const headDimension = reader.size("head_dim", family === "qwen3" ? 128 : hiddenSize / heads);
  const maxPositions = reader.size("max_position_embeddings", defaultMaxPositions[family]);
  const rope = parseRope(reader, maxPositions);
  const slidingLayers = parseSlidingLayers(reader, family, layers);
  const bias = family === "qwen2" || reader.flag("attention_bias", false);
  const generation = new FieldReader(
    parseObject(options.generation ?? {}, "generation_config.json"),
    "generation_config.json",
  );
  const ends = [...reader.tokenIds("eos_token_id"), ...generation.tokenIds("eos_token_id")];
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
    queryKeyNorm: family === "qwen3",
    tieWordEmbeddings: reader.flag("tie_word_embeddings", false),
    bosTokenId: reader.tokenIds("bos_token_id")[0],
    eosTokenIds: [...new Set(ends)],
    padTokenId: reader.tokenIds("pad_token_id")[0],
    maxPositions,
    ...(slidingLayers.length > 0 && { slidingWindow: reader.size("sliding_window", 4096) }),
    slidingLayers,
  }, file);
}

const architectures: Record<Family, string> = {
  llama: "LlamaForCausalLM",
  mistral: "MistralForCausalLM",
  qwen2: "Qwen2ForCausalLM",
  qwen3: "Qwen3ForCausalLM",
};

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
    architectures: [architectures[family]],
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

export interface GgufFacts {
  /** Names of the file's tensors, in GGUF's naming. */
  tensorNames: Iterable<string>;
  /** The numbers of `rope_freqs.weight` where the file has it: GGUF's form of llama3 scaling. */
  ropeFactors?: Float32Array;
  /** What errors call the file; default "the GGUF file". */
  file?: string;
}

/**
 * Reads the configuration from a GGUF file's key-value metadata.
 * Throws on an unknown architecture, a scaling that is not known, and missing sizes.
 */
export function configurationFromGguf(
  metadata: Record<string, unknown>,
  facts: GgufFacts,
): ModelConfiguration {
  const file = facts.file ?? "the GGUF file";
  const names = new Set(facts.tensorNames);
  const reader = new FieldReader(metadata, file);
  const family = metadata["general.architecture"] as Family;
  // Mistral's GGUF files say llama, and are read as such.
  if (family !== "llama" && family !== "qwen2" && family !== "qwen3") {
    reader.fail(
      "general.architecture",
      "one of llama, qwen2, qwen3",
      "choose a model of these families",
    );
  }
  const key = (name: string) => `${family}.${name}`;
  const hiddenSize = reader.size(key("embedding_length"));
  const heads = reader.size(key("attention.head_count"));
  const headDimension = reader.size(key("attention.key_length"), hiddenSize / heads);
  if (reader.size(key("rope.dimension_count"), headDimension) !== headDimension) {
    reader.fail(key("rope.dimension_count"), `${headDimension}`, "choose a model that rotates all");
  }
  if (reader.has(key("expert_count")) && reader.fields[key("expert_count")] !== 0) {
    reader.fail(key("expert_count"), "none", "choose a model without experts");
  }
  const tokens = metadata["tokenizer.ggml.tokens"];
  const maxPositions = reader.size(key("context_length"), 2048);
  const ropeTheta = shortest(reader.positive(key("rope.freq_base"), 10000));
  const ropeScaling = scalingFromGguf(reader, key, { ropeTheta, headDimension }, facts.ropeFactors);
  return checkSizes({
    family,
    vocabularySize: reader.size(
      key("vocab_size"),
      Array.isArray(tokens) ? tokens.length : undefined,
    ),
    hiddenSize,
    layers: reader.size(key("block_count")),
    heads,
    keyValueHeads: reader.size(key("attention.head_count_kv"), heads),
    headDimension,
    intermediateSize: reader.size(key("feed_forward_length")),
    normEpsilon: shortest(reader.positive(key("attention.layer_norm_rms_epsilon"), 1e-6)),
    ropeTheta,
    ...(ropeScaling && { ropeScaling }),
    attentionBias: names.has("blk.0.attn_q.bias"),
    attentionOutputBias: names.has("blk.0.attn_output.bias"),
    queryKeyNorm: names.has("blk.0.attn_q_norm.weight"),
    tieWordEmbeddings: !names.has("output.weight"),
    bosTokenId: reader.tokenIds("tokenizer.ggml.bos_token_id")[0],
    eosTokenIds: [
      ...new Set([
        ...reader.tokenIds("tokenizer.ggml.eos_token_id"),
        ...reader.tokenIds("tokenizer.ggml.eot_token_id"),
      ]),
    ],
    padTokenId: reader.tokenIds("tokenizer.ggml.padding_token_id")[0],
    maxPositions,
    slidingLayers: [],
  }, file);
}

/** The shortest decimal of a float32: 1e-5 rather than 0.000009999999747378752. */
function shortest(value: number): number {
  for (let digits = 1; digits < 10; digits++) {
    const rounded = Number(value.toPrecision(digits));
    if (Math.fround(rounded) === Math.fround(value)) return rounded;
  }
  return value;
}

/**
 * Factors by which llama3 scaling divides each rotary frequency (Llama 3.1's rule), so that a
 * position's angle is `position * theta^(-2i/d) / factors[i]`. [headDimension / 2]
 */
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

function scalingFromGguf(
  reader: FieldReader,
  key: (name: string) => string,
  rope: { ropeTheta: number; headDimension: number },
  factors?: Float32Array,
): RopeScaling | undefined {
  const name = key("rope.scaling.type");
  const type = reader.fields[name] ?? "none";
  if (type === "linear") {
    const factor = reader.positive(key("rope.scaling.factor"));
    return factor === 1 ? undefined : { type, factor };
  }
  if (type !== "none") reader.fail(name, "none or linear", "choose a model with one of these");
  if (factors === undefined || factors.every((factor) => factor === 1)) return undefined;
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
    throw new Error(
      `Cannot read ${reader.file}: expected rotary factors of Llama 3 in rope_freqs.weight; ` +
        "found others; take the model as safetensors",
    );
  }
  return scaling;
}
