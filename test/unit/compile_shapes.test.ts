/** Every operation that can be recorded: traced, run as a graph, and held to TensorFlow's own result. */
import assert from "node:assert/strict";
import * as tf from "@tensorflow/tfjs";
import { openBackend } from "../../lib/platform/runtime/backend.ts";
import { dataTypes, nodeBackend } from "../../lib/platform/compile/backend.ts";
import { compile } from "../../lib/platform/compile/compile.ts";
import { Session } from "../../lib/platform/compile/session.ts";
import { memberOperations, operations } from "../../lib/platform/compile/operations.ts";
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
  const name of ["exp", "isFinite", "log", "neg", "rsqrt", "sigmoid", "sqrt", "square"] as const
) {
  const operation = name[0].toUpperCase() + name.slice(1);
  hold(operation, (x) => tf[name](x), f(2, 3));
  hold(operation, (x) => tf[name](x), f());
}
hold("ZerosLike", (x) => tf.zerosLike(x), f(2, 3));
hold("ZerosLike", (x) => tf.zerosLike(x), i(3));
hold("Softmax", (x) => tf.softmax(x), f(2, 3, 4));

// Two by two, broadcast.
for (
  const [name, operation] of [
    ["add", "Add"],
    ["div", "RealDiv"],
    ["maximum", "Maximum"],
    ["minimum", "Minimum"],
    ["mul", "Mul"],
    ["sub", "Sub"],
  ] as const
) {
  hold(operation, (x, y) => tf[name](x, y), f(2, 1, 3), f(4, 1));
  hold(operation, (x, y) => tf[name](x, y), f(), f(2));
  if (name === "div") continue; // of integers it is another operation
  hold(operation, (x, y) => tf[name](x, y), i(2, 3), i(3));
  hold(operation, (x, y) => tf[name](x, y), i(2, 3), f(3)); // int32 becomes float32
}
for (const name of ["equal", "notEqual", "less", "greaterEqual"] as const) {
  const operation = name[0].toUpperCase() + name.slice(1);
  hold(operation, (x, y) => tf[name](x, y), f(2, 1), f(3));
  hold(operation, (x, y) => tf[name](x, y), i(4), i(4));
}
hold("LogicalAnd", (x, y) => tf.logicalAnd(x, y), b(2, 3), b(3));
hold("Select", (c, x, y) => tf.where(c, x, y), b(2, 3), f(2, 3), f(3));
hold("Select", (c, x, y) => tf.where(c, x, y), b(), i(2), i(2));
hold("AddN", (x, y) => tf.addN([x, y, x]), f(2, 3), f(2, 3));

// Along axes.
for (const name of ["sum", "mean", "max"] as const) {
  const operation = name[0].toUpperCase() + name.slice(1);
  hold(operation, (x) => tf[name](x), f(2, 3));
  hold(operation, (x) => tf[name](x, -1), f(2, 3, 4));
  hold(operation, (x) => tf[name](x, [0, 2], true), f(2, 3, 4));
}
hold("Sum", (x) => tf.sum(x, 0), i(2, 3));
hold("Sum", (x) => tf.sum(x), f());
hold("Sum", (x) => tf.sum(x, []), f(2, 3));
hold("ArgMax", (x) => tf.argMax(x, -1), f(2, 5));
hold("L2Loss", (x) => {
  const type = { name: "T", type: nodeBackend().binding.TF_ATTR_TYPE, value: dataTypes.float32 };
  return nodeBackend().executeSingleOutput("L2Loss", [type], [x]);
}, f(2, 3));

// Products.
hold("MatMul", (x, y) => tf.matMul(x, y), f(2, 3), f(3, 4));
hold("MatMul", (x, y) => tf.matMul(x, y, true, true), f(3, 2), f(4, 3));
hold("MatMul", (x, y) => tf.matMul(x, y, false, true), f(2, 3), f(4, 3));
hold("BatchMatMulV2", (x, y) => tf.matMul(x, y), f(2, 2, 3), f(2, 3, 4));
hold("BatchMatMulV2", (x, y) => tf.matMul(x, y, false, true), f(5, 1, 2, 3), f(2, 4, 3));
hold("BatchMatMulV2", (x, y) => tf.matMul(x, y, true), f(2, 3, 2), f(3, 4));

