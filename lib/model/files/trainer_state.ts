/**
 * A trainer's state on disk. It is one safetensors file, for a file can be written whole: what is trained
 * as `model/NAME`, moments as `adam/first/NAME` and `adam/second/NAME`, all else as JSON in its notes.
 */
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs";
import * as v from "valibot";
import { openSafetensors } from "./checkpoint.ts";
import { compareTensors } from "./weights.ts";
import { safetensorsPieces } from "./checkpoint_writer.ts";
import { baseDigest } from "./adapter_folder.ts";
import type { TensorModel } from "../readable_model.ts";
import { adapterShapes, loraOptions } from "../adapter.ts";
import { exists, writeWhole } from "../../platform/runtime/files.ts";
import { wholeFrom } from "../../platform/runtime/explain.ts";
import { FileAccess } from "../../platform/runtime/random_access.ts";
import type { TrainerState } from "../trainer_options.ts";
import { firstMoment, secondMoment } from "../trainer_options.ts";

const STATE_FILE = "trainer.safetensors";
const FORMAT = "trainer/1";

export const hasState = (folder: string): boolean => exists(join(folder, STATE_FILE));

export async function writeState(
  folder: string,
  model: TensorModel,
  state: TrainerState,
): Promise<void> {
  const base = model.adapter && await baseDigest(model);
  const metadata = { format: "pt", trainer: JSON.stringify({ format: FORMAT, ...state, base }) };
  await writeWhole(join(folder, STATE_FILE), safetensorsPieces(variablesOf(model), { metadata }));
}

const variablesOf = ({ trained, state }: TensorModel): [string, tf.Variable][] => [
  ...[...trained].map(([name, variable]): [string, tf.Variable] => [`model/${name}`, variable]),
  ...[...state].filter(([name]) => name.startsWith("adam/")),
];

/**
 * Reads what a folder keeps; `restore` brings its numbers into the model, whose state has the moments.
 * @throws naming the first difference from the model
 */
export async function readState(
  folder: string,
  model: TensorModel,
): Promise<TrainerState & { restore(): Promise<void> }> {
  const path = join(folder, STATE_FILE);
  using access = await FileAccess.open(path);
  const file = await openSafetensors(access);
  const state = parseState(file.header.metadata.trainer, path);
  const { lora } = state.options;
  const shapes = lora
    ? adapterShapes(model.config, loraOptions(lora))
    : new Map([...model.parameters].map(([name, { shape }]) => [name, shape]));
  const wanted = new Map(
    [...shapes].flatMap(([name, shape]) =>
      [`model/${name}`, firstMoment(name), secondMoment(name)].map((key) => [key, shape] as const)
    ),
  );
  compareTensors(
    file.header.tensors,
    wanted,
    "the trained tensors",
    (expected, found) => refuse(path, expected, found, RIGHT_MODEL),
  );
  if (state.base !== undefined && state.base !== await baseDigest(model)) {
    refuse(path, "the model that the adapter was trained on", model.name, RIGHT_MODEL);
  }
  const restore = async () => {
    using access = await FileAccess.open(path);
    const { read } = await openSafetensors(access);
    for (const [name, variable] of variablesOf(model)) {
      const { shape, data } = await read(name);
      tf.tidy(() => variable.assign(tf.tensor(data, shape, "float32")));
    }
  };
  return { ...state, restore };
}

function refuse(path: string, expected: string, found: string, advice: string): never {
  throw new Error(`Cannot go on from ${path}: expected ${expected}; found ${found}; ${advice}`);
}

const sizes = v.object({ rows: wholeFrom(0), supervised: wholeFrom(0) });
const stateSchema = v.looseObject({
  format: v.literal(FORMAT),
  steps: wholeFrom(0),
  largest: sizes,
  decayed: v.optional(v.array(v.string())),
  options: v.looseObject({ learningRate: v.number(), totalSteps: v.number() }),
});

function parseState(text: string | undefined, path: string): TrainerState {
  const { success, output } = v.safeParse(v.pipe(v.string(), v.parseJson(), stateSchema), text);
  if (!success) refuse(path, `notes of the format ${FORMAT}`, `${text}`.slice(0, 80), "start anew");
  const { format: _, ...state } = output;
  return state as TrainerState;
}

const RIGHT_MODEL = "resume with the model that was saved";
