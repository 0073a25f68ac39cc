/**
 * Tracing: one symbolic run of an ordinary tfjs function on the native backend.
 *
 * Every operation that the backend is asked for becomes a node; nothing is computed, so tracing costs
 * neither the step's time nor its memory. A value that JavaScript asks for does not exist: reading it
 * is refused with the place that asked.
 */
import * as tf from "@tensorflow/tfjs";
import { type ActiveTrace, activeTrace, caller, setActiveTrace } from "./active.ts";
import type { Attribute, Handle, NodeBackend } from "./backend.ts";
import { attribute, dataTypes, nodeBackend, typed } from "./backend.ts";
import type { Graph, GraphNode, Specification, TensorFunction } from "./graph.ts";
import { HeldVariables } from "./held.ts";
import { NodeList } from "./nodes.ts";
import type { Operand, Shaped } from "./operations.ts";
import { addForMembers, inferShapes, MemberNodes, ofMatMul } from "./operations.ts";

export interface TraceOptions {
  inputs: Specification[];
  /** Of one member's shape, where there are members. */
  variables: ReadonlyMap<string, tf.Variable>;
  /** So many members of the function run at once, their variables stacked [M, ...shape]. Default: it alone. */
  members?: number;
  /** False for XLA, which knows no Switch and fuses assignments itself. Default: true. */
  inPlace?: boolean;
  /** Told where the function asked for each node, such as ` at file:///model.ts:12:34`. */
  onNode?: (node: GraphNode, place: () => string) => void;
}

/** The node that holds a variable's handle; shared by all graphs of a session. */
export const handleName = (variable: string) => `variable/${variable}`;

/** Where a tensor's values come from. */
type Output = Omit<Operand, keyof Shaped>;

export class Trace implements ActiveTrace {
  readonly #backend: NodeBackend = nodeBackend();
  readonly #nodes: NodeList;
  readonly #outputs = new WeakMap<object, Output>();
  readonly #variables: ReadonlyMap<string, tf.Variable>;
  readonly #names = new Map<tf.Variable, string>();
  readonly #read = new Map<string, string>();
  readonly #byDataId = new WeakMap<object, string>();
  readonly #held = new HeldVariables();
  readonly #changed = new Map<string, string>();
  readonly #members?: MemberNodes;
  #guard: string | undefined;
  readonly inPlace: boolean;

  private constructor(readonly prefix: string, options: TraceOptions) {
    const { variables, members, onNode, inPlace = true } = options;
    this.#variables = variables;
    this.inPlace = inPlace;
    this.#nodes = new NodeList(prefix, (node) => onNode?.(node, caller));
    if (members !== undefined) this.#members = new MemberNodes(this.#nodes, members);
    for (const [name, variable] of variables) {
      this.#names.set(variable, name);
      this.#byDataId.set(variable.dataId, name);
    }
  }

  /**
   * Records `run` for inputs of the given shapes and types.
   * @param prefix a name for the graph's nodes, unique in its session
   * @throws where an operation has no shape rule, a tensor's value is read, or a variable is used that
   * is not among `variables`
   */
  static record(prefix: string, run: TensorFunction, options: TraceOptions): Graph {
    if (activeTrace) throw new Error("Cannot trace inside a trace: compile one at a time");
    const trace = new Trace(prefix, options);
    const restore = trace.#intercept();
    setActiveTrace(trace);
    try {
      let graph: Graph;
      tf.tidy(() => {
        graph = trace.#record(run, options.inputs);
        trace.#held.refuseOthers(trace.#names);
      });
      return graph!;
    } finally {
      setActiveTrace(undefined);
      restore();
      trace.#held.restore();
    }
  }

