/** Fine-tuning of a model on examples (paper, section 4.1): of all its weights, or of an adapter. */
import type { Example } from "./question.ts";
import { type Stoppable, stoppable } from "./platform/interrupt.ts";
import type { LanguageModel } from "./model/language_model.ts";
import type { ReadableModel } from "./model/readable_model.ts";
import { loraOptions } from "./model/adapter.ts";
import { defined } from "./platform/defined.ts";
import { Random } from "./statistics/random.ts";
import { encodeConversation, type EncodedConversation } from "./model/encode.ts";
import { checkTrainingRoom } from "./model/room.ts";
import type { FinetuneSettings } from "./model/finetune_settings.ts";
import { LORA_RATE_FACTOR, paperFinetuning } from "./model/finetune_settings.ts";
import { Trainer } from "./model/trainer.ts";
import type { Batch } from "./model/batch.ts";
import type { StepResult, TrainerOptions } from "./model/trainer_options.ts";

export interface FinetuneOptions extends Partial<FinetuneSettings>, Stoppable {
  /** Of the data's order. Default 0. */
  seed?: number;
  /** Called after each step. */
  onStep?: (step: StepResult & { step: number; steps: number }) => void | Promise<void>;
}

export interface FinetuneResult {
  settings: FinetuneSettings;
  seed: number;
  examples: number;
  steps: number;
  /** Loss of each step, in nats a supervised token. */
  losses: number[];
  gradientNorms: number[];
  /** Tokens read, and those with loss, over all epochs. */
  tokens: number;
  supervisedTokens: number;
  seconds: number;
}

/** A model's own settings, but for `changes`. With `lora`, its learning rate is ten times that of all weights. */
function withDefaults(
  { format, config }: Pick<ReadableModel, "format" | "config">,
  changes: Partial<FinetuneSettings>,
): FinetuneSettings {
  const settings = { ...paperFinetuning, ...format.defaults };
  if (changes.lora !== undefined) settings.learningRate *= LORA_RATE_FACTOR;
  Object.assign(settings, defined(changes));
  return { ...settings, maxTokens: Math.min(settings.maxTokens, config.maxPositions) };
}

/** Everything that `finetune` takes from its options, its defaults included: equal ones train alike. */
export function resolveFinetuning(
  model: Pick<ReadableModel, "format" | "config">,
  { seed = 0, onStep: _, signal: __, ...changes }: FinetuneOptions = {},
): FinetuneSettings & { seed: number } {
  const settings = withDefaults(model, changes);
  const lora = settings.lora && loraOptions({ seed, ...settings.lora });
  return { ...settings, seed, lora };
}

/** The places of `count` examples, in the order in which each epoch reads them. */
export const epochOrders = (
  count: number,
  { seed, epochs }: { seed: number; epochs: number },
): number[][] =>
  Array.from({ length: epochs }, (_, epoch) => {
    const places = Array.from({ length: count }, (_, place) => place);
    return new Random(seed).fork(`order/${epoch}`).shuffle(places);
  });

/** All of a training that is fixed before its first step. */
export interface FinetunePlan extends Omit<FinetuneResult, "losses" | "gradientNorms" | "seconds"> {
  /** One a step. */
  batches: Batch[];
  /** Tokens of the longest conversation. */
  length: number;
  trainer: TrainerOptions;
}

/** @throws if there are no examples or a setting does not fit */
export function planFinetuning(
  model: LanguageModel,
  examples: readonly Example[],
  { seed = 0, onStep: _, signal: __, ...changes }: FinetuneOptions = {},
): FinetunePlan {
  const settings = withDefaults(model, changes);
  const { epochs, batchSize, maxTokens } = settings;
  if (examples.length === 0) {
    throw new Error("Cannot fine-tune: expected examples; found none; look at the groups' sizes");
  }
  for (const name of ["epochs", "batchSize", "maxTokens", "batchTokens"] as const) {
    if (!(Number.isInteger(settings[name]) && settings[name] >= 1)) {
      throw new Error(`Cannot fine-tune: expected ${name} from 1 up; found ${settings[name]}`);
    }
  }
  const tokenizer = model.requireTokenizer();
  const encoded = examples.map(({ messages }) =>
    encodeConversation(messages, { tokenizer, format: model.format, maxTokens })
  );
  const perEpoch = Math.ceil(encoded.length / batchSize);
  const steps = perEpoch * epochs;
  const batches = epochOrders(encoded.length, { seed, epochs }).flatMap((order) =>
    Array.from({ length: perEpoch }, (_, i) => {
      const places = order.slice(i * batchSize, (i + 1) * batchSize);
      return toBatch(places.map((place) => encoded[place]));
    })
  );
  const count = (of: (row: EncodedConversation) => number) =>
    epochs * encoded.reduce((sum, row) => sum + of(row), 0);
  return {
    settings,
    seed,
    examples: examples.length,
    steps,
    batches,
    length: encoded.reduce((most, { ids }) => Math.max(most, ids.length), 0),
    trainer: {
      ...settings,
      lora: settings.lora && { seed, ...settings.lora },
      totalSteps: steps,
      warmupSteps: Math.ceil(settings.warmupRatio * steps),
    },
    tokens: count(({ ids }) => ids.length),
    supervisedTokens: count(({ labels }) => labels.filter((label) => label >= 0).length),
  };
}

/** What came of a plan's steps. */
export function finetuneResult(
  { batches: _, length: __, trainer: ___, ...plan }: FinetunePlan,
  measured: Pick<FinetuneResult, "losses" | "gradientNorms" | "seconds">,
): FinetuneResult {
  return { ...plan, ...measured };
}

/**
 * Trains the model in place, `epochs` times over the examples, in an order that the seed fixes. With
 * `lora` it is an adapter that is trained, the model's own or a new one, which stays on the model.
 * @throws `Interrupted` where it is stopped; the model keeps what the steps up to there changed
 */
export async function finetune(
  model: LanguageModel,
  examples: readonly Example[],
  options: FinetuneOptions = {},
): Promise<FinetuneResult> {
  const started = performance.now();
  const plan = planFinetuning(model, examples, options);
  const { settings, batches, length, steps } = plan, { onStep, signal } = options;
  const tokens = length * Math.min(settings.batchSize, examples.length);
  checkTrainingRoom(model, { ...settings, tokens, length }, { action: `fine-tune ${model.name}` });
  const trainer = new Trainer(model, plan.trainer);
  trainer.reserve(batches, settings.batchSize);
  if (trainer.options.lora !== undefined) settings.lora = trainer.options.lora;
  const losses: number[] = [], gradientNorms: number[] = [];
  const work = {
    what: () => `fine-tuning ${model.name} after ${losses.length} of ${steps} steps`,
    then: "the model keeps what they changed: load it again before you start anew",
    signal,
  };
  try {
    await stoppable(work, async (signal) => {
      for (const batch of batches) {
        const result = await trainer.step(batch, { signal });
        losses.push(result.loss);
        gradientNorms.push(result.gradientNorm);
        await onStep?.({ ...result, step: losses.length, steps });
      }
    });
  } finally {
    trainer.dispose();
  }
  const seconds = (performance.now() - started) / 1000;
  return finetuneResult(plan, { losses, gradientNorms, seconds });
}

const toBatch = (rows: EncodedConversation[]) => ({
  inputIds: rows.map(({ ids }) => ids),
  labels: rows.map(({ labels }) => labels),
});
