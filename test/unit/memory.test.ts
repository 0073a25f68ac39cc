/** What a model takes in memory, what is free, and the word beforehand where it is too little. */
import assert from "node:assert/strict";
import { join } from "node:path";
import process from "node:process";
import * as tf from "@tensorflow/tfjs";
import { finetune } from "../../lib/finetune.ts";
import { probe, promptIds, softmaxOver } from "../../lib/probe.ts";
import { Trainer } from "../../lib/model/trainer.ts";
import { forward, parameterShapes } from "../../lib/model/architecture.ts";
import { parseConfiguration } from "../../lib/model/configuration.ts";
import type { LanguageModel } from "../../lib/model/language_model.ts";
import { loadModel } from "../../lib/model/files/load.ts";
import {
  checkMemory,
  loadingMemory,
  probingMemory,
  trainingMemory,
  type TrainingUse,
} from "../../lib/model/memory.ts";
import { freeMemory } from "../../lib/platform/runtime/free_memory.ts";
import { MEMORY_VARIABLE, requireMemory } from "../../lib/platform/runtime/memory.ts";
import { type BackendName, openBackend } from "../../lib/platform/runtime/backend.ts";
import { tinyModel } from "./_tiny_model.ts";

await openBackend();
const smollm2 = parseConfiguration({
  model_type: "llama",
  vocab_size: 49152,
  hidden_size: 576,
  num_hidden_layers: 30,
  num_attention_heads: 9,
  num_key_value_heads: 3,
  intermediate_size: 1536,
  tie_word_embeddings: true,
});
/** More than any machine has. */
const giant = { ...smollm2, hiddenSize: 65536, intermediateSize: 262144, layers: 1000 };

Deno.test("estimates are within a fifth of SmolLM2's measured peaks", () => {
  const measured: [number, { total: number }][] = [
    [1.25e9, loadingMemory(smollm2)],
    [1.41e9, probingMemory(smollm2, { batchTokens: 8192, length: 128 })],
    [3.65e9, trainingMemory(smollm2, { batchTokens: 512, length: 128 })],
    [4.05e9, trainingMemory(smollm2, { batchTokens: 512, length: 128 })],
    [4.28e9, trainingMemory(smollm2, { batchTokens: 1024, length: 128 })],
    [4.96e9, trainingMemory(smollm2, { batchTokens: 1024, length: 512 })],
    [
      3.61e9,
      trainingMemory(smollm2, { batchTokens: 512, length: 128, gradientCheckpointing: "layer" }),
    ],
  ];
  for (const [peak, { total }] of measured) {
    assert.ok(total > 0.85 * peak && total < 1.2 * peak, `${total} told, ${peak} measured`);
  }
});

Deno.test("trainingMemory() falls with fewer tokens, recomputing and adapters, and rises with sums", () => {
  const use = { batchTokens: 8192, length: 512 };
  const whole = trainingMemory(smollm2, use);
  assert.equal(whole.moments, 2 * whole.weights);
  const { total, ...parts } = whole;
  assert.equal(total, Object.values(parts).reduce((a, b) => a + b, 0));
  const less = [
    trainingMemory(smollm2, { ...use, batchTokens: 2048 }),
    trainingMemory(smollm2, { ...use, gradientCheckpointing: "layer" }),
    trainingMemory(smollm2, { ...use, lora: {} }),
  ];
  for (const { total } of less) assert.ok(total < whole.total);
  const summed = trainingMemory(smollm2, { ...use, tokens: 2 * use.batchTokens });
  assert.equal(summed.gradients, 2 * whole.gradients);
  assert.ok(summed.total > whole.total);
});

