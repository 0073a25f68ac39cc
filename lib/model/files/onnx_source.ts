/** ONNX graphs of a folder or the hub, in the layout of transformers.js: config.json, onnx/model*.onnx. */
import { join } from "node:path";
import { AutoModelForCausalLM } from "@huggingface/transformers";
import { exists, readText } from "../../platform/runtime/files.ts";
import { FileAccess } from "../../platform/runtime/random_access.ts";
import { parameterShapes } from "../architecture.ts";
import { endTokens, families, type Family, parseConfiguration } from "../configuration.ts";
import { quote } from "../../platform/runtime/quote.ts";
import { FieldReader, type Fields, parseObject, refuseModel } from "../fields.ts";
import type { ModelDescription } from "../readable_model.ts";
import type { OnnxModelParts } from "./onnx.ts";
import { downloadModel, isDataOf, isHubId } from "./hub.ts";
import {
  chooseTokenizer,
  defaultCacheDirectory,
  digestOf,
  identityOf,
  ONNX,
  type SourceOptions,
  textOrNone,
  tokenizerOfFolder,
} from "./source.ts";

/** Kinds of numbers, and what they add to a file's name. */
const suffixes = {
  fp32: "",
  fp16: "_fp16",
  q8: "_quantized",
  int8: "_int8",
  uint8: "_uint8",
  q4: "_q4",
  q4f16: "_q4f16",
  bnb4: "_bnb4",
} as const;
type Dtype = keyof typeof suffixes;
const dtypes = Object.keys(suffixes) as Dtype[];
const fileOf = (dtype: Dtype) => `model${suffixes[dtype]}.onnx`;

export type OpenedGraph =
  & Omit<OnnxModelParts, "format" | "batchTokens">
  & { description: ModelDescription };

/**
 * Opens `onnx:FOLDER` or `onnx:ID`; of a hub model that graph alone is downloaded.
 * @throws naming the kind of numbers, the file or the configuration that is missing or can't be used
 */
export async function openOnnx(source: string, options: SourceOptions = {}): Promise<OpenedGraph> {
  const { where, dtype } = parseSource(source);
  const { folder, revision } = await findFolder(source, where, dtype, options);
  const subfolder = findGraph(source, folder, dtype);
  const file = join(folder, subfolder, fileOf(dtype));
  const configuration = join(folder, "config.json");
  const text = await readText(configuration, `open model ${source}:`);
  const generation = await textOrNone(join(folder, "generation_config.json"));
  const about = parseOnnxConfiguration(text, configuration, generation);
  const tokenizer = await chooseTokenizer(options, () => tokenizerOfFolder(folder));
  const files = [fileOf(dtype)];
  for await (const { name } of Deno.readDir(join(folder, subfolder))) {
    if (isDataOf(files[0], name)) files.push(name);
  }
  const digest = await digestOf(join(folder, subfolder), files.sort());
  return {
    name: source,
    ...about,
    graph: await openGraph(source, folder, subfolder, dtype),
    tokenizer,
    description: { source, kind: "onnx", ...(revision && { revision }), digest },
    identity: identityOf(digest, [fileOf(dtype), text, generation]),
    oneByOne: await namesOperator(file, "GroupQueryAttention"),
  };
}

function parseSource(source: string): { where: string; dtype: Dtype } {
  const [, where, given] = /^(.*?)(?:@([^@/\\]*))?$/s.exec(source.slice(ONNX.length))!;
  const dtype = given ?? "fp32";
  if (where !== "" && (dtypes as string[]).includes(dtype)) return { where, dtype: dtype as Dtype };
  const example = `give e.g. ${ONNX}${where || "FOLDER"}@q4, or nothing for fp32`;
  if (where === "") refuseModel(source, `a folder or a hub id after ${ONNX}`, "none", example);
  return refuseModel(source, `one of ${dtypes.join(", ")} after @`, quote(dtype), example);
}