// Shapes.
hold("Reshape", (x) => tf.reshape(x, [-1, 2]), f(2, 3));
hold("Reshape", (x) => tf.reshape(x, []), f(1));
hold("Reshape", (x) => tf.reshape(x, [3, -1]), f(0, 3));
hold("Transpose", (x) => tf.transpose(x, [2, 0, 1]), f(2, 3, 4));
hold("Transpose", (x) => tf.transpose(x), b(2, 3));
hold("Tile", (x) => tf.tile(x, [2, 1, 3]), f(1, 2, 2));
hold("Tile", (x) => tf.broadcastTo(x, [4, 2, 3]), f(2, 1));
hold("PadV2", (x) => tf.pad(x, [[1, 0], [2, 3]], 7), f(2, 2));
hold("ConcatV2", (x, y) => tf.concat([x, y, x], -1), f(2, 1), f(2, 3));
hold("ConcatV2", (x, y) => tf.concat([x, y], 0), i(0, 2), i(3, 2));
hold("SplitV", (x) => tf.split(x, 3, -1), f(2, 6));
hold("SplitV", (x) => tf.split(x, [1, 3], 0), f(4, 2));
hold("Pack", (x, y) => tf.stack([x, y], 1), f(2, 3), f(2, 3));
hold("Pack", (x) => tf.stack([x], 0), f());
hold("Unpack", (x) => tf.unstack(x, 1), f(2, 3));
hold("Range", (x) => tf.mul(x, tf.range(0, 7, 3)), f());
hold("Range", () => tf.range(5, 0, -2, "int32"));
hold("Cast", (x) => tf.cast(x, "int32"), f(2, 3));
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
/** Indices of a computed tensor, from 0 to below `n`. */
const below = (n: number, x: tf.Tensor) => {
  const [first, last] = [0, n - 1].map((value) => tf.scalar(value, "int32"));
  return tf.minimum(last, tf.maximum(first, x)) as tf.Tensor1D;
};
hold("GatherV2", (x, j) => tf.gather(x, below(3, j)), f(3, 2), i(4));
hold("GatherV2", (x, j) => tf.gather(x, below(3, j), 1), f(2, 3), i(4));
hold("GatherV2", (x, j) => tf.gather(x, below(3, j), 1, 1), f(2, 3), i(2, 4));
hold("UnsortedSegmentSum", (x, j) => tf.unsortedSegmentSum(x, below(4, j), 4), f(3, 2), i(3));
hold("UnsortedSegmentSum", (x) => tf.unsortedSegmentSum(x, ids(1, 0, 1), 4), f(3, 2));
hold("UnsortedSegmentSum", (x) => tf.grad((x) => tf.sum(tf.gather(x, ids(1, 1))))(x), f(3, 2));

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

/** Which of `n` inputs are stacked: every choice of at least one. */
const choices = (n: number) =>
  Array.from(
    { length: 2 ** n - 1 },
    (_, k) => Array.from({ length: n }, (_, i) => (k + 1 >> i) % 2 === 1),
  );

const MEMBERS = 3;

for (const [operation, held] of Map.groupBy(cases, (one) => one.operation)) {
  Deno.test({
    name: `compile() gives ${operation} of members at once the values of each`,
    ignore: !native.ready,
    fn() {
      const session = new Session(MEMBERS);
      const random = new Random(operation);
      for (const { inputs, run } of held) {
        for (const stacked of choices(inputs.length)) {
          const what = `${run} of ${
            inputs.map((one, i) => `${one.shape}${stacked[i] ? "*" : ""}`)
          }`;
          const list = (...tensors: tf.Tensor[]) => [run(...tensors)].flat();
          const members = inputs.map((one, i) =>
            Array.from({ length: stacked[i] ? MEMBERS : 1 }, () => values(one, random))
          );
          const tensors = members.map((own, i) => stacked[i] ? tf.stack(own) : own[0]);
          const graph = session.add(
            list,
            inputs.map((one, i) => ({ ...one, stacked: stacked[i] })),
          );
          const found = session.call(graph, tensors);
          for (let member = 0; member < MEMBERS; member++) {
            const expected = list(...members.map((own) => own[member] ?? own[0]));
            for (const [k, tensor] of expected.entries()) {
              const whole = found[k].shape.length > tensor.shape.length;
              const own = whole ? tf.gather(found[k], member) : found[k];
              assert.deepEqual([own.shape, own.dtype], [tensor.shape, tensor.dtype], what);
              const [ours, theirs] = [own.dataSync(), tensor.dataSync()];
              const off = ours.findIndex((x, j) =>
                !(Object.is(x, theirs[j]) || Math.abs(x - theirs[j]) <= 1e-6 * Math.abs(theirs[j]))
              );
              assert.equal(off, -1, `${what}, ${member}: ${ours[off]}, expected ${theirs[off]}`);
            }
          }
          tf.dispose([members.flat(), tensors, found]);
        }
      }
      session.dispose();
    },
  });
}

Deno.test("every operation with a shape rule is held to TensorFlow", () => {
  const held = new Set(cases.map(({ operation }) => operation));
  assert.deepEqual(operations.filter((operation) => !held.has(operation)), []);
  // Range takes numbers alone, which members share.
  const lacking = operations.filter((operation) => !memberOperations.includes(operation));
  assert.deepEqual(lacking, ["Range"]);
});
