/**
 * XLA compiles a graph whole, as the call of one function: a card then starts few fused programs where the
 * executor starts one or more for every operation. Compiling takes seconds, so only what runs often is worth
 * it.
 */
import { attribute, attributeValue, nodeBackend, typed } from "./backend.ts";
import type { Graph, GraphFunction, GraphNode } from "./graph.ts";

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
      attribute("Tin", "TYPES", types.inputs),
      attribute("Tout", "TYPES", types.outputs),
      attribute("f", "FUNCTION", name),
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

const mustCompile = () => attribute("_XlaMustCompile", "BOOL", true);

const typeOf = ({ attributes }: GraphNode, name: string) =>
  attributeValue(attributes, name) as number;

/** Forces it off (0) or on (1) for whatever says how often it runs. Default: by card and runs. */
export const XLA_VARIABLE = "SELF_ALIGNING_XLA";

/** Runs from which the seconds of compiling are won back on a card (measured: 500 to 2,100; test/bench/card.md). */
const LEAST_RUNS = 2000;

let refused = false;

/** @param runs how often the graph is to run; absent: not known, so not often */
export function usesXla(runs: number | undefined): boolean {
  const wanted = Deno.env.get(XLA_VARIABLE) ?? "";
  if (!["", "0", "1"].includes(wanted)) {
    throw new Error(
      `Cannot choose whether XLA compiles: expected ${XLA_VARIABLE} to be 0, 1 or empty; found ` +
        `${JSON.stringify(wanted)}; set it to one of them`,
    );
  }
  if (wanted === "0" || refused || runs === undefined) return false;
  if (wanted === "1") return true;
  // On a processor XLA is no faster: the executor's products are the same, and few calls are launches.
  return nodeBackend().isUsingGpuDevice && runs >= LEAST_RUNS && hasCompiler();
}

/** Goes on without XLA in this process, which is told once. */
export function refuseXla(error: Error, tell: (line: string) => void = console.error): void {
  if (!refused) {
    const reason = error.message.replaceAll(/\s+/g, " ").slice(0, 300);
    tell(
      `XLA could not compile a training step (${reason}); going on without it, at the same numbers. ` +
        `${XLA_VARIABLE}=0 leaves it out`,
    );
  }
  refused = true;
}

/** Tries again what was refused; for tests. */
export function forgetRefusal(): void {
  refused = false;
}

const DATA_FOLDER = "--xla_gpu_cuda_data_dir=";

/** TF_XLA_FLAGS by which another process takes what this one compiled for a card, out of a folder. */
export const xlaCacheFlags = (folder: string): string =>
  `--tf_xla_persistent_cache_directory=${folder} ` +
  "--tf_xla_persistent_cache_device_types=GPU,XLA_GPU_JIT";

/**
 * XLA's own settings for a card, XLA_FLAGS.
 * @param folder holds CUDA's assembler (bin/ptxas) and library of functions (nvvm/libdevice)
 */
export function xlaFlags(folder: string, isFloat32: boolean): string {
  // Triton's products take TF32 whatever NVIDIA_TF32_OVERRIDE says, which cuBLAS heeds.
  return `${DATA_FOLDER}${folder}${isFloat32 ? " --xla_gpu_enable_triton_gemm=false" : ""}`;
}

/** Whether what XLA compiles with is where its settings say, or where CUDA is usually installed. */
function hasCompiler(): boolean {
  const flags = (Deno.env.get("XLA_FLAGS") ?? "").split(/\s+/);
  const folder = flags.find((flag) => flag.startsWith(DATA_FOLDER))?.slice(DATA_FOLDER.length) ??
    "/usr/local/cuda";
  try {
    return ["bin/ptxas", "nvvm/libdevice/libdevice.10.bc"]
      .every((name) => Deno.statSync(`${folder}/${name}`).isFile);
  } catch {
    return false;
  }
}
