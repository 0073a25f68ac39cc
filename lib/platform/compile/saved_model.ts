/** A graph's nodes as a SavedModel, the form in which the addon loads them. */
import { createRequire } from "node:module";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Attribute, nodeBackend } from "./backend.ts";
import { type ConstantValue, type GraphNode, TENSOR_ATTRIBUTE } from "./graph.ts";

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
  const { buffer, byteOffset, byteLength } = values;
  message.setTensorContent(new Uint8Array(buffer, byteOffset, byteLength));
  return message;
}

function attributeMessage({ name, type, value: given }: Attribute): Message {
  const value: Message = given; // as its type says
  const { binding } = nodeBackend();
  const message = new (load().AttrValue)();
  if (type === TENSOR_ATTRIBUTE) message.setTensor(tensorMessage(value));
  else if (type === binding.TF_ATTR_TYPE) message.setType(value);
  else if (type === binding.TF_ATTR_BOOL) message.setB(value);
  else if (type === binding.TF_ATTR_INT) message.setI(value);
  else if (type === binding.TF_ATTR_STRING) message.setS(new TextEncoder().encode(value));
  else if (type === binding.TF_ATTR_SHAPE) message.setShape(shapeMessage(value));
  else {
    throw new Error(
      `Cannot record the attribute ${name}: expected a type, truth value, whole number, text or shape; ` +
        `found ${JSON.stringify(value)}; run the function uncompiled`,
    );
  }
  return message;
}

function graphMessage(nodes: GraphNode[]): Message {
  const { GraphDef, NodeDef, VersionDef } = load();
  const graph = new GraphDef();
  graph.setNodeList(nodes.map((node) => {
    const message = new NodeDef();
    message.setName(node.name);
    message.setOp(node.operation);
    message.setInputList(node.inputs);
    const map = message.getAttrMap();
    for (const attribute of node.attributes) map.set(attribute.name, attributeMessage(attribute));
    return message;
  }));
  const version = new VersionDef();
  version.setProducer(PRODUCER);
  graph.setVersions(version);
  return graph;
}

/** The SavedModel (tag `serve`, no signatures: nodes are fed and fetched by name) of `nodes`. */
function savedModel(nodes: GraphNode[]): Uint8Array {
  const { MetaGraphDef, SavedModel } = load();
  const meta = new MetaGraphDef();
  const info = new MetaGraphDef.MetaInfoDef();
  info.setTagsList(["serve"]);
  meta.setMetaInfoDef(info);
  meta.setGraphDef(graphMessage(nodes));
  const model = new SavedModel();
  model.setSavedModelSchemaVersion(1);
  model.setMetaGraphsList([meta]);
  return model.serializeBinary();
}

/**
 * Loads nodes as a session of TensorFlow; gives its number.
 * @param config a ConfigProto; left aside with an addon that was built before it took one
 */
export function loadGraph(nodes: GraphNode[], config?: Uint8Array): number {
  const { binding } = nodeBackend();
  if (config !== undefined && binding.newSession && binding.extendSavedModel) {
    const session = binding.newSession(config);
    try {
      extendGraph(session, nodes, []);
      return session;
    } catch (error) {
      binding.deleteSavedModel(session);
      throw error;
    }
  }
  const folder = mkdtempSync(join(tmpdir(), "graph-"));
  try {
    writeFileSync(join(folder, "saved_model.pb"), savedModel(nodes));
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
  const graph: Uint8Array = graphMessage(nodes).serializeBinary();
  binding.extendSavedModel(session, graph, names.join());
  return true;
}
