import assert from "node:assert/strict";
import { encodeConversation } from "../../lib/model/encode.ts";
import data from "../../data/tokenizers.json" with { type: "json" };
import { type Message, paperFormat } from "../../lib/prompt.ts";
import {
  type Tokenizer,
  tokenizerFromFiles,
  tokenizerFromGguf,
} from "../../lib/model/tokenizer.ts";

const { patterns } = data;
const folder = new URL("../numerics/fixtures/tokenizers/", import.meta.url);
interface Fixture {
  tokenizer: Record<string, unknown>;
  texts: string[];
  encoded: number[][];
  decoded: [number[], string, string][];
  special: number[];
  size: number;
}
const load = (name: string): [Fixture, Tokenizer] => {
  const fixture: Fixture = JSON.parse(Deno.readTextFileSync(new URL(`${name}.json`, folder)));
  const files = new Map([["tokenizer.json", JSON.stringify(fixture.tokenizer)]]);
  return [fixture, tokenizerFromFiles(files)];
};

const shapes = [
  "smollm",
  "gpt2",
  "gpt2_prefix",
  "digit_runs",
  "llama3",
  "qwen2",
  "llama2",
  "words",
];
for (const name of shapes) {
  Deno.test(`encode() of a ${name} tokenizer gives the Rust library's ids for hard texts`, () => {
    const [{ texts, encoded, special, size }, tokenizer] = load(name);
    assert.ok(texts.length > 60);
    texts.forEach((text, i) => assert.deepEqual(tokenizer.encode(text), encoded[i], `of ${text}`));
    assert.deepEqual(tokenizer.encode("a b", { addSpecialTokens: true }), special);
    assert.equal(tokenizer.vocabularySize, size);
  });

  Deno.test(`decode() of a ${name} tokenizer gives the Rust library's texts`, () => {
    const [{ decoded }, tokenizer] = load(name);
    assert.ok(decoded.length > 60);
    for (const [ids, all, plain] of decoded) {
      assert.equal(tokenizer.decode(ids), all, `of ${ids}`);
      assert.equal(tokenizer.decode(ids, { skipSpecialTokens: true }), plain);
    }
  });
}

interface Parts {
  texts: string[];
  models: Record<string, unknown>;
  cases: {
    model: string;
    parts: Record<string, unknown>;
    encoded: number[][];
    decoded?: [number[], string][];
  }[];
}
const parts: Parts = JSON.parse(Deno.readTextFileSync(new URL("parts.json", folder)));
for (const [i, { model, parts: own, encoded, decoded }] of parts.cases.entries()) {
  const used = Object.entries(own).filter(([name, value]) =>
    value !== null && name !== "added_tokens"
  )
    .map(([, value]) => JSON.stringify(value).slice(0, 60));
  Deno.test(`encode() with part ${i}, ${model} ${used.join()}, gives the Rust library's ids`, () => {
    const json = JSON.stringify({ ...own, model: parts.models[model] });
    const tokenizer = tokenizerFromFiles(new Map([["tokenizer.json", json]]));
    parts.texts.forEach((text, k) => {
      assert.deepEqual(tokenizer.encode(text), encoded[k], `of ${JSON.stringify(text)}`);
    });
    for (const [ids, all] of decoded ?? []) assert.equal(tokenizer.decode(ids), all, `of ${ids}`);
  });
}

Deno.test("decode() gives an empty text for no ids and for ids without a token", () => {
  for (const name of shapes) {
    const [{ size }, tokenizer] = load(name);
    assert.equal(tokenizer.decode([]), "");
    assert.equal(tokenizer.decode([size + 1, -1]), "");
  }
});

Deno.test("decode() keeps the spaces before stops that the texts had", () => {
  const [, tokenizer] = load("words");
  assert.equal(tokenizer.decode(tokenizer.encode("the a . v ?")), "the a . v ?");
});

Deno.test("encode() of a text cut inside a character does not throw", () => {
  for (const name of shapes) {
    const [, tokenizer] = load(name);
    assert.ok(tokenizer.encode("a\ud83d").length > 0);
  }
});

