/**
 * The shape and type of an operation's outputs from those of its inputs.
 *
 * Tracing runs nothing: it needs TensorFlow's shape functions, which the addon doesn't reach, for the
 * operations that tfjs-node emits. An operation without a rule is refused by name.
 */
import { backend_util, type TypedArray } from "@tensorflow/tfjs";
import { type Attribute, attributeValue } from "./backend.ts";
import { caller } from "./place.ts";

export interface Shaped {
  shape: number[];
  /** TensorFlow's DataType. */
  dtype: number;
}

/** What a node gives. */
export interface Operand extends Shaped {
  /** `node:output`. */
  name: string;
  /** Whether all members' values are stacked in it, [M, ...shape]; the shape is one member's. */
  stacked: boolean;
  /** Its values, where they are known. */
  constant?: TypedArray;
}

export interface Operation {
  name: string;
  attributes: Attribute[];
  inputs: Operand[];
  outputs: number;
  /** The value of a constant input: axes, shapes, sizes. */
  constant(index: number): TypedArray;
}

type Rule = (operation: Operation) => Shaped[];

const BOOL = 10, INT32 = 3;

const one = (shape: number[], dtype: number): Shaped[] => [{ shape, dtype }];
const broadcast = (a: Shaped, b: Shaped) =>
  backend_util.assertAndGetBroadcastShape(a.shape, b.shape);
const same: Rule = ({ inputs: [x] }) => one(x.shape, x.dtype);
const elementwise: Rule = ({ inputs: [a, b] }) => one(broadcast(a, b), a.dtype);
const compare: Rule = ({ inputs: [a, b] }) => one(broadcast(a, b), BOOL);

/** Rules by TensorFlow's names of operations; `add` takes the names that have one, with spaces between. */
export function ruleTable<R>() {
  const rules = new Map<string, R>();
  const add = (names: string, rule: R) => names.split(" ").forEach((name) => rules.set(name, rule));
  return { rules, add };
}

/** An axis counted from the front. */
export const axisOf = (axis: number, { shape }: Shaped) => (axis + shape.length) % shape.length;

const reduce: Rule = ({ inputs: [x], attributes, constant }) => {
  const axes = new Set([...constant(1)].map((axis) => axisOf(axis, x)));
  const shape = attributeValue(attributes, "keep_dims")
    ? x.shape.map((size, i) => axes.has(i) ? 1 : size)
    : x.shape.filter((_, i) => !axes.has(i));
  return one(shape, x.dtype);
};

const product: Rule = ({ inputs: [a, b], attributes }) => {
  const [rows, inner] = attributeValue(attributes, "adj_x") ? flip(a.shape) : a.shape.slice(-2);
  const [innerB, columns] = attributeValue(attributes, "adj_y") ? flip(b.shape) : b.shape.slice(-2);
  if (inner !== innerB) {
    throw new Error(
      `Cannot record a product: expected equal inner sizes; found [${a.shape}] and [${b.shape}]`,
    );
  }
  const [batchA, batchB] = [a, b].map(({ shape }) => shape.slice(0, -2));
  return one(
    [...backend_util.assertAndGetBroadcastShape(batchA, batchB), rows, columns],
    a.dtype,
  );
};
const flip = (shape: number[]) => shape.slice(-2).reverse();

const reshape: Rule = ({ inputs: [x], constant }) => {
  const shape = [...constant(1)];
  const known = shape.filter((size) => size >= 0).reduce((a, b) => a * b, 1);
  const total = x.shape.reduce((a, b) => a * b, 1);
  return one(shape.map((size) => size < 0 ? total / known : size), x.dtype);
};

const gather: Rule = ({ inputs: [x, indices], attributes, constant }) => {
  const axis = axisOf(constant(2)[0], x);
  const own = indices.shape.slice(Number(attributeValue(attributes, "batch_dims")));
  return one([...x.shape.slice(0, axis), ...own, ...x.shape.slice(axis + 1)], x.dtype);
};

const concat: Rule = ({ inputs, constant }) => {
  const parts = inputs.slice(0, -1), [{ shape, dtype }] = parts;
  const axis = axisOf(constant(inputs.length - 1)[0], parts[0]);
  return one(shape.with(axis, parts.reduce((sum, part) => sum + part.shape[axis], 0)), dtype);
};

const split: Rule = ({ inputs: [x], constant }) =>
  [...constant(1)].map((size) => ({
    shape: x.shape.with(axisOf(constant(2)[0], x), size),
    dtype: x.dtype,
  }));

const pack: Rule = ({ inputs: [x, ...others], attributes }) =>
  one(x.shape.toSpliced(Number(attributeValue(attributes, "axis")), 0, 1 + others.length), x.dtype);

const unpack: Rule = ({ inputs: [x], attributes, outputs }) => {
  const shape = x.shape.toSpliced(axisOf(Number(attributeValue(attributes, "axis")), x), 1);
  return Array.from({ length: outputs }, () => ({ shape, dtype: x.dtype }));
};

const pad: Rule = ({ inputs: [x], constant }) => {
  const margins = constant(1);
  return one(x.shape.map((size, i) => size + margins[2 * i] + margins[2 * i + 1]), x.dtype);
};

const range: Rule = ({ inputs: [start], constant }) => {
  const [from, to, step] = [0, 1, 2].map((i) => constant(i)[0]);
  return one([Math.max(0, Math.ceil((to - from) / step))], start.dtype);
};

const { rules, add } = ruleTable<Rule>();
add("AddN Exp Log Neg Rsqrt Sigmoid Softmax Sqrt Square ZerosLike", same);
add("Add Maximum Minimum Mul RealDiv Sub", elementwise);
add("Equal GreaterEqual Less LogicalAnd NotEqual", compare);
add("Max Mean Sum", reduce);
add("BatchMatMulV2", product);
add("ConcatV2", concat);
add("GatherV2", gather);
add("Pack", pack);
add("PadV2", pad);
add("Range", range);
add("Reshape", reshape);
add("SplitV", split);
add("Unpack", unpack);
add("ArgMax", ({ inputs: [x], constant }) => {
  return one(x.shape.toSpliced(axisOf(constant(1)[0], x), 1), INT32);
});
add(
  "Cast",
  ({ inputs: [x], attributes }) => one(x.shape, Number(attributeValue(attributes, "DstT"))),
);
add("IsFinite", ({ inputs: [x] }) => one(x.shape, BOOL));
add("L2Loss", ({ inputs: [x] }) => one([], x.dtype));
add("Select", ({ inputs: [, a, b] }) => one(broadcast(a, b), a.dtype));
add("Tile", ({ inputs: [x], constant }) => {
  return one(x.shape.map((size, i) => size * constant(1)[i]), x.dtype);
});
add("Transpose", ({ inputs: [x], constant }) => {
  return one([...constant(1)].map((axis) => x.shape[axis]), x.dtype);
});
add("UnsortedSegmentSum", ({ inputs: [x, ids], constant }) => {
  return one([constant(2)[0], ...x.shape.slice(ids.shape.length)], x.dtype);
});

/** The operations that can be recorded, by TensorFlow's names. */
export const operations: readonly string[] = [...rules.keys()].sort();

/** The outputs of one operation. @throws where the operation has no rule. */
export function inferShapes(operation: Operation): Shaped[] {
  const rule = rules.get(operation.name);
  if (rule === undefined) {
    throw new Error(
      `Cannot record ${operation.name}${caller()}: expected one of ${operations.join(", ")}; ` +
        "write the function with those or add a rule to shapes.ts",
    );
  }
  return rule(operation);
}
