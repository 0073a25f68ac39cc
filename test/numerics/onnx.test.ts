/** ONNX graphs against this project's own forward pass on the same weights. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { AutoModelForCausalLM } from "@huggingface/transformers";
import { evaluate } from "../../lib/evaluate.ts";
import type { Message, Question } from "../../lib/question.ts";
import { finetune } from "../../lib/finetune.ts";
import { lossAndGradients, Trainer } from "../../lib/model/trainer.ts";
import { probe } from "../../lib/probe.ts";
import type { ReadableModel } from "../../lib/model/readable_model.ts";
import type { LanguageModel } from "../../lib/model/language_model.ts";
import { loadModel, openModel } from "../../lib/model/files/load.ts";
import { OnnxModel } from "../../lib/model/files/onnx.ts";
import { fixtureFolder, largestDifference } from "./_fixtures.ts";

const folder = (name: string) => join(import.meta.dirname!, "fixtures", "onnx", name);

/** Both exporters' graphs, and where their weights lie for the other engine. */
const graphs = {
  "ONNX's own operators": ["qwen2", fixtureFolder("qwen2")],
  "GroupQueryAttention, weights in a second file": ["llama", folder("llama")],
} as const;

async function both(
  name: string,
  weights: string,
  body: (onnx: ReadableModel, own: LanguageModel) => Promise<void>,
) {
  const onnx = await openModel(`onnx:${folder(name)}`);
  const own = await loadModel(weights, { tokenizer: folder(name) });
  try {
    await body(onnx, own);
  } finally {
    onnx.dispose();
    own.dispose();
  }
}

/** Rows of several lengths that start alike. */
const rows = [3, 40, 11, 4, 19, 11].map((length, r) => [
  ...Array.from({ length: 21 }, (_, i) => (7 * i + 3) % 97),
  ...Array.from({ length }, (_, i) => (5 * i + 3 * r + 11) % 97),
]);

const things = ["sun", "moon", "sea", "sky", "night", "fire"];
const colours = ["red", "green", "blue", "black"];
const questions: Question[] = things.map((thing, i) => ({
  id: thing,
  domain: "history",
  question: `What is the ${thing} ?`,
  choices: colours.map((_, k) => colours[(i + k) % 4]),
  answer: i % 4,
}));
const [demonstration, ...asked] = questions;

function same(a: number[], b: number[], tolerance: number) {
  const difference = largestDifference(a, b);
  assert.ok(difference <= tolerance, `differs by ${difference}`);
}

for (const [kind, [name, weights]] of Object.entries(graphs)) {
  Deno.test(`an ONNX graph (${kind}) gives our logits`, () =>
    both(name, weights, async (onnx, own) => {
      const [theirs, ours] = [await onnx.logits(rows), await own.logits(rows)];
      for (const [i, row] of rows.entries()) {
        assert.equal(theirs[i].length, row.length * 97);
        assert.ok(largestDifference(theirs[i], ours[i]) <= 1e-4, `row ${i}`);
        const best = (logits: Float32Array) => logits.indexOf(Math.max(...logits));
        for (let t = 0; t < row.length; t++) {
          const at = (logits: Float32Array) => logits.subarray(97 * t, 97 * (t + 1));
          assert.equal(best(at(theirs[i])), best(at(ours[i])), `row ${i}, token ${t}`);
        }
      }
    }));

  Deno.test(`an ONNX graph (${kind}) reads behind a shared prefix as without one`, () =>
    both(name, weights, async (onnx, own) => {
      for (const batchTokens of [1, 60, 4096]) {
        const shared = await onnx.nextTokenLogits(rows, { batchTokens });
        const alone = await Promise.all(rows.map((row) => onnx.nextTokenLogits([row])));
        rows.forEach((_, i) =>
          assert.ok(largestDifference(shared[i], alone[i][0]) <= 1e-5, `row ${i}`)
        );
      }
      const from = rows.map((row, i) => row.length - 1 - i % 3);
      const theirs = await onnx.tokenLogProbabilities(rows, from);
      const ours = await own.tokenLogProbabilities(rows, from);
      rows.forEach((row, i) => {
        assert.equal(theirs[i].length, row.length - from[i]);
        same(theirs[i], ours[i], 1e-4);
      });
    }));

  Deno.test(`probe() and evaluate() on an ONNX graph (${kind}) give our answers`, () =>
    both(name, weights, async (onnx, own) => {
      for (const formulation of ["letters", "hybrid", "cloze"] as const) {
        const how = { demonstrations: [demonstration], formulation };
        const [theirs, ours] = [await probe(onnx, asked, how), await probe(own, asked, how)];
        theirs.forEach((answer, i) => {
          assert.equal(answer.predicted, ours[i].predicted);
          same(answer.probabilities, ours[i].probabilities, 1e-5);
        });
        const peaked = theirs.some(({ predictedProbability }) => predictedProbability > 0.3);
        assert.ok(peaked, "probabilities that are all alike would prove nothing");
      }
      const suites = { homo: asked.slice(0, 2) };
      const [theirs, ours] = [await evaluate(onnx, suites), await evaluate(own, suites)];
      const probabilities = ({ homo }: typeof ours) =>
        homo!.answers.flatMap(({ probabilities }) => probabilities);
      same(probabilities(theirs), probabilities(ours), 1e-5);
    }));

  Deno.test(`an ONNX graph (${kind}) writes what we write`, () =>
    both(name, weights, async (onnx, own) => {
      const prompt = "Question : What is the sun ?";
      const settings = [
        { maxNewTokens: 30 },
        { maxNewTokens: 30, temperature: 1, seed: 1 },
        { maxNewTokens: 30, temperature: 0.8, topP: 0.7, seed: 2 },
      ];
      const texts: string[] = [];
      for (const options of settings) {
        texts.push(await onnx.generate(prompt, options));
        assert.equal(texts.at(-1), await own.generate(prompt, options));
      }
      assert.equal(new Set(texts).size, 3, "settings change the text");
      const stop = texts[1].slice(8, 10);
      const stopped = await onnx.generate(prompt, { ...settings[1], stop: [stop] });
      assert.equal(stopped, texts[1].slice(0, texts[1].indexOf(stop)));
      await assert.rejects(
        onnx.generate(prompt, { maxNewTokens: 200 }),
        /at most 128; found \d+ \+ 200; shorten the prompt/,
      );
    }));
}