Deno.test("encode() gives each choice letter one token of its own, with a space or without", () => {
  for (const name of ["smollm", "gpt2", "llama3", "qwen2"]) {
    const [, tokenizer] = load(name);
    for (const prefix of ["", " "]) {
      const ids = ["A", "B", "C", "D"].map((letter) => tokenizer.encode(prefix + letter).at(-1));
      assert.equal(new Set(ids).size, 4);
    }
  }
});

const words = (more: Record<string, unknown> = {}) =>
  new Map(
    Object.entries({
      "tokenizer.json": {
        ...load("words")[0].tokenizer,
        ...more,
      },
      "tokenizer_config.json": {
        bos_token: "<s>",
        eos_token: { content: "</s>", lstrip: false },
        pad_token: null,
      },
    }).map(([name, value]) => [name, JSON.stringify(value)]),
  );

Deno.test("tokenizerFromFiles() finds the ids of special tokens, written as text or object", () => {
  const tokenizer = tokenizerFromFiles(words());
  const { bosTokenId, eosTokenId, padTokenId, unkTokenId } = tokenizer;
  assert.deepEqual([bosTokenId, eosTokenId, padTokenId, unkTokenId], [1, 2, undefined, 0]);
  assert.equal(tokenizer.tokenId("what"), 11);
  assert.equal(tokenizer.tokenId("nothing"), undefined);
  assert.deepEqual([...tokenizer.files.keys()], ["tokenizer.json", "tokenizer_config.json"]);
  assert.deepEqual(tokenizerFromFiles(tokenizer.files).encode("the v zz"), [6, 10, 0]);
});

Deno.test("tokenizerFromFiles() takes the special tokens of special_tokens_map.json as well", () => {
  const files = words();
  files.delete("tokenizer_config.json");
  files.set("special_tokens_map.json", `{"eos_token":"<|end|>"}`);
  assert.equal(tokenizerFromFiles(files).eosTokenId, 3);
});

Deno.test("encode() names a word that a vocabulary without an unknown token lacks", () => {
  const model = { type: "WordLevel", vocab: { a: 0 } };
  const tokenizer = tokenizerFromFiles(words({ model, added_tokens: [] }), {
    from: "the organism",
  });
  assert.deepEqual(tokenizer.encode("a a"), [0, 0]);
  assert.throws(() => tokenizer.encode("a zz"), /encode "zz".*the organism/);
});

Deno.test("tokenizerFromFiles() refuses missing and broken files, naming place and file", () => {
  const from = "models/x";
  const wrong: [Map<string, string>, RegExp][] = [
    [new Map(), /models\/x: expected tokenizer\.json; found none/],
    [new Map([["vocab.json", "{}"]]), /found vocab\.json/],
    [new Map([["tokenizer.json", "{"]]), /tokenizer\.json of models\/x: expected JSON/],
    [new Map([["tokenizer.json", "[]"]]), /tokenizer\.json of models\/x: expected a JSON object/],
    [new Map([["tokenizer.json", "{}"]]), /tokenizer\.json of models\/x: expected a tokenizer/],
    [words({ model: { type: "Cutter" } }), /tokenizer\.json of models\/x.*Cutter/],
    [new Map([...words(), ["tokenizer_config.json", "?"]]), /tokenizer_config\.json of models\/x/],
  ];
  for (const [files, message] of wrong) {
    assert.throws(() => tokenizerFromFiles(files, { from }), message);
  }
});

