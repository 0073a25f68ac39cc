import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parameterShapes } from "../../lib/model/architecture.ts";
import { type Tensor } from "../../lib/model/files/checkpoint.ts";

import { parseConfiguration } from "../../lib/model/configuration.ts";
import { type ModelSource, openSource } from "../../lib/model/files/source.ts";
import { sha256OfFile } from "../../lib/platform/runtime/digest.ts";
import { formatSafetensors, readTensors } from "./_safetensors.ts";

const fixtures = fileURLToPath(new URL("../numerics/fixtures/", import.meta.url));
const llama = join(fixtures, "models", "llama");

const namesOf = ({ configuration }: ModelSource) =>
  parameterShapes(configuration).map(([name]) => name);

/** A folder of these files that is gone after the test. */
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
/** A llama of one layer and two numbers a token. */
const fields = {
  model_type: "llama",
  vocab_size: 2,
  hidden_size: 2,
  intermediate_size: 2,
  num_hidden_layers: 1,
  num_attention_heads: 1,
};
const config = JSON.stringify(fields);
type Named = [string, Tensor][];
/** Its tensors, each of one number all through, counted up from `first`. */
const tensorsOf = (first: number, more = {}): Named =>
  parameterShapes(parseConfiguration({ ...fields, ...more })).map(([name, shape], i) => [
    name,
    { shape, data: new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(first + i) },
  ]);
const weights = (first: number, more = {}) => formatSafetensors(tensorsOf(first, more));
const folderOf = (tensors: Named, more = {}) => ({
  "config.json": JSON.stringify({ ...fields, ...more }),
  "model.safetensors": formatSafetensors(tensors),
});
/** A file of the right names and shapes in a type of one byte. */
function bytesOf(dtype: string): Uint8Array {
  let end = 0;
  const entries = tensorsOf(1).map(([name, { shape, data }]) => [
    name,
    { dtype, shape, data_offsets: [end, end += data.length] },
  ]);
  const text = JSON.stringify(Object.fromEntries(entries));
  const bytes = new Uint8Array(8 + text.length + end);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(text.length), true);
  bytes.set(new TextEncoder().encode(text), 8);
  return bytes;
}

Deno.test("openSource() of a folder gives configuration, tensors and the weights' SHA-256", async () => {
  using source = await openSource(llama);
  assert.equal(source.configuration.family, "llama");
  const wanted = readTensors(Deno.readFileSync(join(llama, "model.safetensors")));
  assert.deepEqual(namesOf(source).toSorted(), [...wanted.keys()].toSorted());
  for (const name of namesOf(source)) {
    const { shape, data } = wanted.get(name)!;
    assert.deepEqual(await source.read(name), { shape, data });
  }
  assert.equal(source.tokenizer, undefined);
  const bytes = await Deno.readFile(join(llama, "model.safetensors"));
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
  assert.deepEqual(source.description, { source: llama, kind: "folder", digest });
});

