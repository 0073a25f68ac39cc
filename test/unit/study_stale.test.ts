/**
 * No stale result: each thing that a study's numbers depend on is changed by one byte, and exactly the
 * answers and cells that depend on it are computed anew.
 */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { loadLora, saveLora } from "../../lib/model/files/adapter_folder.ts";
import { loadModel, openModel } from "../../lib/model/files/load.ts";
import { addLora, dropLora, mergeLora } from "../../lib/model/lora.ts";
import type { LanguageModel } from "../../lib/model/language_model.ts";
import { createPaperFormat } from "../../lib/prompt.ts";
import { openBackend } from "../../lib/platform/runtime/backend.ts";
import { askingDigest, formatDigest, modelDigest } from "../../lib/study/digest.ts";
import { openSubject } from "../../lib/study/subjects.ts";
import { parseSettings, type Settings } from "../../lib/study/settings.ts";
import { runPlan } from "../../lib/study/study.ts";
import type { StudyPlan } from "../../lib/study/plan.ts";
import { Store } from "../../lib/study/store.ts";
import { storedAnswers } from "../../lib/study/answers.ts";
import { questionsOf, releasedRows, writeReleased, writeRows } from "./_exam_files.ts";
import { withFolder } from "./_folder.ts";
import { tinyModel } from "./_tiny_model.ts";

import assert from "node:assert/strict";

await openBackend();

/** Chat templates, configurations and the like of a model's folder that tinyModel() does not write itself. */
const companions = {
  "generation_config.json": '{"eos_token_id":0}',
  "special_tokens_map.json": '{"eos_token":"</s>"}',
  "chat_template.jinja": "{% for m in messages %}<{{ m.role }}>{{ m.content }}</s>{% endfor %}" +
    "{% if add_generation_prompt %}<assistant>{% endif %}",
};

async function writeModel(folder: string): Promise<string> {
  const made = tinyModel();
  await made.save(folder);
  made.dispose();
  for (const [name, text] of Object.entries(companions)) {
    await Deno.writeTextFile(join(folder, name), text);
  }
  return folder;
}

/** Puts `to` in the place of `from` in a text file, which must have it. */
async function change(path: string, from: string, to: string): Promise<void> {
  const text = await Deno.readTextFile(path);
  assert.ok(text.includes(from), `${path} has ${from}`);
  await Deno.writeTextFile(path, text.replace(from, to));
}

/** Changes the lowest bits of the last number of a file of weights. */
async function changeNumber(path: string): Promise<void> {
  const bytes = await Deno.readFile(path);
  bytes[bytes.length - 4] ^= 1;
  await Deno.writeFile(path, bytes);
}

const plan: Omit<StudyPlan, "models"> = {
  treatments: ["inc"],
  seeds: [0],
  minimumConfidence: 0,
  finetuning: { epochs: 1, batchSize: 4 },
  count: 2,
};

/** Runs a small study; tells how many files each kind of result has more than before. */
class Watched {
  readonly #seen = new Set<string>();
  readonly store: string;

  constructor(readonly folder: string) {
    this.store = join(folder, "store");
  }