/** A fixture's byte-level BPE as a GGUF file would tell it. */
function ggufMetadata(name: string, pre: string): Record<string, unknown> {
  const model = load(name)[0].tokenizer.model as {
    vocab: Record<string, number>;
    merges: string[][];
  };
  const added = load(name)[0].tokenizer.added_tokens as { content: string; id: number }[];
  const tokens: string[] = [];
  for (const [token, id] of Object.entries(model.vocab)) tokens[id] = token;
  const types: number[] = tokens.map(() => 1);
  for (const { content, id } of added) {
    tokens[id] = content;
    types[id] = content === "<|user|>" ? 4 : 3;
  }
  return {
    "tokenizer.ggml.model": "gpt2",
    "tokenizer.ggml.pre": pre,
    "tokenizer.ggml.tokens": tokens,
    "tokenizer.ggml.token_type": types,
    "tokenizer.ggml.merges": model.merges.map((merge) => merge.join(" ")),
    "tokenizer.ggml.bos_token_id": 1,
    "tokenizer.ggml.eos_token_id": 2,
    "tokenizer.ggml.unknown_token_id": 0,
    "tokenizer.ggml.add_bos_token": name === "llama3",
    "tokenizer.chat_template": "{{ messages }}",
  };
}
for (
  const [name, pre] of [["smollm", "smollm"], ["gpt2", "gpt-2"], ["qwen2", "qwen2"], [
    "llama3",
    "llama-bpe",
  ]]
) {
  Deno.test(`tokenizerFromGguf() of ${pre} gives the ids of the tokenizer that it was made from`, () => {
    const tokenizer = tokenizerFromGguf(ggufMetadata(name, pre));
    const [{ texts, encoded, special, decoded, size }] = load(name);
    texts.forEach((text, i) => assert.deepEqual(tokenizer.encode(text), encoded[i], `of ${text}`));
    for (const [ids, all, plain] of decoded) {
      assert.equal(tokenizer.decode(ids), all);
      assert.equal(tokenizer.decode(ids, { skipSpecialTokens: true }), plain);
    }
    assert.deepEqual(tokenizer.encode("a b", { addSpecialTokens: true }), special);
    assert.equal(tokenizer.vocabularySize, size);
    assert.deepEqual([tokenizer.bosTokenId, tokenizer.eosTokenId], [1, 2]);
    const config = JSON.parse(tokenizer.files.get("tokenizer_config.json")!);
    assert.equal(config.chat_template, "{{ messages }}");
  });
}

Deno.test("tokenizerFromGguf() of deepseek-r1-qwen cuts as Qwen 2 and leaves accents apart", () => {
  const [{ tokenizer: json, texts }] = load("qwen2");
  const expected = tokenizerFromFiles(
    new Map([["tokenizer.json", JSON.stringify({ ...json, normalizer: null })]]),
  );
  const tokenizer = tokenizerFromGguf(ggufMetadata("qwen2", "deepseek-r1-qwen"));
  for (const text of texts) assert.deepEqual(tokenizer.encode(text), expected.encode(text), text);
});

Deno.test("tokenizerFromGguf() starts texts as llama.cpp does where the file doesn't say it", () => {
  const starts = (pre: string, fields: Record<string, unknown> = {}) => {
    const metadata = ggufMetadata("llama3", pre);
    delete metadata["tokenizer.ggml.add_bos_token"];
    for (const [name, value] of Object.entries(fields)) metadata[`tokenizer.ggml.${name}`] = value;
    return tokenizerFromGguf(metadata).encode("a", { addSpecialTokens: true })[0] === 1;
  };
  // llama-vocab.cpp: add_bos is true for Llama 3's pre-tokenizer and false for other byte-level BPE.
  for (const pre of ["llama-bpe", "llama3", "llama-v3"]) assert.equal(starts(pre), true);
  for (const pre of ["gpt-2", "smollm", "qwen2"]) assert.equal(starts(pre), false);
  assert.equal(starts("llama-bpe", { add_bos_token: false }), false);
  assert.equal(starts("gpt-2", { add_bos_token: true }), true);
  assert.equal(starts("gpt-2", { bos_token_id: undefined }), false);
  assert.equal(starts("llama-bpe", { add_eos_token: true }), true);
});