Deno.test("uncompiled estimates are within a fifth of peaks measured on WebAssembly", () => {
  // Peaks of tf.memory().numBytes in two steps or in one reading, of random Llama models
  // [vocabulary, width, layers, heads, key-value heads, MLP width, rows, length].
  const measured: [number, number[], Partial<TrainingUse> & { reading?: true }][] = [
    [1569, [64, 128, 8, 4, 4, 128, 128, 32], {}],
    [2916, [64, 128, 8, 4, 4, 1024, 128, 32], {}],
    [2480, [64, 256, 8, 8, 2, 128, 128, 32], {}],
    [2742, [64, 128, 8, 8, 8, 128, 32, 128], {}],
    [513, [64, 128, 8, 8, 8, 128, 32, 128], { gradientCheckpointing: "layer" }],
    [533, [8000, 256, 6, 4, 2, 768, 4, 128], {}],
    [1359, [8000, 576, 6, 9, 3, 1536, 4, 128], {}],
    [746, [40000, 256, 1, 4, 4, 256, 1, 16], {}],
    [2180, [49152, 576, 2, 9, 3, 1536, 1, 32], {}],
    [121, [1000, 256, 4, 4, 2, 512, 16, 128], { reading: true }],
    [227, [64, 128, 8, 8, 8, 128, 32, 128], { reading: true }],
    [168, [512, 256, 16, 8, 4, 512, 32, 64], { reading: true }],
    [842, [49152, 576, 30, 9, 3, 1536, 64, 32], { reading: true }],
  ];
  for (const [peak, [vocabulary, width, layers, heads, kv, mlp, rows, length], use] of measured) {
    const configuration = parseConfiguration({
      model_type: "llama",
      vocab_size: vocabulary,
      hidden_size: width,
      num_hidden_layers: layers,
      num_attention_heads: heads,
      num_key_value_heads: kv,
      intermediate_size: mlp,
      tie_word_embeddings: true,
    });
    const all = { batchTokens: rows * length, length, compiled: false, ...use };
    const { total, process } = use.reading
      ? probingMemory(configuration, all)
      : trainingMemory(configuration, all);
    const told = (total - process) / 1e6;
    assert.ok(told > 0.8 * peak && told < 1.25 * peak, `${told} told, ${peak} measured`);
  }
});

Deno.test("an uncompiled pass without gradients holds one layer's inner values at a time", async () => {
  const peakOf = async (layers: number) => {
    const configuration = parseConfiguration({
      model_type: "qwen3",
      vocab_size: 32,
      hidden_size: 16,
      num_hidden_layers: layers,
      num_attention_heads: 2,
      num_key_value_heads: 2,
      head_dim: 8,
      intermediate_size: 256,
      tie_word_embeddings: true,
    });
    const parameters = new Map(
      parameterShapes(configuration).map(([name, shape]) => [name, tf.fill(shape, 0.1)]),
    );
    const ids = tf.zeros([4, 32], "int32") as tf.Tensor2D;
    const weights = tf.memory().numBytes;
    const { peakBytes } = await tf.profile(() => forward(parameters, configuration, ids));
    tf.dispose([...parameters.values(), ids]);
    return peakBytes - weights;
  };
  const [two, six] = [await peakOf(2), await peakOf(6)];
  // A layer more leaves its output [4 x 32, 16] alone; inside it are gate and up of [4 x 32, 256].
  assert.ok(six - two <= 4 * 128 * 16 * 4 + 4096, `${six - two} bytes more for 4 layers more`);
  assert.ok(two > 128 * 256 * 4 * 2);
});

Deno.test("freeMemory() is what is left of a container's limit, or free on the machine", async () => {
  const limit = process.memoryUsage.rss() + 2 ** 28, { bytes, by } = freeMemory(limit, "/none");
  assert.equal(by, "left of this container's limit");
  assert.ok(Math.abs(bytes - 2 ** 28) < 2 ** 26, `${bytes}`);
  assert.deepEqual(freeMemory(1, "/none"), { bytes: 0, by });
  // Other processes of the container count, and files that can be read again don't.
  const group = await Deno.makeTempDir(), rss = process.memoryUsage.rss();
  await Deno.writeTextFile(join(group, "memory.current"), `${rss + 3000}\n`);
  await Deno.writeTextFile(
    join(group, "memory.stat"),
    "anon 5\ninactive_file 700\nactive_file 300\n",
  );
  assert.ok(freeMemory(2 * rss, group).bytes <= rss - 2000);
  await Deno.writeTextFile(join(group, "memory.current"), `${3 * rss}`);
  assert.equal(freeMemory(2 * rss, group).bytes, 0);
  await Deno.remove(group, { recursive: true });
  const { total } = Deno.systemMemoryInfo();
  // Control groups without a limit: version 2, version 1.
  for (const none of [0, 2 ** 63]) {
    const { bytes, by } = freeMemory(none);
    assert.equal(by, "free on this machine");
    assert.ok(bytes > 1e7 && bytes <= total);
  }
});

