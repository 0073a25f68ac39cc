import { join } from "node:path";
import { fileURLToPath } from "node:url";
import * as tf from "@tensorflow/tfjs";
import type { Example } from "../../lib/question.ts";
import { finetune } from "../../lib/finetune.ts";
import { lossAndGradients, Trainer } from "../../lib/model/trainer.ts";
import { loadLora, parseAdapterConfig, saveLora } from "../../lib/model/files/adapter_folder.ts";

import type { LanguageModel } from "../../lib/model/language_model.ts";
import { loadModel } from "../../lib/model/files/load.ts";
import type { LoraOptions } from "../../lib/model/adapter.ts";
import { addLora, dropLora, mergeLora } from "../../lib/model/lora.ts";
import { openBackend } from "../../lib/platform/runtime/backend.ts";
import { organismModel } from "../../lib/organism/pretrain.ts";
import { parseRequest } from "../../lib/tasks/reproduce.ts";
import { parseSettings } from "../../lib/study/settings.ts";
import { runPlan } from "../../lib/study/study.ts";
import { studyPlan } from "../../lib/study/plans.ts";
import type { StudyPlan } from "../../lib/study/plan.ts";
import { worldMaterial } from "../../lib/study/material.ts";
import { createWorld } from "../../lib/world/world.ts";
import { initialParameters } from "../../lib/organism/initial.ts";
import { pretrainingSizes } from "../../lib/world/settings.ts";
import { worldTokenizer } from "../../lib/organism/pretrain.ts";
import { tinyModel } from "./_tiny_model.ts";
import { withFolder } from "./_folder.ts";

import assert from "node:assert/strict";
import { formatSafetensors, readTensors } from "./_safetensors.ts";

await openBackend();

const fixtures = fileURLToPath(new URL("../numerics/fixtures/", import.meta.url));

const rows = [[3, 5, 7, 9, 11, 13], [4, 6, 8]];

const batch = { inputIds: rows, labels: rows };

const options = { learningRate: 0.05, totalSteps: 9, schedule: "constant" } as const;

async function withTiny(body: (model: LanguageModel) => void | Promise<void>) {
  const model = tinyModel();
  try {
    await body(model);
  } finally {
    model.dispose();
  }
}

/** Takes some steps on the model's adapter, or on a new one. */
async function train(model: LanguageModel, lora: LoraOptions = {}, steps = 3) {
  const trainer = new Trainer(model, { ...options, lora });
  for (let i = 0; i < steps; i++) await trainer.step(batch);
  trainer.dispose();
}

const values = (model: LanguageModel) =>
  new Map([...model.parameters].map(([name, v]) => [name, v.dataSync().slice()]));

const adapterValues = (model: LanguageModel) =>
  new Map([...model.adapter!.parameters].map(([name, v]) => [name, v.dataSync().slice()]));

const apart = (a: Float32Array[], b: Float32Array[]) =>
  Math.max(...a.flatMap((row, i) => Array.from(row, (x, j) => Math.abs(x - b[i][j]))));

Deno.test("addLora() changes no output; A is uniform within 1 / sqrt(in), B zero", async () => {
  await withTiny(async (model) => {
    const before = await model.logits(rows);
    const { parameters, scale } = addLora(model, { rank: 64, alpha: 32, seed: 1 });
    assert.equal(scale, 0.5);
    assert.ok(apart(await model.logits(rows), before) < 1e-6);
    assert.equal(parameters.size, 14);
    const name = "base_model.model.model.layers.0.self_attn.q_proj";
    const a = parameters.get(`${name}.lora_A.weight`)!;
    assert.deepEqual(a.shape, [64, 16]);
    const drawn = [...a.dataSync()];
    const most = Math.max(...drawn.map((x) => Math.abs(x)));
    assert.ok(most <= 1 / 4 && most > 0.24, `${most}`);
    const square = drawn.reduce((sum, x) => sum + x * x, 0) / drawn.length;
    assert.ok(Math.abs(square - 1 / 48) < 0.003, `variance ${square} of 1/48`);
    const b = parameters.get(`${name}.lora_B.weight`)!;
    assert.deepEqual(b.shape, [16, 64]);
    assert.ok([...b.dataSync()].every((x) => x === 0));
  });
});

