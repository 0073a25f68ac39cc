/**
 * What probing, evaluation and generation ask of a model, whichever engine computes it: this project's
 * own (`LanguageModel`, which can be trained too) or an ONNX graph (`OnnxModel`).
 */
import type { PromptFormat } from "../prompt.ts";
import type { Tokenizer } from "./tokenizer.ts";
import type { ModelConfiguration } from "./configuration.ts";
import type { GenerateOptions } from "./generate.ts";
import type { ReadOptions } from "./language_model.ts";
import type { SourceDescription } from "./files/source.ts";

/** What has to be known of a model to ask it. */
export type ProbedConfiguration = Pick<
  ModelConfiguration,
  "vocabularySize" | "maxPositions" | "eosTokenIds" | "slidingWindow"
>;

/** A language model that can be read and asked. */
export interface ProbedModel {
  /** What the model is called in results. */
  readonly name: string;
  readonly config: ProbedConfiguration;
  /** How questions are put to this model. */
  readonly format: PromptFormat;
  readonly tokenizer?: Tokenizer;
  /** Where the weights come from, to say so in results. */
  readonly description?: SourceDescription;
  /** Of the files that it was read from; see `ModelSource`. Absent: it was made here. */
  readonly identity?: string;
  /** Absent where it can't be told. */
  readonly parameterCount?: number;
  /** The tokenizer. @throws where the model was loaded without one */
  requireTokenizer(): Tokenizer;
  /** Logits of every token: row i is [tokens_i, vocabulary], row-major. */
  logits(inputIds: number[][]): Promise<Float32Array[]>;
  /** Logits of the token after each row: [vocabulary] each. */
  nextTokenLogits(inputIds: number[][], options?: ReadOptions): Promise<Float32Array[]>;
  /** Log-probabilities (nats) of each row's tokens from `from[i]` on. */
  tokenLogProbabilities(
    inputIds: number[][],
    from: number[],
    options?: ReadOptions,
  ): Promise<number[][]>;
  /** Text that the model writes after `prompt`. @throws without a tokenizer */
  generate(prompt: string, options?: GenerateOptions): Promise<string>;
  /** Frees the memory. */
  dispose(): void;
}
