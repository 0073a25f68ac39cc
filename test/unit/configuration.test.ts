import assert from "node:assert/strict";
import {
  families,
  llama3Factors,
  type ModelConfiguration,
  parseConfiguration,
  toTransformersConfig,
} from "../../lib/model/configuration.ts";
import { configurationFromGguf } from "../../lib/model/files/gguf_configuration.ts";

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
  // All positions lie within these.
  assert.deepEqual(window({ model_type: "llama", sliding_window: 128 }), [undefined, []]);
  const off = { model_type: "llama", sliding_window: 16, use_sliding_window: false };
  assert.deepEqual(window(off), [undefined, []]);
});

Deno.test("parseConfiguration() joins the ends of text of generation_config.json", () => {
  const config = { ...sizes, model_type: "llama", eos_token_id: [7, 8], bos_token_id: -1 };
  const { eosTokenIds, bosTokenId } = parseConfiguration(config, {
    generation: `{"eos_token_id": [8, 9]}`,
  });
  assert.deepEqual(eosTokenIds, [7, 8, 9]);
  assert.equal(bosTokenId, undefined);
});

Deno.test("parseConfiguration() takes rotary settings from where transformers 5 takes them", () => {
  const rope = (fields: Record<string, unknown>) => {
    const { ropeTheta, ropeScaling } = parse({ model_type: "llama", ...fields });
    return [ropeTheta, ropeScaling];
  };
  // An empty object says nothing.
  const rope_parameters = { rope_type: "default", rope_theta: 5e5 };
  assert.deepEqual(rope({ rope_scaling: {}, rope_parameters }), [5e5, undefined]);
  assert.deepEqual(rope({ rope_theta: 1e4, rope_parameters }), [5e5, undefined]);
  const linear = { type: "linear", factor: 2 };
  assert.deepEqual(rope({ rope_theta: 3e5, rope_scaling: linear }), [3e5, linear]);
  assert.deepEqual(
    rope({
      rope_theta: 3e5,
      rope_scaling: linear,
      rope_parameters: { ...linear, rope_theta: 3e5 },
    }),
    [3e5, linear],
  );
  // The outer length of pretraining counts before the inner one, and that before all positions.
  const { original_max_position_embeddings: _, ...open } = { ...llama3, rope_type: "llama3" };
  const original = (fields: Record<string, unknown>, more = {}) => {
    const { ropeScaling } = parse({
      model_type: "llama",
      rope_scaling: { ...open, ...more },
      ...fields,
    });
    return ropeScaling?.type === "llama3" && ropeScaling.originalMaxPositions;
  };
  assert.equal(original({}), 128);
  assert.equal(original({}, { original_max_position_embeddings: 64 }), 64);
  assert.equal(original({ original_max_position_embeddings: 32 }, llama3), 32);
});

Deno.test("parseConfiguration() leaves fields alone that change no number", () => {
  const plain = parse({ model_type: "llama" });
  const harmless = {
    architectures: ["LLaMAForCausalLM"],
    attention_multiplier: 1 / Math.sqrt(8),
    attn_logit_softcapping: null,
    auto_map: { AutoTokenizer: "x.Tokenizer" },
    attention_dropout: 0,
    hidden_act: "swish",
    initializer_range: 0.1,
    layer_types: ["full_attention", "full_attention", "full_attention", "full_attention"],
    logit_scale: 1,
    partial_rotary_factor: 1,
    pretraining_tp: 2,
    quantization_config: {},
    query_pre_attn_scalar: 8,
    residual_multiplier: 1.0,
    rope_interleaved: false,
    rope_scaling: null,
    something_of_a_trainer: { seed: 3 },
    use_mrope: false,
  };
  assert.deepEqual(parse({ model_type: "llama", ...harmless }), plain);
  // Dropout acts in training alone, which asks for it.
  const { attentionDropout, ...rest } = parse({ model_type: "llama", attention_dropout: 0.1 });
  assert.deepEqual([attentionDropout, rest], [0.1, plain]);
});

