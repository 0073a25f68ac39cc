/**
 * Variables that live in a TensorFlow session.
 *
 * A session holds every graph that reads or changes them; a new one is added to it. The tf.Variable stays
 * the door for JavaScript: its value is fetched when it is read, and sent when it was assigned; a clone of
 * it shows later values too.
 */
import * as tf from "@tensorflow/tfjs";
import type { Handle, TensorData } from "./backend.ts";
import { attribute, dataTypes, nodeBackend, typed } from "./backend.ts";
import type { Graph, GraphNode } from "./graph.ts";
import { extendSession, newSession, runSession } from "./graph_def.ts";
import { sessionConfig, streamsFor } from "./streams.ts";
import { handleName } from "./trace.ts";

/** A variable's data on JavaScript's side, fetched from the session only when somebody asks. */
class Mirror implements TensorData {
  refCount = 1;
  /** The tensor that has the session's value; negative where the session's is newer. */
  id = -1;
  /** @param fetch sets `id` */
  constructor(readonly shape: number[], readonly dtype: number, readonly fetch: () => void) {}

  /** The backend looks here first, before it uses `id`. */
  get values(): null {
    if (this.id < 0) this.fetch();
    return null;
  }

  set values(_: null) {
    // The backend clears what it has sent; nothing waits here.
  }

  drop() {
    if (this.id >= 0) nodeBackend().binding.deleteTensor(this.id);
    this.id = -1;
  }
}

interface Slot {
  name: string;
  variable: tf.Variable;
  /** The data that the session's value belongs to; another id means: assigned since. */
  dataId?: object;
  mirror?: Mirror;
}

export class VariableStore {
  readonly #slots = new Map<string, Slot>();
  #session: number | undefined;
  /** Of the variables that the session has nodes for. */
  readonly #names = new Set<string>();

  /** The variables by name, but for those that were disposed. */
  get variables(): ReadonlyMap<string, tf.Variable> {
    const living = [...this.#slots.values()].filter(({ variable }) => !variable.isDisposed);
    return new Map(living.map(({ name, variable }) => [name, variable]));
  }

  #streams: number | undefined;

  /** @param streams chains of operations at once. Default: by the variables bound when it is asked for */
  constructor(streams?: number) {
    this.#streams = streams;
  }

  get streams(): number {
    return this.#streams ??= streamsFor(this.variables.values());
  }

  /** Puts a variable under a name; one that had it, of the same shape and type, leaves. */
  bind(name: string, variable: tf.Variable): void {
    if (this.#slots.get(name)?.variable !== variable) this.#slots.set(name, { name, variable });
  }

  /** Frees disposed variables' memory in the session; names and graphs stay for the next `bind`. */
  free(names: readonly string[]): void {
    const slots = names.map((name) => this.#slots.get(name)!).filter((slot) => slot?.dataId);
    if (slots.length === 0) return;
    this.#run([], [], slots.map(({ name }) => clearName(name)))
      .forEach(({ id }) => nodeBackend().binding.deleteTensor(id));
    for (const slot of slots) slot.dataId = slot.mirror = undefined;
  }

  freeAll(): void {
    this.free([...this.#slots.keys()]);
  }

  /** Makes a graph, and the variables that were bound since the last one, part of the session. */
  load(graph: Graph): void {
    const { nodes, functions, reads, changed } = graph;
    this.#session ??= newSession(sessionConfig(this.streams));
    const bound = [...this.#slots].filter(([name]) => !this.#names.has(name));
    const variables = bound.flatMap(([name, { variable }]) => variableNodes(name, variable));
    const present = reads.union(changed).intersection(this.#names);
    const handles = [...present].map(handleName);
    extendSession(this.#session, { nodes: [...variables, ...nodes], functions }, handles);
    for (const [name] of bound) this.#names.add(name);
  }

  /** One run of a graph of the session: its outputs, and its variables changed. */
  run(graph: Graph, inputs: tf.Tensor[]): Handle[] {
    this.#send(graph.reads.union(graph.changed));
    // Let go of the values first, or TensorFlow copies what it is about to change.
    for (const name of graph.changed) this.#slots.get(name)!.mirror!.drop();
    return this.#run(nodeBackend().getInputTensorIds(inputs), graph.inputs, graph.outputs);
  }

  /** Ends the session, and with it the values that were not read. */
  dispose(): void {
    if (this.#session !== undefined) nodeBackend().binding.deleteSavedModel(this.#session);
    this.#session = undefined;
    this.#slots.clear();
  }

  #run(ids: number[], inputs: string[], outputs: string[]): Handle[] {
    return runSession(this.#session!, { ids, inputs, outputs });
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
    const stale = [...this.#slots.values()].filter(({ name, variable, dataId, mirror }) =>
      kindOf(name) === kind && !variable.isDisposed && variable.dataId === dataId && mirror!.id < 0
    );
    this.#run([], [], stale.map(({ name }) => readName(name)))
      .forEach(({ id }, i) => stale[i].mirror!.id = id);
  }

  /** Brings values into the session where JavaScript has assigned them since. */
  #send(names: ReadonlySet<string>): void {
    const slots = [...names].map((name) => this.#slots.get(name)!);
    for (const { name, variable } of slots) {
      if (!variable.isDisposed) continue;
      throw new Error(`Cannot run the graph: the variable ${name} was disposed; bind another`);
    }
    const assigned = slots.filter(({ variable, dataId }) => variable.dataId !== dataId);
    const ids = nodeBackend().getInputTensorIds(assigned.map(({ variable }) => variable));
    this.#assign(assigned.map(({ name }, i) => [name, ids[i]]));
    for (const slot of assigned) this.#follow(slot);
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

const node = (
  name: string,
  operation: string,
  inputs: string[] = [],
  attributes: GraphNode["attributes"] = [],
): GraphNode => ({ name, operation, inputs, attributes });

/** Variables whose names share what stands before a slash are fetched together. */
const kindOf = (variable: string) => variable.includes("/") ? variable.split("/")[0] : "";

const assignName = (variable: string) => `assign/${variable}`;
const clearName = (variable: string) => `clear/${variable}`;
const readName = (variable: string) => `read/${variable}`;

/** A variable's handle, and the nodes that read it and assign to it. */
function variableNodes(name: string, { dtype, shape }: tf.Variable): GraphNode[] {
  const type = typed("dtype", dtype);
  const shaped = [type, attribute("shape", "SHAPE", shape)];
  const shared = attribute("shared_name", "STRING", name);
  const handle = handleName(name), read = readName(name);
  const assign = assignName(name), clear = clearName(name);
  // A run must fetch something: where there is no result, a zero that comes after.
  const zero = { dtype: dataTypes.int32, shape: [], values: new Int32Array(1) };
  const result = [typed("dtype", "int32"), attribute("value", "TENSOR", zero)];
  const done = (name: string, after: string) => node(name, "Const", [`^${after}`], result);
  return [
    node(handle, "VarHandleOp", [], [...shaped, shared]),
    node(`${read}/value`, "ReadVariableOp", [`${handle}:0`], [type]),
    node(read, "Identity", [`${read}/value:0`], [typed("T", dtype)]),
    node(`${assign}/value`, "Placeholder", [], shaped),
    node(`${assign}/run`, "AssignVariableOp", [`${handle}:0`, `${assign}/value:0`], [type]),
    done(assign, `${assign}/run`),
    node(`${clear}/run`, "DestroyResourceOp", [`${handle}:0`]),
    done(clear, `${clear}/run`),
  ];
}