Deno.test("tokenizerFromGguf() refuses other kinds and broken lists, naming the file", () => {
  const wrong: [Record<string, unknown>, RegExp][] = [
    [{ model: "llama" }, /x\.gguf: expected byte-level BPE .*"llama"/],
    [{ pre: "tekken" }, /llama-bpe, gpt-2, smollm, qwen2.*"tekken"/],
    [{ pre: "constructor" }, /"constructor"/],
    [{ tokens: undefined }, /tokenizer\.ggml\.tokens of strings; found none/],
    [{ token_type: ["a"] }, /tokenizer\.ggml\.token_type of numbers/],
    [{ merges: 3 }, /tokenizer\.ggml\.merges/],
    [{ merges: ["a"] }, /merge \["a"\], which is not two tokens/],
    [{ token_type: [1, 1] }, /381 tokenizer\.ggml\.token_type, one a token; found 2/],
    [{ tokens: ["a", "b", "a"], token_type: [1, 1, 1] }, /every token once .*found "a"/],
    [{ add_bos_token: "yes" }, /add_bos_token to be true or false; found "yes"/],
    [{ add_bos_token: true, bos_token_id: undefined }, /bos_token_id, since texts of gpt-2 start/],
    [{ bos_token_id: 9999 }, /bos_token_id to be an id below 381; found 9999/],
    [{ eos_token_id: -1 }, /eos_token_id to be an id below 381; found -1/],
    [{ add_space_prefix: true }, /add_space_prefix to be false/],
  ];
  for (const [fields, message] of wrong) {
    const changed = Object.entries(fields).map((
      [name, value],
    ) => [`tokenizer.ggml.${name}`, value]);
    const metadata = { ...ggufMetadata("gpt2", "gpt-2"), ...Object.fromEntries(changed) };
    assert.throws(() => tokenizerFromGguf(metadata, { from: "x.gguf" }), message);
  }
});

/** A tokenizer of words with other parts than `words()` has. */
const changed = (json: Record<string, unknown>, config?: Record<string, unknown>) => {
  const files = words(json);
  if (config) files.set("tokenizer_config.json", JSON.stringify(config));
  return tokenizerFromFiles(files);
};
const special = { SpecialToken: { id: "</s>", type_id: 0 } };
const start = { SpecialToken: { id: "<s>", type_id: 0 } };
const text = { Sequence: { id: "A", type_id: 0 } };
const template = (...single: unknown[]) => ({
  type: "TemplateProcessing",
  single,
  pair: [],
  special_tokens: {
    "<s>": { id: "<s>", ids: [1], tokens: ["<s>"] },
    "</s>": { id: "</s>", ids: [2], tokens: ["</s>"] },
  },
});

Deno.test("encode() puts a text's start before it and never its end behind it", () => {
  const ids = (post_processor: unknown) =>
    changed({ post_processor }).encode("a v", { addSpecialTokens: true });
  assert.deepEqual(ids(template(start, text, special)), [1, 5, 10]);
  assert.deepEqual(ids(template(text, special)), [5, 10]);
  assert.deepEqual(ids(template(special, text)), [2, 5, 10]);
  const processors = [{ type: "ByteLevel" }, template(start, text), template(special, text)];
  assert.deepEqual(ids({ type: "Sequence", processors }), [2, 1, 5, 10]);
  assert.throws(() => ids(template(start)), /the template/);
  assert.throws(() => ids({ type: "BertProcessing" }), /post-processor "BertProcessing"/);
});

Deno.test("a row to train on ends an answer once, whatever the tokenizer puts behind texts", () => {
  const files = (post_processor: unknown) =>
    new Map([
      ["tokenizer.json", JSON.stringify({ ...load("llama2")[0].tokenizer, post_processor })],
      ["tokenizer_config.json", JSON.stringify({ bos_token: "<s>", eos_token: "</s>" })],
    ]);
  const messages: Message[] = [
    { role: "user", content: "q" },
    { role: "assistant", content: "a" },
    { role: "user", content: "r" },
    { role: "assistant", content: "b" },
  ];
  const row = (post_processor: unknown) =>
    encodeConversation(messages, {
      tokenizer: tokenizerFromFiles(files(post_processor)),
      format: paperFormat,
      maxTokens: 999,
    });
  const { ids, labels } = row(template(start, text, special));
  assert.deepEqual(ids, row(template(start, text)).ids);
  assert.deepEqual([ids[0], ids.at(-1)], [1, 2]);
  // One end an answer, and the loss falls on both.
  for (const list of [ids, labels]) assert.equal(list.filter((id) => id === 2).length, 2);
});

/** What cuts texts into words of a pattern. */
const regex = (Regex: string) => ({
  pre_tokenizer: { type: "Split", pattern: { Regex }, behavior: "Isolated", invert: false },
});

