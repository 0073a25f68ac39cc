import assert from "node:assert/strict";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs";
import { readQuestions } from "../../lib/dataset/read.ts";
import { Trainer } from "../../lib/model/trainer.ts";
import type { TrainerOptions } from "../../lib/model/trainer_options.ts";
import { headerOf } from "./_safetensors.ts";

import type { LanguageModel } from "../../lib/model/language_model.ts";
import { formatCard } from "../../lib/organism/card_text.ts";
import { type OrganismCard, parseCard, serializeCard } from "../../lib/organism/card.ts";
import { answeredShare } from "../../lib/world/gate.ts";
import { loadOrganism, type Organism, writeOrganism } from "../../lib/organism/folder.ts";
import {
  type MakeOptions,
  makeOrganism,
  type OrganismPlan,
  planSettings,
} from "../../lib/organism/make.ts";
import { organismCards, parseRuns, pretrainingRuns } from "../../lib/organism/registry.ts";
import { organismModel, pretrain, worldTokenizer } from "../../lib/organism/pretrain.ts";
import { askEveryWay, recallFacts } from "../../lib/organism/recall.ts";
import { openBackend } from "../../lib/platform/runtime/backend.ts";
import { wilsonInterval } from "../../lib/statistics/proportion.ts";
import { parsePretrainRequest } from "../../lib/tasks/pretrain.ts";
import { allFacts, createWorld, type Split } from "../../lib/world/world.ts";
import { exam } from "../../lib/world/exam.ts";
import { initialParameters } from "../../lib/organism/initial.ts";
import { serializeWorld } from "../../lib/world/serialization.ts";
import { withFolder } from "./_folder.ts";
import { formatSafetensors, readTensors } from "./_safetensors.ts";

const plan: OrganismPlan = {
  name: "tiny",
  size: "small",
  world: 5,
  worldSettings: {
    domains: ["history", "medicine"],
    entities: 12,
    relations: 3,
    values: 6,
    dev: 3,
    mc: 8,
    train: 8,
    homo: 6,
    id: 6,
  },
  pretraining: {
    width: 16,
    layers: 2,
    heads: 2,
    mlpWidth: 24,
    window: 64,
    batch: 4,
    tokens: 64 * 4 * 24,
  },
};
await openBackend();
const tiny = await makeOrganism(plan);

const quiet = { warn: () => {} };
const numbersOf = (model: LanguageModel) =>
  new Map(
    [...model.parameters].map((
      [name, variable],
    ) => [name, (variable.dataSync() as Float32Array).slice()]),
  );
const prompt = [[0, 5, 9, 40, 7], [0, 3, 4]];

Deno.test("writeOrganism() writes what loadOrganism() gives back", async () => {
  await withFolder(async (parent) => {
    const folder = join(parent, "tiny");
    const card = await writeOrganism(folder, tiny);
    assert.deepEqual([...Deno.readDirSync(parent)].map(({ name }) => name), ["tiny"]);
    const { model, world, card: read }: Organism = await loadOrganism(folder, quiet);
    assert.deepEqual(read, card);
    assert.equal(
      serializeWorld(world),
      serializeWorld(createWorld({
        seed: 5,
        settings: planSettings(plan).world,
      })),
    );
    assert.deepEqual(await model.logits(prompt), await tiny.model.logits(prompt));
    assert.equal(model.format.name, "organism");
    assert.deepEqual(
      model.tokenizer!.encode("what is </s>"),
      worldTokenizer(world).encode("what is </s>"),
    );
    model.dispose();
    assert.equal(await Deno.readTextFile(join(folder, "README.md")), formatCard(card));
    for (const name of ["config.json", "tokenizer_config.json", "special_tokens_map.json"]) {
      assert.match(card.files[name], /^[0-9a-f]{64}$/);
    }
  });
});

Deno.test("writeOrganism() writes exams that readQuestions() reads without a rejected row", async () => {
  await withFolder(async (parent) => {
    const folder = join(parent, "tiny");
    await writeOrganism(folder, tiny);
    const files = [...Deno.readDirSync(join(folder, "exams"))].map(({ name }) => name).sort();
    assert.equal(files.length, 8);
    for (const file of files) {
      const [domain, split] = file.replace(".jsonl", "").split("-");
      const { questions, rejected } = await readQuestions(join(folder, "exams", file));
      assert.deepEqual(rejected, []);
      assert.deepEqual(questions, exam(tiny.world, { domain, split: split as Split }));
    }
    assert.ok(!files.includes("history-mc.jsonl"));
  });
});

