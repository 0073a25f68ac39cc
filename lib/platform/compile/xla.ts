/**
 * A graph as the call of one function, which XLA compiles whole: a card then starts few fused programs
 * where the executor starts one or more for every operation.
 */
import { type Attribute, attributeValue, nodeBackend, typed } from "./backend.ts";
import {
  FUNCTION_ATTRIBUTE,
  type Graph,
  type GraphFunction,
  type GraphNode,
  TYPES_ATTRIBUTE,
} from "./graph.ts";

/** TensorFlow's DataType of a variable's handle. */
const RESOURCE = 20;

/** What operations call their outputs, by which a function's nodes know them; all others: `output`. */
const OUTPUTS = new Map(
  Object.entries({
    y: "Cast Exp IsFinite Log Neg Rsqrt Sigmoid Sqrt Square Transpose ZerosLike",
    z: "Add Equal GreaterEqual Less LogicalAnd Maximum Minimum Mul NotEqual RealDiv Sub",
    sum: "AddN",
    softmax: "Softmax",
    product: "MatMul",
    value: "ReadVariableOp",
  }).flatMap(([output, names]) => names.split(" ").map((name) => [name, output])),
);

/** The nodes that take a graph's place in its session: inputs and outputs keep their names. */
export function asFunction(graph: Graph): { nodes: GraphNode[]; functions: GraphFunction[] } {
  const name = `${graph.name}_whole`;
  const byName = new Map(graph.nodes.map((node) => [node.name, node]));
  const inputs = graph.inputs.map((input) => byName.get(input)!);
  const outputs = graph.outputs.map((output) => byName.get(output)!);
  const handles = [
    ...new Set(
      graph.nodes.flatMap((node) => node.inputs)
        .filter((input) => !input.startsWith("^") && !byName.has(input.split(":")[0])),
    ),
  ];
  const sources = [...graph.inputs.map((input) => `${input}:0`), ...handles];
  const argument = new Map(sources.map((source, i) => [source, `input${i}`]));
  const inside = (input: string) => {
    if (input.startsWith("^")) return input;
    const [source, index] = input.split(":");
    const { operation } = byName.get(source) ?? { operation: "" };
    return argument.get(input) ?? `${source}:${OUTPUTS.get(operation) ?? "output"}:${index}`;
  };
  const body = graph.nodes.filter((node) => !inputs.includes(node))
    .map((node) => ({ ...node, inputs: node.inputs.map(inside) }));
  const types = {
    inputs: [...inputs.map((node) => typeOf(node, "dtype")), ...handles.map(() => RESOURCE)],
    outputs: outputs.map((node) => typeOf(node, "T")),
  };
  const call: GraphNode = {
    name: `${graph.name}/whole`,
    operation: "StatefulPartitionedCall",
    inputs: sources,
    attributes: [
      { name: "Tin", type: TYPES_ATTRIBUTE, value: types.inputs },
      { name: "Tout", type: TYPES_ATTRIBUTE, value: types.outputs },
      { name: "f", type: FUNCTION_ATTRIBUTE, value: name },
      mustCompile(),
    ],
  };
  return {
    nodes: [
      ...inputs,
      call,
      ...outputs.map(({ name }, i) => ({
        name,
        operation: "Identity",
        inputs: [`${call.name}:${i}`],
        attributes: [typed("T", types.outputs[i])],
      })),
    ],
    functions: [{
      name,
      types,
      nodes: body,
      results: outputs.map(({ name }) => `${name}:output:0`),
      attributes: [mustCompile()],
    }],
  };
}

const mustCompile = (): Attribute => ({
  name: "_XlaMustCompile",
  type: nodeBackend().binding.TF_ATTR_BOOL,
  value: true,
});

const typeOf = ({ attributes }: GraphNode, name: string) =>
  attributeValue(attributes, name) as number;