const refused: [string, object, RegExp][] = [
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
  ["an epsilon of nothing", { rms_norm_eps: null }, /rms_norm_eps; found null/],
  [
    "an epsilon of another name",
    { rms_norm_eps: undefined, layer_norm_eps: 1e-5 },
    /none in layer_norm_eps; found 0\.00001/,
  ],
  ["layers without end", { num_hidden_layers: 1e7 }, /up to 4096 in num_hidden_layers; found 1e?/],
  ["a size beyond int32", { intermediate_size: 2 ** 53 - 1 }, /intermediate_size; found 9007/],
  [
    "rotary settings by layer type",
    { rope_parameters: { full_attention: { rope_theta: 1e6 } } },
    /\(rope_parameters\): expected none in full_attention; found {"rope_theta":1000000}/,
  ],
  ["a factor without a type", { rope_scaling: { factor: 4 } }, /factor; found 4; .*"default"/],
  [
    "a setting of another type",
    { rope_scaling: { type: "linear", factor: 4, attention_factor: 2 } },
    /attention_factor; found 2/,
  ],
  ["half-rotated heads within", { rope_parameters: { partial_rotary_factor: 0.5 } }, /found 0\.5/],
  ["rotary settings that are a text", { rope_scaling: "linear" }, /rope_scaling; found "linear"/],
  [
    "two rotary settings",
    { rope_scaling: { type: "linear", factor: 2 }, rope_parameters: { rope_theta: 1e6 } },
    /what rope_parameters says, or none in rope_scaling/,
  ],
  ...["dynamic", "longrope", "su", "mrope", 3].map((type): [string, object, RegExp] => [
    `scaling by ${type}`,
    { rope_parameters: { rope_type: type, factor: 4 } },
    /default, linear or llama3 in rope_type/,
  ]),
  ["a window in a llama", { sliding_window: 16 }, /none in a llama in sliding_window; found 16/],
  [
    "a window by layers in a llama",
    { layer_types: ["full_attention", "sliding_attention", "full_attention", "full_attention"] },
    /full_attention alone, as the other fields say in layer_types/,
  ],
  [
    "windows of some layers in a mistral",
    {
      model_type: "mistral",
      layer_types: ["full_attention", "sliding_attention", "full_attention", "full_attention"],
    },
    /sliding_attention alone, as the other fields say in layer_types/,
  ],
  [
    "windows that are switched off",
    { model_type: "qwen2", layer_types: new Array(4).fill("sliding_attention") },
    /full_attention alone.* in layer_types/,
  ],
  ["types of too few layers", { layer_types: ["full_attention"] }, /4 of full_attention or/],
  [
    "linear attention",
    { model_type: "qwen3", head_dim: 8, layer_types: new Array(4).fill("linear_attention") },
    /in layer_types/,
  ],
  [
    "a classifier",
    { architectures: ["LlamaForSequenceClassification"] },
    /LlamaForCausalLM in architectures; found \["LlamaForSeq/,
  ],
  ["another family's class", { architectures: ["Qwen2ForCausalLM"] }, /in architectures/],
  ["code of its own", { auto_map: { AutoModelForCausalLM: "m.Model" } }, /auto_map/],
  ["dropout of all", { attention_dropout: 1 }, /attention_dropout; found 1/],
  ...Object.entries({
    attention_multiplier: 0.125,
    attn_logit_softcapping: 50,
    clip_qkv: 8,
    embedding_multiplier: 12,
    final_logit_softcapping: 30,
    hidden_activation: "gelu_pytorch_tanh",
    is_causal: false,
    logit_scale: 0.0625,
    logits_scaling: 8,
    num_local_experts: 8,
    query_pre_attn_scalar: 256,
    residual_multiplier: 0.22,
    rope_interleaved: true,
    rope_local_base_freq: 5e4,
    scale_emb: 12,
    use_mrope: true,
    use_qk_norm: true,
  }).map(([name, value]): [string, object, RegExp] => [
    `${name} of ${value}`,
    { [name]: value },
    new RegExp(`in ${name}; found `),
  ]),
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
    { model_type: "llama", attention_dropout: 0.1 },
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

Deno.test("configurationFromGguf() reads linear scaling as llama.cpp does", () => {
  const factors = llama3Factors(
    {
      type: "llama3",
      factor: 8,
      lowFrequencyFactor: 1,
      highFrequencyFactor: 4,
      originalMaxPositions: 8192,
    },
    { ropeTheta: 500000, headDimension: 64 },
  );
  const scaling = (fields: Record<string, unknown>, ropeFactors?: Float32Array) =>
    configurationFromGguf(
      {
        ...metadata,
        ...Object.fromEntries(
          Object.entries(fields).map(([key, value]) => [`llama.rope.${key}`, value]),
        ),
      },
      { tensorNames: [], ropeFactors },
    ).ropeScaling;
  const linear = { type: "linear", factor: 4 };
  assert.deepEqual(scaling({ "scaling.type": "linear", "scaling.factor": 4 }), linear);
  // Linear is the default type, and files of 2023 have the older name.
  assert.deepEqual(scaling({ "scaling.factor": 4 }), linear);
  assert.deepEqual(scaling({ scale_linear: 4 }), linear);
  assert.deepEqual(scaling({ "scaling.type": "linear", scale_linear: 4 }), linear);
  assert.deepEqual(scaling({ "scaling.factor": 4, scale_linear: 2 }), linear);
  assert.deepEqual(scaling({ "scaling.factor": Math.fround(2.3) }), { ...linear, factor: 2.3 });
  // 0 and 1 are none, and so is any factor of the type none.
  assert.equal(scaling({ "scaling.factor": 0, scale_linear: 4 }), undefined);
  assert.equal(scaling({ scale_linear: 1 }), undefined);
  assert.equal(scaling({ "scaling.type": "linear" }), undefined);
  assert.equal(scaling({ "scaling.type": "none", "scaling.factor": 4 }), undefined);
  assert.throws(() => scaling({ "scaling.factor": -4 }), /rope\.scaling\.factor; found -4/);
  assert.throws(
    () => scaling({ scale_linear: 4 }, Float32Array.from(factors)),
    /none beside rope_freqs\.weight in llama\.rope\.scale_linear; found 4/,
  );
});

Deno.test("configurationFromGguf() refuses other architectures, scalings and missing sizes", () => {
  const read = (fields: Record<string, unknown>) =>
    configurationFromGguf({ ...metadata, ...fields }, { tensorNames: [], file: "x.gguf" });
  assert.throws(() => read({ "general.architecture": "gemma" }), /x\.gguf.*llama.*"gemma"/);
  assert.throws(() => read({ "llama.rope.scaling.type": "yarn" }), /scaling\.type; found "yarn"/);
  assert.throws(() => read({ "llama.block_count": undefined }), /llama\.block_count; found none/);
  assert.throws(() => read({ "llama.rope.dimension_count": 32 }), /dimension_count; found 32/);
  const others = {
    "attention.causal": false,
    "attention.clamp_kqv": 8,
    "attention.head_count": [4, 2],
    "attention.layer_norm_rms_epsilon": undefined,
    "attention.max_alibi_bias": 8,
    "attention.scale": 0.25,
    "attention.sliding_window": 4096,
    "attention.unheard_of": 3,
    "attention.value_length": 32,
    attn_logit_softcapping: 50,
    block_count: 1e7,
    embedding_scale: 12,
    expert_count: 8,
    feed_forward_length: [512, 256],
    final_logit_softcapping: 30,
    logit_scale: 0.0625,
    residual_scale: 0.22,
    "rope.dimension_sections": [16, 24, 24, 0],
    "rope.scaling.attn_factor": 1.2,
    "rope.scaling.yarn_log_multiplier": 0.1,
    use_parallel_residual: true,
  };
  for (const [name, value] of Object.entries(others)) {
    const key = `llama.${name}`;
    assert.throws(() => read({ [key]: value }), new RegExp(`x\\.gguf: .* in ${key}; found `), key);
  }
});

Deno.test("configurationFromGguf() leaves keys alone that change no number", () => {
  const read = (fields: Record<string, unknown>) =>
    configurationFromGguf({ ...metadata, ...fields }, { tensorNames: [] });
  const harmless = {
    "general.file_type": 7,
    "llama.attention.causal": true,
    "llama.attention.clamp_kqv": 0,
    "llama.attention.key_length": 64,
    "llama.attention.scale": Math.fround(1 / Math.sqrt(64)),
    "llama.attention.sliding_window": 131072,
    "llama.attention.value_length": 64,
    "llama.expert_count": 0,
    "llama.expert_used_count": 0,
    "llama.logit_scale": 1,
    "llama.pooling_type": 1,
    "llama.rope.scaling.finetuned": true,
    "llama.rope.scaling.original_context_length": 4096,
    "llama.tensor_data_layout": "Meta AI original pth",
    "something.else": 3,
  };
  assert.deepEqual(read(harmless), read({}));
  // As published Qwen 1.5 files have it.
  const qwen2 = Object.fromEntries(
    Object.entries(metadata).map(([key, value]) => [key.replace("llama.", "qwen2."), value]),
  );
  const published = {
    ...qwen2,
    "general.architecture": "qwen2",
    "qwen2.use_parallel_residual": true,
  };
  assert.equal(configurationFromGguf(published, { tensorNames: [] }).family, "qwen2");
});
