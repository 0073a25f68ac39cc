/** A graph's nodes as a SavedModel, the form in which the addon loads them. */
import { createRequire } from "node:module";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TypedArray } from "@tensorflow/tfjs";
import { type Attribute, type Binding, dataTypes, nodeBackend } from "./backend.ts";
import { type ConstantValue, type GraphNode, TENSOR_ATTRIBUTE } from "./graph.ts";

/** A constant that large is a mistake. */
const LARGEST_CONSTANT = 256 * 2 ** 20;
/** TensorFlow refuses a protocol buffer of 2 GiB. */
const LARGEST_GRAPH = 2 ** 31 - 1;
/** Room for a node's name, operation, inputs and attributes, in bytes; they take about half of it. */
const NODE_SIZE = 512;
/** The graph version of TensorFlow 2.21's own exporter: the operations' present meaning. */
const PRODUCER = 1994;

// deno-lint-ignore no-explicit-any
type Message = any; // tfjs-node ships its protocol-buffer classes without types

let messages: Message;
function load(): Message {
  messages ??= createRequire(import.meta.url)("@tensorflow/tfjs-node-gpu/dist/proto/api_pb.js");
  return messages;
}

function shapeMessage(shape: number[]): Message {
  const message = new (load().TensorShape)();
  message.setDimList(shape.map((size) => {
    const dimension = new (load().TensorShape.Dim)();
    dimension.setSize(size);
    return dimension;
  }));
  return message;
}

function tensorMessage({ dtype, shape, values }: ConstantValue): Message {
  if (values.byteLength > LARGEST_CONSTANT) {
    throw new Error(
      `Cannot record a constant of ${values.byteLength} bytes: expected at most ` +
        `${LARGEST_CONSTANT}; pass the tensor as an input or make it a variable`,
    );
  }
  const message = new (load().Tensor)();
  message.setDtype(dtype);
  message.setTensorShape(shapeMessage(shape));
  if (isUniform(values)) {
    const [first] = values;
    if (dtype === dataTypes.float32) message.setFloatValList([first]);
    else if (dtype === dataTypes.int32) message.setIntValList([first]);
    else message.setBoolValList([first !== 0]);
  } else {
    const { buffer, byteOffset, byteLength } = values;
    message.setTensorContent(new Uint8Array(buffer, byteOffset, byteLength));
  }
  return message;
}

function attributeMessage(attribute: Attribute, binding: Binding): Message {
  const message = new (load().AttrValue)();
  const { name, type, value } = attribute;
  if (type === TENSOR_ATTRIBUTE) message.setTensor(tensorMessage(value as ConstantValue));
  else if (type === binding.TF_ATTR_TYPE && !Array.isArray(value)) message.setType(value);
  else if (type === binding.TF_ATTR_BOOL && !Array.isArray(value)) message.setB(value);
  else if (type === binding.TF_ATTR_INT && !Array.isArray(value)) message.setI(value);
  else if (type === binding.TF_ATTR_FLOAT && !Array.isArray(value)) message.setF(value);
  else if (type === binding.TF_ATTR_STRING && !Array.isArray(value)) {
    message.setS(new TextEncoder().encode(String(value)));
  } else if (type === binding.TF_ATTR_SHAPE) message.setShape(shapeMessage(value as number[]));
  else if (Array.isArray(value) && type === binding.TF_ATTR_INT) {
    const list = new (load().AttrValue.ListValue)();
    list.setIList(value);
    message.setList(list);
  } else {
    throw new Error(
      `Cannot record the attribute ${name}: expected a type, number, text, shape or list of ` +
        `integers; found ${JSON.stringify(value)}; run the function uncompiled`,
    );
  }
  return message;
}

function isUniform(values: TypedArray): boolean {
  const first = values[0];
  return values.length > 1 && values.every((value) => Object.is(value, first));
}

/**
 * Refuses a graph that TensorFlow could not read.
 * @param limit bytes that it reads
 */
function checkSize(nodes: GraphNode[], limit: number): void {
  const constants = nodes.flatMap(({ attributes }) =>
    attributes.filter(({ type }) => type === TENSOR_ATTRIBUTE)
      .map(({ value }) => (value as ConstantValue).values)
  );
  const total = constants.reduce((sum, values) => sum + values.byteLength, 0);
  const size = nodes.length * NODE_SIZE + total;
  if (size <= limit) return;
  throw new Error(
    `Cannot compile a graph of about ${size} bytes, ${total} of them in ${constants.length} ` +
      `constants: TensorFlow reads at most ${limit}; make large constants variables or inputs`,
  );
}

function graphMessage(nodes: GraphNode[], binding: Binding, limit = LARGEST_GRAPH): Message {
  checkSize(nodes, limit);
  const { GraphDef, NodeDef, VersionDef } = load();
  const graph = new GraphDef();
  graph.setNodeList(nodes.map((node) => {
    const message = new NodeDef();
    message.setName(node.name);
    message.setOp(node.operation);
    message.setInputList(node.inputs);
    const map = message.getAttrMap();
    for (const attribute of node.attributes) {
      map.set(attribute.name, attributeMessage(attribute, binding));
    }
    return message;
  }));
  const version = new VersionDef();
  version.setProducer(PRODUCER);
  graph.setVersions(version);
  return graph;
}

/**
 * The SavedModel (tag `serve`, no signatures: nodes are fed and fetched by name) of `nodes`.
 * @throws where it would be larger than TensorFlow reads
 */
export function savedModel(
  nodes: GraphNode[],
  binding: Binding,
  { limit }: { limit?: number } = {},
): Uint8Array {
  const { MetaGraphDef, SavedModel } = load();
  const meta = new MetaGraphDef();
  const info = new MetaGraphDef.MetaInfoDef();
  info.setTagsList(["serve"]);
  meta.setMetaInfoDef(info);
  meta.setGraphDef(graphMessage(nodes, binding, limit));
  const model = new SavedModel();
  model.setSavedModelSchemaVersion(1);
  model.setMetaGraphsList([meta]);
  return model.serializeBinary();
}

/** Loads nodes as a session of TensorFlow; gives its number. */
export function loadGraph(nodes: GraphNode[]): number {
  const { binding } = nodeBackend();
  const folder = mkdtempSync(join(tmpdir(), "graph-"));
  try {
    writeFileSync(join(folder, "saved_model.pb"), savedModel(nodes, binding));
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
export function extendGraph(session: number, nodes: GraphNode[], names: string[]): boolean {
  const { binding } = nodeBackend();
  if (binding.extendSavedModel === undefined) return false;
  const graph: Uint8Array = graphMessage(nodes, binding).serializeBinary();
  binding.extendSavedModel(session, graph, names.join());
  return true;
}