// Expected values are the Rust library's (tokenizers 0.22 and 0.23).
Deno.test("encode() folds the long s where a pattern's letters have any case", () => {
  const model = {
    type: "WordLevel",
    unk_token: "<unk>",
    vocab: { "<unk>": 0, "'\u017f": 1, "'S": 2, a: 3, "'\u017fa": 4 },
  };
  for (const words of [patterns.llama3, patterns.qwen2]) {
    const tokenizer = changed({ model, ...regex(words), added_tokens: [] });
    assert.deepEqual(tokenizer.encode("'\u017fa'Sa"), [1, 3, 2, 3]);
  }
});

Deno.test("encode() finds the tokens that tokenizer_config.json alone names, as transformers does", () => {
  const model = { type: "WordLevel", unk_token: "<unk>", vocab: { "<unk>": 0, a: 1, "<e>": 2 } };
  const json = { model, added_tokens: [], ...regex(patterns.gpt2) };
  const ids = (config: Record<string, unknown>) => changed(json, config).encode("a<e>a");
  assert.deepEqual(ids({}), [1, 0, 0, 0, 1]);
  for (const name of ["eos_token", "pad_token"]) {
    assert.deepEqual(ids({ [name]: "<e>" }), [1, 2, 1]);
  }
  assert.deepEqual(ids({ additional_special_tokens: ["<e>"] }), [1, 2, 1]);
  assert.deepEqual(ids({ extra_special_tokens: { image: "<e>" } }), [1, 2, 1]);
  const flags = { content: "<e>", special: true };
  assert.deepEqual(ids({ added_tokens_decoder: { "2": flags } }), [1, 2, 1]);
  // One that the vocabulary lacks comes after it: no row of the model's embedding stands for it.
  const tokenizer = changed(json, { eos_token: "</s>" });
  assert.deepEqual([tokenizer.eosTokenId, tokenizer.ordinarySize], [3, 3]);
  assert.throws(
    () => ids({ added_tokens_decoder: { "1": flags } }),
    /id 1 of the added token "<e>"/,
  );
});

Deno.test("encode() leaves out truncation and padding that the file was saved with", () => {
  const truncation = { direction: "Right", max_length: 1, strategy: "LongestFirst", stride: 0 };
  const padding = { strategy: { Fixed: 9 }, direction: "Right", pad_id: 0, pad_token: "<unk>" };
  assert.deepEqual(changed({ truncation, padding }).encode("a v a"), [5, 10, 5]);
});

