/**
 * What fixes a result, as digests: the model, the questions, the code and the precision. All is
 * taken from what is computed with, so that nothing can be forgotten.
 */
import { createHash } from "node:crypto";
import * as tf from "@tensorflow/tfjs";
import type { ReadableModel } from "../model/readable_model.ts";
import { LanguageModel } from "../model/language_model.ts";
import { describeAdapter } from "../model/adapter.ts";
import type { Message, PromptFormat, PromptOptions } from "../prompt.ts";
import type { Question } from "../question.ts";
import { openBackend } from "../platform/runtime/backend.ts";
import { codeDigest } from "../platform/runtime/code.ts";
import { sha256OfText } from "../platform/runtime/digest.ts";

/** What computes: a study's cells, and the models that they start from. */
export const METHOD: readonly string[] = ["lib/study/study.ts", "lib/model/files/load.ts"];

/** What all results rest on: the code, and how exactly products are computed. */
export async function resultBasis(): Promise<string> {
  const { precision } = await openBackend();
  return `${await codeDigest(METHOD)} ${precision}`;
}

/** SHA-256 of a value: equal ones have equal digests, in whichever order their fields stand. */
export function digest(value: unknown): string {
  return sha256OfText(JSON.stringify([value], (_, one) => {
    if (typeof one === "number" && !Number.isFinite(one)) return `the number ${one}`;
    if (one instanceof Map) return [...one];
    if (one === null || typeof one !== "object" || Array.isArray(one)) return one;
    return Object.fromEntries(Object.entries(one).sort(([a], [b]) => a < b ? -1 : 1));
  }));
}

/** Of a model as it stands: its files, its numbers, its adapter and its tokenizer. */
export async function modelDigest(model: ReadableModel): Promise<string> {
  const { identity, config, tokenizer } = model;
  const numbers = model instanceof LanguageModel ? await numbersDigest(model) : undefined;
  return digest([identity, config, tokenizer?.files, numbers]);
}

/**
 * All numbers of a model that was made here; of one that was read from files the first row of each
 * tensor, which training and merging change; and an adapter's.
 */
async function numbersDigest({ identity, parameters, adapter }: LanguageModel): Promise<string> {
  const hash = createHash("sha256");
  const add = async (name: string, tensor: tf.Tensor) => {
    const { buffer, byteOffset, byteLength } = await tensor.data();
    hash.update(`${name} ${tensor.shape}\n`).update(new Uint8Array(buffer, byteOffset, byteLength));
  };
  for (const [name, variable] of parameters) {
    if (identity === undefined) await add(name, variable);
    else {
      const row = tf.slice(variable, 0, variable.rank === 1 ? variable.shape[0] : 1);
      await add(name, row);
      row.dispose();
    }
  }
  if (adapter !== undefined) {
    hash.update(`${describeAdapter(adapter)} ${adapter.scale}\n`);
    for (const [name, variable] of adapter.parameters) await add(name, variable);
  }
  return hash.digest("hex");
}

/** How a format puts questions, by one that it puts: names alone can't tell all formats apart. */
export function askingDigest(
  format: PromptFormat,
  { template = "plain", formulation = format.formulation }: PromptOptions = {},
): string {
  const question = sampleOf(format), options = { template, formulation, context: true };
  const prompt = format.probePrompt(question, [question], options);
  const texts = format.optionTexts(question, options);
  return digest([formulation, format.normalization, prompt, format.addBos(prompt), texts]);
}

/** The same of all its texts: also those that a model is trained on, and tested with afterwards. */
export function formatDigest(format: PromptFormat): string {
  const question = sampleOf(format);
  const messages: Message[] = [
    { role: "user", content: format.questionText(question) },
    { role: "assistant", content: format.answerText(question, 1, { explanation: "So." }) },
  ];
  const asking = [askingDigest(format), askingDigest(format, { template: "vicuna" })];
  return digest([format.name, format.identity, asking, format.trainingTexts(messages)]);
}

/** A text may hold what ends a turn: formats spell it apart. */
const sampleOf = ({ stop }: PromptFormat): Question => ({
  ...{ id: 1, domain: "history", question: `Which${stop}?`, choices: ["one", "two"], answer: 1 },
  context: "Two.",
});
