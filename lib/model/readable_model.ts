/** What probing, evaluation and generation ask of a model, whichever engine computes it. */
import type { Stoppable } from "../platform/interrupt.ts";
import type { PromptFormat } from "../prompt.ts";
import type { Tokenizer } from "./tokenizer.ts";
import type { ModelConfiguration } from "./configuration.ts";
import type * as tf from "@tensorflow/tfjs";
import type { TensorFunction } from "../platform/compile/graph.ts";
import type { Adapter } from "./adapter.ts";
import type { ForwardOptions } from "./architecture.ts";

export interface ModelDescription {
  /** As it was asked for. */
  source: string;
  kind: "folder" | "gguf" | "hub" | "organism" | "onnx" | "served";
  /** The hub's commit. */
  revision?: string;
  /** SHA-256 of the weights; of several files, of the lines `name digest`. */
  digest: string;
}

export interface GenerateOptions extends Stoppable {
  /** Default 64. */
  maxNewTokens?: number;
  /** 0 takes the likeliest token. Default 0. */
  temperature?: number;
  /** The smallest set of tokens with this much probability is drawn from. Default 1. */
  topP?: number;
  /** Default 0. */
  seed?: number;
  /** Texts that end the answer; they are cut off. The model's end token always does. */
  stop?: string[];
}

export interface ReadOptions extends Stoppable {
  /** Tokens that go through the model at once, padding counted. Default: the model's own. */
  batchTokens?: number;
  /** Told, after each batch, the share of what is to be read that has been, 0 to 1. */
  onProgress?: (share: number) => void;
}

export interface NextTokenOptions extends ReadOptions {
  /** Of each row, the tokens whose logits are wanted. Default: all, which for many rows is a lot to hold. */
  tokens?: readonly (readonly number[])[];
}

/** A prompt after which letters are compared: their texts, and their tokens where the tokenizer is known. */
export type AskedLetters = { prompt: string; letters: readonly string[]; ids?: readonly number[] };

/** A text whose tokens from `from` on are scored. */
export type TextEnd = { text: string; ids: number[]; from: number };

/** A model that reads text, not ids, and tells of the next token the likeliest alone. */
export interface TextReader {
  /**
   * Log-probabilities (nats) of each prompt's letters as its next token; those of the places `bounded`
   * are not known, and at most what is given.
   */
  letters(
    asked: readonly AskedLetters[],
    options?: ReadOptions,
  ): Promise<{ logProbabilities: number[]; bounded: number[] }[]>;
  /** Log-probabilities (nats) of the ends' tokens. @throws where it does not tell those of a prompt */
  ends(texts: readonly TextEnd[], options?: ReadOptions): Promise<number[][]>;
  /** Whether `ends` works. */
  scoresTexts(): Promise<boolean>;
}

/** The part of a configuration that asking a model needs. */
export type ReadableConfiguration = Pick<
  ModelConfiguration,
  "vocabularySize" | "maxPositions" | "eosTokenIds" | "slidingWindow"
>;

export interface ReadableModel extends Disposable {
  readonly name: string;
  readonly config: ReadableConfiguration;
  /** How questions are put to this model. */
  readonly format: PromptFormat;
  readonly tokenizer?: Tokenizer;
  /** Where the weights come from, for results. */
  readonly description?: ModelDescription;
  /** Of the files that it was read from; see `ModelSource`. Absent: it was made here. */
  readonly identity?: string;
  /** Absent if it is not known. */
  readonly parameterCount?: number;
  /** Of a model behind a server: asked in place of what takes token ids. */
  readonly byText?: TextReader;
  /** The tokenizer. @throws if the model was loaded without one */
  requireTokenizer(): Tokenizer;
  /** Logits of every token: row i is [tokens_i, vocabulary], row-major. */
  logits(inputIds: number[][]): Promise<Float32Array[]>;
  /** Logits of the token after each row: [vocabulary] each, or of `tokens` alone, in their order. */
  nextTokenLogits(inputIds: number[][], options?: NextTokenOptions): Promise<Float32Array[]>;
  /** Log-probabilities (nats) of each row's tokens from `from[i]` on. */
  tokenLogProbabilities(
    inputIds: number[][],
    from: number[],
    options?: ReadOptions,
  ): Promise<number[][]>;
  /** Text that the model writes after `prompt`. @throws without a tokenizer */
  generate(prompt: string, options?: GenerateOptions): Promise<string>;
  dispose(): void;
}

export interface TensorModel extends ReadableModel {
  readonly config: ModelConfiguration;
  /** Tensors by the checkpoint's names; weights [out, in]. */
  readonly parameters: ReadonlyMap<string, tf.Variable>;
  readonly adapter?: Adapter;
  /** The tensors that training changes: the adapter's if there is one, else all parameters. */
  readonly trained: ReadonlyMap<string, tf.Variable>;
  /** Variables besides the parameters that compiled functions use, such as an optimizer's moments. */
  readonly state: ReadonlyMap<string, tf.Variable>;
  readonly batchTokens: number;
  /** Hidden states after the final norm, the adapter counted: ids [B, T] (int32) -> [B T, D]. */
  forward(ids: tf.Tensor2D, options?: Omit<ForwardOptions, "adapter">): tf.Tensor2D;
  /**
   * A function over this model's variables, compiled once under `key` for each kind of adapter; `runs` is
   * how often it is to run, where that is known.
   */
  compiled(key: string, run: TensorFunction, options?: { runs?: number }): TensorFunction;
}
