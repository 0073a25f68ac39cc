/** Sessions of TensorFlow as the addon has them: graphs are added to one as serialized GraphDefs. */
import { createRequire } from "node:module";
import type { Attribute, AttributeKind, Handle } from "./backend.ts";
import { nodeBackend, typeOfKind } from "./backend.ts";
import type { ConstantValue, Graph, GraphFunction, GraphNode } from "./graph.ts";

/** A constant that large is a mistake. */
const LARGEST_CONSTANT = 256 * 2 ** 20;
/** The graph version of TensorFlow 2.21's own exporter: the operations' present meaning. */
const PRODUCER = 1994;

// deno-lint-ignore no-explicit-any
type Message = any; // tfjs-node ships its protocol-buffer classes without types

let messages: Message;
function load(): Message {
  messages ??= createRequire(import.meta.url)("@tensorflow/tfjs-node-gpu/dist/proto/api_pb.js");
  return messages;
}

/** A message of one of the classes, or of one inside another, with these fields. */
function made(name: string, fields: Record<string, unknown>): Message {
  const message = new (name.split(".").reduce((all, part) => all[part], load()))();
  for (const [field, value] of Object.entries(fields)) message[`set${field}`](value);
  return message;
}

const shapeMessage = (shape: number[]): Message =>
  made("TensorShape", { DimList: shape.map((Size) => made("TensorShape.Dim", { Size })) });

function tensorMessage({ dtype, shape, values }: ConstantValue): Message {
  if (values.byteLength > LARGEST_CONSTANT) {
    throw new Error(
      `Cannot record a constant of ${values.byteLength} bytes: expected at most ` +
        `${LARGEST_CONSTANT}; pass the tensor as an input or make it a variable`,
    );
  }
  const { buffer, byteOffset, byteLength } = values;
  return made("Tensor", {
    Dtype: dtype,
    TensorShape: shapeMessage(shape),
    TensorContent: new Uint8Array(buffer, byteOffset, byteLength),
  });
}

/** For each kind of attribute AttrValue's field, and what makes its message. */
const fields: Record<AttributeKind, [field: string, make?: (value: Message) => Message]> = {
  TYPE: ["Type"],
  BOOL: ["B"],
  INT: ["I"],
  STRING: ["S", (text) => new TextEncoder().encode(text)],
  SHAPE: ["Shape", shapeMessage],
  TENSOR: ["Tensor", tensorMessage],
  TYPES: ["List", (TypeList) => made("AttrValue.ListValue", { TypeList })],
  FUNCTION: ["Func", (Name) => made("NameAttrList", { Name })],
};
const kinds = Object.keys(fields) as AttributeKind[];

function attributeMessage({ name, type, value }: Attribute): Message {
  const kind = kinds.find((kind) => typeOfKind(kind) === type);
  if (kind === undefined) {
    throw new Error(
      `Cannot record the attribute ${name}: expected a type, truth value, whole number, text or shape; ` +
        `found ${JSON.stringify(value)}; run the function uncompiled`,
    );
  }
  const [field, make = (value) => value] = fields[kind];
  return made("AttrValue", { [field]: make(value) });
}

function setAttributes(map: Message, attributes: Attribute[]): void {
  for (const attribute of attributes) map.set(attribute.name, attributeMessage(attribute));
}

const nodeMessages = (nodes: GraphNode[]): Message[] =>
  nodes.map(({ name, operation, inputs, attributes }) => {
    const message = made("NodeDef", { Name: name, Op: operation, InputList: inputs });
    setAttributes(message.getAttrMap(), attributes);
    return message;
  });

function functionMessage({ name, types, nodes, results, attributes }: GraphFunction): Message {
  const named = (prefix: string) => (Type: number, i: number) =>
    made("OpDef.ArgDef", { Name: `${prefix}${i}`, Type });
  const message = made("FunctionDef", {
    Signature: made("OpDef", {
      Name: name,
      InputArgList: types.inputs.map(named("input")),
      OutputArgList: types.outputs.map(named("result")),
      IsStateful: true,
    }),
    NodeDefList: nodeMessages(nodes),
  });
  results.forEach((result, i) => message.getRetMap().set(`result${i}`, result));
  setAttributes(message.getAttrMap(), attributes);
  return message;
}

const graphMessage = ({ nodes, functions = [] }: GraphParts): Message =>
  made("GraphDef", {
    NodeList: nodeMessages(nodes),
    Library: made("FunctionDefLibrary", { FunctionList: functions.map(functionMessage) }),
    Versions: made("VersionDef", { Producer: PRODUCER }),
  });

/** What a session gets. */
export type GraphParts = Pick<Graph, "nodes" | "functions">;

/** A new session, without nodes, by its number. @param config a ConfigProto */
export function newSession(config: Uint8Array): number {
  return nodeBackend().binding.newSession(config);
}

/**
 * Adds nodes to a session; what it holds stays where it is.
 * @param names nodes of the session whose first output the new ones take
 * @throws where TensorFlow refuses a node; the session stays as it was
 */
export function extendSession(session: number, parts: GraphParts, names: string[] = []): void {
  const graph: Uint8Array = graphMessage(parts).serializeBinary();
  nodeBackend().binding.extendSavedModel(session, graph, names.join());
}

/** One run of a session: tensors for the inputs, by the nodes' names. */
export function runSession(
  session: number,
  { ids, inputs, outputs }: { ids: number[]; inputs: string[]; outputs: string[] },
): Handle[] {
  const names = (list: string[]) => list.map((name) => `${name}:0`).join(",");
  return nodeBackend().binding.runSavedModel(session, ids, names(inputs), names(outputs));
}
