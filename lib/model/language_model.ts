/** A decoder-only language model: configuration, parameters, tokenizer, and what can be asked of it. */
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs";
import { writeWhole } from "../runtime/files.ts";
import { compile, Session, type TensorFunction } from "../runtime/compile/mod.ts";
import type { PromptFormat } from "../prompt.ts";
import type { Tokenizer } from "../tokenizer.ts";
import { forward, type ForwardOptions, headWeight, parameterShapes } from "./architecture.ts";
import { checkRows, padRows, roundSize } from "./batch.ts";
import { formatSafetensors, type Tensor } from "./checkpoint.ts";
import { type ModelConfiguration, toTransformersConfig } from "./configuration.ts";
import type { ProbedModel } from "./engine.ts";
import { type GenerateOptions, generateTokens } from "./generate.ts";
import { lookUp } from "./layers.ts";
import { type Adapter, describeAdapter } from "./lora.ts";
import type { SourceDescription } from "./source.ts";

export type { GenerateOptions } from "./generate.ts";

export interface LanguageModelParts {
  /** What the model is called in results. */
  name: string;
  config: ModelConfiguration;
  /** Tensors by the checkpoint's names; weights [out, in]. */
  parameters: Map<string, tf.Variable>;
  tokenizer?: Tokenizer;
  /** How questions are put to this model. */
  format: PromptFormat;
  /** Where the weights come from, to say so in results. */
  description?: SourceDescription;
  /** Whether steps are compiled on the native backend. Default true. */
  compiled?: boolean;
}

/** How rows are read. */
export interface ReadOptions {
  /** Tokens of a batch, padding counted. Default: 4,096. */
  batchTokens?: number;
  /** Compute once what all rows start with. Default: true. */
  sharePrefix?: boolean;
}

/** Shared prefixes are cut to a multiple of this. */
const PREFIX_STEP = 16;
/** Tokens of a batch at a time when logits are read out. */
const DEFAULT_BATCH_TOKENS = 4096;
/** Shorter rows are padded to this, so that they share a graph. */
const MINIMUM_LENGTH = 16;
/** Numbers of one block of logits: rows are taken so that a block stays below it (64 MiB). */
const LOGITS_AT_ONCE = 2 ** 24;

export class LanguageModel implements ProbedModel {
  readonly name: string;
  readonly config: ModelConfiguration;
  readonly parameters: Map<string, tf.Variable>;
  readonly tokenizer?: Tokenizer;
  readonly format: PromptFormat;
  readonly description?: SourceDescription;
  /** The compiled graphs' session; absent where steps run uncompiled. */
  readonly session?: Session;
  /** Variables beside the parameters that compiled functions use, such as an optimizer's moments. */
  readonly state = new Map<string, tf.Variable>();
  readonly #functions = new Map<string, TensorFunction>();
  #adapter?: Adapter;

  /** @throws where a tensor that the configuration asks for is missing or of another shape */
  constructor(parts: LanguageModelParts) {
    this.name = parts.name;
    this.config = parts.config;
    this.parameters = parts.parameters;
    this.tokenizer = parts.tokenizer;
    this.format = parts.format;
    this.description = parts.description;
    for (const [name, shape] of parameterShapes(this.config)) {
      const found = this.parameters.get(name)?.shape;
      if (found === undefined || !tf.util.arraysEqual(found, shape)) {
        throw new Error(
          `Cannot build ${this.name}: expected ${name} of shape [${shape}]; ` +
            `found ${found ? `[${found}]` : "none"}; config.json and weights must belong together`,
        );
      }
    }
    if ((parts.compiled ?? true) && tf.getBackend() === "tensorflow") {
      this.session = new Session();
      for (const [name, variable] of this.parameters) this.session.bind(name, variable);
    }
  }

  get parameterCount(): number {
    return [...this.parameters.values()].reduce((sum, { size }) => sum + size, 0);
  }

  /** Low-rank matrices beside the linear layers; see lora.ts. */
  get adapter(): Adapter | undefined {
    return this.#adapter;
  }