  async run(
    changes: Partial<Settings> = {},
    of: Partial<StudyPlan> = {},
    basis = "code",
  ): Promise<{ base: number; cell: number }> {
    const path = (name: string) => join(this.folder, name);
    const model = path("model");
    const settings = parseSettings(JSON.stringify({
      model,
      questions: path("test.jsonl"),
      pool: path("pool.jsonl"),
      id: path("id.jsonl"),
      ood: path("ood.jsonl"),
      general: path("general.json"),
      ...changes,
    }));
    await runPlan({ models: [model], ...plan, ...of }, {
      store: new Store(this.store, { basis: () => Promise.resolve(basis) }),
      open: () => openSubject(model, settings),
    });
    const made = [...Deno.readDirSync(this.store)].map(({ name }) => name)
      .filter((name) => !this.#seen.has(name));
    for (const name of made) this.#seen.add(name);
    const count = (kind: string) => made.filter((name) => name.startsWith(`${kind}-`)).length;
    return { base: count("base"), cell: count("cell") };
  }
}

async function withStudy(body: (watched: Watched) => Promise<void>): Promise<void> {
  await withFolder(async (folder) => {
    await writeModel(join(folder, "model"));
    for (const [name, count] of [["dev", 2], ["test", 3], ["pool", 6], ["id", 3], ["ood", 3]]) {
      await writeRows(join(folder, `${name}.jsonl`), questionsOf(`${name}`, Number(count)));
    }
    const general = Array.from({ length: 6 }, (_, i) => ({
      ...{ instruction: `Say ${i}.`, input: "", output: `${i}!` },
    }));
    await Deno.writeTextFile(join(folder, "general.json"), JSON.stringify(general));
    await body(new Watched(folder));
  });
}

const all = { base: 4, cell: 1 }, nothing = { base: 0, cell: 0 };

const cellAlone = { base: 0, cell: 1 }, oneExam = { base: 1, cell: 1 };

/** A byte of each file that is read, and what depends on it. */
const files: [file: string, from: string, to: string, anew: typeof all][] = [
  ["model/config.json", '"rms_norm_eps": 0.00001', '"rms_norm_eps": 0.00002', all],
  ["model/config.json", '"rope_theta": 10000', '"rope_theta": 20000', all],
  ["model/generation_config.json", "0}", "1}", all],
  ["model/tokenizer.json", '"version":"1.0"', '"version":"1.1"', all],
  ["model/tokenizer_config.json", "}", " }", all],
  ["model/special_tokens_map.json", "}", " }", all],
  ["model/chat_template.jinja", "<assistant>", "<Assistant>", all],
  ["general.json", "Say 3.", "Say 4.", cellAlone],
  ["dev.jsonl", "dev 1?", "Dev 1?", all],
  ["test.jsonl", "test 1?", "Test 1?", oneExam],
  ["pool.jsonl", "pool 1?", "Pool 1?", oneExam],
  ["id.jsonl", "id 1?", "Id 1?", oneExam],
  ["ood.jsonl", "cat 1", "cut 1", oneExam],
  // What is not asked but can stand in a target or a context.
  ["pool.jsonl", "Gold pool 2.", "Gilt pool 2.", oneExam],
];

Deno.test("runPlan() computes anew what depends on a file of which a byte has changed", async () => {
  await withStudy(async (watched) => {
    assert.deepEqual(await watched.run(), all);
    assert.deepEqual(await watched.run(), nothing);
    for (const [file, from, to, anew] of files) {
      await change(join(watched.folder, file), from, to);
      assert.deepEqual(await watched.run(), anew, `${file}: ${to}`);
    }
    await changeNumber(join(watched.folder, "model/model.safetensors"));
    assert.deepEqual(await watched.run(), all, "weights");
    // A file that nobody reads.
    await Deno.writeTextFile(join(watched.folder, "model/README.md"), "# Tiny");
    assert.deepEqual(await watched.run(), nothing);
  });
});

/** A setting or a part of the plan, and what depends on it. */
const settings: [changes: Partial<Settings>, of: Partial<StudyPlan>, anew: typeof all][] = [
  // Defaults, written out.
  [{}, { finetuning: { ...plan.finetuning, learningRate: 2e-5, maxTokens: 2048 } }, nothing],
  [{}, { finetuning: { batchSize: 4, epochs: 1 } }, nothing],
  [{}, { finetuning: { ...plan.finetuning, learningRate: 2.1e-5 } }, cellAlone],
  [{}, { finetuning: { ...plan.finetuning, epochs: 2 } }, cellAlone],
  [{}, { finetuning: { ...plan.finetuning, batchSize: 3 } }, cellAlone],
  [{}, { finetuning: { ...plan.finetuning, maxTokens: 512 } }, cellAlone],
  [{}, { finetuning: { ...plan.finetuning, lora: { rank: 2 } } }, cellAlone],
  [{}, { finetuning: { ...plan.finetuning, lora: { alpha: 16, rank: 2 } } }, nothing],
  [{}, { finetuning: { ...plan.finetuning, lora: { rank: 2, alpha: 8 } } }, cellAlone],
  [{}, { seeds: [1] }, cellAlone],
  [{}, { count: 3 }, cellAlone],
  [{}, { minimumConfidence: 0.01 }, cellAlone],
  [{ template: "model" }, {}, cellAlone],
  [{ formulation: "cloze" }, {}, all],
  [{ formulation: "cloze", normalization: "character" }, {}, all],
  [{ limit: 2 }, {}, all],
];

Deno.test("runPlan() computes anew what depends on a setting", async () => {
  await withStudy(async (watched) => {
    assert.deepEqual(await watched.run(), all);
    for (const [changes, of, anew] of settings) {
      assert.deepEqual(await watched.run(changes, of), anew, JSON.stringify([changes, of]));
    }
    assert.deepEqual(await watched.run(), nothing);
    assert.deepEqual(await watched.run({}, {}, "other code"), all);
  });
});

Deno.test("runPlan() computes anew what was trained on released rows of which a byte has changed", async () => {
  await withStudy(async (watched) => {
    const pool = await writeReleased(join(watched.folder, "group"), releasedRows(4));
    const changes: Partial<Settings> = { groups: ["released"], pool, explanations: true };
    const of: Partial<StudyPlan> = { treatments: ["self"], explanations: true };
    assert.deepEqual(await watched.run(changes, of), all);
    assert.deepEqual(await watched.run(changes, of), nothing);
    const self = join(pool, "inconsistent-predict-model-exp.jsonl");
    await change(self, '"model_exp":"Own 1."', '"model_exp":"Our 1."');
    assert.deepEqual(await watched.run(changes, of), cellAlone);
  });
});

/** A model's digest after `body` did something to it. */
async function digestAfter(
  path: string,
  body: (model: LanguageModel) => unknown = () => {},
  options: Parameters<typeof loadModel>[1] = {},
): Promise<string> {
  const model = await loadModel(path, options);
  try {
    await body(model);
    return await modelDigest(model);
  } finally {
    model.dispose();
  }
}

/** An adapter whose matrices are all .01, so that it changes what a model gives. */
function addOwn(model: LanguageModel): void {
  for (const variable of addLora(model, { rank: 2 }).parameters.values()) {
    variable.assign(variable.mul(0).add(0.01));
  }
}

Deno.test("modelDigest() follows adapters, tokenizers from elsewhere and numbers changed in memory", async () => {
  await withFolder(async (folder) => {
    const path = await writeModel(join(folder, "model"));
    const base = await digestAfter(path);
    assert.equal(await digestAfter(path), base);
    assert.equal(await digestAfter(path, (model) => (addOwn(model), dropLora(model))), base);
    const adapter = join(folder, "adapter"), loaded = (m: LanguageModel) => loadLora(m, adapter);
    const on = await digestAfter(path, async (model) => {
      addOwn(model);
      await saveLora(model, adapter);
    });
    assert.equal(await digestAfter(path, loaded), on);
    await changeNumber(join(adapter, "adapter_model.safetensors"));
    const changed = await digestAfter(path, loaded);
    const merged = await digestAfter(path, (model) => (addOwn(model), mergeLora(model)));
    const trained = await digestAfter(path, (model) => {
      const [variable] = model.parameters.values();
      variable.assign(variable.add(1e-3));
    });
    const tokenizer = await writeModel(join(folder, "other"));
    assert.equal(await digestAfter(path, undefined, { tokenizer }), base);
    await change(join(tokenizer, "tokenizer_config.json"), "}", " }");
    const elsewhere = await digestAfter(path, undefined, { tokenizer });
    const without = await digestAfter(path, undefined, { tokenizer: false });
    const digests = [base, on, changed, merged, trained, elsewhere, without];
    assert.equal(new Set(digests).size, digests.length);
    // Models made here have no files: their numbers tell them apart.
    const [one, same, two] = [tinyModel(), tinyModel(), tinyModel({ seed: 4 })];
    assert.equal(await modelDigest(one), await modelDigest(same));
    assert.notEqual(await modelDigest(one), await modelDigest(two));
    for (const model of [one, same, two]) model.dispose();
  });
});

const fixture = (path: string) =>
  fileURLToPath(new URL(`../numerics/fixtures/${path}`, import.meta.url));

Deno.test("modelDigest() follows each byte of a GGUF file, and of the files beside an ONNX graph", async () => {
  await withFolder(async (folder) => {
    const gguf = join(folder, "model.gguf");
    await Deno.copyFile(fixture("gguf/llama.gguf"), gguf);
    const options = { tokenizer: false } as const;
    const before = await digestAfter(gguf, undefined, options);
    await changeNumber(gguf);
    assert.notEqual(await digestAfter(gguf, undefined, options), before);

    const graph = join(folder, "graph");
    await Deno.mkdir(join(graph, "onnx"), { recursive: true });
    const names = ["config.json", "tokenizer.json", "tokenizer_config.json", "onnx/model.onnx"];
    for (const name of [...names, "onnx/model.onnx_data"]) {
      await Deno.copyFile(fixture(`onnx/llama/${name}`), join(graph, name));
    }
    const digests = new Set<string>();
    const ask = async () => {
      const model = await openModel(`onnx:${graph}`);
      digests.add(await modelDigest(model));
      await model.dispose();
    };
    await ask();
    await ask();
    assert.equal(digests.size, 1);
    for (const name of names.slice(0, 3)) {
      await change(join(graph, name), "{", "{ ");
      await ask();
    }
    await Deno.writeTextFile(join(graph, "generation_config.json"), "{}");
    await ask();
    await changeNumber(join(graph, "onnx/model.onnx_data"));
    await ask();
    assert.equal(digests.size, 6);
  });
});

Deno.test("formats that put questions otherwise have other digests, whatever they are called", () => {
  const formats = [
    createPaperFormat(),
    createPaperFormat({ language: "zh" }),
    createPaperFormat({ stop: "<|im_end|>" }),
    createPaperFormat({ formulation: "cloze" }),
    createPaperFormat({ formulation: "cloze", normalization: "token" }),
    { ...createPaperFormat(), addBos: () => false },
  ];
  assert.equal(new Set(formats.map((format) => askingDigest(format))).size, formats.length);
  assert.equal(new Set(formats.map((format) => formatDigest(format))).size, formats.length);
  assert.equal(formatDigest(createPaperFormat()), formatDigest(formats[0]));
});

Deno.test("storedAnswers() has one name for what the model is shown, and another for a conversation", async () => {
  const model = tinyModel();
  await withFolder(async (folder) => {
    const store = new Store(folder, { basis: () => Promise.resolve("code") });
    const questions = questionsOf("test", 3), demonstrations = questionsOf("dev", 7);
    const names = () => [...Deno.readDirSync(folder)].length;
    const two = await storedAnswers({
      ...{ model, exam: { questions, demonstrations }, shots: 2 },
    }, { store });
    const cut = { questions, demonstrations: demonstrations.slice(0, 2) };
    assert.deepEqual(await storedAnswers({ model, exam: cut }, { store }), two);
    assert.equal(names(), 1);
    const seven = { model, exam: { questions, demonstrations }, shots: 7 };
    assert.notDeepEqual(await storedAnswers(seven, { store }), two);
    const bare = { model, exam: { questions, demonstrations }, shots: 0 };
    const plain = await storedAnswers(bare, { store });
    const inside = await storedAnswers({ ...bare, template: "vicuna" }, { store });
    assert.notDeepEqual(inside, plain);
    assert.equal(names(), 4);
  });
  model.dispose();
});

Deno.test("storedAnswers() keeps the answers to other formulations apart", async () => {
  const model = tinyModel();
  await withFolder(async (folder) => {
    const store = new Store(folder, { basis: () => Promise.resolve("code") });
    const exam = { questions: questionsOf("test", 3), demonstrations: [] };
    const letters = await storedAnswers({ model, exam }, { store });
    const cloze = await storedAnswers({ model, exam, formulation: "cloze" }, { store });
    assert.notDeepEqual(cloze, letters);
    assert.deepEqual(
      await storedAnswers({ model, exam, formulation: "letters" }, { store }),
      letters,
    );
    assert.deepEqual(await storedAnswers({ model, exam, formulation: "cloze" }, { store }), cloze);
    assert.equal([...Deno.readDirSync(folder)].length, 2);
  });
  model.dispose();
});
