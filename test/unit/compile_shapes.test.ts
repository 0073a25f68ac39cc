/** Every operation that can be recorded: traced, run as a graph, and held to TensorFlow's own result. */
import assert from "node:assert/strict";
import * as tf from "@tensorflow/tfjs";
import { openBackend } from "../../lib/platform/runtime/backend.ts";
import { type Attribute, dataTypes, nodeBackend } from "../../lib/platform/compile/backend.ts";
import { compile, Session } from "../../lib/platform/compile/mod.ts";
import { operations } from "../../lib/platform/compile/shapes.ts";
import type { Specification } from "../../lib/platform/compile/graph.ts";
import { nativeState } from "../../lib/platform/native/native.ts";
import { Random } from "../../lib/statistics/random.ts";

const native = nativeState();
if (native.ready) await openBackend("tensorflow");
else console.log(`Tests of the recorded operations skipped: ${native.reason}`);

interface Case {
  /** TensorFlow's operation that must be in the graph. */
  operation: string;
  inputs: Specification[];
  // deno-lint-ignore no-explicit-any -- the table's functions know their inputs
  run: (...inputs: any[]) => tf.Tensor | tf.Tensor[];
}

const f = (...shape: number[]): Specification => ({ shape, dtype: "float32" });
const i = (...shape: number[]): Specification => ({ shape, dtype: "int32" });
const b = (...shape: number[]): Specification => ({ shape, dtype: "bool" });

const cases: Case[] = [];
const hold = (operation: string, run: Case["run"], ...inputs: Specification[]) =>
  cases.push({ operation, run, inputs });

// Element by element.
for (
  const name of [
    ...["abs", "acos", "acosh", "asin", "asinh", "atan", "atanh", "ceil", "cos", "cosh", "elu"],
    ...["erf", "exp", "expm1", "floor", "isFinite", "isInf", "isNaN", "leakyRelu", "log", "log1p"],
    ...["neg", "onesLike", "reciprocal", "relu", "relu6", "round", "rsqrt", "selu", "sigmoid"],
    ...["sign", "sin", "sinh", "softplus", "sqrt", "square", "tan", "tanh", "zerosLike"],
  ]
) {
  const operation = name === "isNaN" ? "IsNan" : name[0].toUpperCase() + name.slice(1);
  // deno-lint-ignore no-explicit-any -- by name
  const run = (x: tf.Tensor) => (tf as any)[name](x);
  hold(operation, run, f(2, 3));
  hold(operation, run, f());
}
for (const name of ["abs", "sign", "square", "neg", "onesLike", "zerosLike"] as const) {
  hold(name[0].toUpperCase() + name.slice(1), (x) => tf[name](x), i(3));
}
hold("LogicalNot", (x) => tf.logicalNot(x), b(2, 2));
hold("Softmax", (x) => tf.softmax(x), f(2, 3, 4));
hold("Cumsum", (x) => tf.cumsum(x, 1, true, true), f(2, 3));
hold("Cumprod", (x) => tf.cumprod(x, 0), f(2, 3));
hold("ReverseV2", (x) => tf.reverse(x, [0, -1]), f(2, 3));
hold("EluGrad", (x) => tf.grad((x) => tf.sum(tf.elu(x)))(x), f(2, 3));
hold(
  "TensorScatterUpdate",
  (x, y) => tf.tensorScatterUpdate(x, tf.tensor2d([[1], [0]], [2, 1], "int32"), y),
  f(3, 2),
  f(2, 2),
);

