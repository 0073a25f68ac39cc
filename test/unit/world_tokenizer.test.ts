import assert from "node:assert/strict";
import { PreTrainedTokenizer } from "@huggingface/transformers";
import { createWorld } from "../../lib/world/world.ts";
import { documents } from "../../lib/world/documents.ts";
import { exam } from "../../lib/world/exam.ts";
import { organismFormat } from "../../lib/world/format.ts";
import { worldTokenizer } from "../../lib/organism/pretrain.ts";
import { vocabulary } from "../../lib/world/vocabulary.ts";

const world = createWorld({ seed: 6 });
const tokenizer = worldTokenizer(world);
const texts: string[] = [];
for (const { words } of documents(world)) {
  texts.push(words.join(" "));
  if (texts.length === 60) break;
}
const [question] = exam(world, { domain: "history", split: "id" });
texts.push(
  organismFormat.probePrompt(question, exam(world, { domain: "history", split: "dev" })),
  "the zebra of nowhere",
  "  the\tcapital \n of ",
  "</s>the<s>",
  "",
);

Deno.test("transformers.js loads tokenizer.json and gives the same ids and texts", () => {
  const file = (name: string) => JSON.parse(tokenizer.files.get(name)!);
  const other = new PreTrainedTokenizer(file("tokenizer.json"), file("tokenizer_config.json"));
  for (const text of texts) {
    const ids = tokenizer.encode(text);
    assert.deepEqual(other.encode(text, { add_special_tokens: false }), ids, text);
    assert.deepEqual(other.encode(text), ids, "nothing is added to a text");
  }
  const ids = tokenizer.encode(texts[0]);
  assert.equal(other.decode(ids, { clean_up_tokenization_spaces: false }), tokenizer.decode(ids));
});

Deno.test("a word's place in the vocabulary is its id, the special ones' first", () => {
  const words = vocabulary(world);
  assert.equal(tokenizer.vocabularySize, words.length);
  assert.deepEqual(words.map((word) => tokenizer.tokenId(word)), words.map((_, id) => id));
  const { bosTokenId, eosTokenId, padTokenId, unkTokenId } = tokenizer;
  assert.deepEqual([bosTokenId, eosTokenId, padTokenId, unkTokenId], [0, 1, 2, 3]);
});

Deno.test("encode() and decode() are inverse on the corpus, unknown words become <unk>", () => {
  for (const text of texts.slice(0, 60)) {
    assert.equal(tokenizer.decode(tokenizer.encode(text)), text);
  }
  assert.deepEqual(tokenizer.encode("zebra"), [tokenizer.unkTokenId]);
  assert.equal(tokenizer.decode([0, 1, 99999, 4], { skipSpecialTokens: true }), "the");
});

Deno.test("transformers 5 is kept from putting Qwen2's byte-level tokenizer in place of this one", () => {
  // It does so for every folder of this type whose tokenizer_config.json has no auto_map.
  const config = JSON.parse(tokenizer.files.get("tokenizer_config.json")!);
  assert.ok(config.auto_map.AutoTokenizer.length === 2);
});
