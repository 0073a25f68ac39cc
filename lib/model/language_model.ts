/** A decoder-only language model: configuration, parameters, tokenizer, and what can be asked of it. */
import * as tf from "@tensorflow/tfjs";
import { closeSession, compile, openSession } from "../platform/compile/compile.ts";
import type { TensorFunction } from "../platform/compile/graph.ts";
import type { Session } from "../platform/compile/session.ts";
import { forward, type ForwardOptions, parameterShapes } from "./architecture.ts";
import { checkRows } from "./batch.ts";
import { checkMemory, probingMemory } from "./memory.ts";
import { type Adapter, describeAdapter } from "./adapter.ts";
import type { ModelConfiguration } from "./configuration.ts";
import { EngineModel, type EngineModelParts, type Reading } from "./engine_model.ts";
import { generateTokens } from "./generate.ts";
import type { GenerateOptions, ReadableModel, ReadOptions, TensorModel } from "./readable_model.ts";
import { defaultBatchTokens, readLogits } from "./read.ts";
import { requireStorage } from "./storage.ts";

export interface LanguageModelParts extends EngineModelParts<ModelConfiguration> {
  parameters: Map<string, tf.Variable>;
  /** Whether steps are compiled on the native backend. Default true. */
  compiled?: boolean;
  /** Parts of a batch that are computed side by side in training. Default: by a rule (compile/streams.ts). */
  streams?: number;
  /** Tokens that go through the model at once by default. Default: see `defaultBatchTokens`. */
  batchTokens?: number;
}

export class LanguageModel extends EngineModel<ModelConfiguration> implements TensorModel {
  readonly parameters: Map<string, tf.Variable>;
  readonly batchTokens: number;
  /** The compiled graphs' session; absent if steps run uncompiled. */
  readonly session?: Session;
  readonly state = new Map<string, tf.Variable>();
  readonly #kind: string;
  #adapter?: Adapter;
  #isDisposed = false;

