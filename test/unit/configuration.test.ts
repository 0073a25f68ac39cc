import assert from "node:assert/strict";
import {
  families,
  llama3Factors,
  type ModelConfiguration,
  parseConfiguration,
  toTransformersConfig,
} from "../../lib/model/configuration.ts";
import { configurationFromGguf } from "../../lib/model/gguf_configuration.ts";

const sizes = {
  vocab_size: 97,
  hidden_size: 32,
  intermediate_size: 40,
  num_hidden_layers: 4,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  rms_norm_eps: 1e-5,
  max_position_embeddings: 128,
};
const llama3 = {
  factor: 32,
  low_freq_factor: 1,
  high_freq_factor: 4,
  original_max_position_embeddings: 8192,
};
const parse = (fields: Record<string, unknown>) => parseConfiguration({ ...sizes, ...fields });

Deno.test("parseConfiguration() reads a llama as published before transformers 5", () => {
  const configuration = parseConfiguration(JSON.stringify({
    ...sizes,
    model_type: "llama",
    rope_theta: 100000,
    rope_scaling: null,
    tie_word_embeddings: true,
    bos_token_id: 1,
    eos_token_id: 2,
  }));
  assert.deepEqual(configuration, {
    family: "llama",
    vocabularySize: 97,
    hiddenSize: 32,
    layers: 4,
    heads: 4,
    keyValueHeads: 2,
    headDimension: 8,
    intermediateSize: 40,
    normEpsilon: 1e-5,
    ropeTheta: 100000,
    attentionBias: false,
    attentionOutputBias: false,
    queryKeyNorm: false,
    tieWordEmbeddings: true,
    bosTokenId: 1,
    eosTokenIds: [2],
    padTokenId: undefined,
    maxPositions: 128,
    slidingLayers: [],
  });
});

Deno.test("parseConfiguration() reads both forms of rotary scaling alike", () => {
  const old = parse({
    model_type: "llama",
    rope_theta: 5e5,
    rope_scaling: { ...llama3, rope_type: "llama3" },
  });
  const now = parse({
    model_type: "llama",
    rope_parameters: { ...llama3, rope_type: "llama3", rope_theta: 5e5 },
  });
  assert.deepEqual(old, now);
  assert.equal(now.ropeTheta, 5e5);
  assert.deepEqual(now.ropeScaling, {
    type: "llama3",
    factor: 32,
    lowFrequencyFactor: 1,
    highFrequencyFactor: 4,
    originalMaxPositions: 8192,
  });
  assert.deepEqual(
    parse({ model_type: "llama", rope_scaling: { type: "linear", factor: 2 } }).ropeScaling,
    { type: "linear", factor: 2 },
  );
});

Deno.test("parseConfiguration() knows what each family adds", () => {
  const of = (model_type: string, more = {}) => parse({ model_type, ...more });
  const biases = (c: ModelConfiguration) => [c.attentionBias, c.attentionOutputBias];
  assert.deepEqual(biases(of("qwen2")), [true, false]);
  assert.deepEqual(biases(of("llama")), [false, false]);
  assert.deepEqual(biases(of("llama", { attention_bias: true })), [true, true]);
  assert.deepEqual(biases(of("mistral")), [false, false]);
  assert.deepEqual(families.map((family) => of(family).queryKeyNorm), [false, false, false, true]);
  assert.equal(of("qwen3", { head_dim: 12 }).headDimension, 12);
  assert.equal(of("qwen3").headDimension, 128);
  assert.equal(of("llama", { num_key_value_heads: null }).keyValueHeads, 4);
});

