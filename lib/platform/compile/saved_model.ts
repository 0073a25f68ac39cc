/** A graph's nodes as a SavedModel, the form in which the addon loads them. */
import { createRequire } from "node:module";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Attribute, nodeBackend } from "./backend.ts";
import {
  type ConstantValue,
  FUNCTION_ATTRIBUTE,
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
  else if (type === TYPES_ATTRIBUTE) {
    const list = new (load().AttrValue.ListValue)();
    list.setTypeList(value);
    message.setList(list);
  } else if (type === FUNCTION_ATTRIBUTE) {
    const named = new (load().NameAttrList)();
    named.setName(value);
    message.setFunc(named);
  } else if (type === binding.TF_ATTR_TYPE) message.setType(value);
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

function setAttributes(map: Message, attributes: Attribute[]): void {
  for (const attribute of attributes) map.set(attribute.name, attributeMessage(attribute));
}

function nodeMessages(nodes: GraphNode[]): Message[] {
  return nodes.map((node) => {
    const message = new (load().NodeDef)();
    message.setName(node.name);
    message.setOp(node.operation);
    message.setInputList(node.inputs);
    setAttributes(message.getAttrMap(), node.attributes);
    return message;
  });
}

function functionMessage({ name, types, nodes, results, attributes }: GraphFunction): Message {
  const { FunctionDef, OpDef } = load();
  const named = (prefix: string) => (type: number, i: number) => {
    const message = new OpDef.ArgDef();
    message.setName(`${prefix}${i}`);
    message.setType(type);
    return message;
  };
  const signature = new OpDef();
  signature.setName(name);
  signature.setInputArgList(types.inputs.map(named("input")));
  signature.setOutputArgList(types.outputs.map(named("result")));
  signature.setIsStateful(true);
  const message = new FunctionDef();
  message.setSignature(signature);
  message.setNodeDefList(nodeMessages(nodes));
  results.forEach((result, i) => message.getRetMap().set(`result${i}`, result));
  setAttributes(message.getAttrMap(), attributes);
  return message;
}

function graphMessage({ nodes, functions = [] }: GraphParts): Message {
  const { FunctionDefLibrary, GraphDef, VersionDef } = load();
  const graph = new GraphDef();
  graph.setNodeList(nodeMessages(nodes));
  const library = new FunctionDefLibrary();
  library.setFunctionList(functions.map(functionMessage));
  graph.setLibrary(library);
  const version = new VersionDef();
  version.setProducer(PRODUCER);
  graph.setVersions(version);
  return graph;
}

/** What a session is made of, or gets in addition. */
export interface GraphParts {
  nodes: GraphNode[];
  /** That the nodes call. */
  functions?: GraphFunction[];
}

/** The SavedModel (tag `serve`, no signatures: nodes are fed and fetched by name) of `parts`. */
function savedModel(parts: GraphParts): Uint8Array {
  const { MetaGraphDef, SavedModel } = load();
  const meta = new MetaGraphDef();
  const info = new MetaGraphDef.MetaInfoDef();
  info.setTagsList(["serve"]);
  meta.setMetaInfoDef(info);
  meta.setGraphDef(graphMessage(parts));
  const model = new SavedModel();
  model.setSavedModelSchemaVersion(1);
  model.setMetaGraphsList([meta]);
  return model.serializeBinary();
}

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
