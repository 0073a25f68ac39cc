import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { formatSafetensors, readTensors } from "../../lib/model/checkpoint.ts";
import { openSource } from "../../lib/model/source.ts";

const fixtures = fileURLToPath(new URL("../numerics/fixtures/", import.meta.url));
const llama = join(fixtures, "models", "llama");

/** A folder that is gone after the test, with a model of two tensors unless told otherwise. */
async function withFolder(
  files: Record<string, string | Uint8Array>,
  body: (folder: string) => Promise<void>,
) {
  const folder = await Deno.makeTempDir();
  try {
    for (const [name, content] of Object.entries(files)) {
      if (typeof content === "string") await Deno.writeTextFile(join(folder, name), content);
      else await Deno.writeFile(join(folder, name), content);
    }
    await body(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
const config = Deno.readTextFileSync(join(llama, "config.json"));
const weights = (value: number) =>
  formatSafetensors([["w", { shape: [2], data: new Float32Array([value, 2]) }]]);

Deno.test("openSource() of a folder gives configuration, tensors and the weights' SHA-256", async () => {
  using source = await openSource(llama);
  assert.equal(source.configuration.family, "llama");
  const wanted = readTensors(Deno.readFileSync(join(llama, "model.safetensors")));
  assert.deepEqual(source.tensorNames.toSorted(), [...wanted.keys()].toSorted());
  for (const name of source.tensorNames) {
    const { shape, data } = wanted.get(name)!;
    assert.deepEqual(await source.read(name), { shape, data });
  }
  assert.equal(source.tokenizer, undefined);
  const bytes = await Deno.readFile(join(llama, "model.safetensors"));
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
  assert.deepEqual(source.description, { source: llama, kind: "folder", digest });
  await assert.rejects(source.read("nothing"), /tensor nothing of .*llama/);
});

Deno.test("openSource() reads a model in several files as the same model in one", async () => {
  using one = await openSource(llama);
  using several = await openSource(join(llama, "sharded"));
  assert.deepEqual(several.tensorNames.toSorted(), one.tensorNames.toSorted());
  for (const name of one.tensorNames) {
    assert.deepEqual(await several.read(name), await one.read(name));
  }
  assert.match(several.description.digest, /^[0-9a-f]{64}$/);
  assert.notEqual(several.description.digest, one.description.digest);
});

Deno.test("openSource() takes the folder's tokenizer, another one, or none", async () => {
  const fixture = (name: string) => {
    const path = join(fixtures, "tokenizers", `${name}.json`);
    return JSON.stringify(JSON.parse(Deno.readTextFileSync(path)).tokenizer);
  };
  await withFolder(
    {
      "config.json": JSON.stringify({ ...JSON.parse(config), vocab_size: 400 }),
      "model.safetensors": weights(1),
      "tokenizer.json": fixture("words"),
      "generation_config.json": `{"eos_token_id":[2,96]}`,
    },
    async (folder) => {
      using own = await openSource(folder);
      assert.equal(own.tokenizer?.vocabularySize, 14);
      assert.deepEqual(own.configuration.eosTokenIds, [2, 96]);
      using none = await openSource(folder, { tokenizer: false });
      assert.equal(none.tokenizer, undefined);
      await withFolder({ "tokenizer.json": fixture("gpt2") }, async (other) => {
        using source = await openSource(folder, { tokenizer: other });
        assert.equal(source.tokenizer?.vocabularySize, 381);
      });
      await assert.rejects(
        openSource(folder, { tokenizer: join(fixtures, "models") }),
        /tokenizer .*models: expected a folder with tokenizer\.json/,
      );
    },
  );
});

Deno.test("openSource() refuses a tokenizer with more ids than the embedding has rows", async () => {
  const path = join(fixtures, "tokenizers", "gpt2.json");
  const { tokenizer } = JSON.parse(Deno.readTextFileSync(path));
  const added = tokenizer.added_tokens.map(({ id }: { id: number }) => id);
  const ordinary = Math.max(...Object.values<number>(tokenizer.model.vocab)) + 1;
  const files = (vocab_size: number) => ({
    "config.json": JSON.stringify({ ...JSON.parse(config), vocab_size }),
    "model.safetensors": weights(1),
    "tokenizer.json": JSON.stringify(tokenizer),
  });
  await withFolder(files(ordinary - 1), async (folder) => {
    await assert.rejects(
      openSource(folder),
      new RegExp(`expected ids below ${ordinary - 1}.*found ids up to ${ordinary - 1}; give`),
    );
    using none = await openSource(folder, { tokenizer: false });
    assert.equal(none.tokenizer, undefined);
  });
  // A token added behind the vocabulary, as many published tokenizers have one.
  assert.ok(Math.max(...added) >= ordinary);
  await withFolder(files(ordinary), async (folder) => {
    using source = await openSource(folder);
    assert.equal(source.tokenizer?.ordinarySize, ordinary);
  });
});

Deno.test("openSource() changes the digest with one number of the weights", async () => {
  const digests: string[] = [];
  for (const value of [1, 1, 1.5]) {
    await withFolder(
      { "config.json": config, "model.safetensors": weights(value) },
      async (folder) => {
        using source = await openSource(folder);
        digests.push(source.description.digest);
      },
    );
  }
  assert.equal(digests[0], digests[1]);
  assert.notEqual(digests[1], digests[2]);
});

const index = (map: Record<string, string>) => JSON.stringify({ weight_map: map });
const wrong: [string, Record<string, string | Uint8Array>, RegExp][] = [
  ["an empty folder", {}, /expected model\.safetensors.*found an empty folder/],
  ["no config.json", { "model.safetensors": weights(1) }, /config\.json: expected a file/],
  [
    "weights of PyTorch's own kind",
    { "config.json": config, "pytorch_model.bin": "" },
    /found config\.json, pytorch_model\.bin; .*save_pretrained/,
  ],
  ["an adapter", { "adapter_model.safetensors": weights(1) }, /load its model, then loadLora/],
  ["a GGUF file in it", { "x.gguf": "" }, /give the path of the \.gguf file/],
  [
    "an index without its files",
    { "config.json": config, "model.safetensors.index.json": index({ w: "a.safetensors" }) },
    /a\.safetensors: expected a file/,
  ],
  [
    "an index that names other tensors",
    {
      "config.json": config,
      "a.safetensors": weights(1),
      "model.safetensors.index.json": index({ w: "a.safetensors", v: "a.safetensors" }),
    },
    /tensor v in a\.safetensors/,
  ],
  [
    "weights cut off",
    { "config.json": config, "model.safetensors": weights(1).slice(0, -1) },
    /model\.safetensors: expected .* bytes/,
  ],
  ["a broken tokenizer", {
    "config.json": config,
    "model.safetensors": weights(1),
    "tokenizer.json": "{",
  }, /tokenizer\.json of .*expected JSON/],
];
for (const [what, files, message] of wrong) {
  Deno.test(`openSource() refuses a folder with ${what}, naming it`, async () => {
    await withFolder(files, async (folder) => {
      await assert.rejects(openSource(folder), (error: Error) => {
        assert.match(error.message, message);
        assert.ok(error.message.includes(folder), error.message);
        return true;
      });
    });
  });
}

Deno.test("openSource() says what it knows when there is no such model", async () => {
  await assert.rejects(
    openSource("./no-such-folder"),
    /model \.\/no-such-folder: expected a folder, a \.gguf file/,
  );
  for (const name of ["nothing", "", "../..", "a/b", "."]) {
    await assert.rejects(openSource(`organism:${name}`), /expected an organism/);
  }
});
