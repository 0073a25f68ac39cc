/** What reading, writing and storing need of a `LanguageModel`; apart from it, since it calls them. */
import type * as tf from "@tensorflow/tfjs";
import type { TensorFunction } from "../platform/compile/graph.ts";
import type { Adapter } from "./adapter.ts";
import type { ForwardOptions } from "./architecture.ts";
import type { ModelConfiguration } from "./configuration.ts";
import type { ReadableModel } from "./readable_model.ts";

/** A model whose tensors can be computed with. */
export interface TensorModel extends ReadableModel {
  readonly config: ModelConfiguration;
  /** Tensors by the checkpoint's names; weights [out, in]. */
  readonly parameters: ReadonlyMap<string, tf.Variable>;
  readonly adapter?: Adapter;
  /** The tensors that training changes: the adapter's if there is one, else all parameters. */
  readonly trained: ReadonlyMap<string, tf.Variable>;
  /** Variables besides the parameters that compiled functions use, such as an optimizer's moments. */
  readonly state: ReadonlyMap<string, tf.Variable>;
  /** Tokens that go through the model at once by default. */
  readonly batchTokens: number;
  /** Hidden states after the final norm, the adapter counted: ids [B, T] (int32) -> [B T, D]. */
  forward(ids: tf.Tensor2D, options?: Omit<ForwardOptions, "adapter">): tf.Tensor2D;
  /** A function over this model's variables, compiled once under `key` for each kind of adapter. */
  compiled(key: string, run: () => TensorFunction): TensorFunction;
}
