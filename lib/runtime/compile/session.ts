/**
 * Variables that live in a TensorFlow session, and the graphs over them.
 *
 * A session holds every graph that was asked for so far; a new one makes a new session, and the
 * variables move over (their buffers are handed on, not copied). The tf.Variable stays the door for
 * JavaScript: its value is fetched when it is read, and sent when it was assigned.
 */
import * as tf from "@tensorflow/tfjs";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { registerTraceableKernels } from "./kernels.ts";
import { dataTypes, type Handle, nodeBackend, type TensorData } from "./backend.ts";
import { type GraphNode, savedModel, TENSOR_ATTRIBUTE } from "./graph.ts";
import {
  type Graph,
  handleName,
  type Specification,
  type TensorFunction,
  Trace,
  type TraceOptions,
} from "./trace.ts";

/** A variable's data on JavaScript's side, fetched from the session only when somebody asks. */
class Mirror implements TensorData {
  refCount = 1;
  id = -1;
  /** Whether the session's value is newer than `id`'s. */
  stale = true;
  /** @param fetch gives this mirror its value by `take` */
  constructor(readonly shape: number[], readonly dtype: number, readonly fetch: () => void) {}

  /** The backend looks here first, before it uses `id`. */
  get values(): null {
    this.pull();
    return null;
  }

  set values(_: null) {
    // The backend clears what it has sent; nothing waits here.
  }

  /** Brings the session's value over. */
  pull() {
    if (this.stale) this.fetch();
  }

  take(id: number) {
    this.id = id;
    this.stale = false;
  }

  /** The session's value has changed. */
  drop() {
    if (this.id >= 0) nodeBackend().binding.deleteTensor(this.id);
    this.id = -1;
    this.stale = true;
  }
}

interface Slot {
  name: string;
  variable: tf.Variable;
  /** The data that the session's value belongs to; another id means: assigned since. */
  dataId?: object;
  mirror?: Mirror;
}

/** What a name must be to become part of nodes' names. */
const VARIABLE_NAME = /^[A-Za-z0-9_.\-/]+$/;

/** Compiled functions over one set of variables. */
export class Session {
  constructor() {
    registerTraceableKernels();
  }

  readonly #slots = new Map<string, Slot>();
  readonly #graphs = new Map<Graph, { run: TensorFunction; inputs: Specification[] }>();
  #session: number | undefined;
  #count = 0;
  #loadedGraphs = 0;
  #loadedSlots = 0;
  #disposed = false;

