/** Making an organism from its seed: pretraining, the looks at it on the way, and its card. */
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs";
import { floatsFromBfloat16 } from "../model/files/checkpoint.ts";
import { bfloat16FromFloats } from "../model/files/checkpoint_writer.ts";
import type { LanguageModel } from "../model/language_model.ts";
import { openBackend } from "../platform/runtime/backend.ts";
import { codeDigest } from "../platform/runtime/code.ts";
import { sha256OfText } from "../platform/runtime/digest.ts";
import { exists, writeWhole } from "../platform/runtime/files.ts";
import { createWorld, type World } from "../world/world.ts";
import { checkGate, gateValues } from "../world/gate.ts";
import type { LetterSettings } from "../world/letters.ts";
import { pretrainingSteps } from "../world/pretraining.ts";
import { type PretrainingSettings, pretrainingSizes } from "../world/settings.ts";
import { type Size, type WorldSettings, worldSizes } from "../world/settings.ts";
import { vocabulary } from "../world/vocabulary.ts";
import type { GatePoint, OrganismCard } from "./card.ts";
import { CARD_FORMAT, differences, knowledgeOf, lossCurve, RECIPE, sampleAnswers } from "./card.ts";
import type { PretrainOptions } from "./pretrain.ts";
import { heldOutScores, letterGateOf, measuredStreams, pretrain } from "./pretrain.ts";

export interface OrganismPlan {
  name: string;
  size: Size;
  /** The world's seed. */
  world: number | string;
  /** World settings that differ from the size's. Default: none. */
  worldSettings?: Partial<WorldSettings>;
  /** Pretraining settings that differ from the size's. Default: none. */
  pretraining?: Partial<PretrainingSettings>;
  /** Of the parameters at the start. Default: the world's. */
  seed?: number | string;
  /** Makes an organism that answers with letters. Default: with values. */
  letters?: LetterSettings;
}

export interface MakeOptions extends Pick<PretrainOptions, "folder" | "saveEvery" | "signal"> {
  /** Facts that a look on the way asks at most. Default: 600. */
  limit?: number;
  /** Called before the first step with the number of steps that are done, and of all. */
  onStart?: (step: number, steps: number) => void;
  /** Called after each step; `gate` holds the latest values measured on the way. */
  onStep?: (
    state: { step: number; steps: number; loss: number; gate?: GatePoint },
  ) => void | Promise<void>;
  /** Shares of the steps, below 1, after which `onCheckpoint` gets the organism. Default: none. */
  checkpoints?: readonly number[];
  /** The model is disposed after the call. A run that goes on may give a checkpoint again. */
  onCheckpoint?: (made: MadeOrganism) => Promise<void>;
}

/** An organism as it was made; its files are not written yet. */
export interface MadeOrganism {
  world: World;
  model: LanguageModel;
  card: Omit<OrganismCard, "files">;
}

/** When the model is looked at, as shares of the steps; the finished one always is. */
const LOOKS = [0.125, 0.25, 0.4, 0.55, 0.7, 0.85];

export function planSettings({ size, worldSettings, pretraining }: OrganismPlan) {
  const world: WorldSettings = { ...worldSizes[size], ...worldSettings };
  const training: PretrainingSettings = { ...pretrainingSizes[size], ...pretraining };
  return { world, pretraining: training };
}

/** What is kept of a pretraining beside the trainer's state. */
interface Progress {
  key: string;
  losses: number[];
  gate: GatePoint[];
  seconds: number;
  streams?: number;
}

/**
 * Makes an organism: its world, its model, and its card (without files, which are not written here).
 * @throws where settings can't work, or where `folder` keeps the state of other settings
 */