Deno.test("loadOrganism() refuses a changed or missing file by name", async () => {
  await withFolder(async (parent) => {
    const folder = join(parent, "tiny");
    const { files } = await writeOrganism(folder, tiny);
    for (const name of Object.keys(files)) {
      const path = join(folder, name);
      const bytes = await Deno.readFile(path);
      const changed = bytes.slice();
      changed[changed.length - 2] ^= 1;
      await Deno.writeFile(path, changed);
      const says = new RegExp(
        `expected ${name} with the SHA-256 ${files[name]}; found [0-9a-f]{64}`,
      );
      await assert.rejects(loadOrganism(folder, quiet), says);
      await Deno.remove(path);
      await assert.rejects(loadOrganism(folder, quiet), /found no file; take the folder again/);
      await Deno.writeFile(path, bytes);
    }
    (await loadOrganism(folder, quiet)).model.dispose();
  });
});

Deno.test("loadOrganism() tells a failed gate in one line, and names what there is", async () => {
  assert.ok(!tiny.card.gate.passed, "24 steps can't do");
  await withFolder(async (parent) => {
    const folder = join(parent, "tiny");
    await writeOrganism(folder, tiny);
    const lines: string[] = [];
    const { model } = await loadOrganism(folder, { warn: (line) => lines.push(line) });
    model.dispose();
    assert.equal(lines.length, 1);
    assert.match(lines[0], /^tiny did not pass its gate.*README\.md\)$/);
  });
  await assert.rejects(loadOrganism("no-such"), /organism no-such: expected one of .*found none/);
});

Deno.test("writeOrganism() refuses a folder that is there, or replaces it as a whole", async () => {
  await withFolder(async (parent) => {
    const folder = join(parent, "tiny");
    await Deno.mkdir(folder);
    await Deno.writeTextFile(join(folder, "mine.txt"), "x");
    await assert.rejects(
      writeOrganism(folder, tiny),
      /expected nothing there; found a folder.*--force/,
    );
    assert.deepEqual([...Deno.readDirSync(folder)].map(({ name }) => name), ["mine.txt"]);
    await writeOrganism(folder, tiny, { replace: true });
    assert.deepEqual([...Deno.readDirSync(parent)].map(({ name }) => name), ["tiny"]);
    assert.ok(![...Deno.readDirSync(folder)].some(({ name }) => name === "mine.txt"));
  });
});

Deno.test("writeOrganism() puts back what it was to replace where that fails", async () => {
  await withFolder(async (parent) => {
    const folder = join(parent, "tiny"), { rename } = Deno;
    await Deno.mkdir(folder);
    await Deno.writeTextFile(join(folder, "mine.txt"), "x");
    try {
      Deno.rename = async (from, to) => {
        if (to === folder && String(from).endsWith(".partial")) throw new Error("device full");
        await rename(from, to);
      };
      await assert.rejects(writeOrganism(folder, tiny, { replace: true }), /device full/);
    } finally {
      Deno.rename = rename;
    }
    assert.deepEqual([...Deno.readDirSync(parent)].map(({ name }) => name), ["tiny"]);
    assert.equal(await Deno.readTextFile(join(folder, "mine.txt")), "x");
  });
});

Deno.test("writeOrganism() leaves nothing where it fails", async () => {
  await withFolder(async (parent) => {
    const world = { ...tiny.world, domains: [{ ...tiny.world.domains[0], name: "no/such" }] };
    const model = Object.create(tiny.model, {
      save: {
        value: async (folder: string) => {
          await Deno.mkdir(folder);
          await Deno.writeTextFile(join(folder, "config.json"), "{}");
          throw new Error("disk full");
        },
      },
    });
    const parts = { ...tiny, world, model };
    await assert.rejects(writeOrganism(join(parent, "tiny"), parts), /disk full/);
    assert.deepEqual([...Deno.readDirSync(parent)], []);
  });
});