Deno.test("addLora() draws A from the seed", async () => {
  const drawn: Map<string, ArrayLike<number>>[] = [];
  for (const seed of [1, 1, 2]) {
    await withTiny((model) => {
      addLora(model, { seed });
      drawn.push(adapterValues(model));
    });
  }
  assert.deepEqual(drawn[0], drawn[1]);
  assert.notDeepEqual(drawn[0], drawn[2]);
});

Deno.test("addLora() refuses options that are unknown or don't fit, and a second adapter", async () => {
  await withTiny((model) => {
    const refuses = (options: unknown, message: RegExp) =>
      assert.throws(() => addLora(model, options as LoraOptions), message);
    refuses({ rank: 0 }, /rank: expected a whole number of at least 1; found 0/);
    refuses({ rank: 2.5 }, /found 2.5/);
    refuses({ alpha: -1 }, /alpha: expected a number above 0; found -1/);
    refuses({ targets: [] }, /targets: expected at least one; found \[\]/);
    refuses({ targets: ["lm_head"] }, /targets\.0: expected \("q_proj".*found "lm_head"/);
    refuses({ dropout: 0.1 }, /dropout: no such setting, expected rank, alpha/);
    refuses({ use_dora: true }, /use_dora: no such setting/);
    assert.equal(model.adapter, undefined);
    addLora(model, { rank: 2, targets: ["q_proj"] });
    refuses({}, /expected a model without one; found LoRA of rank 2, alpha 16, on q_proj/);
  });
});

Deno.test("Trainer with lora changes the adapter alone, and keeps no moments for the rest", async () => {
  await withTiny(async (model) => {
    const base = values(model);
    const trainer = new Trainer(model, { ...options, lora: { rank: 2, targets: ["v_proj"] } });
    const { loss } = await trainer.step(batch);
    assert.ok((await trainer.step(batch)).loss < loss);
    assert.deepEqual(values(model), base);
    const of = "base_model.model.model.layers.0.self_attn.v_proj";
    assert.deepEqual(
      [...model.state.keys()].sort(),
      ["first", "second"].flatMap((moment) =>
        ["A", "B"].map((matrix) => `adam/${moment}/${of}.lora_${matrix}.weight`)
      ),
    );
    assert.deepEqual([...model.trained.keys()], [`${of}.lora_A.weight`, `${of}.lora_B.weight`]);
    trainer.dispose();
    assert.equal(model.state.size, 0);
    const { gradients } = await lossAndGradients(model, batch);
    assert.deepEqual([...gradients.keys()], [...model.trained.keys()]);
  });
});

async function products(run: () => unknown): Promise<number> {
  const { kernels } = await tf.profile(() => tf.tidy(() => void run()));
  return kernels.filter(({ name }) => /MatMul/i.test(name)).length;
}

Deno.test("layers that read one input take two products more with an adapter, as one layer does", async () => {
  await withTiny(async (model) => {
    const read = () => model.forward(tf.tensor2d([rows[0]], undefined, "int32"));
    const bare = await products(read);
    const cases: [number, LoraOptions["targets"]][] = [
      [1, ["v_proj"]],
      [2, ["q_proj", "v_proj", "up_proj"]],
      [4, undefined],
    ];
    for (const [groups, targets] of cases) {
      addLora(model, { targets });
      assert.equal(await products(read), bare + 2 * groups * model.config.layers);
      dropLora(model);
    }
  });
});

Deno.test("frozen weights cost no product of their own in the gradient", async () => {
  await withTiny(async (model) => {
    addLora(model, { targets: ["down_proj"] });
    const read = () => tf.sum(model.forward(tf.tensor2d([rows[0]], undefined, "int32")));
    const forwards = await products(read);
    const all = await products(() =>
      tf.variableGrads(() => read() as tf.Scalar, [...model.trained.values()])
    );
    // Those of B, of A, and of what stands between them.
    assert.equal(all - forwards, 3);
  });
});

Deno.test("an adapter counts wherever the model is asked, compiled graphs made before or after", async () => {
  await withTiny(async (model) => {
    const long = Array.from({ length: 6 }, (_, i) => [...Array(40).keys(), 50 + i, 60 + i]);
    const ask = async () => ({
      logits: await model.logits(rows),
      next: await model.nextTokenLogits(long), // a shared prefix
      likelihoods: await model.tokenLogProbabilities(long, long.map(() => 41)),
      text: await model.generate("abc", { maxNewTokens: 12 }),
    });
    const bare = await ask();
    await train(model, { rank: 4 });
    const adapted = await ask();
    assert.ok(apart(adapted.logits, bare.logits) > 0.1);
    assert.ok(apart(adapted.next, bare.next) > 0.1);
    assert.notDeepEqual(adapted.likelihoods, bare.likelihoods);
    assert.notEqual(adapted.text, bare.text);

    const kept = adapterValues(model);
    mergeLora(model);
    const merged = await ask();
    assert.ok(apart(merged.logits, adapted.logits) < 1e-4);
    assert.ok(apart(merged.next, adapted.next) < 1e-4);
    merged.likelihoods.forEach((row, i) =>
      row.forEach((x, j) => assert.ok(Math.abs(x - adapted.likelihoods[i][j]) < 1e-4))
    );
    assert.equal(merged.text, adapted.text);
    assert.equal(kept.size, 14);
  });
});

Deno.test("adapters of other ranks and targets follow each other on one model", async () => {
  await withTiny(async (model) => {
    const base = values(model);
    const before = await model.logits(rows);
    const fresh: Float32Array[][] = [];
    const kinds: LoraOptions[] = [
      { rank: 2 },
      { rank: 5 },
      { rank: 2, alpha: 4 },
      { rank: 2, targets: ["q_proj", "up_proj"] },
      { rank: 2 },
    ];
    for (const lora of kinds) {
      await train(model, lora);
      fresh.push(await model.logits(rows));
      dropLora(model);
      assert.deepEqual(await model.logits(rows), before);
      assert.deepEqual(values(model), base);
    }
    for (let i = 1; i < 4; i++) assert.ok(apart(fresh[0], fresh[i]) > 1e-3, `${i}`);
    assert.deepEqual(fresh[0], fresh[4]);
  });
});

Deno.test("adapters leave no tensors behind", async () => {
  const before = tf.memory().numTensors;
  await withTiny(async (model) => {
    await train(model);
    dropLora(model);
    const settled = tf.memory().numTensors;
    await train(model);
    dropLora(model);
    assert.equal(tf.memory().numTensors, settled);
    await train(model);
  });
  assert.equal(tf.memory().numTensors, before);
});

Deno.test("Trainer asks what to do with an adapter, and stops when it is gone", async () => {
  await withTiny(async (model) => {
    addLora(model, { rank: 2 });
    assert.throws(() => new Trainer(model, options), /expected no adapter; found LoRA of rank 2/);
    assert.throws(
      () => new Trainer(model, { ...options, lora: { rank: 3 } }),
      /expected LoRA of rank 3.*found\s+LoRA of rank 2/,
    );
    await assert.rejects(finetune(model, []), /expected examples/);
    const trainer = new Trainer(model, { ...options, lora: {} });
    assert.deepEqual(trainer.options.lora!.rank, 2);
    await trainer.step(batch);
    dropLora(model);
    await assert.rejects(trainer.step(batch), /expected the adapter.*found none/);
    trainer.dispose();
    assert.equal(model.state.size, 0);
    assert.throws(() => mergeLora(model), /Cannot merge the adapter of tiny: expected one/);
  });
});

Deno.test("save() of a model refuses an adapter that is not merged", async () => {
  await withTiny(async (model) => {
    addLora(model);
    await withFolder(async (folder) => {
      await assert.rejects(model.save(folder), /without an adapter.*mergeLora.*saveLora/);
      assert.deepEqual([...Deno.readDirSync(folder)], []);
      mergeLora(model);
      await model.save(folder);
    });
  });
});

Deno.test("restore() of a snapshot takes off the adapter that was trained since", async () => {
  await withTiny(async (model) => {
    const before = await model.logits(rows);
    const snapshot = model.snapshot();
    await train(model);
    model.restore(snapshot);
    assert.equal(model.adapter, undefined);
    assert.deepEqual(await model.logits(rows), before);
    tf.dispose([...snapshot.values()]);
  });
});

Deno.test("finetune() trains an adapter at ten times the rate, from the run's seed", async () => {
  const example: Example = {
    id: 1,
    domain: "letters",
    group: "general",
    messages: [{ role: "user", content: "ab?" }, { role: "assistant", content: "cd" }],
  };
  const trained: Map<string, ArrayLike<number>>[] = [];
  for (const seed of [1, 1, 2]) {
    await withTiny(async (model) => {
      const base = values(model);
      const { settings, losses } = await finetune(model, [example, example], {
        lora: { rank: 2 },
        seed,
        epochs: 4,
        batchSize: 2,
      });
      assert.equal(settings.learningRate, 2e-4);
      assert.deepEqual([settings.lora!.rank, settings.lora!.alpha, settings.lora!.seed], [
        2,
        16,
        seed,
      ]);
      assert.ok(losses[3] < losses[0]);
      assert.deepEqual(values(model), base);
      trained.push(adapterValues(model));
    });
  }
  assert.deepEqual(trained[0], trained[1]);
  assert.notDeepEqual(trained[0], trained[2]);
  await withTiny(async (model) => {
    const { settings } = await finetune(model, [example], {
      lora: {},
      learningRate: 0.5,
      epochs: 1,
    });
    assert.equal(settings.learningRate, 0.5);
    dropLora(model);
    const plain = await finetune(model, [example], { epochs: 1 });
    assert.equal(plain.settings.learningRate, 2e-5);
    assert.equal(plain.settings.lora, undefined);
  });
});

Deno.test("saveLora() then loadLora() gives the adapter back", async () => {
  await withFolder(async (folder) => {
    let expected: Float32Array[] = [];
    await withTiny(async (model) => {
      await train(model, {
        rank: 3,
        alpha: 7,
        rankStabilized: true,
        targets: ["k_proj", "q_proj"],
      });
      expected = await model.logits(rows);
      await saveLora(model, folder);
      await assert.rejects(loadLora(model, folder), /expected a model without one/);
    });
    await withTiny(async (model) => {
      const { rank, alpha, scale, targets } = await loadLora(model, folder);
      assert.deepEqual([rank, alpha, scale], [3, 7, 7 / Math.sqrt(3)]);
      assert.deepEqual(targets, ["q_proj", "k_proj"]);
      assert.deepEqual(await model.logits(rows), expected);
    });
    await withTiny(async (model) => {
      await assert.rejects(
        saveLora(model, folder),
        /Cannot save the adapter of tiny: expected one/,
      );
    });
  });
});

Deno.test("loadLora() refuses what is damaged or belongs to another model", async () => {
  const source = join(fixtures, "lora", "llama");
  const text = Deno.readTextFileSync(join(source, "adapter_config.json"));
  const weights = Deno.readFileSync(join(source, "adapter_model.safetensors"));
  const tensors = readTensors(weights);
  const key = (layer: number, of: string) => `base_model.model.model.layers.${layer}.${of}.weight`;
  const q = key(0, "self_attn.q_proj.lora_A");
  const model = await loadModel(join(fixtures, "models", "llama"), { tokenizer: false });
  const before = tf.memory().numTensors;
  try {
    const refuses = async (
      { change = {}, file = weights, onto = model }: {
        change?: object;
        file?: Uint8Array;
        onto?: LanguageModel;
      },
      message: RegExp,
    ) => {
      await withFolder(async (folder) => {
        const config = JSON.stringify({ ...JSON.parse(text), ...change });
        await Deno.writeTextFile(join(folder, "adapter_config.json"), config);
        await Deno.writeFile(join(folder, "adapter_model.safetensors"), file);
        await assert.rejects(loadLora(onto, folder), message);
        assert.equal(onto.adapter, undefined);
      });
    };
    const without = (name: string) =>
      formatSafetensors([...tensors].filter(([other]) => other !== name));
    const withThis = (name: string, shape: number[], fill = 0) =>
      formatSafetensors([
        ...[...tensors].filter(([other]) => other !== name),
        [name, { shape, data: new Float32Array(shape.reduce((a, b) => a * b)).fill(fill) }],
      ]);
    await refuses(
      { file: without(q) },
      new RegExp(`trained on llama: expected ${q} of.*found none`),
    );
    await refuses(
      { file: withThis(q, [2, 31]) },
      /expected .*q_proj.lora_A.* \[2,32\]; found \[2,31\]/,
    );
    await refuses({ file: withThis(q, [2, 32], NaN) }, /finite numbers in .*q_proj/);
    await refuses({ file: withThis(key(2, "mlp.up_proj.lora_A"), [2, 32]) }, /2 layers alone/);
    await refuses({ file: withThis("base_model.model.lm_head.weight", [2]) }, /lm_head/);
    await refuses({ change: { r: 4 } }, /of shape \[4,32\]; found \[2,32\]/);
    await refuses(
      { change: { target_modules: ["q_proj"] } },
      /tensors of q_proj in 2 layers alone/,
    );
    await refuses({ file: weights.slice(0, -4) }, /Cannot read .*adapter_model.safetensors/);
    await refuses({ file: new Uint8Array(4) }, /header of at least 8 bytes/);
    await withTiny((other) => refuses({ onto: other }, /of shape \[2,16\]; found \[2,32\]/));
    await withFolder(async (folder) => {
      await assert.rejects(loadLora(model, folder), /adapter_config.json.*found none.*PEFT/);
      await Deno.writeTextFile(join(folder, "adapter_config.json"), text);
      await assert.rejects(loadLora(model, folder), /adapter_model.safetensors/);
    });
    assert.equal(tf.memory().numTensors, before);
  } finally {
    model.dispose();
  }
});

Deno.test("loadLora() knows the model that saveLora() saw among those of the same shape", async () => {
  await withFolder(async (folder) => {
    const [one, other] = [tinyModel({ seed: 3 }), tinyModel({ seed: 4 })];
    // Untrained norms are all 1; training tells models apart.
    const trainer = new Trainer(other, options);
    await trainer.step(batch);
    trainer.dispose();
    addLora(one);
    await saveLora(one, folder);
    await assert.rejects(loadLora(other, folder), /the model that it was trained on.*norms differ/);
    assert.equal(other.adapter, undefined);
    dropLora(one);
    await loadLora(one, folder);
    one.dispose();
    other.dispose();
  });
});

Deno.test("parseAdapterConfig() refuses by name what changes the numbers, and nothing else", () => {
  const peft = JSON.parse(
    Deno.readTextFileSync(join(fixtures, "lora", "qwen2", "adapter_config.json")),
  );
  const parse = (change: object) => parseAdapterConfig(JSON.stringify({ ...peft, ...change }));
  assert.deepEqual(parse({}), {
    rank: 3,
    alpha: 4,
    rankStabilized: true,
    targets: ["q_proj", "v_proj"],
    dropout: 0,
    base: "qwen2",
  });
  // What older and newer files have too.
  assert.deepEqual(parse({ target_modules: ["self_attn.v_proj"] }).targets, ["v_proj"]);
  assert.equal(parse({ target_modules: "all-linear" }).targets.length, 7);
  assert.equal(parse({ lora_dropout: 0.05, init_lora_weights: "gaussian" }).dropout, 0.05);
  assert.equal(parse({ something_new: null, another: false, peft_version: "9" }).rank, 3);
  const refuses = (change: object, message: RegExp) => assert.throws(() => parse(change), message);
  refuses(
    { use_dora: true },
    /adapter_config.json: expected what is off.*in use_dora; found true.*merge/,
  );
  refuses({ something_new: 3 }, /what is off.*something_new; found 3/);
  refuses({ bias: "all" }, /bias/);
  refuses({ rank_pattern: { "layers.0.q_proj": 4 } }, /rank_pattern/);
  refuses({ alpha_pattern: { q_proj: 4 } }, /alpha_pattern/);
  refuses({ modules_to_save: ["lm_head"] }, /modules_to_save/);
  refuses({ layers_to_transform: [0] }, /layers_to_transform/);
  refuses({ lora_bias: true }, /lora_bias/);
  refuses({ fan_in_fan_out: true }, /fan_in_fan_out/);
  refuses({ init_lora_weights: "pissa" }, /init_lora_weights.*found "pissa"/);
  refuses({ peft_type: "IA3" }, /LORA in peft_type; found "IA3"/);
  refuses(
    { target_modules: ["lm_head"] },
    /some of q_proj.* in target_modules; found \["lm_head"\]/,
  );
  refuses({ target_modules: ".*proj" }, /a list of names in target_modules/);
  refuses({ target_modules: [] }, /some of q_proj.*found \[\]/);
  refuses({ r: "8" }, /a positive integer .* in r; found "8"/);
  refuses({ r: 1.5 }, /a positive integer .* in r; found 1\.5/);
  refuses({ lora_alpha: 0 }, /a number above 0 in lora_alpha/);
  refuses({ lora_dropout: 2 }, /lora_dropout/);
  assert.throws(() => parseAdapterConfig("{", "here.json"), /Cannot read here.json: expected JSON/);
  assert.throws(() => parseAdapterConfig("[]"), /JSON object/);
});

Deno.test("an adapter that PEFT trains with dropout can be read and merged, but not trained", async () => {
  await withFolder(async (folder) => {
    await withTiny(async (model) => {
      addLora(model);
      await saveLora(model, folder);
      dropLora(model);
      const path = join(folder, "adapter_config.json");
      const config = JSON.parse(await Deno.readTextFile(path));
      await Deno.writeTextFile(path, JSON.stringify({ ...config, lora_dropout: 0.1 }));
      await loadLora(model, folder);
      const trainer = () => new Trainer(model, { ...options, lora: {} });
      assert.throws(trainer, /lora_dropout 0; found 0.1/);
      mergeLora(model);
    });
  });
});

Deno.test("Trainer.resume() goes on with an adapter; its file holds no weight of the model", async () => {
  await withFolder(async (folder) => {
    const lora = { rank: 2, targets: ["q_proj", "down_proj"] } as const;
    let expected = new Map();
    await withTiny(async (model) => {
      const trainer = new Trainer(model, { ...options, lora });
      for (let i = 0; i < 2; i++) await trainer.step(batch);
      await trainer.save(folder);
      for (let i = 0; i < 2; i++) await trainer.step(batch);
      expected = adapterValues(model);
    });
    const [{ name }] = [...Deno.readDirSync(folder)];
    const kept = readTensors(await Deno.readFile(join(folder, name)));
    assert.equal(kept.size, 3 * 4);
    for (const key of kept.keys()) assert.match(key, /lora_[AB]/);
    await withTiny(async (model) => {
      // As it was made: alpha and the like are left out.
      const trainer = await Trainer.resume(model, folder, { lora });
      assert.equal(trainer.steps, 2);
      for (let i = 0; i < 2; i++) await trainer.step(batch);
      assert.deepEqual(adapterValues(model), expected);
    });
    await withTiny(async (model) => {
      const resume = (lora?: LoraOptions) => Trainer.resume(model, folder, lora && { lora });
      await assert.rejects(resume({ rank: 4 }), /expected lora .*"rank":4.*found .*"rank":2/);
      assert.equal(model.adapter, undefined);
      addLora(model, { rank: 4 });
      await assert.rejects(resume(), /expected LoRA of rank 2.*found\s+LoRA of rank 4/);
      dropLora(model);
      // Another model of the same shape.
      const full = new Trainer(model, options);
      await full.step(batch);
      full.dispose();
      await assert.rejects(resume(), /the model that the adapter was trained on/);
      assert.equal(model.adapter, undefined);
    });
  });
});

Deno.test("recomputing changes no gradient of an adapter, nor do frozen weights get one", async () => {
  await withTiny((model) => {
    addLora(model, { rank: 2, targets: ["q_proj", "up_proj"], seed: 5 });
    for (const [name, variable] of model.trained) {
      if (name.includes("lora_B")) tf.tidy(() => variable.assign(tf.fill(variable.shape, 0.1)));
    }
    const gradients = (["nothing", "layer"] as const).map((gradientCheckpointing) =>
      tf.tidy(() => {
        const { grads } = tf.variableGrads(() =>
          tf.sum(tf.square(
            model.forward(tf.tensor2d([rows[0]], undefined, "int32"), { gradientCheckpointing }),
          )) as tf.Scalar, [...model.trained.values()]);
        return [...model.trained.values()].map(({ name }) => grads[name].dataSync());
      })
    );
    for (const other of gradients.slice(1)) {
      assert.ok(apart(other as Float32Array[], gradients[0] as Float32Array[]) < 1e-4);
    }
    assert.ok(gradients[0].every((gradient) => gradient.some((x) => x !== 0)));
  });
});

Deno.test("--lora gives the plan an adapter's rank", async () => {
  const { settings } = parseRequest(["--lora=4", "--model=organism:small-101"], "/home/user");
  assert.deepEqual((await studyPlan(settings)).finetuning, { lora: { rank: 4 } });
  assert.throws(() => parseSettings('{"lora": true}'), /setting lora: expected a whole number/);
  assert.throws(() => parseRequest(["--lora"], "/"), /'--lora <value>' argument missing/);
});

Deno.test("runPlan() trains an adapter a cell, each from the bare base, and leaves the base", async () => {
  const world = createWorld({
    seed: 5,
    settings: { domains: ["history", "medicine"], entities: 30, mc: 20, train: 60, homo: 9, id: 9 },
  });
  const size = { ...pretrainingSizes.small, width: 16, heads: 2, layers: 1, mlpWidth: 16 };
  const { vocabularySize } = worldTokenizer(world);
  const start = initialParameters(size, { vocabularySize, seed: 3 });
  const plan: StudyPlan = {
    models: ["tiny"],
    domains: ["history"],
    treatments: ["inc", "self"],
    seeds: [0],
    minimumConfidence: 0,
    finetuning: { lora: { rank: 2 }, epochs: 1 },
  };
  await withFolder(async (store) => {
    const before = tf.memory().numTensors;
    let base: Map<string, ArrayLike<number>>[] = [];
    const run = (treatments: StudyPlan["treatments"], folder: string) =>
      runPlan({ ...plan, treatments }, {
        store: join(store, folder),
        open: () => {
          const model = organismModel(world, size, start);
          base = [values(model)];
          const { dispose } = model;
          model.dispose = () => {
            base.push(values(model));
            assert.equal(model.adapter, undefined);
            dispose.call(model);
          };
          return Promise.resolve({ model, material: worldMaterial(world) });
        },
      });
    const both = await run(["inc", "self"], "both");
    assert.deepEqual(base[1], base[0]);
    const { settings } = both.cells[1].finetuning!;
    assert.equal(settings.learningRate, 1e-2);
    assert.equal(settings.lora!.rank, 2);
    const [alone] = (await run(["self"], "alone")).cells;
    assert.deepEqual(alone.suites, both.cells[1].suites);
    assert.notDeepEqual(both.cells[0].suites, both.cells[1].suites);
    assert.equal(tf.memory().numTensors, before);
  });
});
