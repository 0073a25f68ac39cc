/** A model in memory from wherever it comes: a folder, a GGUF file, the hub, an organism. */
import * as tf from "@tensorflow/tfjs";
import { chatTemplateFromFiles, createChatFormat } from "../chat_template.ts";
import { createPaperFormat, type PaperFormatOptions, type PromptFormat } from "../../prompt.ts";
import "./attach.ts";
import { look } from "../../platform/interrupt.ts";
import { openBackend } from "../../platform/runtime/backend.ts";
import { sendNow } from "../../platform/compile/backend.ts";
import { organismFormat } from "../../world/format.ts";
import { parameterShapes } from "../architecture.ts";
import type { ReadableModel } from "../readable_model.ts";
import { LanguageModel } from "../language_model.ts";
import { variableOf } from "../lora.ts";
import { checkMemory, loadingMemory } from "../memory.ts";
import type { ServingOptions } from "./served.ts";
import { isOnnx, type ModelSource, openSource, type SourceOptions } from "./source.ts";

export interface LoadOptions
  extends Omit<SourceOptions, "check">, Omit<PaperFormatOptions, "stop"> {
  /** Address of a server that has the model, which is then not loaded (see `openModel`). */
  server?: string;
  /** How that server is asked. */
  serving?: ServingOptions;
  /** How questions are put. Default: an organism's own for organisms, else the paper's. */
  format?: PromptFormat;
  /** Whose conversations: the paper's (`vicuna`, the default), or the model's chat template's. */
  template?: "vicuna" | "model";
  /** Whether steps are compiled to one graph on the native backend. Default true. */
  compiled?: boolean;
  /** Tokens that go through the model at once. Default: 2,048, narrow models more; ONNX graphs 4,096. */
  batchTokens?: number;
}

/**
 * Loads a folder (config.json and safetensors), a GGUF file, a hub id, or `organism:NAME`.
 * @throws naming the source, where it can't be found or read, tensors and configuration differ,
 * memory is too small, or a chat template is asked for and missing
 */
export async function loadModel(source: string, options: LoadOptions = {}): Promise<LanguageModel> {
  if (options.server !== undefined) {
    throw new Error(
      `Cannot load ${source} for training: expected its weights; found a server, whose model can be ` +
        "asked and can write but not learn; give --only=02,03, or --export and then --tuned, or leave " +
        "--server out",
    );
  }
  using opened = await openSource(source, {
    ...options,
    async check(configuration) {
      await openBackend(undefined, { shape: configuration });
      checkMemory(loadingMemory(configuration), {
        action: `load ${source}`,
        mend: "choose a smaller model or close other programs",
      });
    },
  });
  const { configuration } = opened;
  const { compiled, batchTokens } = options;
  const parameters = new Map<string, tf.Variable>();
  try {
    const format = options.format ?? formatOf(opened, options);
    // One at a time: the numbers leave JavaScript's memory as soon as the backend has them.
    for (const [name] of parameterShapes(configuration)) {
      await look(options.signal);
      const { shape, data } = await opened.read(name);
      const variable = variableOf(data, shape);
      parameters.set(name, variable);
      sendNow(variable);
    }
    const parts = { ...opened, name: source, config: configuration, parameters, format };
    return new LanguageModel({ ...parts, compiled, batchTokens });
  } catch (error) {
    tf.dispose([...parameters.values()]);
    throw error;
  }
}

/**
 * Opens a model that is to be probed and to write: an ONNX graph where `source` is `onnx:` and a
 * folder or hub id, with the kind of its numbers after an @ where it is not fp32
 * (`onnx:HuggingFaceTB/SmolLM2-360M-Instruct@q4`); with `server` a model behind it, `source` being what
 * the server calls it; else what `loadModel` loads.
 * @throws as `loadModel`, and naming the graph that is missing or can't be used, or what a server lacks
 */
export async function openModel(source: string, options: LoadOptions = {}): Promise<ReadableModel> {
  if (options.server !== undefined) {
    // Here alone, as the engine below.
    const { openServed, ServedModel } = await import("./served.ts");
    const opened = await openServed(source, options.server, { ...options, ...options.serving });
    return new ServedModel({ ...opened, format: options.format ?? formatOf(opened, options) });
  }
  if (!isOnnx(source)) return await loadModel(source, options);
  // Here alone: onnxruntime takes its time to load.
  const { OnnxModel } = await import("./onnx.ts");
  const { openOnnx } = await import("./onnx_source.ts");
  const opened = await openOnnx(source, options);
  try {
    const format = options.format ?? formatOf(opened, options);
    return new OnnxModel({ ...opened, format, batchTokens: options.batchTokens });
  } catch (error) {
    await opened.graph.dispose();
    throw error;
  }
}

function formatOf(
  { description: { kind, source }, tokenizer }: Pick<ModelSource, "description" | "tokenizer">,
  { template = "vicuna", formulation, normalization, language }: LoadOptions,
): PromptFormat {
  if (kind === "organism") return organismFormat;
  const asked = { formulation, normalization, language };
  if (template === "model") {
    const chat = chatTemplateFromFiles(tokenizer?.files ?? new Map(), { from: source });
    return createChatFormat(chat, asked);
  }
  const end = tokenizer?.eosTokenId;
  const stop = end === undefined ? "" : tokenizer!.decode([end]);
  return createPaperFormat({ ...asked, ...(stop.length < 2 ? {} : { stop }) });
}
