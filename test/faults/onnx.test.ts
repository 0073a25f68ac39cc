/** ONNX graphs that are missing, broken, without a tokenizer or named wrongly. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { probe } from "../../lib/probe.ts";
import { openModel } from "../../lib/model/files/load.ts";

const fixtures = fileURLToPath(new URL("../numerics/fixtures/onnx/", import.meta.url));
const llama = ["onnx/model.onnx", "onnx/model.onnx_data", "onnx/model_q4.onnx"];
const texts = ["config.json", "tokenizer.json", "tokenizer_config.json"];

/** Some of a model's files, changed, in a folder of their own. */
async function withFolder(
  files: string[],
  body: (folder: string) => Promise<void>,
  changes: Record<string, (bytes: Uint8Array<ArrayBuffer>) => Uint8Array> = {},
) {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.mkdir(join(folder, "onnx"));
    for (const name of files) {
      const bytes = await Deno.readFile(join(fixtures, "llama", name));
      await Deno.writeFile(join(folder, name), (changes[name] ?? ((same) => same))(bytes));
    }
    await body(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const refused = (source: string, reason: RegExp) => assert.rejects(openModel(source), reason);

Deno.test("openModel() refuses unknown kinds of numbers, and lists those there are", async () => {
  for (const dtype of ["q9", "", "Q4"]) {
    await refused(
      `onnx:owner/name@${dtype}`,
      /Cannot open model onnx:owner\/name@.*one of fp32, fp16, q8.*after @; found ".*"; give e\.g\. onnx:owner\/name@q4/,
    );
  }
  await refused("onnx:", /expected a folder or a hub id after onnx:; found none/);
  await refused("onnx:@q4", /expected a folder or a hub id after onnx:; found none/);
  await refused("onnx:../no/such/place", /onnx\/model\.onnx, or a hub id owner\/name; found none/);
});

Deno.test("openModel() says which graphs a folder has instead", async () => {
  await withFolder([...texts, ...llama], async (folder) => {
    await refused(
      `onnx:${folder}@q8`,
      /expected onnx\/model_quantized\.onnx \(q8\) in .*; found model\.onnx, model_q4\.onnx; give onnx:\S+@fp32 or onnx:\S+@q4/,
    );
  });
  await withFolder(texts, async (folder) => {
    await refused(`onnx:${folder}`, /found no graph; export it by optimum-cli export onnx, or/);
  });
});

Deno.test("openModel() takes a graph that lies beside config.json, as optimum exports it", async () => {
  await withFolder([...texts, "onnx/model_q4.onnx"], async (folder) => {
    await Deno.rename(join(folder, "onnx/model_q4.onnx"), join(folder, "model_q4.onnx"));
    const model = await openModel(`onnx:${folder}@q4`);
    assert.equal((await model.nextTokenLogits([[3, 4]]))[0].length, 97);
    model.dispose();
  });
});

for (
  const [what, name, change] of [
    ["cut off", "onnx/model_q4.onnx", (bytes) => bytes.slice(0, bytes.length / 2)],
    ["empty", "onnx/model_q4.onnx", () => new Uint8Array()],
    ["no graph", "onnx/model_q4.onnx", () => new TextEncoder().encode("<html>")],
    ["cut off beside the graph", "onnx/model.onnx_data", (bytes) => bytes.slice(0, 1000)],
  ] as [string, string, (bytes: Uint8Array<ArrayBuffer>) => Uint8Array][]
) {
  Deno.test(`openModel() refuses a file that is ${what}`, async () => {
    await withFolder([...texts, ...llama], async (folder) => {
      await refused(
        `onnx:${folder}${name.includes("q4") ? "@q4" : ""}`,
        /Cannot open model onnx:.*expected a graph that onnxruntime can load in .*\.onnx; found its error: .+; take the file again/,
      );
    }, { [name]: change });
  });
}

Deno.test("openModel() refuses a graph whose weights beside it are missing", async () => {
  await withFolder([...texts, "onnx/model.onnx"], async (folder) => {
    await refused(
      `onnx:${folder}`,
      /found its error: .*model\.onnx_data.*with the _data files beside it/,
    );
  });
});

Deno.test("openModel() refuses configurations that say nothing of the vocabulary", async () => {
  const write = (text: string) => () => new TextEncoder().encode(text);
  for (
    const [text, reason] of [
      ["{", /Cannot read .*config\.json: expected JSON/],
      ["[]", /expected a JSON object/],
      [
        `{"model_type":"llama","vocab_size":-3}`,
        /a positive integer up to \d+ in vocab_size; found -3/,
      ],
      [
        `{"model_type":"llama","vocab_size":97,"max_position_embeddings":"x"}`,
        /in max_position_embeddings; found "x"/,
      ],
    ] as [string, RegExp][]
  ) {
    await withFolder(
      [...texts, "onnx/model_q4.onnx"],
      (folder) => refused(`onnx:${folder}@q4`, reason),
      { "config.json": write(text) },
    );
  }
  await withFolder(["onnx/model_q4.onnx"], async (folder) => {
    await refused(`onnx:${folder}@q4`, /config\.json/);
  });
});

Deno.test("a graph without a tokenizer reads token ids alone", async () => {
  await withFolder(["config.json", "onnx/model_q4.onnx"], async (folder) => {
    const model = await openModel(`onnx:${folder}@q4`);
    try {
      assert.equal((await model.nextTokenLogits([[3, 4]]))[0].length, 97);
      const missing =
        /Cannot read text with onnx:.*expected a tokenizer.*put tokenizer\.json beside/;
      const question = { id: 1, domain: "x", question: "?", choices: ["a", "b"], answer: 0 };
      await assert.rejects(probe(model, [question]), missing);
      await assert.rejects(model.generate("a"), missing);
    } finally {
      model.dispose();
    }
  });
});