// Two by two, broadcast.
for (
  const [name, operation] of [
    ["add", "Add"],
    ["atan2", "Atan2"],
    ["div", "RealDiv"],
    ["floorDiv", "FloorDiv"],
    ["maximum", "Maximum"],
    ["minimum", "Minimum"],
    ["mod", "FloorMod"],
    ["mul", "Mul"],
    ["pow", "Pow"],
    ["squaredDifference", "SquaredDifference"],
    ["sub", "Sub"],
  ] as const
) {
  hold(operation, (x, y) => tf[name](x, y), f(2, 1, 3), f(4, 1));
  hold(operation, (x, y) => tf[name](x, y), f(), f(2));
}
for (const name of ["add", "sub", "mul", "maximum"] as const) {
  const operation = name[0].toUpperCase() + name.slice(1);
  hold(operation, (x, y) => tf[name](x, y), i(2, 3), i(3));
  hold(operation, (x, y) => tf[name](x, y), i(2, 3), f(3)); // int32 becomes float32
}
for (const name of ["equal", "notEqual", "less", "lessEqual", "greater", "greaterEqual"] as const) {
  const operation = name[0].toUpperCase() + name.slice(1);
  hold(operation, (x, y) => tf[name](x, y), f(2, 1), f(3));
  hold(operation, (x, y) => tf[name](x, y), i(4), i(4));
}
hold("LogicalAnd", (x, y) => tf.logicalAnd(x, y), b(2, 3), b(3));
hold("LogicalOr", (x, y) => tf.logicalOr(x, y), b(2, 3), b(2, 1));
hold("Select", (c, x, y) => tf.where(c, x, y), b(2, 3), f(2, 3), f(3));
hold("Select", (c, x) => tf.where(c, x, 0), b(3), f(2, 3));
hold("Select", (c, x, y) => tf.where(c, x, y), b(), i(2), i(2));
hold("AddN", (x, y) => tf.addN([x, y, x]), f(2, 3), f(2, 3));

// Along axes.
for (const name of ["sum", "mean", "max", "min", "prod"] as const) {
  const operation = name[0].toUpperCase() + name.slice(1);
  hold(operation, (x) => tf[name](x), f(2, 3));
  hold(operation, (x) => tf[name](x, -1), f(2, 3, 4));
  hold(operation, (x) => tf[name](x, [0, 2], true), f(2, 3, 4));
}
hold("Sum", (x) => tf.sum(x, 0), i(2, 3));
hold("Sum", (x) => tf.sum(x), f());
hold("Sum", (x) => tf.sum(x, []), f(2, 3));
hold("Mean", (x) => tf.mean(x, 0), i(2, 3));
hold("All", (x) => tf.all(x, 1), b(2, 3));
hold("Any", (x) => tf.any(x, -2, true), b(2, 3));
hold("ArgMax", (x) => tf.argMax(x, -1), f(2, 5));
hold("ArgMin", (x) => tf.argMin(x), f(3, 2));
hold("TopKV2", (x) => {
  const { values, indices } = tf.topk(x, 2);
  return [values, indices];
}, f(3, 4));

// Products.
hold("MatMul", (x, y) => tf.matMul(x, y), f(2, 3), f(3, 4));
hold("MatMul", (x, y) => tf.matMul(x, y, true, true), f(3, 2), f(4, 3));
hold("MatMul", (x, y) => tf.matMul(x, y, false, true), f(2, 3), f(4, 3));
hold("MatMul", (x, y) => tf.dot(x, y), f(3), f(3, 2));
hold("BatchMatMulV2", (x, y) => tf.matMul(x, y), f(2, 2, 3), f(2, 3, 4));
hold("BatchMatMulV2", (x, y) => tf.matMul(x, y, false, true), f(5, 1, 2, 3), f(2, 4, 3));
hold("BatchMatMulV2", (x, y) => tf.matMul(x, y, true), f(2, 3, 2), f(3, 4));

