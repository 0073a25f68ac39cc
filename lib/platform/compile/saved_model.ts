/** A graph's nodes as a SavedModel, the form in which the addon loads them. */
import { createRequire } from "node:module";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Attribute, nodeBackend } from "./backend.ts";
import {
  type ConstantValue,
  FUNCTION_ATTRIBUTE,
  type Graph,
  type GraphFunction,
  type GraphNode,
  TENSOR_ATTRIBUTE,
  TYPES_ATTRIBUTE,
} from "./graph.ts";

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

function attributeMessage({ name, type, value: given }: Attribute): Message {
  const value: Message = given; // as its type says
  const { binding } = nodeBackend();
  const holding = (field: string, value: Message) => made("AttrValue", { [field]: value });
  if (type === TENSOR_ATTRIBUTE) return holding("Tensor", tensorMessage(value));
  if (type === TYPES_ATTRIBUTE) {
    return holding("List", made("AttrValue.ListValue", { TypeList: value }));
  }
  if (type === FUNCTION_ATTRIBUTE) return holding("Func", made("NameAttrList", { Name: value }));
  if (type === binding.TF_ATTR_TYPE) return holding("Type", value);
  if (type === binding.TF_ATTR_BOOL) return holding("B", value);
  if (type === binding.TF_ATTR_INT) return holding("I", value);
  if (type === binding.TF_ATTR_STRING) return holding("S", new TextEncoder().encode(value));
  if (type === binding.TF_ATTR_SHAPE) return holding("Shape", shapeMessage(value));
  throw new Error(
    `Cannot record the attribute ${name}: expected a type, truth value, whole number, text or shape; ` +
      `found ${JSON.stringify(value)}; run the function uncompiled`,
  );
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

/** What a session is made of, or gets in addition. */
export type GraphParts = Pick<Graph, "nodes" | "functions">;

/** The SavedModel (tag `serve`, no signatures: nodes are fed and fetched by name) of `parts`. */
const savedModel = (parts: GraphParts): Uint8Array =>
  made("SavedModel", {
    SavedModelSchemaVersion: 1,
    MetaGraphsList: [made("MetaGraphDef", {
      MetaInfoDef: made("MetaGraphDef.MetaInfoDef", { TagsList: ["serve"] }),
      GraphDef: graphMessage(parts),
    })],
  }).serializeBinary();

/**
 * Loads nodes as a session of TensorFlow; gives its number.
 * @param config a ConfigProto; left aside with an addon that was built before it took one
 */
export function loadGraph(parts: GraphParts, config?: Uint8Array): number {
  const { binding } = nodeBackend();
  if (config !== undefined && binding.newSession && binding.extendSavedModel) {
    const session = binding.newSession(config);
    try {
      extendGraph(session, parts, []);
      return session;
    } catch (error) {
      binding.deleteSavedModel(session);
      throw error;
    }
  }
  const folder = mkdtempSync(join(tmpdir(), "graph-"));
  try {
    writeFileSync(join(folder, "saved_model.pb"), savedModel(parts));
    return binding.loadSavedModel(folder, "serve");
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/**
 * Adds nodes to a session; what it holds stays where it is.
 * @param names nodes of the session whose first output the new ones take
 * @returns false where the addon can't
 * @throws where TensorFlow refuses a node; the session stays as it was
 */
export function extendGraph(session: number, parts: GraphParts, names: string[]): boolean {
  const { binding } = nodeBackend();
  if (binding.extendSavedModel === undefined) return false;
  const graph: Uint8Array = graphMessage(parts).serializeBinary();
  binding.extendSavedModel(session, graph, names.join());
  return true;
}