export async function makeOrganism(
  plan: OrganismPlan,
  options: MakeOptions = {},
): Promise<MadeOrganism> {
  const { folder, limit = 600, saveEvery, checkpoints = [], signal } = options;
  const { name, size, letters, seed = plan.world } = plan;
  const { pretraining: settings, world: worldSettings } = planSettings(plan);
  const world = createWorld({ seed: plan.world, size, settings: worldSettings });
  const steps = pretrainingSteps(settings);
  const { name: backendName, device, threads, versions } = await openBackend();

  const key = await planKey(plan), path = folder && join(folder, "record.json");
  const kept: Progress | undefined = path && exists(path)
    ? JSON.parse(await Deno.readTextFile(path))
    : undefined;
  // A run that goes on rounds as it began.
  const streams = kept?.key === key ? kept.streams : await measuredStreams(world, settings);
  const progress: Progress = { key, losses: [], gate: [], seconds: 0, streams };
  let started = performance.now();
  const secondsSoFar = () => progress.seconds + (performance.now() - started) / 1000;
  const look = async (step: number, model: LanguageModel) => {
    const tokens = step * settings.batch * settings.window;
    if (letters) await roundWeights(model);
    const values = letters
      ? await letterGateOf(world, model, { limit })
      : gateValues(await heldOutScores(world, model, { limit }));
    progress.gate.push({ step, tokens, ...values });
  };
  const made = async (step: number, model: LanguageModel): Promise<MadeOrganism> => {
    const seconds = secondsSoFar();
    if (letters) await roundWeights(model);
    const scores = await heldOutScores(world, model, {
      formulation: letters ? "letters" : "hybrid",
    });
    const values = letters ? await letterGateOf(world, model) : gateValues(scores);
    const card: MadeOrganism["card"] = {
      format: CARD_FORMAT,
      name,
      recipe: RECIPE,
      size,
      world: { seed: plan.world, changed: differences(worldSettings, worldSizes[size]) },
      pretraining: {
        seed,
        changed: differences(settings, pretrainingSizes[size]),
        settings,
        steps: step,
        tokens: step * settings.batch * settings.window,
        seconds: Math.round(seconds * 10) / 10,
        ...(letters && { letters }),
      },
      parameters: model.parameterCount,
      vocabulary: vocabulary(world).length,
      backend: { name: backendName, device, threads, versions: { ...versions } },
      ...(streams && { streams }),
      gate: { passed: checkGate(values).passed, facts: scores.facts.length, values },
      knowledge: knowledgeOf(scores),
      curve: { loss: lossCurve(progress.losses), every: 50, gate: [...progress.gate], limit },
      samples: sampleAnswers(scores),
      license: "MIT",
    };
    return { world, model, card };
  };
  const [looks, keeps] = [LOOKS, checkpoints].map((shares) =>
    shares.map((share) => Math.round(share * steps)).filter((step) => step < steps)
  );
  const model = await pretrain(world, {
    ...{ settings, streams, seed, letters, folder, saveEvery, signal },
    checkpoints: [...looks, ...keeps],
    async onCheckpoint(step, model) {
      if (looks.includes(step)) await look(step, model);
      if (keeps.includes(step)) await options.onCheckpoint?.(await made(step, model));
    },
    onResume(step) {
      if (step > 0) {
        if (kept?.key !== key || kept.losses.length < step) {
          throw new Error(
            `Cannot go on from ${folder}: expected the record of ${step} steps of ${key}; ` +
              `found ${kept ? `${kept.losses.length} steps of ${kept.key}` : "none"}; remove it`,
          );
        }
        // The record is written before the state: what it has of later steps comes again.
        progress.losses = kept.losses.slice(0, step);
        progress.gate = kept.gate.filter((point) => point.step <= step);
        progress.seconds = kept.seconds;
      }
      started = performance.now();
      options.onStart?.(step, steps);
    },
    async onStep({ step, loss }) {
      progress.losses.push(loss);
      await options.onStep?.({ step, steps, loss, gate: progress.gate.at(-1) });
    },
    async onSave() {
      await writeWhole(path!, JSON.stringify({ ...progress, seconds: secondsSoFar() }));
    },
  });
  await look(steps, model);
  return await made(steps, model);
}

/** Rounds a model's numbers to the 16 bits with which organisms that answer with letters are saved. */
async function roundWeights(model: LanguageModel): Promise<void> {
  for (const variable of model.parameters.values()) {
    const halves = bfloat16FromFloats(await variable.data() as Float32Array);
    tf.tidy(() => variable.assign(tf.tensor(floatsFromBfloat16(halves), variable.shape)));
  }
}

/** The same name for the same settings and code: where a run that was stopped is found again. */
export async function planKey(plan: OrganismPlan): Promise<string> {
  const { world, seed = world, letters } = plan;
  const code = await codeDigest(["lib/organism/make.ts"]);
  const made = [code, world, seed, planSettings(plan), letters];
  return sha256OfText(JSON.stringify(made)).slice(0, 16);
}
