/**
 * Tracing: one symbolic run of an ordinary tfjs function on the native backend.
 *
 * Every operation that the backend is asked for becomes a node; nothing is computed, so tracing costs
 * neither the step's time nor its memory. A value that JavaScript asks for does not exist: reading it
 * is refused with the place that asked.
 */
import * as tf from "@tensorflow/tfjs";
import {
  type Attribute,
  dataTypes,
  type Handle,
  type NodeBackend,
  nodeBackend,
} from "./backend.ts";
import { type ConstantValue, type GraphNode, TENSOR_ATTRIBUTE } from "./graph.ts";
import { inferShapes } from "./shapes.ts";

/** A shape and a type: all that a graph needs to know of an input. */
export interface Specification {
  shape: number[];
  dtype: "float32" | "int32" | "bool";
}

export type TensorFunction = (...inputs: tf.Tensor[]) => tf.Tensor[];

/** A recorded function. */
export interface Graph {
  nodes: GraphNode[];
  /** Names of the placeholders, in the inputs' order. */
  inputs: string[];
  /** Names of the nodes to fetch, in the outputs' order. */
  outputs: string[];
  /** Variables that the graph reads or changes. */
  variables: Set<string>;
  /** Variables that it changes. */
  changed: Set<string>;
}

/** The node that holds a variable's handle; shared by all graphs of a session. */
export const handleName = (variable: string) => `variable/${variable}`;

interface Output {
  name: string;
  constant?: () => tf.TypedArray;
}

let active: Trace | undefined;

/** The trace that is under way, if any. */
export function activeTrace(): Trace | undefined {
  return active;
}

export class Trace {
  readonly #backend: NodeBackend = nodeBackend();
  readonly #nodes: GraphNode[] = [];
  readonly #outputs = new WeakMap<object, Output>();
  readonly #variables: ReadonlyMap<string, tf.Variable>;
  readonly #names = new Map<tf.Variable, string>();
  readonly #read = new Map<string, string>();
  readonly #byDataId = new WeakMap<object, string>();
  readonly #changed = new Map<string, string>();
  #guard: string | undefined;
  #count = 0;

  private constructor(readonly prefix: string, variables: ReadonlyMap<string, tf.Variable>) {
    this.#variables = variables;
    for (const [name, variable] of variables) {
      this.#names.set(variable, name);
      this.#byDataId.set(variable.dataId, name);
    }
  }

  /**
   * Records `run` for inputs of the given shapes and types.
   * @param prefix a name for the graph's nodes, unique in its session
   * @throws where an operation has no shape rule or where a tensor's value is read
   */
  static record(
    prefix: string,
    run: TensorFunction,
    { inputs, variables }: {
      inputs: Specification[];
      variables: ReadonlyMap<string, tf.Variable>;
    },
  ): Graph {
    if (active !== undefined) throw new Error("Cannot trace inside a trace: compile one at a time");
    const trace = new Trace(prefix, variables);
    // An assignment inside the function frees the variable's data: hold it, and put it back after.
    const held = [...variables.values()].map((variable) => [variable, variable.clone()] as const);
    const restore = trace.#intercept();
    active = trace;
    try {
      let graph: Graph;
      tf.tidy(() => {
        graph = trace.#record(run, inputs);
      });
      return graph!;
    } finally {
      active = undefined;
      restore();
      for (const [variable, data] of held) {
        if (variable.dataId !== data.dataId) variable.assign(data);
        data.dispose();
      }
    }
  }