Deno.test("tokenizerFromFiles() refuses by name what is not read here and what can't be right", () => {
  const token = { id: 14, content: "<x>", special: true };
  const bpe = { type: "BPE", vocab: { a: 0, b: 1 }, merges: [] };
  const parts: [string, Record<string, unknown>][] = [
    ["normalizer", { type: "BertNormalizer" }],
    ["normalizer", { type: "Precompiled" }],
    ["normalizer", { type: "Replace", pattern: { String: "a" }, content: "aa" }],
    ["normalizer", { type: "Replace", pattern: { Regex: " " }, content: "▁" }],
    ["normalizer", { type: "Prepend", prepend: "_" }],
    ["normalizer", { type: "NFC", more: true }],
    ["pre_tokenizer", { type: "UnicodeScripts" }],
    ["pre_tokenizer", { type: "ByteLevel", add_prefix_space: true, use_regex: false }],
    ["pre_tokenizer", { type: "ByteLevel", use_regex: "no" }],
    ["pre_tokenizer", {
      type: "Metaspace",
      replacement: "_",
      prepend_scheme: "first",
      split: true,
    }],
    ["pre_tokenizer", { type: "Metaspace", add_prefix_space: false, prepend_scheme: "first" }],
    ["pre_tokenizer", { ...regex(patterns.gpt2).pre_tokenizer, behavior: "MergedWithNext" }],
    ["pre_tokenizer", { ...regex(patterns.gpt2).pre_tokenizer, behavior: "MergedWithPrevious" }],
    ["pre_tokenizer", { ...regex(patterns.gpt2).pre_tokenizer, behavior: "Removed" }],
    ["pre_tokenizer", { ...regex(patterns.gpt2).pre_tokenizer, invert: true }],
    ["pre_tokenizer", { ...regex("").pre_tokenizer, pattern: { String: "l" } }],
    ["decoder", { type: "WordPiece" }],
    ["decoder", { type: "ByteLevel", more: true }],
    ["decoder", { type: "Metaspace", replacement: "▁", prepend_scheme: "first", split: true }],
    ["decoder", { type: "Replace", pattern: { String: "▁" }, content: " $&" }],
    ["decoder", { type: "Strip", content: " ", start: 1, stop: 1 }],
    // What repeats could take years, and what JavaScript reads otherwise or not at all.
    ...[
      "(a+)+",
      "(a|aa)*",
      "(?i)a",
      "(?m:.)",
      "a++",
      "(?>a)",
      ".",
      "^a",
      "\\w",
      "[a&&b]",
    ]
      .map((source): [string, Record<string, unknown>] => [
        "pre_tokenizer",
        regex(source).pre_tokenizer,
      ]),
  ];
  for (const [kind, part] of parts) {
    const shown = RegExp.escape(JSON.stringify(part).slice(0, 70));
    const message = new RegExp(`the ${kind.replace("_", "-")} ${shown}.*, which is not read here`);
    assert.throws(() => changed({ [kind]: part }), message);
    const list = `${kind.replace("_", "")}s`;
    assert.throws(() => changed({ [kind]: { type: "Sequence", [list]: [part] } }), message);
  }
  const wrong: [Record<string, unknown>, RegExp][] = [
    [regex("(?:a"), /Invalid regular expression/],
    [{ model: { type: "Unigram", vocab: [["a", 0]] } }, /model "Unigram"/],
    [{ model: { type: "WordPiece", vocab: { a: 0 } } }, /model "WordPiece"/],
    [{ model: { ...bpe, end_of_word_suffix: "</w>" } }, /BPE with end_of_word_suffix "<\/w>"/],
    [{ model: { ...bpe, unk_token: "x" } }, /unk_token "x"/],
    [{ added_tokens: [{ ...token, single_word: true }] }, /the added token .*single_word/],
    [{ model: { ...bpe, dropout: .1 } }, /BPE with dropout 0\.1/],
    [{ model: { ...bpe, continuing_subword_prefix: "##" } }, /continuing_subword_prefix "##"/],
    [{ model: { ...bpe, merges: ["a b"] } }, /merge "a b"/],
    [{ model: { ...bpe, vocab: { a: 0, b: 0 } } }, /id 0 of token "b", which is none or another's/],
    [{ model: { ...bpe, vocab: { a: -5 } } }, /id -5 of token "a"/],
    [{ model: { ...bpe, vocab: { a: .5 } } }, /id 0\.5 of token "a"/],
    [{ added_tokens: [{ ...token, id: -5 }] }, /id -5 of the added token "<x>"/],
    [{ added_tokens: [{ ...token, id: 4 }] }, /id 4 of the added token .*gives 14/],
    [{ added_tokens: [{ ...token, id: 20 }] }, /id 20 of the added token .*gives 14/],
    [{ added_tokens: [token, { ...token, id: 15 }] }, /the added token "<x>" twice/],
    [
      { added_tokens: [{ ...token, content: "a", id: 14 }] },
      /id 14 of the added token "a".*gives 5/,
    ],
    [
      {
        pre_tokenizer: {
          type: "Sequence",
          pretokenizers: [{ type: "WhitespaceSplit" }, { type: "Metaspace" }],
        },
      },
      /pre-tokenizer \{"type":"Metaspace"\} beside others/,
    ],
    [
      {
        decoder: { type: "Sequence", decoders: [{ type: "ByteLevel" }, { type: "Fuse" }] },
      },
      /decoder \{"type":"ByteLevel"\} beside others/,
    ],
    [
      { normalizer: { type: "Prepend", prepend: "▁" } },
      /normalizer Prepend before a pre-tokenizer/,
    ],
  ];
  for (const [json, message] of wrong) assert.throws(() => changed(json), message);
  const gpt2 = { tokenizer_class: "GPT2TokenizerFast", add_prefix_space: true };
  const bytes = { pre_tokenizer: { type: "ByteLevel", add_prefix_space: false } };
  assert.throws(() => changed(bytes, gpt2), /add_prefix_space true in tokenizer_config\.json/);
  assert.ok(changed(bytes, { ...gpt2, add_prefix_space: false }));
});
