/**
 * The part of tfjs-node's backend that tracing and sessions touch, with types.
 * tfjs-node marks it private; it has been stable since 1.x and the package's version is pinned.
 */
import * as tf from "@tensorflow/tfjs";
import type { TensorMetadata, TFJSBinding } from "@tensorflow/tfjs-node-gpu/dist/tfjs_binding.js";

/** A tensor that lives on TensorFlow's side, by its number there. */
export type Handle = TensorMetadata;

/** An attribute of an operation as tfjs-node's kernels pass it. */
export type Attribute = { name: string; type: number | AttributeKind; value: unknown };

/** What the backend keeps for a data id. `values` are those not yet sent to TensorFlow. */
export interface TensorData {
  shape: number[];
  dtype: number;
  values: tf.TypedArray | null;
  id: number;
  refCount: number;
}

/** What the addon exports: tfjs-node's functions, and this project's own (addon.cc). */
export interface Binding extends TFJSBinding {
  /** An empty session, to be extended, by a serialized ConfigProto. */
  newSession(config: Uint8Array): number;
  /** Adds the nodes of a GraphDef to a session; `names` are the session's nodes that they take as inputs. */
  extendSavedModel(session: number, graph: Uint8Array, names: string): void;
}

export interface NodeBackend extends tf.KernelBackend {
  binding: Binding;
  isUsingGpuDevice: boolean;
  tensorMap: {
    get(dataId: object): TensorData;
    set(dataId: object, data: TensorData): void;
  };
  getInputTensorIds(tensors: tf.TensorInfo[]): number[];
  createOutputTensor(handle: Handle): tf.Tensor;
  executeSingleOutput(name: string, attributes: Attribute[], inputs: tf.TensorInfo[]): tf.Tensor;
  executeMultipleOutputs(
    name: string,
    attributes: Attribute[],
    inputs: tf.TensorInfo[],
    outputs: number,
  ): tf.Tensor[];
}

/** TensorFlow's DataType of tfjs's. */
export const dataTypes: Record<string, number> = { float32: 1, int32: 3, string: 7, bool: 10 };

/** What an attribute's value is; the last three, a `ConstantValue`, DataTypes and a function's name, are our own. */
export type AttributeKind =
  | ("TYPE" | "BOOL" | "INT" | "STRING" | "SHAPE")
  | ("TENSOR" | "TYPES" | "FUNCTION");

/** The addon's number of a kind; our own, which tfjs-node's kernels never pass, stand for themselves. */
export const typeOfKind = (kind: AttributeKind): Attribute["type"] =>
  nodeBackend().binding[`TF_ATTR_${kind as "TYPE"}`] ?? kind;

export const attribute = (name: string, kind: AttributeKind, value: unknown): Attribute => ({
  name,
  type: typeOfKind(kind),
  value,
});

/** An attribute that is a type: TensorFlow's DataType, or tfjs's name of it. */
export const typed = (name: string, dtype: string | number): Attribute =>
  attribute(name, "TYPE", typeof dtype === "number" ? dtype : dataTypes[dtype]);

/** The value of an attribute that the operation may have. */
export const attributeValue = (attributes: readonly Attribute[], name: string): unknown =>
  attributes.find((attribute) => attribute.name === name)?.value;

/** Whether tensors are TensorFlow's own now, so that graphs can be compiled. */
export function isNative(): boolean {
  return tf.getBackend() === "tensorflow";
}

/** Whether the open backend computes on a graphics card, which processes would have to share. */
export function usesCard(): boolean {
  const backend = tf.backend() as { isUsingGpuDevice?: boolean };
  return tf.getBackend() === "webgpu" || backend.isUsingGpuDevice === true;
}

export function nodeBackend(): NodeBackend {
  if (!isNative()) {
    throw new Error(
      `Cannot compile a graph: expected the backend tensorflow; found ${tf.getBackend()}; ` +
        "run `deno task doctor`",
    );
  }
  return tf.backend() as unknown as NodeBackend;
}

/**
 * Sends a tensor's numbers to TensorFlow now; tfjs-node would keep JavaScript's array until their first
 * use. Elsewhere it does nothing.
 */
export function sendNow(tensor: tf.Tensor): void {
  if (isNative()) nodeBackend().getInputTensorIds([tensor]);
}
