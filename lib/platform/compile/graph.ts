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
  /** Variables that the graph reads, and those that it changes. */
  reads: ReadonlySet<string>;
  changed: ReadonlySet<string>;
}

export interface GraphNode {
  name: string;
  operation: string;
  /** `name:output`, or `^name` for a control input. */
  inputs: string[];
  attributes: Attribute[];
}

export type ConstantValue = { dtype: number; shape: number[]; values: tf.TypedArray };

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
