/** The nodes of a graph as they come; what is asked for twice is there once. */
import { Buffer } from "node:buffer";
import type { TypedArray } from "@tensorflow/tfjs";
import { type Attribute, attribute, typed } from "./backend.ts";
import type { ConstantValue, GraphNode } from "./graph.ts";

export class NodeList {
  readonly list: GraphNode[] = [];
  /** Names of nodes by what they compute. */
  readonly #computed = new Map<string, string>();
  /** Constants by type and shape. */
  readonly #constants = new Map<string, { name: string; values: TypedArray }[]>();

  /** @param prefix what all names start with */
  constructor(readonly prefix: string, readonly onNode?: (node: GraphNode) => void) {}

  add(operation: string, inputs: string[], attributes: Attribute[]): string {
    const name = `${this.prefix}/${this.list.length}_${operation}`;
    const node = { name, operation, inputs, attributes };
    this.list.push(node);
    this.onNode?.(node);
    return name;
  }

  /** A node without effects; one that computes the same is taken where there is one. */
  addOnce(operation: string, inputs: string[], attributes: Attribute[]): string {
    const what = JSON.stringify([operation, inputs, attributes]);
    let name = this.#computed.get(what);
    if (name === undefined) {
      this.#computed.set(what, name = this.add(operation, inputs, attributes));
    }
    return name;
  }

  constant(constant: ConstantValue): string {
    const { dtype, shape, values } = constant;
    const kind = `${dtype}[${shape}]`;
    const alike = this.#constants.get(kind) ?? [];
    const found = alike.find((one) => equalBytes(one.values, values));
    if (found !== undefined) return found.name;
    const name = this.add("Const", [], [
      typed("dtype", dtype),
      attribute("value", "TENSOR", constant),
    ]);
    this.#constants.set(kind, [...alike, { name, values }]);
    return name;
  }
}

/** Whether the bits are the same: so that -0 is not 0, and NaN is NaN. */
function equalBytes(a: TypedArray, b: TypedArray): boolean {
  const bytes = ({ buffer, byteOffset, byteLength }: TypedArray) =>
    Buffer.from(buffer, byteOffset, byteLength);
  return bytes(a).equals(bytes(b));
}
