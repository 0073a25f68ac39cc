/** This project's side of the benchmarks of a real model: probing and generation. */
import * as tf from "@tensorflow/tfjs";
import { openBackend } from "../../lib/platform/runtime/backend.ts";
import { lines } from "../../lib/platform/native/_command.ts";
import { probe, promptIds, softmaxOver } from "../../lib/probe.ts";
import { forward, headWeight } from "../../lib/model/architecture.ts";
import type { ModelConfiguration } from "../../lib/model/configuration.ts";
import { generateTokens } from "../../lib/model/generate.ts";
import type { LanguageModel } from "../../lib/model/language_model.ts";
import { loadModel } from "../../lib/model/files/load.ts";
import { type BenchQuestions, benchQuestions } from "./_questions.ts";

/** What a peer is asked, by the order's name. */
export interface Orders {
  open: { source: string };
  save: { folder: string };
  questions: { count: number; file?: string };
  probe: { count: number };
  /** Questions by their place, one at a time, nothing shared, logits of all positions. */
  oneByOne: { places: number[] };
  generate: { prompts: number[][]; maxNewTokens: number };
}

export interface Answers {
  open: { about: string; config: ModelConfiguration; parameters: number };
  /** Prompts' token ids, those of the letters, and how many tokens all prompts start with. */
  questions: { prompts: number[][]; letters: number[][]; shared: number; from: string };
  probe: { seconds: number; probabilities: number[][] };
  oneByOne: { seconds: number; probabilities: number[][] };
  generate: { seconds: number; tokens: number[][] };
}

let model: LanguageModel;
let asked: BenchQuestions, prompts: number[][] = [], letters: number[][] = [];

const orders: { [Name in keyof Orders]: (order: Orders[Name]) => Promise<unknown> } = {
  async open({ source }) {
    const { name, device, threads, versions } = await openBackend();
    model = await loadModel(source);
    const about = `Deno ${versions.deno}, TensorFlow.js ${versions.tfjs}, ${name} ${
      versions.tensorflow ?? ""
    }, ${device}, ${threads ?? "unknown"} threads`;
    return { about, config: model.config, parameters: model.parameterCount };
  },

  async save({ folder }) {
    await model.save(folder);
  },

  async questions({ count, file }): Promise<Answers["questions"]> {
    asked = await benchQuestions(count, file);
    const { questions, demonstrations, from } = asked;
    prompts = questions.map((question) =>
      promptIds(model, model.format.probePrompt(question, demonstrations))
    );
    letters = questions.map((question) =>
      model.format.optionTexts(question).map((text) => model.tokenizer!.encode(text).at(-1)!)
    );
    let shared = 0;
    while (prompts.every((row) => shared < row.length && row[shared] === prompts[0][shared])) {
      shared++;
    }
    return { prompts, letters, shared, from };
  },

  async probe({ count }): Promise<Answers["probe"]> {
    const { questions, demonstrations } = asked;
    const start = performance.now();
    const answers = await probe(model, questions.slice(0, count), { demonstrations });
    const seconds = (performance.now() - start) / 1000;
    return { seconds, probabilities: answers.map(({ probabilities }) => probabilities) };
  },

  async oneByOne({ places }): Promise<Answers["oneByOne"]> {
    const run = model.compiled("bench/all logits", (ids) => {
      const hidden = forward(model.parameters, model.config, ids as tf.Tensor2D);
      const logits = tf.matMul(hidden, headWeight(model.parameters, model.config), false, true);
      // All are computed; the last are what is read.
      return [tf.slice(logits, [ids.shape[1]! - 1, 0], [1, model.config.vocabularySize])];
    });
    const probabilities: number[][] = [];
    const start = performance.now();
    for (const place of places) {
      const ids = tf.tensor2d([prompts[place]], undefined, "int32");
      const [logits] = run(ids);
      probabilities.push(softmaxOver(await logits.data(), letters[place]));
      tf.dispose([ids, logits]);
    }
    return { seconds: (performance.now() - start) / 1000, probabilities };
  },

  async generate({ prompts, maxNewTokens }): Promise<Answers["generate"]> {
    const start = performance.now();
    const tokens: number[][] = [];
    for (const prompt of prompts) {
      const written: number[] = [];
      for await (const id of generateTokens(model, prompt, { maxNewTokens })) written.push(id);
      tokens.push(written);
    }
    return { seconds: (performance.now() - start) / 1000, tokens };
  },
};

if (import.meta.main) {
  for await (const line of lines(Deno.stdin.readable)) {
    const order = JSON.parse(line);
    let answer: unknown = {};
    try {
      const handle = (orders as Record<string, (order: unknown) => Promise<unknown>>)[order.do];
      if (handle !== undefined) answer = await handle(order) ?? {};
      else if (order.do !== "close") throw new Error(`unknown order ${order.do}`);
    } catch (error) {
      answer = { error: error instanceof Error ? error.message : String(error) };
    }
    console.log(`@ ${JSON.stringify(answer)}`);
    if (order.do === "close") break;
  }
}
