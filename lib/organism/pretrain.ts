/** Pretraining an organism on its world's corpus: the loop around the recipe of lib/world. */
import "../model/files/attach.ts";
import { hasState } from "../model/files/trainer_state.ts";
import { LEAST_ROWS } from "../model/step.ts";
import { Trainer } from "../model/trainer.ts";
import type { TrainerOptions } from "../model/trainer_options.ts";
import { mostStreams } from "../platform/compile/streams.ts";
import { choices, machine } from "../platform/runtime/backend.ts";
import { fastestTurn } from "../platform/runtime/backend_choice.ts";
import { type Stoppable, stoppable } from "../platform/interrupt.ts";
import { parseConfiguration } from "../model/configuration.ts";
import { LanguageModel } from "../model/language_model.ts";
import { variableOf } from "../model/lora.ts";
import {
  embeddingScale,
  exportParameters,
  organismConfiguration,
  type ParameterData,
  pretrainingRate,
  pretrainingSteps,
} from "../world/pretraining.ts";
import { initialParameters, parameterCount } from "./initial.ts";
import { measureLetterGate, scoreHeldOut } from "../world/gate.ts";
import type {
  HeldOutOptions,
  HeldOutScores,
  LetterGateValues,
  ScoreOptions,
} from "../world/gate.ts";
import type { LetterSettings } from "../world/letters.ts";
import { organismFormat } from "../world/format.ts";
import type { PretrainingSettings } from "../world/settings.ts";
import { type Window, windows } from "../world/documents.ts";
import type { World } from "../world/world.ts";
import { tokenizerFiles } from "../world/vocabulary.ts";
import { tokenizerFromFiles } from "../model/tokenizer.ts";
import { softmaxOver } from "../probe.ts";

export interface PretrainOptions extends Stoppable {
  settings: PretrainingSettings;
  /** Of the parameters at the start. Default: the world's seed. */
  seed?: number | string;
  /** Makes the corpus answer with letters. Default: with values. */
  letters?: LetterSettings;
  onStep?: (state: { step: number; steps: number; loss: number }) => void | Promise<void>;
  /** Steps after which the model is looked at; `onCheckpoint` gets the exported model. */
  checkpoints?: number[];
  onCheckpoint?: (step: number, model: LanguageModel) => Promise<void>;
  /** A folder for the state; training goes on from one that is there. Default: none. */
  folder?: string;
  /** The state is saved every so many steps, and after the last one. Default: 200. */
  saveEvery?: number;
  /** Called before a state is saved. */
  onSave?: (step: number) => Promise<void>;
  /** Called before the first step with the number of steps that the folder's state has done. */
  onResume?: (step: number) => void;
  /** Parts of a batch that are computed side by side. Default: by a rule (compile/streams.ts). */
  streams?: number;
}

/** One word is one token. */
export const worldTokenizer = (world: World) => tokenizerFromFiles(tokenizerFiles(world));

/** An organism's model with given parameters (exported ones, without the embedding's factor). */
export function organismModel(
  world: World,
  settings: PretrainingSettings,
  parameters: ReadonlyMap<string, ParameterData>,
  streams?: number,
): LanguageModel {
  const tokenizer = worldTokenizer(world);
  const config = parseConfiguration(organismConfiguration(settings, tokenizer.vocabularySize));
  return new LanguageModel({
    name: `organism of world ${world.seed}`,
    config,
    parameters: new Map(
      [...parameters].map(([name, { shape, data }]) => [name, variableOf(data.slice(), shape)]),
    ),
    tokenizer,
    format: organismFormat,
    streams,
  });
}

const trainingOptions = (
  settings: PretrainingSettings,
  parameters: ReadonlyMap<string, ParameterData>,
): TrainerOptions => {
  const { learningRate, beta1, beta2, epsilon, weightDecay, clipNorm } = settings;
  return {
    ...{ learningRate, beta1, beta2, epsilon, weightDecay, clipNorm },
    totalSteps: pretrainingSteps(settings),
    factor: (step) => pretrainingRate(step, settings) / learningRate,
    decays: (name) => parameters.get(name)!.shape.length === 2, // matrices and the embedding
    embeddingScale: embeddingScale(settings),
  };
};

/** Steps of a pretraining that wins back the second that measuring takes. */
const LONG = 1000;
/** FLOP of a step up to which it takes no longer; with more, threads share its operations well. */
const MOST_WORK = 6e9;

/**
 * In how many parts of a batch, each on a thread of its own, a long pretraining's steps are fastest here; 1:
 * whole, on all threads. Undefined where a rule tells: of other pretrainings, and on a busy machine. Parts are
 * summed in another order, which changes the seventh digit, so it holds for a whole training.
 */
