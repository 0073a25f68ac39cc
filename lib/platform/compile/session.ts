/** Compiled functions over one set of variables. */
import type * as tf from "@tensorflow/tfjs";
import { nodeBackend } from "./backend.ts";
import type { Graph, Specification, TensorFunction } from "./graph.ts";
import { Trace, type TraceOptions } from "./trace.ts";
import { VariableStore } from "./variables.ts";
import { asFunction, refuseXla, usesXla } from "./xla.ts";

/** A graph that can be called, and what it was recorded from. */
export interface Compiled extends Graph {
  run: TensorFunction;
  specifications: Specification[];
  /** Whether XLA is to compile it, at its first run. */
  isUntried?: boolean;
  /** The graph that runs in its place, where XLA could not compile it. */
  instead?: Compiled;
}

export class Session {
  /**
   * @param members so many run at once; see `bind`. Default: a function alone
   * @param streams see `streams`. Default: by the variables; 1 for members, whose operations are large
   */
  constructor(readonly members?: number, streams = members && 1) {
    this.#store = new VariableStore(streams);
  }

  /** What a function of members sees, of one member's shape. */
  readonly #faces = new Map<string, tf.Variable>();
  readonly #store: VariableStore;
  readonly #byKey = new Map<string, Map<string, Compiled>>();
  /** Graphs so far, and those that XLA compiles. */
  #count = 0;
  #whole = 0;
  #disposed = false;

  get variables(): ReadonlyMap<string, tf.Variable> {
    return this.#store.variables;
  }

  /** Chains of operations that it runs at once; see streams.ts. */
  get streams(): number {
    return this.#store.streams;
  }

  /** See `VariableStore`, which holds the variables; those of members are stacked [M, ...shape]. */
  bind(name: string, variable: tf.Variable, member = variable): void {
    this.#refuseDisposed("bind a variable");
    this.#store.bind(name, variable);
    this.#faces.set(name, member);
  }

  free(names: readonly string[]): void {
    this.#store.free(names);
  }

  /**
   * Records `run` and makes it ready for `call`; where XLA is worth its time for so many runs, as one
   * function that XLA compiles.
   * @param runs how often the graph is to run, where that is known: what runs often is worth more work
   * @throws where it can't be recorded or loaded; the session stays as it was
   */
  add(run: TensorFunction, inputs: Specification[], runs?: number): Compiled {
    this.#refuseDisposed("compile a function");
    // Graphs of other shapes share the runs, and each has to be compiled.
    const share = runs && runs / (1 + this.#whole);
    return usesXla(share) && this.#addWhole(run, inputs) || this.#addPlain(run, inputs);
  }

  #addPlain(run: TensorFunction, inputs: Specification[]): Compiled {
    const graph = this.#record(run, inputs);
    this.#store.load(graph);
    return graph;
  }

  /** As one function for XLA; undefined where TensorFlow refuses it, or it changes no variable. */
  #addWhole(run: TensorFunction, inputs: Specification[]): Compiled | undefined {
    const recorded = this.#record(run, inputs, { inPlace: false });
    if (recorded.changed.size === 0) return undefined;
    const graph = { ...recorded, ...asFunction(recorded), isUntried: true };
    try {
      this.#store.load(graph);
    } catch (error) {
      refuseXla(error as Error);
      return undefined;
    }
    this.#whole++;
    return graph;
  }

  /**
   * One run of a graph: its outputs, and its variables changed.
   * @throws where TensorFlow reports an error; changes made until then stay
   */
  call(graph: Compiled, inputs: tf.Tensor[]): tf.Tensor[] {
    this.#refuseDisposed("run a graph");
    if (graph.instead !== undefined) return this.call(graph.instead, inputs);
    try {
      const outputs = this.#store.run(graph, inputs);
      graph.isUntried = false;
      return outputs.map((handle) => nodeBackend().createOutputTensor(handle));
    } catch (error) {
      const explained = this.#explain(graph, error as Error);
      // Compiling changes nothing yet; where memory is short, the graph alone needs no less.
      if (!graph.isUntried || /out of memory|RESOURCE_EXHAUSTED/i.test(explained.message)) {
        throw explained;
      }
      refuseXla(explained);
      graph.instead = this.#addPlain(graph.run, graph.specifications);
      return this.call(graph.instead, inputs);
    }
  }

  /** The graphs of a function by its inputs' shapes and types; functions of one key compute alike. */
  graphsOf(key: string): Map<string, Compiled> {
    const found = this.#byKey.get(key) ?? new Map<string, Compiled>();
    this.#byKey.set(key, found);
    return found;
  }

  /** Lets go of all variables' memory; graphs stay, for variables that take the same names. */
  clear(): void {
    this.#store.freeAll();
  }

  dispose(): void {
    this.#store.dispose();
    this.#disposed = true;
  }

  #record(
    run: TensorFunction,
    specifications: Specification[],
    { name = `graph${this.#count++}`, ...options }:
      & { name?: string }
      & Pick<TraceOptions, "inPlace" | "onNode"> = {},
  ): Compiled {
    const faces = [...this.variables].map(([name]) => [name, this.#faces.get(name)!] as const);
    const { members } = this, variables = new Map(faces);
    const trace = { ...options, inputs: specifications, members, variables };
    return { ...Trace.record(name, run, trace), run, specifications };
  }

  #refuseDisposed(action: string): void {
    if (!this.#disposed) return;
    throw new Error(`Cannot ${action}: the session was disposed; make another`);
  }

  /** TensorFlow's error in the terms of the function: which operation, asked for where, and why. */
  #explain(graph: Compiled, error: Error): Error {
    const reason = /^Session fail to run with error: ([^]*?)\s*(?:\[\[|$)/.exec(error.message)?.[1];
    if (reason === undefined) return error;
    const nodes = [...error.message.matchAll(/\{\{node ([^}]+)\}\}/g)].map(([, name]) => name);
    const failed = graph.nodes.find(({ name }) => nodes.includes(name));
    const given = graph.specifications.map(({ dtype, shape }) => `${dtype}[${shape}]`).join(", ");
    const what = failed === undefined
      ? nodes.join(", ") || "the graph"
      : `${failed.operation}${this.#placeOf(failed.name, graph)}`;
    return new Error(
      `Cannot run ${graph.name} (inputs ${given || "none"}): ${what} failed: ${reason}; ` +
        "look at the inputs' values, or run the function uncompiled to follow them",
      { cause: error },
    );
  }

  /** Where the function asks for a node: found by tracing it once more. */
  #placeOf(node: string, { name, run, specifications }: Compiled): string {
    let found = "";
    const onNode: TraceOptions["onNode"] = (one, place) => {
      if (one.name === node) found = place();
    };
    try {
      this.#record(run, specifications, { name, onNode });
    } catch { /* the place is a help only */ }
    return found;
  }
}
