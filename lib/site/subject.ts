/**
 * What the live page works on: an organism read from its files' texts and bytes, the questions of its
 * world, and what it answered before it was trained. Runs in a page, a worker and Deno alike.
 */
import * as tf from "@tensorflow/tfjs";
import { parseConfiguration } from "../model/configuration.ts";
import { bytesAccess, openSafetensors } from "../model/files/checkpoint.ts";
import { LanguageModel } from "../model/language_model.ts";
import { tokenizerFromFiles } from "../model/tokenizer.ts";
import type { PromptFormat } from "../prompt.ts";
import { worldMaterial } from "../study/material.ts";
import { organismFormat } from "../world/format.ts";
import { parseWorld } from "../world/serialization.ts";
import { baseAnswers, type BaseProbabilities } from "./base.ts";

/** The texts and bytes of a model's folder. */
export interface ModelFiles {
  config: string;
  weights: Uint8Array;
  tokenizer: readonly (readonly [name: string, text: string])[];
}

/** A model from bytes, on the open backend. */
export async function readModel(
  { config, weights, tokenizer }: ModelFiles,
  { name, format }: { name: string; format: PromptFormat },
): Promise<LanguageModel> {
  const file = await openSafetensors(bytesAccess(weights));
  const parameters = new Map<string, tf.Variable>();
  for (const name of file.names) {
    const { shape, data } = await file.read(name);
    parameters.set(name, tf.tidy(() => tf.variable(tf.tensor(data, shape))));
  }
  return new LanguageModel({
    ...{ name, format, parameters },
    config: parseConfiguration(config),
    tokenizer: tokenizerFromFiles(new Map(tokenizer)),
  });
}

/** An organism with its world's questions, its answers and, `start`, its parameters before training. */
export async function readSubject(
  files: ModelFiles,
  { name, world, base }: { name: string; world: string; base: BaseProbabilities },
) {
  const model = await readModel(files, { name, format: organismFormat });
  const material = worldMaterial(parseWorld(world));
  return { model, material, base: baseAnswers(base, material), start: model.snapshot() };
}

export type Subject = Awaited<ReturnType<typeof readSubject>>;

export function disposeSubject({ model, start }: Subject): void {
  model.dispose();
  tf.dispose([...start.values()]);
}