// Shapes.
hold("Reshape", (x) => tf.reshape(x, [-1, 2]), f(2, 3));
hold("Reshape", (x) => tf.reshape(x, []), f(1));
hold("Reshape", (x) => tf.squeeze(x), i(1, 2, 1));
hold("Reshape", (x) => tf.reshape(x, [3, -1]), f(0, 3));
hold("ExpandDims", (x) => tf.expandDims(x, -1), f(2, 3));
hold("ExpandDims", (x) => tf.expandDims(x, 0), i(2));
hold("Transpose", (x) => tf.transpose(x, [2, 0, 1]), f(2, 3, 4));
hold("Transpose", (x) => tf.transpose(x), b(2, 3));
hold("Tile", (x) => tf.tile(x, [2, 1, 3]), f(1, 2, 2));
hold("Tile", (x) => tf.broadcastTo(x, [4, 2, 3]), f(2, 1));
hold("PadV2", (x) => tf.pad(x, [[1, 0], [2, 3]], 7), f(2, 2));
hold("MirrorPad", (x) => tf.mirrorPad(x, [[1, 1], [0, 2]], "reflect"), f(2, 3));
hold("ConcatV2", (x, y) => tf.concat([x, y, x], -1), f(2, 1), f(2, 3));
hold("ConcatV2", (x, y) => tf.concat([x, y], 0), i(0, 2), i(3, 2));
hold("SplitV", (x) => tf.split(x, 3, -1), f(2, 6));
hold("SplitV", (x) => tf.split(x, [1, 3], 0), f(4, 2));
hold("Pack", (x, y) => tf.stack([x, y], 1), f(2, 3), f(2, 3));
hold("Pack", (x) => tf.stack([x], 0), f());
hold("Unpack", (x) => tf.unstack(x, 1), f(2, 3));
hold("Slice", (x) => tf.slice(x, [0, 1], [-1, 2]), f(2, 4));
hold("StridedSlice", (x) => tf.stridedSlice(x, [0, 3], [2, 0], [1, -2]), f(3, 4));
hold(
  "StridedSlice",
  (x) => tf.stridedSlice(x, [0, 1, 0], [0, 2, 2], [1, 1, 1], 1, 1, 0, 0, 2),
  f(2, 3, 4),
);
hold("StridedSlice", (x) => tf.stridedSlice(x, [0, 1], [0, 3], [1, 1], 0, 0, 1), f(2, 3, 4));
hold("StridedSlice", (x) => tf.stridedSlice(x, [0, 0], [0, 2], [1, 1], 0, 0, 0, 1), f(2, 3));
hold("Cast", (x) => tf.cast(x, "int32"), f(2, 3));
hold("Cast", (x) => tf.cast(x, "bool"), f(2));
hold("Cast", (x) => tf.cast(x, "float32"), b(2));

// By index.
const ids = (...values: number[]) => tf.tensor1d(values, "int32");
hold("GatherV2", (x) => tf.gather(x, ids(2, 0, 2)), f(3, 2));
hold("GatherV2", (x) => tf.gather(x, tf.tensor2d([[1, 0]], [1, 2], "int32"), -1), f(2, 2, 2));
hold("GatherV2", (x) => tf.gather(x, tf.scalar(1, "int32")), i(3));
hold(
  "GatherV2",
  (x) => tf.gather(x, tf.tensor2d([[1, 0], [2, 2]], [2, 2], "int32"), 1, 1),
  f(2, 3, 2),
);
hold("UnsortedSegmentSum", (x) => tf.unsortedSegmentSum(x, ids(1, 0, 1), 4), f(3, 2));
hold("UnsortedSegmentSum", (x) => tf.grad((x) => tf.sum(tf.gather(x, ids(1, 1))))(x), f(3, 2));
hold("OneHot", (x) => tf.oneHot(tf.cast(tf.abs(x), "int32"), 3, 5, -1), f(2, 2));
hold("Fill", (x) => tf.add(x, tf.fill([2, 3], 4)), f());
hold("Range", (x) => tf.mul(x, tf.range(0, 7, 3)), f());
hold("Range", () => tf.range(5, 0, -2, "int32"));
hold("LinSpace", (x) => tf.mul(x, tf.linspace(0, 1, 5)), f());
hold("GatherNd", (x) => tf.gatherND(x, tf.tensor2d([[1, 0], [0, 1]], [2, 2], "int32")), f(2, 2, 3));
hold("GatherNd", (x) => tf.gatherND(x, tf.tensor3d([[[1]]], [1, 1, 1], "int32")), i(2, 2));
hold(
  "ScatterNd",
  (x) => tf.scatterND(tf.tensor2d([[2], [0]], [2, 1], "int32"), x, [4, 3]),
  f(2, 3),
);