async function findFolder(source: string, where: string, dtype: Dtype, options: SourceOptions) {
  const stat = await Deno.stat(where).catch(() => undefined);
  if (stat?.isDirectory) return { folder: await Deno.realPath(where), revision: undefined };
  if (!isHubId(where)) {
    const found = stat ? "a file" : "none", wanted = `config.json and onnx/${fileOf(dtype)}`;
    const expected = `a folder with ${wanted}, or a hub id owner/name`;
    refuseModel(source, expected, found, "check the spelling and the path");
  }
  const { cacheDirectory = defaultCacheDirectory, revision, onProgress, signal } = options;
  const graph = `onnx/${fileOf(dtype)}`;
  return await downloadModel(where, { cacheDirectory, revision, onProgress, graph, signal });
}

/** The folder inside `folder` that the graph lies in: `onnx`, or none as optimum exports it. */
function findGraph(source: string, folder: string, dtype: Dtype): string {
  const found: Dtype[] = [];
  for (const subfolder of ["onnx", ""]) {
    const there = dtypes.filter((one) => exists(join(folder, subfolder, fileOf(one))));
    if (there.includes(dtype)) return subfolder;
    found.push(...there);
  }
  const bare = source.replace(/@[^@/\\]*$/, "");
  const advice = found.length > 0
    ? `give ${found.map((one) => `${bare}@${one}`).join(" or ")}`
    : "export it by optimum-cli export onnx, or load its safetensors without onnx:";
  const files = found.map(fileOf).join(", ") || "no graph";
  return refuseModel(source, `onnx/${fileOf(dtype)} (${dtype}) in ${folder}`, files, advice);
}

async function openGraph(source: string, folder: string, subfolder: string, dtype: Dtype) {
  try {
    return await AutoModelForCausalLM.from_pretrained(folder, {
      ...{ dtype, subfolder, device: "cpu", local_files_only: true },
      // onnxruntime itself finds the weights that lie next to a graph.
      use_external_data_format: false,
    });
  } catch (error) {
    const said = (error as Error).message.replaceAll(/\s+/g, " ").slice(0, 300);
    const file = join(folder, subfolder, fileOf(dtype));
    const advice = "take the file again, with the _data files beside it";
    return refuseModel(
      source,
      `a graph that onnxruntime can load in ${file}`,
      `its error: ${said}`,
      advice,
    );
  }
}

/** A graph's nodes stand before its weights: so much of a file has their names. */
const HEAD = 16 * 2 ** 20;

async function namesOperator(file: string, operator: string): Promise<boolean> {
  using access = await FileAccess.open(file);
  const head = await access.read(0, Math.min(HEAD, access.size));
  return new TextDecoder("latin1").decode(head).includes(operator);
}

/** A graph's configuration; of other families too, since the graph computes them. */
function parseOnnxConfiguration(text: string, file: string, generation?: string) {
  const fields = parseObject(text, file);
  const reader = new FieldReader({ ...fields, ...fields.text_config as Fields }, file);
  const { head_dim, hidden_size, num_attention_heads } = reader.fields;
  const headDimension = Number(head_dim ?? Number(hidden_size) / Number(num_attention_heads));
  return {
    config: {
      vocabularySize: reader.size("vocab_size"),
      maxPositions: reader.size("max_position_embeddings", reader.size("n_positions", Infinity)),
      eosTokenIds: endTokens(reader, generation),
    },
    ...(Number.isSafeInteger(headDimension) && headDimension > 0 && { headDimension }),
    ...(families.includes(fields.model_type as Family) && { parameterCount: count(text, file) }),
  };
}

/** A family's number of parameters; undefined where its configuration has what we don't know. */
function count(text: string, file: string): number | undefined {
  try {
    return parameterShapes(parseConfiguration(text, { file }))
      .reduce((sum, [, shape]) => sum + shape.reduce((a, b) => a * b, 1), 0);
  } catch {
    return undefined;
  }
}