  #record(run: TensorFunction, specifications: Specification[]): Graph {
    const inputs = specifications.map(({ shape, dtype, stacked = false }) => {
      const value = stacked ? [this.#members!.members, ...shape] : shape;
      const name = this.#nodes.add("Placeholder", [], [
        typed("dtype", dtype),
        attribute("shape", "SHAPE", value),
      ]);
      const one = { shape, dtype: dataTypes[dtype] };
      return { name, tensor: this.#symbol(`${name}:0`, one, stacked) };
    });
    const results = run(...inputs.map(({ tensor }) => tensor));
    // All are read before any is written: one variable may be assigned another's value.
    const assigned = [...this.#variables]
      .filter(([name, variable]) => this.#byDataId.get(variable.dataId) !== name)
      .map(([name, variable]) => ({ name, variable, value: this.#valueOf(variable) }));
    const values = results.map((tensor) => ({ tensor, value: this.#output(tensor).name }));
    for (const { name, variable, value } of assigned) {
      const sources = [`${handleName(name)}:0`, value, ...this.#before([name])];
      const node = this.#nodes.add("AssignVariableOp", sources, [typed("dtype", variable.dtype)]);
      this.#changed.set(name, node);
    }
    // Each output waits for all the changes, so that one fetch runs them.
    const after = [...new Set(this.#changed.values())].map((node) => `^${node}`);
    const outputs = values.map(({ tensor, value }) =>
      this.#nodes.add("Identity", [value, ...after], [typed("T", tensor.dtype)])
    );
    return {
      name: this.prefix,
      nodes: this.#nodes.list,
      inputs: inputs.map(({ name }) => name),
      outputs,
      reads: new Set(this.#read.keys()),
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
    backend.readSync = (dataId) => (refuse(dataId), readSync.call(backend, dataId));
    backend.read = (dataId) => (refuse(dataId), read.call(backend, dataId));
    return () =>
      Object.assign(backend, { executeSingleOutput, executeMultipleOutputs, readSync, read });
  }

  #isSymbol(dataId: object): boolean {
    return this.#outputs.has(dataId) || this.#byDataId.has(dataId);
  }

  /** A tensor that stands for a node's output. */
  #symbol(name: string, { shape, dtype }: Shaped, stacked = false): tf.Tensor {
    const tensor = this.#backend.createOutputTensor({ id: -1, shape, dtype } satisfies Handle);
    this.#outputs.set(tensor.dataId, { name, stacked });
    return tensor;
  }

  #operand(tensor: tf.TensorInfo): Operand {
    const { shape, dtype } = tensor;
    return { ...this.#output(tensor), shape, dtype: dataTypes[dtype] };
  }

  /** The node of a variable's new value: of all members, where there are such. */
  #valueOf(tensor: tf.TensorInfo): string {
    return this.#members?.stacked(this.#operand(tensor)) ?? this.#output(tensor).name;
  }

  #operation(
    name: string,
    attributes: Attribute[],
    inputs: tf.TensorInfo[],
    outputs: number,
  ): tf.Tensor[] {
    const operands = inputs.map((input) => this.#operand(input));
    const constant = (index: number) => {
      const value = operands[index].constant;
      if (value === undefined) {
        throw new Error(
          `Cannot record ${name}: expected its input ${index} to be a constant; ` +
            `found a computed tensor${caller()}; give it as a number or an array`,
        );
      }
      return value;
    };
    const operation = { name, attributes, inputs: operands, constant };
    const shapes = inferShapes({ ...operation, outputs });
    // tfjs casts floats to floats in every mean.
    if (name === "Cast" && operands[0].dtype === shapes[0].dtype) {
      return [this.#symbol(operands[0].name, shapes[0], operands[0].stacked)];
    }
    if (operands.some(({ stacked }) => stacked)) {
      const nodes = addForMembers({ ...operation, outputs: shapes }, this.#members!);
      return shapes.map((shape, i) => this.#symbol(nodes[i], shape, true));
    }
    // A product of two matrices as MatMul, which TensorFlow's optimizer fuses on a card.
    const isMatMul = name === "BatchMatMulV2" && operands.every(({ shape }) => shape.length === 2);
    const node = this.#nodes.addOnce(
      isMatMul ? "MatMul" : name,
      operands.map(({ name }) => name),
      isMatMul ? ofMatMul(attributes) : attributes,
    );
    return shapes.map((shape, i) => this.#symbol(`${node}:${i}`, shape));
  }

  /** Where a tensor comes from: a node, a variable, or else its present value as a constant. */
  #output(tensor: tf.TensorInfo): Output {
    const known = this.#outputs.get(tensor.dataId);
    if (known !== undefined) return known;
    const variable = this.#byDataId.get(tensor.dataId);
    if (variable !== undefined) {
      return { name: this.#readVariable(variable), stacked: this.#members !== undefined };
    }
    const foreign = this.#held.nameOf(tensor.dataId);
    if (foreign !== undefined) {
      throw new Error(
        `Cannot read the variable ${foreign}${caller()}: expected one of the session's, for its ` +
          "value would be fixed in the graph; bind it, or give a copy (tf.add(variable, 0))",
      );
    }
    const { values, id } = this.#backend.tensorMap.get(tensor.dataId);
    // A copy, for the array that a tensor was made of is the caller's.
    const constant = values?.slice() ?? this.#backend.binding.tensorDataSync(id);
    const { dtype, shape } = tensor;
    const name = this.#nodes.constant({ dtype: dataTypes[dtype], shape, values: constant });
    const output = { name: `${name}:0`, constant, stacked: false };
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
      node = this.#nodes.add("ReadVariableOp", [`${handleName(name)}:0`], [
        typed("dtype", this.#variables.get(name)!.dtype),
      ]);
      this.#read.set(name, node);
    }
    return `${node}:0`;
  }

  /** What a change of variables waits for: their former value's reading, and their former change. */
  #before(names: string[]): string[] {
    const nodes = names.flatMap((name) => [this.#read.get(name), this.#changed.get(name)]);
    return [...new Set(nodes.filter((node) => node !== undefined).map((node) => `^${node}`))];
  }

  /**
   * Records an operation that changes variables in place (such as ResourceApplyAdam); `changed` are those
   * behind its first inputs. Of members, the last input may be each one's own; the others are shared.
   */
  changeInPlace(
    operation: string,
    { changed, inputs, attributes }: Parameters<ActiveTrace["changeInPlace"]>[1],
  ): void {
    const names = changed.map((variable) => {
      const name = this.#names.get(variable);
      if (name !== undefined && this.#byDataId.get(variable.dataId) === name) return name;
      throw new Error(
        `Cannot record ${operation}: expected a variable of the session that was not assigned ` +
          `before; found ${name ?? variable.name}${caller()}; bind it, or change it in one way`,
      );
    });
    const values = inputs.map((input, i) => {
      if (i === inputs.length - 1) return this.#valueOf(input);
      return this.#shared(input, `Cannot record ${operation}`);
    });
    const node = this.#nodes.add(operation, [
      ...names.map((name) => `${handleName(name)}:0`),
      ...values,
      ...this.#before(names),
      ...(this.#guard === undefined ? [] : [`^${this.#guard}`]),
    ], attributes);
    for (const name of names) this.#changed.set(name, node);
  }

  /** The same tensor, but not before `after` is there. */
  waitFor(tensor: tf.Tensor, after: tf.Tensor): tf.Tensor {
    const [value, before] = [tensor, after].map((one) => this.#output(one).name);
    const name = this.inPlace
      ? this.#nodes.add("Identity", [value, `^${before.split(":")[0]}`], [typed("T", tensor.dtype)])
      // XLA drops what is only an order, and finds again what was computed already.
      : this.#nodes.add("XlaOptimizationBarrier", [value, before], [
        attribute("T", "TYPES", [tensor, after].map(({ dtype }) => dataTypes[dtype])),
      ]);
    const { stacked, ...one } = this.#operand(tensor);
    return this.#symbol(`${name}:0`, one, stacked);
  }

  /** The node of a value that all members share. @throws where each has its own */
  #shared(tensor: tf.Tensor, action: string): string {
    const { name, stacked } = this.#output(tensor);
    if (!stacked) return name;
    throw new Error(
      `${action} for ${this.#members!.members} members at once: expected one value for all of ` +
        `them; found each one's own${caller()}; give it as an input that they share`,
    );
  }

  /**
   * In-place changes made by `change` run only where the condition holds.
   * TensorFlow's Switch leaves what waits for its untaken side undone; Merge goes on after either. Where
   * nothing changes in place, each value that is assigned is chosen between the new one and the old.
   */
  guard(condition: tf.Scalar, change: () => void): void {
    if (!this.inPlace) return this.#choose(condition, change);
    const flag = this.#shared(condition, "Cannot change under a condition");
    const type = typed("T", condition.dtype);
    const way = this.#nodes.add("Switch", [flag, flag], [type]);
    this.#guard = this.#nodes.add("Identity", [`${way}:1`], [type]);
    const before = new Map(this.#changed);
    change();
    const changes = [...this.#changed].filter(([name, node]) => before.get(name) !== node);
    const done = this.#nodes.add(
      "Identity",
      [`${this.#guard}:0`, ...changes.map(([, node]) => `^${node}`)],
      [type],
    );
    const merged = this.#nodes.add("Merge", [`${way}:0`, `${done}:0`], [
      type,
      attribute("N", "INT", 2),
    ]);
    for (const [name] of changes) this.#changed.set(name, merged);
    this.#guard = undefined;
  }

  #choose(condition: tf.Scalar, change: () => void): void {
    const before = new Map(
      [...this.#variables.values()].map((variable) => [variable, variable.dataId]),
    );
    change();
    for (const [variable, dataId] of before) {
      if (variable.dataId === dataId) continue;
      const { shape } = variable, dtype = dataTypes[variable.dtype];
      const name = this.#readVariable(this.#names.get(variable)!);
      const old = this.#symbol(name, { shape, dtype }, this.#members !== undefined);
      const [chosen] = this.#operation(
        "Select",
        [typed("T", dtype)],
        [condition, variable, old],
        1,
      );
      variable.assign(chosen);
    }
  }
}