Deno.test("openModel() tells a graph's origin and size", () =>
  both("llama", folder("llama"), async (onnx, own) => {
    assert.equal(onnx.description!.kind, "onnx");
    assert.match(onnx.description!.digest, /^[0-9a-f]{64}$/);
    assert.equal(onnx.parameterCount, own.parameterCount);
    assert.deepEqual(onnx.config.eosTokenIds, own.config.eosTokenIds);
    assert.equal(onnx.config.maxPositions, own.config.maxPositions);
    const other = await openModel(`onnx:${folder("llama")}@q4`);
    assert.notEqual(other.description!.digest, onnx.description!.digest);
    other.dispose();
  }));

// How far logits may be off, as a share of their spread. Random weights round badly.
const rounded = { "qwen2@fp16": 0.005, "qwen2@q8": 0.1, "llama@q4": 0.5 };
for (const [name, tolerance] of Object.entries(rounded)) {
  Deno.test(`openModel() runs ${name}, which rounds`, async () => {
    const exact = await openModel(`onnx:${folder(name.split("@")[0])}`);
    const model = await openModel(`onnx:${folder(name)}`);
    try {
      const [theirs, ours] = [await model.logits(rows), await exact.logits(rows)];
      const spread = (of: (i: number, t: number) => number) =>
        Math.sqrt(
          rows.flatMap((_, i) => Array.from(ours[i], (_, t) => of(i, t) ** 2)).reduce((a, b) =>
            a + b
          ),
        );
      const off = spread((i, t) => theirs[i][t] - ours[i][t]) / spread((i, t) => ours[i][t]);
      assert.ok(off <= tolerance, `off by ${off}`);
      assert.ok(off > 1e-4, "the graph in fp32 was taken");
      const text = await model.generate("Question : What", { maxNewTokens: 5 });
      assert.equal(text, await model.generate("Question : What", { maxNewTokens: 5 }));
    } finally {
      model.dispose();
      exact.dispose();
    }
  });
}

Deno.test("an ONNX graph refuses to be trained, and says what can be", async () => {
  const source = `onnx:${folder("qwen2")}`;
  await assert.rejects(
    loadModel(`${source}@q4`),
    /Cannot load onnx:.*@q4 for training: .*ONNX graph.*give \S*qwen2, the model's safetensors/,
  );
  const model = await openModel(source);
  try {
    const untyped = model as unknown as LanguageModel; // a notebook's cells are not checked
    const refusal = /Cannot train onnx:.*found an ONNX graph.*load the model's safetensors/;
    const options = { learningRate: 0.1, totalSteps: 1, warmupSteps: 0 };
    assert.throws(
      () => new Trainer(untyped, { ...options, schedule: "constant" }),
      refusal,
    );
    const messages: Message[] = [{ role: "user", content: "sun" }, {
      role: "assistant",
      content: "red",
    }];
    await assert.rejects(
      finetune(untyped, [{ id: 0, domain: "history", group: "har", messages }]),
      refusal,
    );
    const batch = { inputIds: [[3, 4]], labels: [[3, 4]] };
    await assert.rejects(lossAndGradients(untyped, batch), refusal);
  } finally {
    model.dispose();
  }
});

