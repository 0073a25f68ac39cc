/** What is compiled, and the graph that comes of it. */
import type * as tf from "@tensorflow/tfjs";
import type { Attribute } from "./backend.ts";

/** A shape and a type: all that a graph needs to know of an input. */
export interface Specification {
  shape: number[];
  dtype: "float32" | "int32" | "bool";
}

/** Returns one tensor or more. */
export type TensorFunction = (...inputs: tf.Tensor[]) => tf.Tensor[];

export interface Graph {
  /** What its nodes' names start with. */
  name: string;
  nodes: GraphNode[];
  /** Names of the placeholders, in the inputs' order. */
  inputs: string[];
  /** Names of the nodes to fetch, in the results' order. */
  outputs: string[];
  /** Variables that the graph reads, and the nodes that do. */
  reads: ReadonlyMap<string, string>;
  changed: Set<string>;
}

/** Runs graphs over variables that it holds; see `Session`. */
export interface GraphSession {
  /** Chains of operations that it runs at once; see streams.ts. */
  readonly streams: number;
  bind(name: string, variable: tf.Variable): void;
  free(names: readonly string[]): void;
  add(run: TensorFunction, inputs: Specification[]): Graph;
  call(graph: Graph, inputs: tf.Tensor[]): tf.Tensor[];
  dispose(): void;
}

export interface GraphNode {
  name: string;
  operation: string;
  /** `name:output`, or `^name` for a control input. */
  inputs: string[];
  attributes: Attribute[];
}

export interface ConstantValue {
  dtype: number;
  shape: number[];
  values: tf.TypedArray;
}

/** Marks a tensor-valued attribute, which tfjs-node's kernels never pass. */
export const TENSOR_ATTRIBUTE = -1;