  /** The variables by name, but for those that were disposed. */
  get variables(): ReadonlyMap<string, tf.Variable> {
    return new Map(
      [...this.#slots].filter(([, { variable }]) => !variable.isDisposed)
        .map(([name, { variable }]) => [name, variable]),
    );
  }

  /**
   * Puts a variable under a name. A variable that had the name keeps its value and leaves.
   * @throws where the shape or type differs from that of the variable that had the name
   */
  bind(name: string, variable: tf.Variable): void {
    this.#refuseDisposed("bind a variable");
    if (variable.isDisposed) throw new Error(`Cannot bind ${name}: the variable was disposed`);
    if (!VARIABLE_NAME.test(name)) {
      throw new Error(
        `Cannot bind ${name}: expected a name of letters, digits, "_", ".", "-" and "/"`,
      );
    }
    const slot = this.#slots.get(name);
    if (slot?.variable === variable) return;
    if (slot !== undefined) {
      const kind = ({ dtype, shape }: tf.Variable) => `${dtype}[${shape}]`;
      if (kind(slot.variable) !== kind(variable)) {
        throw new Error(
          `Cannot bind ${name}: expected ${kind(slot.variable)}, as the variable before; ` +
            `found ${kind(variable)}; use another name`,
        );
      }
      this.#bring(slot);
    }
    this.#slots.set(name, { name, variable });
  }

  /**
   * Frees variables' memory in the session. Variables that live keep their values; names and graphs
   * stay for the next `bind` or `call`.
   */
  free(names: readonly string[]): void {
    const held = names.filter((name) => this.#slots.get(name)?.dataId !== undefined);
    if (held.length === 0) return;
    const slots = held.map((name) => this.#slots.get(name)!);
    for (const slot of slots) this.#bring(slot);
    this.#run([], [], held.map(clearName))
      .forEach(({ id }) => nodeBackend().binding.deleteTensor(id));
    for (const slot of slots) slot.dataId = slot.mirror = undefined;
  }

  /**
   * Records `run` and makes it ready for `call`.
   * @throws where it can't be recorded or loaded; the session stays as it was
   */
  add(run: TensorFunction, inputs: Specification[]): Graph {
    this.#refuseDisposed("compile a function");
    const graph = Trace.record(`graph${this.#count}`, run, { inputs, variables: this.variables });
    this.#graphs.set(graph, { run, inputs });
    try {
      this.#load();
    } catch (error) {
      this.#graphs.delete(graph);
      throw error;
    }
    this.#count++;
    return graph;
  }

  /**
   * One run of a graph: its outputs, and its variables changed.
   * @throws where TensorFlow reports an error; changes made until then stay
   */
  call(graph: Graph, inputs: tf.Tensor[]): tf.Tensor[] {
    this.#refuseDisposed("run a graph");
    this.#load();
    this.#send(graph.variables);
    const changed = [...graph.changed].map((name) => this.#slots.get(name)!);
    for (const slot of changed) this.#part(slot);
    const ids = nodeBackend().getInputTensorIds(inputs);
    // Let go of the values first, or TensorFlow copies what it is about to change.
    for (const { mirror } of changed) if (!ids.includes(mirror!.id)) mirror!.drop();
    let outputs: Handle[];
    try {
      outputs = this.#run(ids, graph.inputs, graph.outputs);
    } catch (error) {
      throw this.#explain(graph, error as Error);
    } finally {
      for (const { mirror } of changed) mirror!.drop();
    }
    const tensors = outputs.map((handle) => nodeBackend().createOutputTensor(handle));
    if (graph.results === 0) tf.dispose(tensors.splice(0));
    return tensors;
  }

  /** Ends the session; the variables that live keep their values. */
  dispose(): void {
    for (const slot of this.#slots.values()) this.#bring(slot);
    if (this.#session !== undefined) nodeBackend().binding.deleteSavedModel(this.#session);
    this.#session = undefined;
    this.#graphs.clear();
    this.#slots.clear();
    this.#disposed = true;
  }

  #refuseDisposed(action: string): void {
    if (!this.#disposed) return;
    throw new Error(`Cannot ${action}: the session was disposed; make another`);
  }

  #run(ids: number[], inputs: string[], outputs: string[]): Handle[] {
    const names = (list: string[]) => list.map((name) => `${name}:0`).join(",");
    return nodeBackend().binding.runSavedModel(
      this.#session!,
      ids,
      names(inputs),
      names(outputs),
    );
  }

  /** TensorFlow's error in the terms of the function: which operation, asked for where, and why. */
  #explain(graph: Graph, error: Error): Error {
    const [, reason] = /^(?:Session fail to run with error: )?([^]*?)\s*(?:\[\[|$)/.exec(
      error.message,
    )!;
    const nodes = [...error.message.matchAll(/\{\{node ([^}]+)\}\}/g)].map(([, name]) => name);
    const failed = graph.nodes.find(({ name }) => nodes.includes(name));
    const { run, inputs } = this.#graphs.get(graph)!;
    const given = inputs.map(({ dtype, shape }) => `${dtype}[${shape}]`).join(", ");
    const what = failed === undefined
      ? nodes.join(", ") || "the graph"
      : `${failed.operation}${this.#placeOf(failed.name, graph, { run, inputs })}`;
    return new Error(
      `Cannot run ${graph.name} (inputs ${given || "none"}): ${what} failed: ${reason}; ` +
        "look at the inputs' values, or run the function uncompiled to follow them",
      { cause: error },
    );
  }

  /** Where the function asks for a node: found by tracing it once more. */
  #placeOf(
    node: string,
    graph: Graph,
    { run, inputs }: { run: TensorFunction; inputs: Specification[] },
  ): string {
    let found = "";
    const onNode: TraceOptions["onNode"] = ({ name }, place) => {
      if (name === node) found = place();
    };
    try {
      Trace.record(graph.name, run, { inputs, variables: this.variables, onNode });
    } catch { /* the place is a help only */ }
    return found;
  }

  /** A session with all graphs and variables; the values of the former one move over. */
  #load(): void {
    if (this.#loadedGraphs === this.#graphs.size && this.#loadedSlots === this.#slots.size) return;
    const { binding } = nodeBackend();
    const nodes = [
      constantZero(),
      ...[...this.#slots].flatMap(([name, { variable }]) => variableNodes(name, variable)),
      ...[...this.#graphs.keys()].flatMap((graph) => graph.nodes),
    ];
    const folder = mkdtempSync(join(tmpdir(), "graph-"));
    let session: number;
    try {
      writeFileSync(join(folder, "saved_model.pb"), savedModel(nodes, binding));
      session = binding.loadSavedModel(folder, "serve");
    } finally {
      rmSync(folder, { recursive: true });
    }
    const former = this.#session;
    for (const slot of this.#slots.values()) this.#bring(slot); // from the former session
    this.#session = session;
    if (former !== undefined) binding.deleteSavedModel(former);
    this.#loadedGraphs = this.#graphs.size;
    this.#loadedSlots = this.#slots.size;
    const held = [...this.#slots].filter(([, slot]) => this.#holds(slot));
    this.#assign(held.map(([name, { mirror }]) => [name, mirror!.id]));
    for (const [, { mirror }] of held) mirror!.drop();
  }

  /** Whether the session has the variable's present value. */
  #holds(slot: Slot): boolean {
    return !slot.variable.isDisposed && slot.variable.dataId === slot.dataId;
  }

  /** Whether somebody can still ask for the session's value: the variable, or a clone of it. */
  #isWanted({ dataId }: Slot): boolean {
    return dataId !== undefined && nodeBackend().tensorMap.has(dataId);
  }

  /** Brings the session's value over before it goes. */
  #bring(slot: Slot): void {
    if (this.#isWanted(slot)) slot.mirror!.pull();
  }

  /** Before the session's value changes: clones of the variable keep the one that they were made of. */
  #part(slot: Slot): void {
    if (slot.mirror!.refCount === 1) return;
    slot.mirror!.pull();
    this.#follow(slot);
  }

  /** Assigns in one run: TensorFlow prepares each combination of feeds and fetches by itself. */
  #assign(values: [name: string, id: number][]): void {
    if (values.length === 0) return;
    const names = values.map(([name]) => assignName(name));
    this.#run(values.map(([, id]) => id), names.map((name) => `${name}/value`), names)
      .forEach(({ id }) => nodeBackend().binding.deleteTensor(id));
  }

  /** Fetches the values of all variables of one kind that JavaScript lacks, in one run. */
  #fetch(kind: string): void {
    const stale = [...this.#slots].filter(([name, slot]) =>
      kindOf(name) === kind && slot.mirror?.stale && this.#isWanted(slot)
    );
    this.#run([], [], stale.map(([name]) => readName(name)))
      .forEach(({ id }, i) => stale[i][1].mirror!.take(id));
  }

  /** Brings values into the session where JavaScript has assigned them since. */
  #send(names: Iterable<string>): void {
    const assigned = [...names].map((name) => [name, this.#slots.get(name)!] as const)
      .filter(([, slot]) => slot.variable.dataId !== slot.dataId);
    if (assigned.length === 0) return;
    const disposed = assigned.find(([, { variable }]) => variable.isDisposed);
    if (disposed !== undefined) {
      throw new Error(
        `Cannot run the graph: the variable ${disposed[0]} was disposed; bind another`,
      );
    }
    for (const [, slot] of assigned) this.#bring(slot);
    const ids = nodeBackend().getInputTensorIds(assigned.map(([, { variable }]) => variable));
    this.#assign(assigned.map(([name], i) => [name, ids[i]]));
    for (const [, slot] of assigned) this.#follow(slot);
  }

  /**
   * The variable shows the session's value from here on, as data of its own: what it was assigned from
   * may be another tensor's too.
   */
  #follow(slot: Slot): void {
    const { variable } = slot;
    const { shape, dtype } = variable;
    const mirror = new Mirror(shape, dataTypes[dtype], () => this.#fetch(kindOf(slot.name)));
    const dataId = {};
    nodeBackend().tensorMap.set(dataId, mirror);
    const tensor = tf.engine().makeTensorFromTensorInfo({ dataId, shape, dtype });
    variable.assign(tensor);
    tensor.dispose();
    slot.dataId = variable.dataId;
    slot.mirror = mirror;
  }
}

/** What a run without a result of its own returns. */
const ZERO = "zero";
function constantZero(): GraphNode {
  const value = { dtype: dataTypes.int32, shape: [], values: new Int32Array(1) };
  return {
    name: ZERO,
    operation: "Const",
    inputs: [],
    attributes: [
      { name: "dtype", type: nodeBackend().binding.TF_ATTR_TYPE, value: dataTypes.int32 },
      { name: "value", type: TENSOR_ATTRIBUTE, value },
    ],
  };
}

/** Variables whose names share what stands before a slash are fetched together. */
const kindOf = (variable: string) => variable.includes("/") ? variable.split("/")[0] : "";

const assignName = (variable: string) => `assign/${variable}`;
const clearName = (variable: string) => `clear/${variable}`;
const readName = (variable: string) => `read/${variable}`;

/** A variable's handle, and the nodes that read it and assign to it. */
function variableNodes(name: string, variable: tf.Variable): GraphNode[] {
  const { binding } = nodeBackend();
  const type = { name: "dtype", type: binding.TF_ATTR_TYPE, value: dataTypes[variable.dtype] };
  const same = { ...type, name: "T" };
  const shape = { name: "shape", type: binding.TF_ATTR_SHAPE, value: variable.shape };
  const handle = handleName(name), read = readName(name), assign = assignName(name);
  const clear = clearName(name);
  const done = (name: string, after: string): GraphNode => ({
    name,
    operation: "Identity",
    inputs: [`${ZERO}:0`, `^${after}`],
    attributes: [{ ...type, name: "T", value: dataTypes.int32 }],
  });
  return [
    {
      name: handle,
      operation: "VarHandleOp",
      inputs: [],
      attributes: [type, shape, { name: "shared_name", type: binding.TF_ATTR_STRING, value: name }],
    },
    {
      name: `${read}/value`,
      operation: "ReadVariableOp",
      inputs: [`${handle}:0`],
      attributes: [type],
    },
    { name: read, operation: "Identity", inputs: [`${read}/value:0`], attributes: [same] },
    { name: `${assign}/value`, operation: "Placeholder", inputs: [], attributes: [type, shape] },
    {
      name: `${assign}/run`,
      operation: "AssignVariableOp",
      inputs: [`${handle}:0`, `${assign}/value:0`],
      attributes: [type],
    },
    done(assign, `${assign}/run`),
    {
      name: `${clear}/run`,
      operation: "DestroyResourceOp",
      inputs: [`${handle}:0`],
      attributes: [],
    },
    done(clear, `${clear}/run`),
  ];
}