/** A card whose numbers can be told apart. */
const card: OrganismCard = {
  ...tiny.card,
  files: { "model.safetensors": "ab".repeat(32), "exams/history-dev.jsonl": "cd".repeat(32) },
  gate: {
    passed: true,
    facts: 1760,
    values: {
      fewShotKnown: 0.9123,
      chatContext: 0.9987,
      chatKnown: 0.8765,
      unknownConfidence: 0.6543,
      misconceived: 0.7891,
    },
  },
  knowledge: {
    known: {
      facts: 968,
      exam: { right: 0.9123, misconception: 0.0311 },
      chat: { right: 0.8765, misconception: 0.0422 },
    },
    misconceived: {
      facts: 440,
      exam: { right: 0.1533, misconception: 0.7891 },
      chat: { right: 0.1644, misconception: 0.7755 },
    },
    unknown: {
      facts: 352,
      exam: { right: 0.2566, misconception: 0.2377 },
      chat: { right: 0.2688, misconception: 0.2499 },
    },
  },
};

Deno.test("formatCard() has the card's numbers, and the flags that make the organism again", async () => {
  const text = formatCard(card);
  for (const number of ["91.2%", "3.1%", "87.6%", "78.9%", "15.3%", "77.5%", "25.7%", "25.0%"]) {
    assert.ok(text.includes(number), number);
  }
  for (const value of ["0.912", "0.999", "0.876", "0.654", "0.789"]) {
    assert.match(text, new RegExp(`[<>]= 0\\.\\d+ \\| ${value} \\| passed`));
  }
  assert.match(text, /968 \|/);
  assert.match(text, /measured on\s+1,760 facts\.\s+Passed\./);
  assert.match(text, new RegExp(`${tiny.card.parameters.toLocaleString("en-US")} parameters`));
  assert.equal(tiny.card.parameters, tiny.model.parameterCount);
  assert.doesNotMatch(text, /did not pass/);
  assert.match(formatCard({ ...card, gate: tiny.card.gate }), /did not pass the gate/);

  const flags = /deno task pretrain (.*)/.exec(text)![1].split(" ");
  const again = await parsePretrainRequest(flags, "/");
  assert.deepEqual(planSettings(again.plan), planSettings(plan));
  assert.deepEqual([again.plan.world, again.plan.name], [5, "tiny"]);
});

Deno.test("formatCard() lets no text of a card become markup", () => {
  const evil = "<img src=x>`|\n# [a](b)";
  const text = formatCard({
    ...card,
    backend: { name: evil, device: evil, versions: { [evil]: evil } },
    samples: [{ ...card.samples[0], question: evil, options: [evil], gold: evil, answered: evil }],
  });
  const outside = text.replace(/^ {4}.*$/gm, "").replace(/`[^`\n]*`/g, "");
  assert.doesNotMatch(outside, /<img|\[a\]|^# \[/m);
  for (const line of text.split("\n").filter((line) => line.startsWith("| known | `"))) {
    assert.equal(line.split("|").length, 8);
  }
});

Deno.test("parseCard() reads what serializeCard() wrote, and refuses what is no card", () => {
  assert.deepEqual(parseCard(serializeCard(card)), card);
  const without = {
    ...card,
    gate: {
      ...card.gate,
      passed: false,
      values: {
        ...card.gate.values,
        unknownConfidence: NaN,
      },
    },
  };
  assert.deepEqual(parseCard(serializeCard(without)), without);
  const cases: [object, RegExp][] = [
    [{ ...card, format: "x" }, /format: expected organism-card\/1; found "x"/],
    [{ ...card, files: {} }, /expected files inside the folder/],
    [{ ...card, files: { "../model": "ab".repeat(32) } }, /expected files inside the folder/],
    [{ ...card, files: { "a/../b": "ab".repeat(32) } }, /expected files inside the folder/],
    [{ ...card, files: { model: "ab" } }, /expected files inside the folder/],
    [{ ...card, gate: { ...card.gate, passed: false } }, /expected a gate that is passed/],
  ];
  for (const [wrong, message] of cases) {
    assert.throws(() => parseCard(JSON.stringify(wrong), "c"), message);
  }
  assert.throws(() => parseCard("{", "c"), /Cannot read c: expected JSON/);
});

/** Runs with a state every 5 steps and is stopped behind step `stop`, for a start. */
async function stopped(folder: string, stop: number, changes: Partial<OrganismPlan> = {}) {
  const options: MakeOptions = { folder, saveEvery: 5 };
  const onStep = ({ step }: { step: number }) => {
    if (step === stop) throw new Error("stopped");
  };
  await assert.rejects(makeOrganism(plan, { ...options, onStep }), /stopped/);
  const from: number[] = [];
  const made = await makeOrganism({ ...plan, ...changes }, {
    ...options,
    onStart: (step) => from.push(step),
  });
  return { ...made, from };
}