  #record(run: TensorFunction, specifications: Specification[]): Graph {
    const inputs = specifications.map(({ shape, dtype }) => {
      const name = this.#add("Placeholder", [], [
        { name: "dtype", type: this.#backend.binding.TF_ATTR_TYPE, value: dataTypes[dtype] },
        { name: "shape", type: this.#backend.binding.TF_ATTR_SHAPE, value: shape },
      ]);
      return { name, tensor: this.#symbol(`${name}:0`, { shape, dtype: dataTypes[dtype] }) };
    });
    const results = run(...inputs.map(({ tensor }) => tensor));
    for (const [name, variable] of this.#variables) {
      const output = this.#outputs.get(variable.dataId);
      if (output === undefined || this.#byDataId.has(variable.dataId)) continue;
      this.#changed.set(
        name,
        this.#add("AssignVariableOp", [this.#handle(name), output.name], [
          this.#type(variable, "dtype"),
        ]),
      );
    }
    const after = [...new Set(this.#changed.values())].map((node) => `^${node}`);
    // A fetch is a tensor: each waits for all the changes, so that one fetch runs them.
    const outputs = (results.length > 0 ? results : [tf.scalar(0)]).map((tensor) =>
      this.#add("Identity", [this.#output(tensor).name, ...after], [this.#type(tensor)])
    );
    return {
      nodes: this.#nodes,
      inputs: inputs.map(({ name }) => name),
      outputs,
      variables: new Set([...this.#read.keys(), ...this.#changed.keys()]),
      changed: new Set(this.#changed.keys()),
    };
  }

  /** Sends the backend's operations here; returns what undoes it. */
  #intercept(): () => void {
    const backend = this.#backend;
    const { executeSingleOutput, executeMultipleOutputs, readSync, read } = backend;
    backend.executeSingleOutput = (name, attributes, inputs) =>
      this.#operation(name, attributes, inputs, 1)[0];
    backend.executeMultipleOutputs = (name, attributes, inputs, outputs) =>
      this.#operation(name, attributes, inputs, outputs);
    const refuse = (dataId: object) => {
      if (this.#outputs.get(dataId)?.constant === undefined && this.#isSymbol(dataId)) {
        throw new Error(
          "Cannot read a tensor's value while tracing: expected operations on tensors only; " +
            `found a read${caller()}; pass what changes from step to step as an input`,
        );
      }
    };
    backend.readSync = (dataId) => {
      refuse(dataId);
      return readSync.call(backend, dataId);
    };
    backend.read = (dataId) => {
      refuse(dataId);
      return read.call(backend, dataId);
    };
    return () =>
      Object.assign(backend, { executeSingleOutput, executeMultipleOutputs, readSync, read });
  }

  #isSymbol(dataId: object): boolean {
    return this.#outputs.has(dataId) || this.#byDataId.has(dataId);
  }

  /** A tensor that stands for a node's output. */
  #symbol(name: string, { shape, dtype }: { shape: number[]; dtype: number }): tf.Tensor {
    const tensor = this.#backend.createOutputTensor({ id: -1, shape, dtype } satisfies Handle);
    this.#outputs.set(tensor.dataId, { name });
    return tensor;
  }

  #operation(
    name: string,
    attributes: Attribute[],
    inputs: tf.TensorInfo[],
    outputs: number,
  ): tf.Tensor[] {
    const sources = inputs.map((input) => this.#output(input));
    const shapes = inferShapes({
      name,
      attributes: new Map(attributes.map((attribute) => [attribute.name, attribute.value])),
      inputs: inputs.map(({ shape, dtype }) => ({ shape, dtype: dataTypes[dtype] })),
      outputs,
      constant: (index) => {
        const value = sources[index].constant?.();
        if (value === undefined) {
          throw new Error(
            `Cannot record ${name}: expected its input ${index} to be a constant; ` +
              `found a computed tensor${caller()}; give it as a number or an array`,
          );
        }
        return value;
      },
    });
    const [operation, renamed] = plainProduct(name, attributes, inputs);
    const node = this.#add(operation, sources.map((source) => source.name), renamed);
    return shapes.map((shape, i) => this.#symbol(`${node}:${i}`, shape));
  }

  /** Where a tensor comes from: a node, a variable, or else its present value as a constant. */
  #output(tensor: tf.TensorInfo): Output {
    const known = this.#outputs.get(tensor.dataId);
    if (known !== undefined) return known;
    const variable = this.#byDataId.get(tensor.dataId);
    if (variable !== undefined) return { name: this.#readVariable(variable) };
    const data = this.#backend.tensorMap.get(tensor.dataId);
    const values = data.values ?? this.#backend.binding.tensorDataSync(data.id);
    const typed = toTyped(values, tensor.dtype);
    const constant: ConstantValue = {
      dtype: dataTypes[tensor.dtype],
      shape: tensor.shape,
      values: typed,
    };
    const name = this.#add("Const", [], [
      { name: "dtype", type: this.#backend.binding.TF_ATTR_TYPE, value: constant.dtype },
      { name: "value", type: TENSOR_ATTRIBUTE, value: constant },
    ]);
    const output = { name: `${name}:0`, constant: () => typed };
    this.#outputs.set(tensor.dataId, output);
    return output;
  }

  #readVariable(name: string): string {
    if (this.#changed.has(name)) {
      throw new Error(
        `Cannot read the variable ${name} after it was changed in place${caller()}; read it before`,
      );
    }
    let node = this.#read.get(name);
    if (node === undefined) {
      node = this.#add("ReadVariableOp", [this.#handle(name)], [
        this.#type(this.#variables.get(name)!, "dtype"),
      ]);
      this.#read.set(name, node);
    }
    return `${node}:0`;
  }

  #handle(name: string): string {
    return `${handleName(name)}:0`;
  }

  #type(tensor: tf.TensorInfo, name = "T"): Attribute {
    return {
      name,
      type: this.#backend.binding.TF_ATTR_TYPE,
      value: dataTypes[tensor.dtype],
    };
  }

  #add(operation: string, inputs: string[], attributes: Attribute[]): string {
    const name = `${this.prefix}/${this.#count++}_${operation}`;
    this.#nodes.push({ name, operation, inputs, attributes });
    return name;
  }

  /**
   * Records an operation that changes variables in place (such as ResourceApplyAdam).
   * @param changed the variables behind the operation's first inputs
   */
  changeInPlace(
    operation: string,
    { changed, inputs, attributes }: {
      changed: tf.Variable[];
      inputs: tf.Tensor[];
      attributes: Attribute[];
    },
  ): void {
    const names = changed.map((variable) => {
      const name = this.#names.get(variable);
      if (name === undefined) {
        throw new Error(
          `Cannot record ${operation}: expected a variable of the compiled function; ` +
            `found ${variable.name}; add it to its variables`,
        );
      }
      return name;
    });
    const earlier = names.map((name) => this.#changed.get(name)).filter((node) =>
      node !== undefined
    );
    const node = this.#add(operation, [
      ...names.map((name) => this.#handle(name)),
      ...inputs.map((input) => this.#output(input).name),
      ...new Set(earlier.map((node) => `^${node}`)),
      ...(this.#guard === undefined ? [] : [`^${this.#guard}`]),
    ], attributes);
    for (const name of names) this.#changed.set(name, node);
  }

  /**
   * In-place changes made by `change` run only where the condition holds.
   * TensorFlow's Switch leaves what waits for its untaken side undone; Merge goes on after either.
   */
  guard(condition: tf.Scalar, change: () => void): void {
    if (this.#guard !== undefined) throw new Error("Cannot record a condition inside a condition");
    const flag = this.#output(condition).name;
    const type = this.#type(condition);
    const way = this.#add("Switch", [flag, flag], [type]);
    this.#guard = this.#add("Identity", [`${way}:1`], [type]);
    const before = new Map(this.#changed);
    try {
      change();
    } finally {
      const changes = [...this.#changed].filter(([name, node]) => before.get(name) !== node);
      const done = this.#add(
        "Identity",
        [`${this.#guard}:0`, ...changes.map(([, node]) => `^${node}`)],
        [type],
      );
      const merged = this.#add("Merge", [`${way}:0`, `${done}:0`], [
        type,
        { name: "N", type: this.#backend.binding.TF_ATTR_INT, value: 2 },
      ]);
      for (const [name] of changes) this.#changed.set(name, merged);
      this.#guard = undefined;
    }
  }

  /** The type attribute of a resource operation. */
  typeAttribute(dtype: tf.DataType): Attribute {
    return { name: "T", type: this.#backend.binding.TF_ATTR_TYPE, value: dataTypes[dtype] };
  }
}

/** A product of two matrices as MatMul, which TensorFlow's optimizer knows how to fuse. */
function plainProduct(
  name: string,
  attributes: Attribute[],
  inputs: tf.TensorInfo[],
): [string, Attribute[]] {
  if (name !== "BatchMatMulV2" || inputs.some(({ shape }) => shape.length !== 2)) {
    return [name, attributes];
  }
  const names: Record<string, string> = { adj_x: "transpose_a", adj_y: "transpose_b" };
  return ["MatMul", attributes.map((a) => ({ ...a, name: names[a.name] ?? a.name }))];
}

function toTyped(values: tf.TypedArray, dtype: tf.DataType): tf.TypedArray {
  if (dtype === "float32") {
    return values instanceof Float32Array ? values : Float32Array.from(values);
  }
  if (dtype === "int32") return values instanceof Int32Array ? values : Int32Array.from(values);
  if (dtype === "bool") return values instanceof Uint8Array ? values : Uint8Array.from(values);
  throw new Error(`Cannot record a constant: expected float32, int32 or bool; found ${dtype}`);
}

/** The first place outside this folder and the libraries that led here. */
function caller(): string {
  const lines = new Error().stack?.split("\n").slice(2) ?? [];
  const line = lines.find((line) => !/node_modules|\/runtime\/compile\/|ext:|node:/.test(line));
  return line === undefined ? "" : ` ${line.trim()}`;
}
