/** Adapters on disk as PEFT keeps them: adapter_config.json and adapter_model.safetensors. */
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs";
import fieldNames from "../../../data/checkpoints.json" with { type: "json" };
import { readText, writeWhole } from "../../platform/runtime/files.ts";
import { FileAccess } from "../../platform/runtime/random_access.ts";
import { FieldReader, parseObject } from "../fields.ts";
import { openSafetensors } from "./checkpoint.ts";
import { compareTensors } from "./weights.ts";
import { safetensorsPieces } from "./checkpoint_writer.ts";
import type { LanguageModel } from "../language_model.ts";
import type { Adapter, LoraShape, LoraTarget } from "../adapter.ts";
import { adapterShapes, loraOptions, loraTargets, makeAdapter } from "../adapter.ts";
import { refuseSecond, requireAdapter, variableOf } from "../lora.ts";
import type { TensorModel } from "../readable_model.ts";

const CONFIG_FILE = "adapter_config.json";
const WEIGHTS_FILE = "adapter_model.safetensors";
/** The note in the weights' file that holds `baseDigest`. */
const BASE_NOTE = "self_aligning_base";

export interface AdapterConfiguration extends LoraShape {
  dropout: number;
  /** The model that it was trained on, as it was called there. */
  base?: string;
}

/** PEFT's options that are read below, or change no number, whatever they say. */
const KNOWN = new Set(fieldNames.adapter);

/** First values of A and B by which PEFT leaves the base's weights as they are. */
const HARMLESS_STARTS: unknown[] = [true, false, "gaussian", "orthogonal", "eva", null];

/** Whether an option is off: nothing, false, or empty. */
const isOff = (value: unknown) =>
  !value || value === "none" || typeof value === "object" && Object.keys(value).length === 0;

/** @throws naming the first option that is missing, does not fit, or is not computed here */
export function parseAdapterConfig(text: string, file = CONFIG_FILE): AdapterConfiguration {
  const config = parseObject(text, file), reader = new FieldReader(config, file);
  const fail = (name: string, expected: string): never =>
    reader.fail(name, expected, "merge it into its model by PEFT's merge_and_unload and load that");
  const { peft_type, target_modules, init_lora_weights = true, base_model_name_or_path } = config;
  if (peft_type !== "LORA") fail("peft_type", "LORA");
  for (const [name, value] of Object.entries(config)) {
    if (!KNOWN.has(name) && !isOff(value)) fail(name, "what is off, since this project lacks it,");
  }
  if (!HARMLESS_STARTS.includes(init_lora_weights)) {
    fail("init_lora_weights", "a start that leaves the base as it is");
  }
  const names = target_modules === "all-linear" ? loraTargets : target_modules;
  if (!Array.isArray(names)) return fail("target_modules", "a list of names");
  const targets = names.map((name) => String(name).replace(/^(self_attn|mlp)\./, "") as LoraTarget);
  if (targets.length === 0 || !targets.every((name) => loraTargets.includes(name))) {
    fail("target_modules", `some of ${loraTargets.join(", ")}`);
  }
  const { seed: _, ...shape } = loraOptions({
    rank: reader.size("r"),
    alpha: reader.positive("lora_alpha"),
    rankStabilized: reader.flag("use_rslora", false),
    targets,
  });
  return {
    ...shape,
    dropout: reader.share("lora_dropout"),
    ...(typeof base_model_name_or_path === "string" && { base: base_model_name_or_path }),
  };
}

export function formatAdapterConfig(
  { rank, alpha, rankStabilized, targets, dropout, base }: AdapterConfiguration,
): string {
  const config = {
    base_model_name_or_path: base ?? null,
    bias: "none",
    fan_in_fan_out: false,
    inference_mode: true,
    init_lora_weights: true,
    lora_alpha: alpha,
    lora_dropout: dropout,
    modules_to_save: null,
    peft_type: "LORA",
    r: rank,
    target_modules: targets,
    task_type: "CAUSAL_LM",
    use_dora: false,
    use_rslora: rankStabilized,
  };
  return `${JSON.stringify(config, null, 2)}\n`;
}

/** Tells models of one shape apart: SHA-256 of the norms' weights, which no adapter changes. */
export async function baseDigest({ parameters }: TensorModel): Promise<string> {
  const norms = [...parameters].filter(([name]) => /norm\.weight$/.test(name));
  const numbers = await Promise.all(norms.map(([, variable]) => variable.data()));
  const all = await new Blob(numbers as Float32Array<ArrayBuffer>[]).arrayBuffer();
  return new Uint8Array(await crypto.subtle.digest("SHA-256", all)).toHex();
}

/** Writes the adapter alone, as PEFT reads it. @throws if the model has none */
export async function saveLora(model: LanguageModel, folder: string): Promise<void> {
  const adapter = requireAdapter(model, "save");
  const base = model.description?.source ?? model.name;
  const metadata = { format: "pt", [BASE_NOTE]: await baseDigest(model) };
  await writeWhole(join(folder, WEIGHTS_FILE), safetensorsPieces(adapter.parameters, { metadata }));
  await writeWhole(join(folder, CONFIG_FILE), formatAdapterConfig({ ...adapter, base }));
}

/**
 * Puts an adapter that PEFT or `saveLora` wrote on a model.
 * @throws, without one on, if there is none, it doesn't fit, or another base's norms are noted in it
 */
export async function loadLora(model: LanguageModel, folder: string): Promise<Adapter> {
  refuseSecond(model, "load an adapter onto");
  const configPath = join(folder, CONFIG_FILE), path = join(folder, WEIGHTS_FILE);
  const { dropout, base, ...shape } = parseAdapterConfig(
    await readText(configPath, "read", "give the folder that PEFT or saveLora wrote"),
    configPath,
  );
  const whose = base === undefined ? "" : `, which was trained on ${base}`;
  const refuse = (expected: string, found: string): never => {
    throw new Error(
      `Cannot load the adapter ${folder}${whose}: expected ${expected}; found ${found}; ` +
        `${model.name} and ${CONFIG_FILE} must belong to these weights`,
    );
  };
  const parameters = new Map<string, tf.Variable>();
  try {
    using access = await FileAccess.open(path);
    const file = await openSafetensors(access);
    const wanted = adapterShapes(model.config, shape);
    const whole = `tensors of ${shape.targets.join(", ")} in ${model.config.layers} layers`;
    compareTensors(file.header.tensors, wanted, whole, refuse);
    const note = file.header.metadata[BASE_NOTE];
    if (note !== undefined && note !== await baseDigest(model)) {
      refuse("the model that it was trained on", `${model.name}, whose norms differ`);
    }
    for (const name of wanted.keys()) {
      const { shape, data } = await file.read(name);
      if (!data.every(Number.isFinite)) refuse(`finite numbers in ${name}`, "others");
      parameters.set(name, variableOf(data, shape));
    }
  } catch (error) {
    tf.dispose([...parameters.values()]);
    throw error;
  }
  const adapter = makeAdapter(shape, parameters, { dropout });
  model.setAdapter(adapter);
  return adapter;
}