  /** Puts an adapter on, or takes it off; the one before is freed. */
  setAdapter(adapter: Adapter | undefined): void {
    const former = [...this.#adapter?.parameters ?? []];
    for (const [, variable] of former) variable.dispose();
    this.session?.free(former.map(([name, variable]) => sessionName(`adapter/${name}`, variable)));
    this.#adapter = adapter;
    for (const [name, variable] of adapter?.parameters ?? []) {
      this.session?.bind(sessionName(`adapter/${name}`, variable), variable);
    }
  }

  /** What training changes: the adapter's tensors where there is one, else all parameters. */
  get trained(): ReadonlyMap<string, tf.Variable> {
    return this.#adapter?.parameters ?? this.parameters;
  }

  /** Hidden states after the final norm, the adapter counted: ids [B, T] (int32) -> [B T, D]. */
  forward(ids: tf.Tensor2D, options: Omit<ForwardOptions, "adapter"> = {}): tf.Tensor2D {
    return forward(this.parameters, this.config, ids, { ...options, adapter: this.#adapter });
  }

  /** A function over this model's variables, compiled once under `key` for each kind of adapter. */
  compiled(key: string, run: () => TensorFunction): TensorFunction {
    const full = this.#adapter === undefined ? key : `${describeAdapter(this.#adapter)}/${key}`;
    let compiled = this.#functions.get(full);
    if (compiled === undefined) {
      compiled = compile(run(), this.session);
      this.#functions.set(full, compiled);
    }
    return compiled;
  }

  /** Puts a variable among the state; one that had the name is freed. */
  bindState(name: string, variable: tf.Variable): void {
    this.state.get(name)?.dispose();
    this.session?.bind(sessionName(name, variable), variable);
    this.state.set(name, variable);
  }

  /** Frees variables of the state. */
  freeState(names: readonly string[]): void {
    const held: string[] = [];
    for (const name of names) {
      const variable = this.state.get(name);
      if (variable === undefined) continue;
      variable.dispose();
      this.state.delete(name);
      held.push(sessionName(name, variable));
    }
    // After that, for what lives would have to be fetched.
    this.session?.free(held);
  }

  /** Logits of every token: row i is [tokens_i, vocabulary], row-major. */
  async logits(inputIds: number[][]): Promise<Float32Array[]> {
    checkRows(inputIds, this.config.vocabularySize);
    const result: Float32Array[] = inputIds.map((row) =>
      new Float32Array(row.length * this.config.vocabularySize)
    );
    const everywhere = inputIds.flatMap((row, i) => row.map((_, t) => ({ row: i, position: t })));
    await this.#logitsAt(
      inputIds,
      everywhere,
      ({ row, position }, logits) => result[row].set(logits, position * this.config.vocabularySize),
    );
    return result;
  }

  /** Logits of the token after each row: [vocabulary] each. */
  async nextTokenLogits(
    inputIds: number[][],
    options: ReadOptions = {},
  ): Promise<Float32Array[]> {
    checkRows(inputIds, this.config.vocabularySize);
    const result: Float32Array[] = new Array(inputIds.length);
    const last = inputIds.map((row, i) => ({ row: i, position: row.length - 1 }));
    await this.#logitsAt(inputIds, last, ({ row }, logits) => {
      result[row] = logits.slice();
    }, options);
    return result;
  }