  /** @throws if a tensor that the configuration asks for is missing or of another shape */
  constructor(parts: LanguageModelParts) {
    super(parts);
    this.parameters = parts.parameters;
    this.batchTokens = parts.batchTokens ?? defaultBatchTokens(this.config);
    for (const [name, shape] of parameterShapes(this.config)) {
      const actual = this.parameters.get(name)?.shape;
      if (actual !== undefined && tf.util.arraysEqual(actual, shape)) continue;
      throw new Error(
        `Cannot build ${this.name}: expected ${name} of shape [${shape}]; found ` +
          `${actual ? `[${actual}]` : "none"}; config.json and weights must belong together`,
      );
    }
    const { streams } = parts;
    // Models of equal configurations, their tensors in one order, share their graphs, one after another.
    this.#kind = JSON.stringify([this.config, [...this.parameters.keys()], streams]);
    if (parts.compiled ?? true) this.session = openSession(this.#kind, undefined, streams);
    for (const [name, variable] of this.parameters) this.session?.bind(name, variable);
  }

  get parameterCount(): number {
    return [...this.parameters.values()].reduce((sum, { size }) => sum + size, 0);
  }

  /** Low-rank matrices next to the linear layers; see lora.ts. */
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

  get trained(): ReadonlyMap<string, tf.Variable> {
    return this.#adapter?.parameters ?? this.parameters;
  }

  forward(ids: tf.Tensor2D, options: Omit<ForwardOptions, "adapter"> = {}): tf.Tensor2D {
    return forward(this.parameters, this.config, ids, { ...options, adapter: this.#adapter });
  }

  compiled(key: string, run: TensorFunction, options?: { runs?: number }): TensorFunction {
    this.#refuseDisposed();
    const full = this.#adapter === undefined ? key : `${describeAdapter(this.#adapter)}/${key}`;
    return compile(run, this.session, { ...options, key: full });
  }

  /** Puts a variable among the state; one that had the name is freed. */
  bindState(name: string, variable: tf.Variable): void {
    this.#refuseDisposed();
    this.state.get(name)?.dispose();
    this.session?.bind(sessionName(name, variable), variable);
    this.state.set(name, variable);
  }

  freeState(names: readonly string[]): void {
    const freed = names.flatMap((name) => {
      const variable = this.state.get(name);
      if (variable === undefined) return [];
      variable.dispose();
      this.state.delete(name);
      return [sessionName(name, variable)];
    });
    // Last: the session frees what was disposed.
    this.session?.free(freed);
  }

  protected async read(texts: number[][], reading: Reading): Promise<void> {
    checkRows(texts, this.config.vocabularySize);
    this.#checkRoom(texts, reading);
    await readLogits(this, texts, reading);
  }

  protected tokens(ids: number[], options: GenerateOptions): AsyncIterable<number> {
    return generateTokens(this, ids, options);
  }

  /** @throws if memory is too small to read the texts, with the estimate */
  #checkRoom(texts: number[][], { batchTokens = this.batchTokens }: ReadOptions): void {
    const length = texts.reduce((most, text) => Math.max(most, text.length), 0);
    const all = texts.reduce((total, text) => total + text.length, 0);
    const tokens = Math.min(batchTokens, all);
    const use = { batchTokens: tokens, length, compiled: this.session !== undefined };
    const fewer = `give fewer tokens at once (--batch-tokens=N, here ${tokens}), `;
    checkMemory(probingMemory(this.config, use), {
      action: `read ${texts.length} texts with ${this.name}`,
      has: ["process", "weights"],
      mend: `${tokens > length ? fewer : ""}choose a smaller model`,
    });
  }

  /** A copy of all parameters, to `restore` the model from; an adapter's are not in it. */
  snapshot(): Map<string, tf.Tensor> {
    return new Map(
      [...this.parameters].map(([name, variable]) => [name, tf.keep(tf.add(variable, 0))]),
    );
  }

  /** Puts the parameters of this model's `snapshot` back and takes an adapter off; the snapshot stays usable. */
  restore(snapshot: ReadonlyMap<string, tf.Tensor>): void {
    this.setAdapter(undefined);
    for (const [name, variable] of this.parameters) variable.assign(snapshot.get(name)!);
  }

  /**
   * Writes a folder that transformers can load: config.json, model.safetensors, the tokenizer's files.
   * @throws if the model has an adapter, which is in none of these files
   */
  async save(folder: string): Promise<void> {
    if (this.#adapter !== undefined) {
      throw new Error(
        `Cannot save ${this.name}: expected a model without an adapter, which its files have no ` +
          `place for; found ${describeAdapter(this.#adapter)}; mergeLora(model) first to write ` +
          "the tuned model, dropLora(model) to write the base, or saveLora(model, folder) to write the " +
          "adapter alone",
      );
    }
    await requireStorage(`save ${this.name}`).saveModel(folder, this);
  }

  dispose(): void {
    for (const variables of [this.parameters, this.state, this.#adapter?.parameters ?? new Map()]) {
      for (const variable of variables.values()) if (!variable.isDisposed) variable.dispose();
    }
    this.state.clear();
    this.#adapter = undefined;
    if (this.session !== undefined && !this.#isDisposed) closeSession(this.#kind, this.session);
    this.#isDisposed = true;
  }

  /** The session may be another model's by then. */
  #refuseDisposed(): void {
    if (this.#isDisposed) {
      throw new Error(`Cannot use ${this.name}: it was disposed; load it again`);
    }
  }
}

/** A model that is to be trained. @throws where it can be asked only */
export function requireTrainable(model: ReadableModel): LanguageModel {
  if (model instanceof LanguageModel) return model;
  throw new Error(
    `Cannot train ${model.name}: expected its weights here; found a model that can be asked only; give ` +
      "what was tuned elsewhere on its groups (--export, --tuned), or load the model itself",
  );
}

/** A variable's name in the session, in which variables of one name can't change their shape. */
const sessionName = (name: string, { shape }: tf.Variable) => `${name}/${shape.join("x")}`;
