/** What is compiled, and the graph that comes of it. */
import * as tf from "@tensorflow/tfjs";
import { type Attribute, typed } from "./backend.ts";

/** A shape and a type: all that a graph needs to know of an input. */
export interface Specification {
  shape: number[];
  dtype: "float32" | "int32" | "bool";
}

export type TensorFunction = (...inputs: tf.Tensor[]) => tf.Tensor[];

export interface Graph {
  /** What its nodes' names start with. */
  name: string;
  nodes: GraphNode[];
  /** Names of the placeholders, in the inputs' order. */
  inputs: string[];
  /** Names of the nodes to fetch, in the results' order; one also where there is no result. */
  outputs: string[];
  /** How many tensors the function returns. */
  results: number;
  /** Variables that the graph reads, and the nodes that do. */
  reads: ReadonlyMap<string, string>;
  changed: Set<string>;
}

/** Runs graphs over variables that it holds; see `Session`. */
export interface GraphSession {
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

/** @throws where a function gave something else than a list of tensors */
export function checkResults(results: tf.Tensor[]): tf.Tensor[] {
  if (Array.isArray(results) && results.every((result) => result instanceof tf.Tensor)) {
    return results;
  }
  const found = (results as unknown) instanceof Promise ? "a promise" : typeof results;
  throw new Error(
    `Cannot compile the function: expected it to return an array of tensors; found ${
      Array.isArray(results) ? "something else in it" : found
    }`,
  );
}

/** Operations whose type attribute T is that of another input than the first. */
const TYPED_BY: Record<string, number> = {
  Fill: 1,
  OneHot: 2,
  ScatterNd: 1,
  Select: 1,
  SelectV2: 1,
};

/**
 * An operation as a graph needs it. TensorFlow takes an eager operation's types from its inputs,
 * whatever tfjs-node's kernel says or leaves out; a graph's must be right.
 */
export function graphOperation(
  name: string,
  attributes: Attribute[],
  inputs: { shape: number[]; dtype: number }[],
): { operation: string; attributes: Attribute[] } {
  if (name === "ExpandDims") {
    const types = [typed("T", inputs[0].dtype), typed("Tdim", inputs[1].dtype)];
    return { operation: name, attributes: types };
  }
  const fitting = attributes.map((attribute) =>
    attribute.name === "T" ? typed("T", inputs[TYPED_BY[name] ?? 0].dtype) : attribute
  );
  // A product of two matrices as MatMul, which TensorFlow's optimizer knows how to fuse.
  if (name === "BatchMatMulV2" && inputs.every(({ shape }) => shape.length === 2)) {
    const names: Record<string, string> = { adj_x: "transpose_a", adj_y: "transpose_b" };
    const renamed = fitting.map((a) => ({ ...a, name: names[a.name] ?? a.name }));
    return { operation: "MatMul", attributes: renamed };
  }
  return { operation: name, attributes: fitting };
}
