/** What is compiled, and the graph that comes of it. */
import type * as tf from "@tensorflow/tfjs";
import type { Attribute } from "./backend.ts";

/** A shape and a type: all that a graph needs to know of an input. */
export interface Specification {
  shape: number[];
  dtype: "float32" | "int32" | "bool";
  /** Whether each member has its own, all given as [M, ...shape]. Default: false. */
  stacked?: boolean;
}

/** Returns one tensor or more. */
export type TensorFunction = (...inputs: tf.Tensor[]) => tf.Tensor[];

export interface Graph {
  /** What its nodes' names start with. */
  name: string;
  nodes: GraphNode[];
  /** That the nodes call. */
  functions?: GraphFunction[];
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
  /** @param member of one member's shape, in a session of members: what their function sees */
  bind(name: string, variable: tf.Variable, member?: tf.Variable): void;
  free(names: readonly string[]): void;
  /** @param runs how often the graph is to run, where that is known: what runs often is worth more work */
  add(run: TensorFunction, inputs: Specification[], runs?: number): Graph;
  call(graph: Graph, inputs: tf.Tensor[]): tf.Tensor[];
  /** The graphs of a function by its inputs' shapes and types; functions of one key compute alike. */
  graphsOf(key: string): Map<string, Graph>;
  /** Lets go of all variables' memory; graphs stay, for variables that take the same names. */
  clear(): void;
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

/** A function that nodes of a graph call: its own nodes take `input0`, .. as inputs. */
export interface GraphFunction {
  name: string;
  /** TensorFlow's DataTypes. */
  types: { inputs: number[]; outputs: number[] };
  /** Their inputs are `node:output's name:index`. */
  nodes: GraphNode[];
  /** As inputs of nodes. */
  results: string[];
  attributes: Attribute[];
}

/** Marks a tensor-valued attribute, which tfjs-node's kernels never pass. */
export const TENSOR_ATTRIBUTE = -1;
/** Marks a list of types. */
export const TYPES_ATTRIBUTE = -2;
/** Marks the name of a function. */
export const FUNCTION_ATTRIBUTE = -3;