Deno.test("openSource() reads a model in several files as the same model in one", async () => {
  using one = await openSource(llama);
  using several = await openSource(join(llama, "sharded"));
  assert.deepEqual(namesOf(several).toSorted(), namesOf(one).toSorted());
  for (const name of namesOf(one)) {
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
      "config.json": JSON.stringify({ ...fields, vocab_size: 400 }),
      "model.safetensors": weights(1, { vocab_size: 400 }),
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
    "config.json": JSON.stringify({ ...fields, vocab_size }),
    "model.safetensors": weights(1, { vocab_size }),
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
    /expected a file a\.safetensors, as model\.safetensors\.index\.json says/,
  ],
  [
    "an index that names other tensors",
    {
      "config.json": config,
      "a.safetensors": weights(1),
      "model.safetensors.index.json": index({ v: "a.safetensors" }),
    },
    /tensor "v" in a\.safetensors/,
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
  [
    "a tensor in two files",
    {
      "config.json": config,
      "a.safetensors": weights(1),
      "b.safetensors": formatSafetensors(tensorsOf(1).slice(0, 1)),
      "model.safetensors.index.json": index({
        "model.norm.weight": "a.safetensors",
        "model.embed_tokens.weight": "b.safetensors",
      }),
    },
    /every tensor once; found "model\.embed_tokens\.weight" in a\.safetensors and b\./,
  ],
  [
    "an index that names a tensor twice",
    { "config.json": config, "model.safetensors.index.json": `{"weight_map":{"w":"a","w":"b"}}` },
    /"w"/,
  ],
  [
    "more layers than config.json says",
    folderOf(tensorsOf(1, { num_hidden_layers: 3 })),
    /a llama of 1 layers alone; found "model\.layers\.1\.\S+", .* and 15 more as well/,
  ],
  [
    "fewer layers than config.json says",
    folderOf(tensorsOf(1), { num_hidden_layers: 2 }),
    /model\.layers\.1\.input_layernorm\.weight of shape \[2\]; found none; /,
  ],
  ...["lm_head.bias", "score.weight", "model.layers.0.self_attn.q_proj.bias", "v_head.weight"].map((
    name,
  ): [string, Record<string, string | Uint8Array>, RegExp] => [
    `the unused tensor ${name}`,
    folderOf([...tensorsOf(1), [name, { shape: [2], data: new Float32Array(2) }]]),
    new RegExp(`layers alone; found "${name}" as well`),
  ]),
  [
    "other names",
    folderOf(
      tensorsOf(1).map(([name, tensor]) => [name.replace("model.", "transformer."), tensor]),
    ),
    /model\.embed_tokens\.weight of shape \[2,2\]; found none, but .*"transformer\./,
  ],
  [
    "the names that torch.compile gives",
    folderOf(tensorsOf(1).map(([name, tensor]) => [`_orig_mod.${name}`, tensor])),
    /found none, but .*"_orig_mod\.model\..*; take both as transformers' save_pretrained writes/,
  ],
  [
    "a head in its embedding's place",
    folderOf(tensorsOf(1).slice(1), { tie_word_embeddings: true }),
    /model\.embed_tokens\.weight of shape \[2,2\]; found none; /,
  ],
  [
    "no head of its own",
    folderOf(tensorsOf(1, { tie_word_embeddings: true })),
    /lm_head\.weight of shape \[2,2\]; found none/,
  ],
  [
    "a tensor of another shape",
    folderOf(tensorsOf(1, { vocab_size: 3 })),
    /model\.embed_tokens\.weight of shape \[2,2\]; found \[3,2\]/,
  ],
  ...["F8_E4M3", "I8", "U8"].map((
    dtype,
  ): [string, Record<string, string | Uint8Array>, RegExp] => [
    `numbers in ${dtype}`,
    { "config.json": config, "model.safetensors": bytesOf(dtype) },
    new RegExp(`model\\.embed_tokens\\.weight in F32, F16, BF16, F64; found ${dtype}`),
  ]),
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

Deno.test("weights are hashed once a process, and again where they were rewritten in place", async () => {
  const { open } = Deno, digests = new Set<string>();
  using first = await openSource(llama, { tokenizer: false });
  digests.add(first.description.digest);
  let opened = 0;
  try {
    Deno.open = (...given) => {
      opened++;
      return open(...given);
    };
    using again = await openSource(llama, { tokenizer: false });
    digests.add(again.description.digest);
  } finally {
    Deno.open = open;
  }
  assert.equal(digests.size, 1);
  assert.equal(opened, 1); // for its tensors
  await withFolder({}, async (folder) => {
    const path = join(folder, "weights"), old = new Date(2020, 1, 1);
    const digests = new Set<string>();
    for (const text of ["tuned once", "tuned more", "tuned best"]) {
      await Deno.writeTextFile(path, text);
      await Deno.utime(path, old, old); // as a copy that keeps times
      digests.add(await sha256OfFile(path));
    }
    assert.equal(digests.size, 3);
  });
});

Deno.test("openSource() passes over the rotary tables that older files have", async () => {
  const wanted = tensorsOf(1, { tie_word_embeddings: true });
  const table = { shape: [1], data: new Float32Array([1]) };
  const all: Named = [...wanted, ["model.layers.0.self_attn.rotary_emb.inv_freq", table]];
  await withFolder(folderOf(all, { tie_word_embeddings: true }), async (folder) => {
    using source = await openSource(folder);
    const names = wanted.map(([name]) => name);
    assert.deepEqual(namesOf(source).toSorted(), names.toSorted());
    for (const [name, tensor] of wanted) assert.deepEqual(await source.read(name), tensor);
  });
});

Deno.test("openSource() takes a head beside a tied embedding as transformers 5 does", async () => {
  const tied = { tie_word_embeddings: true };
  const [embedding, ...others] = tensorsOf(1, tied);
  const head = (tensor: Tensor): Named[number] => ["lm_head.weight", tensor];
  const open = async (tensors: Named) => {
    let read: [boolean, string[], number] | undefined;
    await withFolder(folderOf(tensors, tied), async (folder) => {
      using source = await openSource(folder);
      const { data: [first] } = await source.read("model.embed_tokens.weight");
      read = [source.configuration.tieWordEmbeddings, namesOf(source), first];
    });
    return read!;
  };
  const other = { shape: [2, 2], data: new Float32Array([1, 1, 1, 5]) };
  const [isTied, names] = await open([embedding, ...others, head(other)]);
  assert.deepEqual([isTied, names.includes("lm_head.weight")], [false, true]);
  const [staysTied, fewer] = await open([embedding, ...others, head(embedding[1])]);
  assert.deepEqual([staysTied, fewer.includes("lm_head.weight")], [true, false]);
});

Deno.test("openSource() refuses a tensor of 64 GB where a few numbers are due, without reading it", async () => {
  const shape = [2 ** 33, 2], size = 2 ** 36;
  const entry = { dtype: "F32", shape, data_offsets: [0, size] };
  const header = JSON.stringify({ "model.embed_tokens.weight": entry, "lm_head.weight": {} });
  const text = header.replace("{}", JSON.stringify({ ...entry, data_offsets: [size, 2 * size] }));
  const bytes = new Uint8Array([...new Uint8Array(8), ...new TextEncoder().encode(text)]);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(text.length), true);
  const files = {
    "config.json": JSON.stringify({ ...fields, tie_word_embeddings: true }),
    "model.safetensors": bytes,
  };
  await withFolder(files, async (folder) => {
    // A hole: it takes no room on the disk.
    await Deno.truncate(join(folder, "model.safetensors"), bytes.length + 2 * size);
    await assert.rejects(openSource(folder), /shape \[2,2\]; found \[8589934592,2\]/);
  });
});

Deno.test({
  name: "openSource() refuses devices and pipes in a file's place, and waits for none",
  ignore: Deno.build.os === "windows",
  async fn() {
    for (const name of ["config.json", "model.safetensors", "generation_config.json"]) {
      await withFolder(folderOf(tensorsOf(1)), async (folder) => {
        const path = join(folder, name);
        await Deno.remove(path).catch(() => {});
        await Deno.symlink("/dev/zero", path);
        await assert.rejects(openSource(folder), new RegExp(`${name}: .*found a device or a pipe`));
        await Deno.remove(path);
        await new Deno.Command("mkfifo", { args: [path] }).output();
        await assert.rejects(openSource(folder), new RegExp(`${name}: .*found a device or a pipe`));
      });
    }
  },
});

Deno.test("openSource() says what it knows when there is no such model", async () => {
  await assert.rejects(
    openSource("./no-such-folder"),
    /model \.\/no-such-folder: expected a folder, a GGUF file/,
  );
  for (const name of ["nothing", "", "../..", "a/b", "."]) {
    await assert.rejects(
      openSource(`organism:${name}`),
      /organism:NAME \(.*found none of that name/,
    );
  }
});