  /**
   * Log-probabilities (nats) of given tokens: for each row, of the tokens from `from[i]` on.
   * @returns one list per row, of row length - from[i] numbers
   */
  async tokenLogProbabilities(
    inputIds: number[][],
    from: number[],
    options: ReadOptions = {},
  ): Promise<number[][]> {
    checkRows(inputIds, this.config.vocabularySize);
    const result = inputIds.map((): number[] => []);
    const spots = inputIds.flatMap((row, i) =>
      row.slice(from[i]).map((_, k) => ({ row: i, position: from[i] + k - 1 }))
    );
    await this.#logitsAt(inputIds, spots, ({ row, position }, logits) => {
      result[row][position + 1 - from[row]] = logProbability(logits, inputIds[row][position + 1]);
    }, options);
    return result;
  }

  /** Runs rows in batches of like length and hands out the logits at the asked positions. */
  async #logitsAt(
    rows: number[][],
    spots: { row: number; position: number }[],
    take: (spot: { row: number; position: number }, logits: Float32Array) => void,
    { batchTokens = DEFAULT_BATCH_TOKENS, sharePrefix = true }: ReadOptions = {},
  ): Promise<void> {
    const { vocabularySize } = this.config;
    const before = sharePrefix ? this.#sharedLength(rows, spots) : 0;
    const prefix = before > 0 ? this.#prefixKeys(rows[0].slice(0, before)) : [];
    const inputIds = before > 0 ? rows.map((row) => row.slice(before)) : rows;
    const run = this.compiled("logits", () => (ids, positions, ...prefix) => {
      const hidden = this.forward(ids as tf.Tensor2D, {
        prefix: prefix.length > 0 ? pairs(prefix as tf.Tensor3D[]) : undefined,
      });
      const wanted = lookUp(hidden, positions as tf.Tensor1D);
      return [tf.matMul(wanted, headWeight(this.parameters, this.config), false, true)];
    });
    const bySpot = Map.groupBy(spots, ({ row }) => row);
    const atOnce = Math.max(1, Math.floor(LOGITS_AT_ONCE / vocabularySize));
    for (const { rows, batch, length } of batches(inputIds, batchTokens)) {
      const ids = padRows(rows.map((row) => inputIds[row]), { batch, length });
      const wanted = rows.flatMap((row, b) =>
        (bySpot.get(row) ?? []).map((spot) => ({
          spot,
          flat: b * length + spot.position - before,
        }))
      );
      for (let start = 0; start < wanted.length; start += atOnce) {
        const part = wanted.slice(start, start + atOnce);
        const flat = new Int32Array(Math.min(atOnce, roundSize(Math.max(batch, part.length))));
        part.forEach(({ flat: position }, i) => flat[i] = position);
        const positions = tf.tensor1d(flat, "int32");
        const [logits] = run(ids, positions, ...prefix);
        const values = await logits.data() as Float32Array;
        part.forEach(({ spot }, i) =>
          take(spot, values.subarray(i * vocabularySize, (i + 1) * vocabularySize))
        );
        tf.dispose([positions, logits]);
      }
      ids.dispose();
    }
    tf.dispose(prefix);
  }

  /**
   * How many tokens all rows start with, where that is worth a pass of its own; 0 elsewhere. Rounded
   * down, so that near lengths share a graph.
   */
  #sharedLength(rows: number[][], spots: { position: number }[]): number {
    const longest = Math.max(...rows.map((row) => row.length));
    if (rows.length < 4 || (this.config.slidingWindow ?? Infinity) < longest) return 0;
    let shared = spots.reduce((least, { position }) => Math.min(least, position), Infinity);
    for (const row of rows) {
      let same = 0;
      while (same < shared && row[same] === rows[0][same]) same++;
      shared = same;
    }
    return shared - shared % PREFIX_STEP;
  }

  /** Keys and values of the tokens that all rows start with: two tensors [K, P, D] a layer. */
  #prefixKeys(ids: number[]): tf.Tensor[] {
    const { keyValueHeads, headDimension } = this.config;
    const run = this.compiled("prefix", () => (ids) => {
      const collected: tf.Tensor[] = [];
      this.forward(ids as tf.Tensor2D, {
        onKeys: (...both) =>
          collected.push(
            ...both.map((x) => tf.reshape(x, [keyValueHeads, ids.shape[1]!, headDimension])),
          ),
      });
      return collected;
    });
    const row = padRows([ids]);
    const keys = run(row);
    row.dispose();
    return keys;
  }

  /**
   * Text that the model writes after `prompt`.
   * @throws without a tokenizer
   */
  async generate(prompt: string, options: GenerateOptions = {}): Promise<string> {
    const tokenizer = this.requireTokenizer();
    const ids = tokenizer.encode(prompt, { addSpecialTokens: this.format.addsStart(prompt) });
    const ends = new Set(this.config.eosTokenIds);
    if (tokenizer.eosTokenId !== undefined) ends.add(tokenizer.eosTokenId);
    const { stop = [] } = options;
    const cutAt = (text: string) =>
      Math.min(...stop.map((end) => text.indexOf(end)).filter((at) => at >= 0));
    const written: number[] = [];
    for await (const id of generateTokens(this, ids, options)) {
      if (ends.has(id)) break;
      written.push(id);
      if (stop.length > 0 && cutAt(tokenizer.decode(written)) < Infinity) break;
    }
    const text = tokenizer.decode(written);
    return text.slice(0, cutAt(text));
  }

  /** The tokenizer. @throws where the model was loaded without one */
  requireTokenizer(): Tokenizer {
    if (this.tokenizer === undefined) {
      throw new Error(
        `Cannot read text with ${this.name}: expected a tokenizer; it was loaded without one; ` +
          "put tokenizer.json beside the checkpoint",
      );
    }
    return this.tokenizer;
  }

  /** A copy of all parameters, to `restore` the model from; an adapter's are not in it. */
  snapshot(): Map<string, tf.Tensor> {
    return new Map(
      [...this.parameters].map(([name, variable]) => [name, tf.keep(tf.add(variable, 0))]),
    );
  }

  /** Puts the parameters of a `snapshot` back and takes an adapter off; the snapshot stays usable. */
  restore(snapshot: ReadonlyMap<string, tf.Tensor>): void {
    this.setAdapter(undefined);
    for (const [name, variable] of this.parameters) {
      const tensor = snapshot.get(name);
      if (tensor === undefined) {
        throw new Error(
          `Cannot restore ${this.name}: expected ${name} in the snapshot; found none`,
        );
      }
      variable.assign(tensor);
    }
  }

  /**
   * Writes a folder that transformers can load: config.json, model.safetensors, the tokenizer's files.
   * @throws where the model has an adapter, which is in none of these files
   */
  async save(folder: string): Promise<void> {
    if (this.#adapter !== undefined) {
      throw new Error(
        `Cannot save ${this.name}: expected a model without an adapter, which its files have no ` +
          `place for; found ${
            describeAdapter(this.#adapter)
          }; mergeLora(model) first to write the ` +
          "tuned model, dropLora(model) to write the base, or saveLora(model, folder) to write the " +
          "adapter alone",
      );
    }
    const config = JSON.stringify(toTransformersConfig(this.config), null, 2);
    await writeWhole(join(folder, "config.json"), `${config}\n`);
    const tensors = [...this.parameters].map(([name, variable]): [string, Tensor] => [
      name,
      { shape: variable.shape, data: variable.dataSync() as Float32Array },
    ]);
    await writeWhole(join(folder, "model.safetensors"), formatSafetensors(tensors));
    for (const [name, text] of this.tokenizer?.files ?? []) {
      await writeWhole(join(folder, name), text);
    }
  }

  dispose(): void {
    this.session?.dispose();
    for (const variables of [this.parameters, this.state, this.#adapter?.parameters ?? new Map()]) {
      for (const variable of variables.values()) if (!variable.isDisposed) variable.dispose();
    }
    this.state.clear();
  }
}