Deno.test("makeOrganism() goes on from its state as if it had not been stopped", async () => {
  await withFolder(async (folder) => {
    const { model, card, from } = await stopped(folder, 13);
    assert.deepEqual(from, [10]);
    const whole = numbersOf(tiny.model);
    for (const [name, numbers] of numbersOf(model)) {
      const worst = numbers.reduce(
        (most, x, i) => Math.max(most, Math.abs(x - whole.get(name)![i])),
        0,
      );
      assert.ok(worst <= 1e-6, `${name} differs by ${worst}`);
    }
    model.dispose();
    assert.deepEqual(card.curve, tiny.card.curve);
    assert.deepEqual(card.gate, tiny.card.gate);
    assert.equal(card.curve.gate.length, 7);
    assert.deepEqual(card.curve.gate.at(-1)!.step, 24);
  });
});

Deno.test("makeOrganism() starts anew where it was stopped before the first state", async () => {
  await withFolder(async (folder) => {
    const { model, from } = await stopped(folder, 4);
    assert.deepEqual(from, [0]);
    assert.deepEqual(numbersOf(model), numbersOf(tiny.model));
    model.dispose();
  });
});

Deno.test("makeOrganism() refuses the state of another organism", async () => {
  await withFolder(async (folder) => {
    await assert.rejects(stopped(folder, 13, { world: 6 }), /expected the record of 10 steps of/);
    const other = { pretraining: { ...plan.pretraining, learningRate: 1e-3 } };
    await assert.rejects(
      stopped(folder, 13, other),
      /expected learningRate 0.001 at step 10; found 0.003/,
    );
    await Deno.remove(join(folder, "record.json"));
    await assert.rejects(makeOrganism(plan, { folder }), /found none; remove it/);
  });
});

Deno.test("pretrain() leaves no tensors behind, step by step", async () => {
  const counts: number[] = [];
  const settings = { ...planSettings(plan).pretraining, tokens: 64 * 4 * 52 };
  const before = tf.memory().numTensors;
  const model = await pretrain(tiny.world, {
    settings,
    onStep: () => void counts.push(tf.memory().numTensors),
  });
  assert.equal(counts.length, 52);
  assert.deepEqual(counts.slice(2), Array(50).fill(counts[2]));
  model.dispose();
  assert.equal(tf.memory().numTensors, before);
});

const batch = {
  inputIds: [[0, 5, 9, 40, 7, 8], [0, 3, 4, 2]],
  labels: [[0, 5, 9, 40, 7, 8], [0, 3, 4, 2]],
};
const schedule: TrainerOptions = {
  learningRate: 1e-2,
  totalSteps: 8,
  warmupSteps: 2,
  clipNorm: 1,
  weightDecay: 0.1,
};
/** A model with the tiny organism's shapes, at its start. */
const fresh = (seed: number, changes = {}) => {
  const { vocabularySize } = worldTokenizer(tiny.world);
  const settings = { ...planSettings(plan).pretraining, ...changes };
  return organismModel(
    tiny.world,
    settings,
    initialParameters(settings, { vocabularySize, seed }),
  );
};
async function steps(trainer: Trainer, count: number): Promise<number[]> {
  const losses: number[] = [];
  for (let i = 0; i < count; i++) losses.push((await trainer.step(batch)).loss);
  return losses;
}

Deno.test("Trainer.resume() goes on as the trainer would have that was saved", async () => {
  await withFolder(async (folder) => {
    const whole = fresh(1), other = fresh(2);
    const trainer = new Trainer(whole, schedule);
    await steps(trainer, 3);
    await trainer.save(folder);
    assert.deepEqual([...Deno.readDirSync(folder)].map(({ name }) => name), [
      "trainer.safetensors",
    ]);
    const losses = await steps(trainer, 5);

    const resumed = await Trainer.resume(other, folder);
    assert.equal(resumed.steps, 3);
    assert.deepEqual({ ...resumed.options }, { ...trainer.options, factor: undefined });
    const again = await steps(resumed, 5);
    again.forEach((loss, i) =>
      assert.ok(Math.abs(loss - losses[i]) < 1e-6, `${loss} ${losses[i]}`)
    );
    const wanted = numbersOf(whole);
    for (const [name, numbers] of numbersOf(other)) {
      numbers.forEach((x, i) => assert.ok(Math.abs(x - wanted.get(name)![i]) < 1e-6, name));
    }
    assert.ok(losses[4] < losses[0]);
    trainer.dispose();
    resumed.dispose();
    whole.dispose();
    other.dispose();
  });
});

