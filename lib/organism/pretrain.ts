/** Pretraining an organism on its world's corpus: the loop around the recipe of lib/world. */
import * as tf from "@tensorflow/tfjs";
import { Trainer } from "../finetune/trainer.ts";
import { parseConfiguration } from "../model/configuration.ts";
import { LanguageModel } from "../model/language_model.ts";
import {
  embeddingScale,
  exportParameters,
  type GateValues,
  initialParameters,
  isDecayed,
  measureGate,
  organismConfiguration,
  organismFormat,
  type ParameterData,
  pretrainingRate,
  type PretrainingSettings,
  pretrainingSteps,
  type ScoreOptions,
  type Window,
  windows,
  type World,
  worldTokenizer,
} from "../world/mod.ts";
import { softmaxOver } from "../knowledge/probe.ts";

export interface PretrainOptions {
  settings: PretrainingSettings;
  /** Of the parameters at the start. Default: the world's seed. */
  seed?: number | string;
  /** Told after every step. */
  onStep?: (state: { step: number; steps: number; loss: number }) => void | Promise<void>;
  /** Steps after which the model is looked at; `onCheckpoint` gets the exported model. */
  checkpoints?: number[];
  onCheckpoint?: (step: number, model: LanguageModel) => Promise<void>;
}

/** An organism's model with given parameters (exported ones, without the embedding's factor). */
export function organismModel(
  world: World,
  settings: PretrainingSettings,
  parameters: ReadonlyMap<string, ParameterData>,
): LanguageModel {
  const tokenizer = worldTokenizer(world);
  const config = parseConfiguration(organismConfiguration(settings, tokenizer.vocabularySize));
  return new LanguageModel({
    name: `organism of world ${world.seed}`,
    config,
    parameters: new Map([...parameters].map(([name, { shape, data }]) => {
      const tensor = tf.tensor(data.slice(), shape);
      const variable = tf.variable(tensor);
      tensor.dispose();
      return [name, variable];
    })),
    tokenizer,
    format: organismFormat,
  });
}

/** Windows as a batch: the token at each place is the label of the place before. */
function toBatch(group: Window[]) {
  const inputIds = group.map(({ ids }) => [...ids]);
  return { inputIds, labels: inputIds, weights: group.map(({ weights }) => [...weights]) };
}

/**
 * Trains a model from its seed on the world's corpus, and returns it as it is to be saved.
 * AdamW with decay on matrices, clipping, warm-up, constant rate, linear decay (see lib/world).
 */
export async function pretrain(
  world: World,
  { settings, seed = world.seed, onStep, checkpoints = [], onCheckpoint }: PretrainOptions,
): Promise<LanguageModel> {
  const { vocabularySize } = worldTokenizer(world);
  const model = organismModel(
    world,
    settings,
    initialParameters(settings, { vocabularySize, seed }),
  );
  const shapes = new Map([...model.parameters].map(([name, { shape }]) => [name, shape]));
  const steps = pretrainingSteps(settings);
  const trainer = new Trainer(model, {
    ...settings,
    totalSteps: steps,
    factor: (step) => pretrainingRate(step, settings) / settings.learningRate,
    decays: (name) => isDecayed({ shape: shapes.get(name)! }),
    embeddingScale: embeddingScale(settings),
  });
  const exported = () =>
    organismModel(
      world,
      settings,
      exportParameters(
        new Map([...model.parameters].map(([name, variable]) => [
          name,
          { shape: variable.shape, data: variable.dataSync() as Float32Array },
        ])),
        settings,
      ),
    );
  const { window: length, answerWeight, batch } = settings;
  const corpus = windows(world, { length, answerWeight });
  try {
    for (let step = 0; step < steps; step++) {
      const group = Array.from({ length: batch }, () => corpus.next().value);
      const { loss } = await trainer.step(toBatch(group));
      await onStep?.({ step: step + 1, steps, loss });
      if (onCheckpoint && checkpoints.includes(step + 1)) {
        const snapshot = exported();
        await onCheckpoint(step + 1, snapshot);
        snapshot.dispose();
      }
    }
    return exported();
  } finally {
    trainer.dispose();
    model.dispose();
  }
}

/** The gate's values of a model of this world. */
export async function gateOf(world: World, model: LanguageModel): Promise<GateValues> {
  const score: ScoreOptions = async (prompts) => {
    const logits = await model.nextTokenLogits(prompts.map(({ ids }) => ids), {
      batchTokens: 16_384,
    });
    return prompts.map(({ optionIds }, i) => softmaxOver(logits[i], optionIds));
  };
  return await measureGate(world, score);
}