/** A variable's name in the session, where those of one name can't change their shape. */
const sessionName = (name: string, { shape }: tf.Variable) => `${name}/${shape.join("x")}`;

/**
 * Rows by length, cut so that padded batches stay below `batchTokens`. Batches are powers of four, so
 * that few shapes occur; the last one of a length is padded.
 */
function batches(inputIds: number[][], batchTokens: number) {
  const order = inputIds.map((_, i) => i).sort((a, b) => inputIds[b].length - inputIds[a].length);
  const result: { rows: number[]; batch: number; length: number }[] = [];
  const log4 = (n: number) => Math.log2(n) / 2;
  for (let start = 0; start < order.length;) {
    const length = roundSize(Math.max(MINIMUM_LENGTH, inputIds[order[start]].length));
    const left = order.length - start;
    const most = 4 ** Math.floor(log4(Math.max(1, batchTokens / length)));
    const batch = Math.min(
      most,
      left < 64 ? 4 ** Math.ceil(log4(left)) : 4 ** Math.floor(log4(left)),
    );
    const rows = order.slice(start, start + batch);
    result.push({ rows, batch, length });
    start += rows.length;
  }
  return result;
}

/** Two tensors a layer as keys and values. */
function pairs(tensors: tf.Tensor3D[]) {
  return Array.from({ length: tensors.length / 2 }, (_, layer) => ({
    keys: tensors[2 * layer],
    values: tensors[2 * layer + 1],
  }));
}

function logProbability(logits: Float32Array, token: number): number {
  let highest = -Infinity;
  for (const value of logits) if (value > highest) highest = value;
  let sum = 0;
  for (const value of logits) sum += Math.exp(value - highest);
  return logits[token] - highest - Math.log(sum);
}
