/** A real model in a GGUF file against transformers' own loader and the Rust library's tokenizer. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { defaultCacheDirectory, openSource, smollm2File } from "../../lib/model/source.ts";

const path = smollm2File(defaultCacheDirectory);
const isThere = await Deno.stat(path).then(({ isFile }) => isFile, () => false);
if (!isThere) {
  console.log(`SmolLM2 is not tested: ${path} is not there; open the model smollm2 once`);
}
const { digest, texts, encoded } = JSON.parse(
  Deno.readTextFileSync(new URL("fixtures/smollm2.json", import.meta.url)),
);

Deno.test({
  name: "openSource() reads every number of SmolLM2 as transformers' GGUF loader does",
  ignore: !isThere,
  fn: async () => {
    using source = await openSource(path);
    assert.equal(source.tensorNames.length, 272);
    const hash = createHash("sha256");
    for (const name of source.tensorNames.toSorted()) {
      const { data } = await source.read(name);
      hash.update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    }
    assert.equal(hash.digest("hex"), digest);
  },
});

Deno.test({
  name: "encode() of SmolLM2's tokenizer gives the Rust library's ids for hard texts",
  ignore: !isThere,
  fn: async () => {
    using source = await openSource(path);
    const tokenizer = source.tokenizer!;
    texts.forEach((text: string, i: number) => {
      assert.deepEqual(tokenizer.encode(text), encoded[i], `of ${text}`);
    });
    assert.equal(tokenizer.vocabularySize, source.configuration.vocabularySize);
    assert.equal(tokenizer.decode([tokenizer.eosTokenId!]), "<|im_end|>");
  },
});