export async function measuredStreams(
  world: World,
  settings: PretrainingSettings,
): Promise<number | undefined> {
  const { batch, window: length, width, layers, heads, mlpWidth } = settings;
  const { vocabularySize } = worldTokenizer(world);
  const work = 6 * parameterCount(settings, vocabularySize) * batch * length;
  const most = Math.min(mostStreams(), Math.floor(batch / LEAST_ROWS));
  if (pretrainingSteps(settings) < LONG || work > MOST_WORK || most < 2) return undefined;
  const candidates = [...new Set([1, most >> 1, most])];
  const shape = [vocabularySize, width, layers, heads, mlpWidth, batch, length];
  const initial = initialParameters(settings, { vocabularySize, seed: world.seed });
  const inputIds = Array.from({ length: batch }, () => Array.from({ length }, (_, i) => i));
  return await fastestTurn(candidates, {
    ...{ key: [candidates, shape, machine()], folder: choices() },
    begin(streams) {
      const model = organismModel(world, settings, initial, streams);
      const trainer = new Trainer(model, trainingOptions(settings, initial));
      return {
        turn: () => trainer.step({ inputIds, labels: inputIds }),
        end: () => (trainer.dispose(), model.dispose()),
      };
    },
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
 * With a folder, a run that was stopped goes on and gives the model of one that was not.
 * @throws `Interrupted` where it is stopped; a folder has its state then
 */
export async function pretrain(world: World, options: PretrainOptions): Promise<LanguageModel> {
  const { settings, seed = world.seed, letters, folder, saveEvery = 200, checkpoints = [] } =
    options;
  const { vocabularySize } = worldTokenizer(world);
  const initial = initialParameters(settings, { vocabularySize, seed, letters });
  const model = organismModel(world, settings, initial, options.streams);
  const steps = pretrainingSteps(settings);
  const { window: length, answerWeight, batch } = settings;
  const training = trainingOptions(settings, initial);
  const exported = async () => {
    const parameters = new Map<string, ParameterData>();
    for (const [name, variable] of model.parameters) {
      parameters.set(name, { shape: variable.shape, data: await variable.data<"float32">() });
    }
    return organismModel(world, settings, exportParameters(parameters, settings));
  };
  let trainer: Trainer | undefined;
  const save = async (step: number) => {
    if (folder === undefined) return;
    await options.onSave?.(step);
    await trainer!.save(folder);
  };
  const work = {
    what: () => `pretraining after ${trainer?.steps ?? 0} of ${steps} steps`,
    then: folder === undefined
      ? "nothing is kept; give a folder to go on next time"
      : `${folder} keeps them; run it again to go on`,
    signal: options.signal,
  };
  const run = async (signal: AbortSignal | undefined) => {
    const kept = folder !== undefined && hasState(folder);
    trainer = kept ? await Trainer.resume(model, folder, training) : new Trainer(model, training);
    options.onResume?.(trainer.steps);
    const corpus = windows(world, {
      length,
      answerWeight,
      letters: letters && { settings: letters, tokens: settings.tokens },
    });
    for (let i = 0; i < trainer.steps * batch; i++) corpus.next();
    for (let step = trainer.steps + 1; step <= steps; step++) {
      const group = Array.from({ length: batch }, () => corpus.next().value);
      const { loss } = await trainer.step(toBatch(group), { signal }).catch(async (error) => {
        if (signal?.aborted) await save(step - 1);
        throw error;
      });
      await options.onStep?.({ step, steps, loss });
      if (options.onCheckpoint && checkpoints.includes(step)) {
        const snapshot = await exported();
        try {
          await options.onCheckpoint(step, snapshot);
        } finally {
          snapshot.dispose();
        }
      }
      if (step % saveEvery === 0 || step === steps) await save(step);
    }
    return await exported();
  };
  try {
    return await stoppable(work, run);
  } finally {
    trainer?.dispose();
    model.dispose();
  }
}

/** Asks the model for the probabilities of prompts' options, out of these or out of all words. */
function scorer(model: LanguageModel, outOf: "options" | "words" = "options"): ScoreOptions {
  const words = Array.from({ length: model.config.vocabularySize }, (_, id) => id);
  const tokenizer = model.requireTokenizer();
  return async (prompts) => {
    const rows = prompts.map(({ text }) => tokenizer.encode(text));
    const logits = await model.nextTokenLogits(rows, { batchTokens: 16_384 });
    return prompts.map(({ options }, i) => {
      const optionIds = options.map((text) => tokenizer.encode(text)[0]);
      if (outOf === "options") return softmaxOver(logits[i], optionIds);
      const shares = softmaxOver(logits[i], words);
      return optionIds.map((id) => shares[id]);
    });
  };
}

/** What a model of this world answers to the facts that no exam of its corpus asked. */
export async function heldOutScores(
  world: World,
  model: LanguageModel,
  options: HeldOutOptions = {},
): Promise<HeldOutScores> {
  return await scoreHeldOut(world, scorer(model), options);
}

export async function letterGateOf(
  world: World,
  model: LanguageModel,
  options: Pick<HeldOutOptions, "limit"> = {},
): Promise<LetterGateValues> {
  // Out of all words: how much is on letters at all is one of the values.
  return await measureLetterGate(world, scorer(model, "words"), options);
}