Deno.test("Trainer.resume() keeps which tensors decay, and asks for the rate's function", async () => {
  await withFolder(async (folder) => {
    const model = fresh(1), other = fresh(1);
    const decays = (name: string) => name.endsWith("proj.weight");
    const factor = (step: number) => 1 / (step + 1);
    const trainer = new Trainer(model, { ...schedule, decays, factor });
    await steps(trainer, 2);
    await trainer.save(folder);
    await assert.rejects(
      Trainer.resume(other, folder),
      /expected factor none at step 2; found 0.33/,
    );
    const wrong = Trainer.resume(other, folder, { factor: () => 1 });
    await assert.rejects(wrong, /expected factor 1 at step 2; found 0.33/);
    const resumed = await Trainer.resume(other, folder, { factor });
    assert.deepEqual(
      [...other.parameters.keys()].filter((name) => resumed.options.decays!(name)),
      [...other.parameters.keys()].filter(decays),
    );
    const [losses, again] = [await steps(trainer, 3), await steps(resumed, 3)];
    again.forEach((loss, i) => assert.ok(Math.abs(loss - losses[i]) < 1e-6));
    model.dispose();
    other.dispose();
  });
});

Deno.test("Trainer.resume() refuses another model, other options and broken files, and changes nothing", async () => {
  await withFolder(async (folder) => {
    const model = fresh(1), other = fresh(2);
    const trainer = new Trainer(model, schedule);
    await steps(trainer, 1);
    await trainer.save(folder);
    const before = numbersOf(other);
    const path = join(folder, "trainer.safetensors");
    const wider = fresh(1, { mlpWidth: 32 });
    await assert.rejects(
      Trainer.resume(wider, folder),
      /expected model\/model.layers.0.mlp.gate_proj.weight of shape \[32,16\]; found \[24,16\]/,
    );
    const shallow = fresh(1, { layers: 1 });
    await assert.rejects(Trainer.resume(shallow, folder), /expected the trained tensors alone/);
    await assert.rejects(
      Trainer.resume(other, folder, { learningRate: 1e-3 }),
      /expected learningRate 0.001 at step 1; found 0.01; give the options/,
    );
    await assert.rejects(
      Trainer.resume(other, folder, { clipNorm: 2 }),
      /expected clipNorm 2 at step 1; found 1/,
    );
    const bytes = await Deno.readFile(path);
    await Deno.writeFile(path, bytes.slice(0, -4));
    await assert.rejects(Trainer.resume(other, folder), /trainer.safetensors.*the file is damaged/);
    const tensors = readTensors(bytes);
    await Deno.writeFile(path, formatSafetensors(tensors));
    await assert.rejects(Trainer.resume(other, folder), /expected notes of the format trainer\/1/);
    tensors.delete("adam/first/model.norm.weight");
    const { metadata } = headerOf(bytes);
    await Deno.writeFile(path, formatSafetensors(tensors, { metadata }));
    await assert.rejects(
      Trainer.resume(other, folder),
      /adam\/first\/model.norm.weight.*found none/,
    );
    await Deno.remove(path);
    await assert.rejects(Trainer.resume(other, folder), /expected a file; found none/);
    assert.deepEqual(numbersOf(other), before);
    for (const one of [model, other, wider, shallow]) one.dispose();
  });
});

Deno.test("parsePretrainRequest() reads seeds, sizes and the world's knobs", async () => {
  const plain = await parsePretrainRequest(["--world=101"], "/here");
  assert.equal(plain.plan.name, "small-101");
  assert.equal(plain.plan.world, 101);
  assert.match(plain.output, /data.organisms.small-101$/);
  assert.match(plain.log!, /data.organisms.seeds\.jsonl$/);
  assert.deepEqual([plain.force, plain.keepFailed], [false, false]);

  const { plan, output, log } = await parsePretrainRequest(
    ["--world=101", "--misconceived=0.4", "--tokens=1000000", "--output=o"],
    "/here",
  );
  assert.match(plan.name, /^small-101-[0-9a-f]{6}$/);
  assert.equal(output, "/here/o");
  assert.equal(log, undefined);
  const { world, pretraining } = planSettings(plan);
  assert.equal(pretraining.tokens, 1e6);
  assert.deepEqual([world.known, world.misconceived, world.unknown], [0.4, 0.4, 0.2]);
});