const need = {
  action: "load x",
  bytes: 2.5e9,
  parts: "weights 2.5 GB",
  mend: "choose a smaller one",
};

Deno.test("requireMemory() gives need, what is free and what to do", () => {
  const free = { bytes: 9e8, by: "free on this machine" };
  assert.throws(
    () => requireMemory(need, { free }),
    /^Error: Cannot load x: expected 2\.5 GB of memory \(weights 2\.5 GB\); found 900 MB free on this machine; choose a smaller one, or set SELF_ALIGNING_MEMORY=anyway/,
  );
  requireMemory(need, { free: { ...free, bytes: 2.5e9 } });
});

Deno.test("requireMemory() goes on where it is told to, and says so", () => {
  const told: string[] = [];
  Deno.env.set(MEMORY_VARIABLE, "anyway");
  try {
    requireMemory(need, { free: { bytes: 1, by: "free" }, tell: (text) => told.push(text) });
  } finally {
    Deno.env.delete(MEMORY_VARIABLE);
  }
  assert.match(told.join(), /expected 2\.5 GB.*going on$/);
});

Deno.test("checkMemory() counts what is there already for nothing, and names the rest, largest first", () => {
  const estimate = trainingMemory(smollm2, { batchTokens: 512, length: 128 });
  const options = { action: "train", mend: "wait", free: { bytes: 2.3e9, by: "free" } };
  assert.throws(
    () => checkMemory(estimate, options),
    /expected 3\.0 GB .*\(moments 1\.1 GB, activations 873 MB, .*weights 539 MB/,
  );
  assert.throws(
    () => checkMemory(estimate, { ...options, has: ["process", "weights"] }),
    (error: Error) => /expected 2\.5 GB/.test(error.message) && !/weights/.test(error.message),
  );
});

const messages = [
  { role: "user" as const, content: "what is the capital of France and why" },
  { role: "assistant" as const, content: "a" },
];
const example = { id: 1, domain: "d", group: "inc" as const, messages };

Deno.test("loadModel() and finetune() refuse what has no room, before a number is read", async () => {
  const fixture = join(import.meta.dirname!, "../numerics/fixtures/models/llama");
  const folder = await Deno.makeTempDir();
  const model = tinyModel();
  try {
    const config = JSON.parse(await Deno.readTextFile(join(fixture, "config.json")));
    const { hiddenSize, intermediateSize, layers } = giant;
    Object.assign(config, {
      hidden_size: hiddenSize,
      intermediate_size: intermediateSize,
      num_hidden_layers: layers,
      head_dim: 64,
    });
    await Deno.writeTextFile(join(folder, "config.json"), JSON.stringify(config));
    await Deno.copyFile(join(fixture, "model.safetensors"), join(folder, "model.safetensors"));
    await assert.rejects(
      loadModel(folder),
      /Cannot load .*: expected \d+\.\d GB of memory \(weights .*found .*smaller model.*anyway/,
    );
    const large = Object.create(model, { config: { value: giant } }) as LanguageModel;
    await assert.rejects(
      finetune(large, [example]),
      /Cannot fine-tune tiny: expected .*moments.*try adapters \(--lora=8: [\d.]+ GB\), or choose/,
    );
    const small = await finetune(model, [example], { epochs: 1, gradientCheckpointing: "layer" });
    assert.equal(small.settings.gradientCheckpointing, "layer");
  } finally {
    model.dispose();
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("a training that WebAssembly's 4 GiB don't hold is refused, and what would help is named", async () => {
  const before = tf.getBackend() as BackendName;
  await openBackend("wasm");
  const model = tinyModel();
  try {
    const own = model.config;
    const as = (changes: Partial<typeof smollm2>) =>
      Object.defineProperty(model, "config", {
        value: { ...smollm2, ...changes },
        configurable: true,
      });
    const options = { learningRate: 1e-4, totalSteps: 1 };
    // Moments of 2 weights and an update of 3 and its temporaries, beside them.
    assert.throws(
      () => new Trainer(as({ vocabularySize: 60_000 }), options),
      /Cannot train tiny: expected 4\.\d GB .*found 4\.3 GB left for WebAssembly, which has 4 GiB; install native TensorFlow \(`deno task doctor`\), try adapters \(--lora=8: [^)]+\), or choose/,
    );
    const trainer = new Trainer(as({ layers: 12, vocabularySize: 8000 }), options);
    const row = Array.from({ length: 128 }, (_, i) => i);
    const batch = { inputIds: Array(16).fill(row), labels: Array(16).fill(row) };
    await assert.rejects(
      trainer.step(batch),
      // Uncompiled, adapters keep more than they save at so many tokens.
      /Cannot train tiny on 16 x 128 tokens: .*\(activations .*try fewer tokens at once \(--batch-tokens=128, here 2048: [^)]+\), --gradient-checkpointing \(gradientCheckpointing: "layer": [^)]+\), or choose/,
    );
    assert.equal(trainer.steps, 0);
    // Nothing is advised that is on already, or would not help.
    await assert.rejects(
      finetune(as({ layers: 60, vocabularySize: 400_000 }), [example], {
        epochs: 1,
        gradientCheckpointing: "layer",
        lora: { rank: 8 },
      }),
      /Cannot fine-tune tiny: [^]*`deno task doctor`\), choose a smaller model, or set/,
    );
    // One that fits is trained.
    Object.defineProperty(model, "config", { value: own });
    const result = await finetune(model, [example], { epochs: 1, batchTokens: 64 });
    assert.equal(result.steps, 1);
  } finally {
    model.dispose();
    await openBackend(before);
  }
});

Deno.test("reading names --batch-tokens where fewer tokens at once would help", async () => {
  const model = tinyModel({ batchTokens: 512 });
  try {
    assert.equal(model.batchTokens, 512);
    Object.defineProperty(model, "config", { value: { ...model.config, hiddenSize: 1e12 } });
    await assert.rejects(
      model.nextTokenLogits(Array(300).fill([1, 2, 3])),
      /Cannot read 300 texts with tiny: .*--batch-tokens=N, here 512\), choose a smaller/,
    );
  } finally {
    model.dispose();
  }
});

Deno.test("asked by letters, of each question the letters' logits stay and no others", async () => {
  const model = tinyModel();
  try {
    const questions = Array.from({ length: 9 }, (_, i) => ({
      ...{ id: `${i}`, domain: "d", question: `what is ${i}`, choices: ["a", "b", "c"], answer: 0 },
    }));
    let bytes = 0;
    const asked = Object.create(model, {
      nextTokenLogits: {
        value: async (...[rows, how]: Parameters<typeof model.nextTokenLogits>) => {
          const result = await model.nextTokenLogits(rows, how);
          bytes += result.reduce((sum, { buffer }) => sum + buffer.byteLength, 0);
          return result;
        },
      },
    }) as LanguageModel;
    const answers = await probe(asked, questions);
    assert.equal(bytes, 9 * 3 * 4);
    // The same to the last bit as out of the whole vocabulary.
    const how = { template: "plain", formulation: "letters", context: false } as const;
    const rows = questions.map((one) => promptIds(model, model.format.probePrompt(one, [], how)));
    const whole = await model.nextTokenLogits(rows);
    const letters = ["A", "B", "C"].map((letter) => model.requireTokenizer().encode(letter)[0]);
    answers.forEach(({ probabilities }, i) =>
      assert.deepEqual(probabilities, softmaxOver(whole[i], letters))
    );
  } finally {
    model.dispose();
  }
});

Deno.test("nextTokenLogits() and tokenLogProbabilities() refuse texts that have no room", async () => {
  const model = tinyModel();
  try {
    const rows = [[1, 2, 3]];
    assert.equal((await model.nextTokenLogits(rows)).length, 1);
    Object.defineProperty(model, "config", { value: { ...model.config, hiddenSize: 1e12 } });
    for (
      const read of [
        () => model.nextTokenLogits(rows),
        () => model.tokenLogProbabilities(rows, [1]),
      ]
    ) {
      await assert.rejects(
        read(),
        /Cannot read 1 texts with tiny: expected .*; choose a smaller model, or set/,
      );
    }
  } finally {
    model.dispose();
  }
});