Deno.test("parseConfiguration() gives a sliding window only where it is in use", () => {
  const window = (fields: Record<string, unknown>) => {
    const { slidingWindow, slidingLayers } = parse(fields);
    return [slidingWindow, slidingLayers];
  };
  assert.deepEqual(window({ model_type: "mistral", sliding_window: 16 }), [16, [0, 1, 2, 3]]);
  assert.deepEqual(window({ model_type: "mistral", sliding_window: null }), [undefined, []]);
  const qwen = { model_type: "qwen2", sliding_window: 16 };
  assert.deepEqual(window({ ...qwen, use_sliding_window: false }), [undefined, []]);
  assert.deepEqual(
    window({ ...qwen, use_sliding_window: true, max_window_layers: 2 }),
    [16, [2, 3]],
  );
  const types = ["full_attention", "sliding_attention", "full_attention", "full_attention"];
  assert.deepEqual(
    window({ ...qwen, use_sliding_window: true, layer_types: types }),
    [16, [1]],
  );
  assert.deepEqual(window({ model_type: "llama", sliding_window: 16 }), [undefined, []]);
});

Deno.test("parseConfiguration() joins the ends of text of generation_config.json", () => {
  const config = { ...sizes, model_type: "llama", eos_token_id: [7, 8], bos_token_id: -1 };
  const { eosTokenIds, bosTokenId } = parseConfiguration(config, {
    generation: `{"eos_token_id": [8, 9]}`,
  });
  assert.deepEqual(eosTokenIds, [7, 8, 9]);
  assert.equal(bosTokenId, undefined);
});

const refused: [string, Record<string, unknown>, RegExp][] = [
  ["an unknown family", { model_type: "gpt2" }, /llama, mistral, qwen2, qwen3 in model_type.*gpt2/],
  ["no family", { model_type: undefined }, /model_type; found none/],
  ["a family of Object", { model_type: "toString" }, /model_type/],
  [
    "an unknown scaling",
    { rope_scaling: { type: "yarn", factor: 4 } },
    /linear or llama3 .*"yarn"/,
  ],
  ["scaling without a factor", { rope_scaling: { type: "linear" } }, /factor; found none/],
  ["half-rotated heads", { partial_rotary_factor: 0.5 }, /partial_rotary_factor; found 0\.5/],
  ["another activation", { hidden_act: "gelu" }, /silu in hidden_act; found "gelu"/],
  ["biases in the feed-forward part", { mlp_bias: true }, /mlp_bias; found true/],
  ["quantized weights", { quantization_config: { bits: 4 } }, /quantization_config/],
  ["no vocabulary", { vocab_size: undefined }, /vocab_size; found none/],
  ["a size of text", { hidden_size: "32" }, /hidden_size; found "32"/],
  ["no layers", { num_hidden_layers: 0 }, /num_hidden_layers; found 0/],
  ["heads that don't divide", { num_key_value_heads: 3 }, /divide the 4 heads; found 3/],
  ["an odd head size", { head_dim: 7 }, /even head size; found 7/],
  ["half a head size", { num_attention_heads: 5, num_key_value_heads: 5 }, /head_dim|head size/],
  ["a negative epsilon", { rms_norm_eps: -1 }, /rms_norm_eps; found -1/],
  ["an end that isn't a token", { eos_token_id: "</s>" }, /eos_token_id; found "<\/s>"/],
];
for (const [what, fields, message] of refused) {
  Deno.test(`parseConfiguration() refuses ${what}, naming file and field`, () => {
    const config = { ...sizes, model_type: "llama", ...fields };
    const file = "models/x/config.json";
    assert.throws(() => parseConfiguration(config, { file }), message);
    assert.throws(
      () => parseConfiguration(config, { file }),
      /^Error: Cannot read models\/x\/conf/,
    );
  });
}

Deno.test("parseConfiguration() refuses what isn't a JSON object", () => {
  for (const text of ["", "{", "[]", "null", "3"]) {
    assert.throws(() => parseConfiguration(text), /Cannot read config\.json: expected/);
  }
});

