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
import { dataTypes, nodeBackend, type TensorData } from "./backend.ts";
import { type GraphNode, savedModel, TENSOR_ATTRIBUTE } from "./graph.ts";
import { type Graph, handleName, type Specification, type TensorFunction, Trace } from "./trace.ts";

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
  variable: tf.Variable;
  /** The data that the session's value belongs to; another id means: assigned since. */
  dataId?: object;
  mirror?: Mirror;
}

/** Compiled functions over one set of variables. */
export class Session {
  constructor() {
    registerTraceableKernels();
  }

  readonly #slots = new Map<string, Slot>();
  readonly #graphs: Graph[] = [];
  #session: number | undefined;
  #loaded = 0;
  #loadedSlots = 0;

  /** The variables by name, but for those that were disposed. */
  get variables(): ReadonlyMap<string, tf.Variable> {
    return new Map(
      [...this.#slots].filter(([, { variable }]) => !variable.isDisposed)
        .map(([name, { variable }]) => [name, variable]),
    );
  }

  /**
   * Puts a variable under a name. A variable that had the name keeps its value and leaves.
   * @throws where the shape differs from that of the variable that had the name
   */
  bind(name: string, variable: tf.Variable): void {
    if (variable.isDisposed) throw new Error(`Cannot bind ${name}: the variable was disposed`);
    const slot = this.#slots.get(name);
    if (slot?.variable === variable) return;
    if (slot !== undefined) {
      if (!tf.util.arraysEqual(slot.variable.shape, variable.shape)) {
        throw new Error(
          `Cannot bind ${name}: expected the shape [${slot.variable.shape}]; ` +
            `found [${variable.shape}]; use another name`,
        );
      }
      if (this.#holds(slot)) slot.mirror!.pull();
    }
    this.#slots.set(name, { variable });
  }

  /** Frees variables' memory in the session. Their names and graphs stay for the next `bind`. */
  free(names: readonly string[]): void {
    const slots = names.map((name) => this.#slots.get(name));
    const held = names.filter((_, i) => slots[i]?.dataId !== undefined);
    if (held.length === 0) return;
    this.#run([], [], held.map(clearName))
      .forEach(({ id }) => nodeBackend().binding.deleteTensor(id));
    for (const slot of slots) if (slot !== undefined) slot.dataId = slot.mirror = undefined;
  }

  /** Records `run`; it runs with the next `call`. */
  add(run: TensorFunction, inputs: Specification[]): Graph {
    const graph = Trace.record(`graph${this.#graphs.length}`, run, {
      inputs,
      variables: this.variables,
    });
    this.#graphs.push(graph);
    return graph;
  }

  /** One run of a graph: its outputs, and its variables changed. */
  call(graph: Graph, inputs: tf.Tensor[]): tf.Tensor[] {
    this.#load();
    this.#send(graph.variables);
    // Let go of the values first, or TensorFlow copies what it is about to change.
    for (const name of graph.changed) this.#slots.get(name)!.mirror!.drop();
    const outputs = this.#run(
      nodeBackend().getInputTensorIds(inputs),
      graph.inputs,
      graph.outputs,
    );
    return outputs.map((handle) => nodeBackend().createOutputTensor(handle));
  }

  /** Ends the session; the variables that live keep their values. */
  dispose(): void {
    for (const slot of this.#slots.values()) {
      if (this.#holds(slot)) slot.mirror!.pull();
    }
    if (this.#session !== undefined) nodeBackend().binding.deleteSavedModel(this.#session);
    this.#session = undefined;
    this.#loaded = this.#loadedSlots = 0;
    this.#graphs.length = 0;
    this.#slots.clear();
  }

  #run(ids: number[], inputs: string[], outputs: string[]) {
    const names = (list: string[]) => list.map((name) => `${name}:0`).join(",");
    return nodeBackend().binding.runSavedModel(
      this.#session!,
      ids,
      names(inputs),
      names(outputs),
    );
  }

  /** A session with all graphs and variables; the values of the former one move over. */
  #load(): void {
    if (this.#loaded === this.#graphs.length && this.#loadedSlots === this.#slots.size) return;
    const { binding } = nodeBackend();
    const nodes = [
      constantZero(),
      ...[...this.#slots].flatMap(([name, { variable }]) => variableNodes(name, variable)),
      ...this.#graphs.flatMap((graph) => graph.nodes),
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
    const kept = [...this.#slots.values()].filter((slot) => this.#holds(slot));
    for (const { mirror } of kept) mirror!.pull(); // from the former session
    this.#session = session;
    if (former !== undefined) binding.deleteSavedModel(former);
    this.#loaded = this.#graphs.length;
    this.#loadedSlots = this.#slots.size;
    this.#assign(
      [...this.#slots].filter(([, slot]) => this.#holds(slot)).map(([name, { mirror }]) => [
        name,
        mirror!.id,
      ]),
    );
    for (const { mirror } of kept) mirror!.drop();
  }

  /** Whether the session has the variable's present value. */
  #holds(slot: Slot): boolean {
    return !slot.variable.isDisposed && slot.variable.dataId === slot.dataId;
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
      kindOf(name) === kind && this.#holds(slot) && slot.mirror!.stale
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
    const backend = nodeBackend();
    const ids = backend.getInputTensorIds(assigned.map(([, { variable }]) => variable));
    this.#assign(assigned.map(([name], i) => [name, ids[i]]));
    for (const [name, slot] of assigned) {
      const { variable } = slot;
      // Its own data from here on: what it was assigned from may be another tensor's too.
      const { shape, dtype } = variable;
      const mirror = new Mirror(shape, dataTypes[dtype], () => this.#fetch(kindOf(name)));
      const dataId = {};
      backend.tensorMap.set(dataId, mirror);
      const tensor = tf.engine().makeTensorFromTensorInfo({ dataId, shape, dtype });
      variable.assign(tensor);
      tensor.dispose();
      slot.dataId = variable.dataId;
      slot.mirror = mirror;
    }
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