Deno.test("an ONNX graph refuses rows it can't read", async () => {
  const model = await openModel(`onnx:${folder("qwen2")}`);
  try {
    await assert.rejects(model.logits([[3, 97]]), /token ids from 0 to 96 in row 0; found 97/);
    await assert.rejects(model.nextTokenLogits([[3], []]), /expected tokens in row 1/);
    const long: Question = { ...asked[0], question: "sun ".repeat(160) };
    await assert.rejects(probe(model, [long]), /at most 128 tokens; found \d+; show fewer/);
  } finally {
    model.dispose();
  }
});

Deno.test("an ONNX graph reads once what all prompts, and a question's options, start with", async () => {
  const graph = await AutoModelForCausalLM.from_pretrained(folder("qwen2"), {
    dtype: "fp32",
    local_files_only: true,
  });
  const opened = await openModel(`onnx:${folder("qwen2")}`);
  let tokens = 0;
  const counted = Object.assign(Object.create(graph), {
    forward: (inputs: { input_ids: { size: number } }) => {
      tokens += inputs.input_ids.size;
      return graph.forward(inputs);
    },
  });
  const header = Array.from({ length: 20 }, (_, i) => i + 3);
  const rows = [0, 1, 2].flatMap((q) => {
    const question = Array.from({ length: 30 }, (_, i) => (11 * q + 7 * i) % 90 + 3);
    return [5, 6, 7, 8].map((option) => [...header, ...question, option]);
  });
  const from = rows.map((row) => row.length - 1);
  try {
    const { config, format } = opened;
    for (const oneByOne of [false, true]) {
      const model = new OnnxModel({ name: "counted", config, format, graph: counted, oneByOne });
      tokens = 0;
      const shared = await model.tokenLogProbabilities(rows, from);
      // The header, of each question all but its last token, and that once for each option.
      assert.equal(tokens, 20 + 3 * 29 + 12);
      tokens = 0;
      const plain: number[][] = [];
      for (const [i, row] of rows.entries()) {
        plain.push(...await model.tokenLogProbabilities([row], [from[i]]));
      }
      assert.equal(tokens, 12 * 50);
      same(shared.flat(), plain.flat(), 1e-5);
    }
  } finally {
    opened.dispose();
    await graph.dispose();
  }
});

Deno.test("an ONNX graph that names the width of a head is given it by the configuration", async () => {
  const from = { dtype: "fp32", local_files_only: true } as const;
  const graph = await AutoModelForCausalLM.from_pretrained(folder("qwen2"), from);
  const opened = await openModel(`onnx:${folder("qwen2")}`);
  const { model: session } = graph.sessions as unknown as {
    model: { inputMetadata: { name: string; shape: (number | string)[] }[] };
  };
  const shapes = session.inputMetadata.filter(({ name }) => name.startsWith("past"))
    .map(({ shape }) => shape);
  const [[, , , width]] = shapes;
  for (const shape of shapes) shape[3] = "head_size";
  try {
    const parts = { name: "named", config: opened.config, format: opened.format, graph };
    const model = new OnnxModel({ ...parts, headDimension: Number(width) });
    const [found, expected] = await Promise.all(
      [model, opened].map((one) => one.nextTokenLogits([[3, 4, 5, 6]])),
    );
    same([...found[0]], [...expected[0]], 1e-5);
  } finally {
    opened.dispose();
    await graph.dispose();
  }
});

Deno.test("new OnnxModel() refuses a graph without a cache", async () => {
  const graph = await AutoModelForCausalLM.from_pretrained(folder("qwen2"), {
    dtype: "fp32",
    local_files_only: true,
  });
  const model = await openModel(`onnx:${folder("qwen2")}`);
  try {
    const { config, format } = model;
    const session = { inputNames: ["input_ids"], outputNames: ["logits"], inputMetadata: [] };
    const bare = Object.assign(Object.create(graph), { sessions: { model: session } });
    assert.throws(
      () => new OnnxModel({ name: "bare", config, format, graph: bare }),
      /Cannot use bare: .*found input_ids to logits; export it once more .*with-past/,
    );
  } finally {
    model.dispose();
    await graph.dispose();
  }
});