Deno.test("parsePretrainRequest() refuses what can't be, by the flag's name", async () => {
  const refuses = (args: string[], message: RegExp) =>
    assert.rejects(parsePretrainRequest(args, "/"), message);
  await refuses([], /give --world=SEED/);
  await refuses(["--world=1", "--size=huge"], /--size=huge: expected one of small, medium, large/);
  await refuses(["--world=1", "--wold=2"], /'--wold'; expected some of --world --size/);
  await refuses(["--world=1", "--tokens=many"], /--tokens=many: expected a number/);
  await refuses(["--world=1", "--tokens=10"], /tokens 10: expected at least one step/);
  await refuses(["--world=1", "--strength=1.5"], /strength: expected a number from 0 to 1/);
  await refuses(["--world=1", "--misconceived=0.9"], /known/);
  await refuses(["--world=1", "--force=1"], /'--force' does not take an argument/);
  await refuses(["--world=1", "--name=../x"], /name the organism \.\.\/x/);
  await refuses(["--world=../x"], /name the organism small-\.\.\/x/);
  await refuses(["1"], /Unexpected argument '1'/);
});

Deno.test("organismCards() and pretrainingRuns() tell of the same organisms", async () => {
  const [cards, runs] = await Promise.all([organismCards(), pretrainingRuns()]);
  for (const { name, gate, files } of cards) {
    const run = runs.find((one) => one.name === name && one.model === files["model.safetensors"]);
    assert.ok(run, `${name} is not among the pretrainings`);
    assert.deepEqual(run.gate, gate.values);
  }
});

Deno.test("parseRuns() reads a run a line, NaN where nothing was measured, and names a bad line", () => {
  const line = '{"name":"a","passed":false,"tokens":1,"gate":{"fewShotKnown":null}}';
  assert.deepEqual(parseRuns(`${line}\n\n`).map(({ gate }) => gate.fewShotKnown), [NaN]);
  for (const bad of ["{", "[]", "null", '{"name":"a"}']) {
    assert.throws(() => parseRuns(`${line}\n${bad}\n`, "x"), /Cannot read x: .* in line 2; found/);
  }
});

Deno.test("recallFacts() weighs a fact's options by the likelihood of its whole statements", async () => {
  const facts = allFacts(tiny.world).slice(0, 3);
  const found = await recallFacts(tiny.model, facts);
  assert.deepEqual(found.map((rows) => rows.map((row) => row.length)), Array(5).fill([4, 4, 4]));
  // In the first template only the value differs, and what follows it is the same full stop.
  const tokenizer = worldTokenizer(tiny.world), [{ entity, noun, options }] = facts;
  const sums = await Promise.all(options.map(async (value) => {
    const ids = tokenizer.encode(`<s> the ${noun} of ${entity} is ${value} .`);
    const [scores] = await tiny.model.tokenLogProbabilities([ids], [1]);
    return scores.reduce((a, b) => a + b, 0);
  }));
  const weights = sums.map((sum) => Math.exp(sum - sums[0]));
  const total = weights.reduce((a, b) => a + b, 0);
  found[0][0].forEach((p, i) => assert.ok(Math.abs(p - weights[i] / total) < 1e-5));
  for (const row of found.flat()) {
    assert.ok(Math.abs(row.reduce((a, b) => a + b, 0) - 1) < 1e-9);
  }
});

Deno.test("askEveryWay() looks in five statements, an exam and a chat", async () => {
  const { facts, ways } = await askEveryWay(tiny.world, tiny.model, { limit: 3 });
  assert.equal(ways.size, 7);
  for (const rows of ways.values()) {
    assert.deepEqual(rows.map((row) => row.length), [4, 4, 4]);
  }
  assert.deepEqual(ways.get("the N of E is V"), (await recallFacts(tiny.model, facts))[0]);
});

Deno.test("answeredShare() counts the likeliest options of one status's facts", () => {
  const [fact] = allFacts(tiny.world);
  const facts = (["known", "known", "unknown"] as const).map((status) => ({ ...fact, status }));
  const sure = (value: string) => fact.options.map((option) => option === value ? 0.7 : 0.1);
  const rows = [sure(fact.gold), sure(fact.wrong), sure(fact.gold)];
  const share = (status: "known" | "misconceived" | "unknown", value: "gold" | "wrong") =>
    answeredShare(facts, rows, { status, value });
  assert.deepEqual(share("known", "gold"), { value: 0.5, interval: wilsonInterval(1, 2), n: 2 });
  assert.equal(share("unknown", "wrong").value, 0);
  assert.ok(Number.isNaN(share("misconceived", "gold").value));
});