// Operations that no function of tfjs asks for, but a function's own kernels may.
const type = (name: string, dtype: string): Attribute => ({
  name,
  type: nodeBackend().binding.TF_ATTR_TYPE,
  value: dataTypes[dtype],
});
/** @param index the type attribute of an int32 input, by name */
const direct = (operation: string, index?: string) => (...inputs: tf.Tensor[]) => {
  const attributes = [type("T", inputs.at(-1)!.dtype), ...(index ? [type(index, "int32")] : [])];
  return nodeBackend().executeSingleOutput(operation, attributes, inputs);
};
for (const operation of ["AddV2", "Div", "DivNoNan", "Mod"]) {
  hold(operation, direct(operation), f(2, 1), f(1, 3));
}
hold("Identity", direct("Identity"), f(2));
hold("LogSoftmax", direct("LogSoftmax"), f(2, 3));
hold("L2Loss", direct("L2Loss"), f(2, 3));
hold("SelectV2", direct("SelectV2"), b(2, 1), f(3), f(2, 3));
hold("ClipByValue", (x) => direct("ClipByValue")(x, tf.scalar(-.5), tf.scalar(.5)), f(2, 3));
hold(
  "BroadcastTo",
  (x) =>
    nodeBackend().executeSingleOutput(
      "BroadcastTo",
      [type("T", "float32"), type("Tidx", "int32")],
      [
        x,
        ids(4, 2, 3),
      ],
    ),
  f(2, 1),
);
hold(
  "Pad",
  (x) =>
    nodeBackend().executeSingleOutput("Pad", [type("T", "float32"), type("Tpaddings", "int32")], [
      x,
      tf.tensor2d([[1, 0], [0, 2]], [2, 2], "int32"),
    ]),
  f(2, 2),
);
for (const operation of ["TensorScatterAdd", "TensorScatterSub"]) {
  const index = () => tf.tensor2d([[1], [0]], [2, 1], "int32");
  hold(operation, (x, y) => direct(operation, "Tindices")(x, index(), y), f(3, 2), f(2, 2));
}

/** Inputs of either sign, large and small, whole and not. */
function values({ shape, dtype }: Specification, random: Random): tf.Tensor {
  const size = shape.reduce((a, b) => a * b, 1);
  const data = Array.from({ length: size }, () => {
    if (dtype === "bool") return random.integer(2);
    if (dtype === "int32") return random.integer(9) - 4;
    return random.normal() * 2;
  });
  return tf.tensor(data, shape, dtype);
}

for (const [operation, held] of Map.groupBy(cases, (one) => one.operation)) {
  Deno.test({
    name: `compile() gives ${operation} its shapes, types and values`,
    ignore: !native.ready,
    fn() {
      const session = new Session();
      const random = new Random(operation);
      for (const { inputs, run } of held) {
        const what = `${run} of ${inputs.map(({ dtype, shape }) => `${dtype}[${shape}]`)}`;
        const list = (...tensors: tf.Tensor[]) => [run(...tensors)].flat();
        const tensors = inputs.map((specification) => values(specification, random));
        const expected = compile(list, undefined)(...tensors);
        const inferred: Specification[] = [];
        const graph = session.add((...symbols) => {
          const results = list(...symbols);
          for (const { shape, dtype } of results) inferred.push({ shape, dtype } as Specification);
          return results;
        }, inputs);
        assert.ok(
          graph.nodes.some((node) => node.operation === operation),
          `${what} records ${graph.nodes.map((node) => node.operation)}`,
        );
        const found = session.call(graph, tensors);
        const kind = ({ shape, dtype }: Pick<tf.Tensor, "shape" | "dtype">) => ({ shape, dtype });
        assert.deepEqual(found.map(kind), expected.map(kind), what);
        assert.deepEqual(inferred, expected.map(kind), `${what}, as inferred`);
        for (const [k, tensor] of found.entries()) {
          const [ours, theirs] = [[...tensor.dataSync()], [...expected[k].dataSync()]];
          const off = ours.findIndex((x, j) =>
            !(Object.is(x, theirs[j]) || Math.abs(x - theirs[j]) <= 1e-6 * Math.abs(theirs[j]))
          );
          assert.equal(off, -1, `${what}: found ${ours[off]}, expected ${theirs[off]}`);
        }
        tf.dispose([...tensors, ...expected, ...found]);
      }
      session.dispose();
    },
  });
}

Deno.test("every operation with a shape rule is held to TensorFlow", () => {
  const held = new Set(cases.map(({ operation }) => operation));
  assert.deepEqual(operations.filter((operation) => !held.has(operation)), []);
});
