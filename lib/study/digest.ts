/**
 * What fixes a result, as digests: the model, the questions, the code and the precision of the
 * arithmetic. All of it is taken from what is computed with, so that nothing can be forgotten: of a
 * question file its questions, of a model its files and what it holds in memory.
 */
import { createHash } from "node:crypto";
import * as tf from "@tensorflow/tfjs";
import type { ProbedModel } from "../model/engine.ts";
import { LanguageModel } from "../model/language_model.ts";
import { describeAdapter } from "../model/lora.ts";
import type { PromptFormat } from "../prompt.ts";
import type { Question } from "../question.ts";
import { type Backend, openBackend } from "../runtime/backend.ts";
import { codeDigest } from "../runtime/code.ts";
import { sha256OfText } from "../runtime/digest.ts";

/** What computes: a study's cells, and the models that they start from. */
const METHOD = ["lib/study/study.ts", "lib/model/load.ts"];

/** What all results rest on: the code, and how exactly products are computed. */
export async function resultBasis(): Promise<string> {
  const { precision = "float32" }: Backend & { precision?: string } = await openBackend();
  return `${await codeDigest(METHOD)} ${precision}`;
}

/** SHA-256 of a value: equal ones have equal digests, in whichever order their fields stand. */
export function digest(value: unknown): string {
  return sha256OfText(JSON.stringify(value, (_, one) => {
    if (typeof one === "number" && !Number.isFinite(one)) return `the number ${one}`;
    if (one instanceof Map) return [...one];
    if (one === null || typeof one !== "object" || Array.isArray(one)) return one;
    return Object.fromEntries(Object.entries(one).sort(([a], [b]) => a < b ? -1 : 1));
  }));
}

/** Of a model as it stands: its files, its numbers, its adapter, its tokenizer and its prompts. */
export async function modelDigest(model: ProbedModel): Promise<string> {
  const { identity, config, tokenizer, format } = model;
  return digest([
    ...[identity, config, tokenizer?.files, formSamples(format)],
    model instanceof LanguageModel ? await numbersDigest(model) : undefined,
  ]);
}

/**
 * Of a model's numbers in memory: all of one that was made here; of one that was read from files, the first
 * row of each tensor, which training and merging change; and an adapter's.
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

const SAMPLE: Question = {
  ...{ id: 1, domain: "history", question: "Which?", choices: ["one", "two"], answer: 1 },
  context: "Two.",
};

/** How a format asks and teaches, as it does it to one question: a name can't tell all formats apart. */
function formSamples(format: PromptFormat): unknown[] {
  const { name, formulation, normalization, identity, stop } = format;
  const user = format.questionText(SAMPLE);
  const assistant = format.answerText(SAMPLE, 1, { explanation: "So." });
  return [
    ...[name, formulation, normalization, identity, stop, user, assistant],
    format.trainingTexts([
      { role: "user", content: user },
      { role: "assistant", content: assistant },
    ]),
    ...(["plain", "vicuna"] as const).map((template) => {
      const options = { template, formulation, context: true };
      const prompt = format.probePrompt(SAMPLE, [SAMPLE], options);
      return [prompt, format.addsStart(prompt), format.optionTexts(SAMPLE, options)];
    }),
  ];
}
