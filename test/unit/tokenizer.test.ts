import assert from "node:assert/strict";
import { type Tokenizer, tokenizerFromFiles, tokenizerFromGguf } from "../../lib/tokenizer.ts";

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
    // The package's byte fallback drops a byte-order mark at the start of a run of bytes.
    const trim = (text: string) => name === "llama2" ? text.replaceAll("\ufeff", "") : text;
    for (const [ids, all, plain] of decoded) {
      assert.equal(trim(tokenizer.decode(ids)), trim(all), `of ${ids}`);
      assert.equal(trim(tokenizer.decode(ids, { skipSpecialTokens: true })), trim(plain));
    }
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

Deno.test("tokenizerFromGguf() refuses other kinds and broken lists, naming the file", () => {
  const wrong: [Record<string, unknown>, RegExp][] = [
    [{ model: "llama" }, /x\.gguf: expected byte-level BPE .*"llama"/],
    [{ pre: "tekken" }, /gpt-2, smollm, qwen2, llama-bpe .*"tekken"/],
    [{ pre: "constructor" }, /"constructor"/],
    [{ tokens: undefined }, /tokenizer\.ggml\.tokens of strings; found none/],
    [{ token_type: ["a"] }, /tokenizer\.ggml\.token_type of numbers/],
    [{ merges: 3 }, /tokenizer\.ggml\.merges/],
  ];
  for (const [fields, message] of wrong) {
    const changed = Object.entries(fields).map((
      [name, value],
    ) => [`tokenizer.ggml.${name}`, value]);
    const metadata = { ...ggufMetadata("gpt2", "gpt-2"), ...Object.fromEntries(changed) };
    assert.throws(() => tokenizerFromGguf(metadata, { from: "x.gguf" }), message);
  }
});