Deno.test("toTransformersConfig() then parseConfiguration() gives the same configuration", () => {
  const configs = [
    { model_type: "llama", rope_scaling: { ...llama3, rope_type: "llama3" }, eos_token_id: [3, 4] },
    { model_type: "llama", attention_bias: true, rope_scaling: { type: "linear", factor: 2 } },
    { model_type: "mistral", sliding_window: 16, bos_token_id: 1, pad_token_id: 0 },
    { model_type: "mistral", sliding_window: null },
    { model_type: "qwen2", use_sliding_window: true, sliding_window: 16, max_window_layers: 3 },
    { model_type: "qwen2", tie_word_embeddings: true },
    { model_type: "qwen3", head_dim: 12 },
  ];
  for (const config of configs) {
    const configuration = parse(config);
    assert.deepEqual(parseConfiguration(toTransformersConfig(configuration)), configuration);
  }
});

const metadata = {
  "general.architecture": "llama",
  "llama.block_count": 2,
  "llama.context_length": 131072,
  "llama.embedding_length": 256,
  "llama.feed_forward_length": 512,
  "llama.attention.head_count": 4,
  "llama.attention.head_count_kv": 2,
  "llama.attention.layer_norm_rms_epsilon": 1e-5,
  "llama.rope.dimension_count": 64,
  "llama.rope.freq_base": 500000,
  "tokenizer.ggml.tokens": ["a", "b", "c"],
  "tokenizer.ggml.bos_token_id": 0,
  "tokenizer.ggml.eos_token_id": 2,
};

Deno.test("configurationFromGguf() reads sizes, ties and biases from metadata and names", () => {
  const tensorNames = ["token_embd.weight", "blk.0.attn_q.weight"];
  const configuration = configurationFromGguf(metadata, { tensorNames });
  assert.equal(configuration.vocabularySize, 3);
  assert.equal(configuration.headDimension, 64);
  assert.equal(configuration.keyValueHeads, 2);
  assert.equal(configuration.ropeTheta, 500000);
  assert.deepEqual([configuration.tieWordEmbeddings, configuration.attentionBias], [true, false]);
  const more = configurationFromGguf(metadata, {
    tensorNames: [...tensorNames, "output.weight", "blk.0.attn_q.bias"],
  });
  assert.deepEqual([more.tieWordEmbeddings, more.attentionBias], [false, true]);
});

Deno.test("configurationFromGguf() finds llama3 scaling in the factors, and refuses others", () => {
  const scaling = {
    type: "llama3" as const,
    factor: 8,
    lowFrequencyFactor: 1,
    highFrequencyFactor: 4,
    originalMaxPositions: 8192,
  };
  const rope = { ropeTheta: 500000, headDimension: 64 };
  const ropeFactors = Float32Array.from(llama3Factors(scaling, rope));
  // The three branches: untouched, between, divided by the whole factor.
  assert.equal(ropeFactors[0], 1);
  assert.ok(ropeFactors.some((factor) => factor > 1 && factor < 8));
  assert.equal(ropeFactors.at(-1), 8);
  const read = configurationFromGguf(metadata, { tensorNames: [], ropeFactors });
  assert.deepEqual(read.ropeScaling, scaling);
  ropeFactors[20] *= 1.1;
  assert.throws(
    () => configurationFromGguf(metadata, { tensorNames: [], ropeFactors, file: "x.gguf" }),
    /x\.gguf.*rope_freqs\.weight/,
  );
});

Deno.test("configurationFromGguf() refuses other architectures, scalings and missing sizes", () => {
  const read = (fields: Record<string, unknown>) =>
    configurationFromGguf({ ...metadata, ...fields }, { tensorNames: [], file: "x.gguf" });
  assert.throws(() => read({ "general.architecture": "gemma" }), /x\.gguf.*llama.*"gemma"/);
  assert.throws(() => read({ "llama.rope.scaling.type": "yarn" }), /scaling\.type; found "yarn"/);
  assert.throws(() => read({ "llama.block_count": undefined }), /llama\.block_count; found none/);
  assert.throws(() => read({ "llama.rope.dimension_count": 32 }), /dimension_count; found 32/);
  assert.throws(() => read({ "llama.expert_count": 8 }), /expert_count; found 8/);
});
