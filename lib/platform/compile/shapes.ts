/**
 * The shape and type of an operation's outputs from those of its inputs.
 *
 * Tracing runs nothing: it needs TensorFlow's shape functions, which the addon doesn't reach, for the
 * operations that tfjs-node emits. An operation without a rule is refused by name.
 */
import { backend_util, type TypedArray } from "@tensorflow/tfjs";

export interface Shaped {
  shape: number[];
  /** TensorFlow's DataType. */
  dtype: number;
}

export interface Operation {
  name: string;
  attributes: Map<string, unknown>;
  inputs: Shaped[];
  outputs: number;
  /** The value of a constant input: axes, shapes, sizes. */
  constant(index: number): TypedArray;
}

type Rule = (operation: Operation) => Shaped[];

const BOOL = 10, INT32 = 3;

const one = (shape: number[], dtype: number): Shaped[] => [{ shape, dtype }];
const same: Rule = ({ inputs: [x] }) => one(x.shape, x.dtype);
const broadcast: Rule = ({ inputs: [a, b] }) =>
  one(backend_util.assertAndGetBroadcastShape(a.shape, b.shape), a.dtype);
const compare: Rule = ({ inputs: [a, b] }) =>
  one(backend_util.assertAndGetBroadcastShape(a.shape, b.shape), BOOL);
const select: Rule = ({ inputs: [, a, b] }) =>
  one(backend_util.assertAndGetBroadcastShape(a.shape, b.shape), a.dtype);
const like: Rule = ({ inputs: [x], constant }) => one([...constant(1)], x.dtype);

/** An axis counted from the front. */
const axisOf = (axis: number, { shape }: Shaped) => (axis + shape.length) % shape.length;

const inserted = (shape: number[], axis: number, size: number) =>
  shape.toSpliced(axis < 0 ? axis + shape.length + 1 : axis, 0, size);

const reduce: Rule = ({ inputs: [x], attributes, constant }) => {
  const axes = new Set([...constant(1)].map((axis) => axisOf(axis, x)));
  const shape = attributes.get("keep_dims")
    ? x.shape.map((size, i) => axes.has(i) ? 1 : size)
    : x.shape.filter((_, i) => !axes.has(i));
  return one(shape, x.dtype);
};

const argReduce: Rule = ({ inputs: [x], constant }) =>
  one(x.shape.toSpliced(axisOf(constant(1)[0], x), 1), INT32);

const product =
  (transposeA: string, transposeB: string): Rule => ({ inputs: [a, b], attributes }) => {
    const [rows, inner] = attributes.get(transposeA) ? flip(a.shape) : a.shape.slice(-2);
    const [innerB, columns] = attributes.get(transposeB) ? flip(b.shape) : b.shape.slice(-2);
    if (inner !== innerB) {
      throw new Error(
        `Cannot record a product: expected equal inner sizes; found [${a.shape}] and [${b.shape}]`,
      );
    }
    const batch = backend_util.assertAndGetBroadcastShape(
      a.shape.slice(0, -2),
      b.shape.slice(0, -2),
    );
    return one([...batch, rows, columns], a.dtype);
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
  const batch = Number(attributes.get("batch_dims") ?? 0);
  return one(
    [...x.shape.slice(0, axis), ...indices.shape.slice(batch), ...x.shape.slice(axis + 1)],
    x.dtype,
  );
};

const concat: Rule = ({ inputs, constant }) => {
  const parts = inputs.slice(0, -1), [{ shape, dtype }] = parts;
  const axis = axisOf(constant(inputs.length - 1)[0], parts[0]);
  return one(shape.with(axis, parts.reduce((sum, part) => sum + part.shape[axis], 0)), dtype);
};

const splitSizes: Rule = ({ inputs: [x], constant }) =>
  [...constant(1)].map((size) => ({
    shape: x.shape.with(axisOf(constant(2)[0], x), size),
    dtype: x.dtype,
  }));

const stridedSlice: Rule = ({ inputs: [x], attributes, constant }) => {
  const [begin, end, strides] = [1, 2, 3].map((i) => [...constant(i)]);
  const info = backend_util.slice_util.sliceInfo(
    x.shape,
    begin,
    end,
    strides,
    ...(["begin_mask", "end_mask", "ellipsis_mask", "new_axis_mask", "shrink_axis_mask"] as const)
      .map((name) => Number(attributes.get(name) ?? 0)) as [number, number, number, number, number],
  );
  return one(info.finalShape, x.dtype);
};

const pack: Rule = ({ inputs, attributes }) =>
  one(
    inserted(inputs[0].shape, Number(attributes.get("axis") ?? 0), inputs.length),
    inputs[0].dtype,
  );

const unpack: Rule = ({ inputs: [x], attributes, outputs }) => {
  const shape = x.shape.toSpliced(axisOf(Number(attributes.get("axis") ?? 0), x), 1);
  return Array.from({ length: outputs }, () => ({ shape, dtype: x.dtype }));
};

const padded: Rule = ({ inputs: [x], constant }) => {
  const margins = constant(1);
  return one(x.shape.map((size, i) => size + margins[2 * i] + margins[2 * i + 1]), x.dtype);
};

const rules = new Map<string, Rule>();
const add = (names: string, rule: Rule) => {
  for (const name of names.split(" ")) rules.set(name, rule);
};
add(
  "Abs Acos Acosh Asin Asinh Atan Atanh Ceil ClipByValue Cos Cosh Cumprod Cumsum Elu EluGrad Erf " +
    "Exp Expm1 Floor Identity LeakyRelu Log Log1p LogSoftmax LogicalNot Neg OnesLike Reciprocal " +
    "Relu Relu6 ReverseV2 Round Rsqrt Selu Sigmoid Sign Sin Sinh Softmax Softplus Sqrt Square Tan " +
    "Tanh TensorScatterAdd TensorScatterSub TensorScatterUpdate ZerosLike",
  same,
);
add(
  "Add AddV2 Atan2 Div DivNoNan FloorDiv FloorMod LogicalAnd LogicalOr Maximum Minimum Mod Mul Pow " +
    "RealDiv SquaredDifference Sub",
  broadcast,
);
add("Equal NotEqual Less LessEqual Greater GreaterEqual", compare);
add("Select SelectV2", select);
add("Sum Mean Max Min Prod All Any", reduce);
add("ArgMax ArgMin", argReduce);
add("MatMul", product("transpose_a", "transpose_b"));
add("BatchMatMulV2", product("adj_x", "adj_y"));
add("BroadcastTo", like);
add("Pad PadV2 MirrorPad", padded);
add("Reshape", reshape);
add("GatherV2", gather);
add("ConcatV2", concat);
add("SplitV", splitSizes);
add("StridedSlice", stridedSlice);
add("Pack", pack);
add("Unpack", unpack);
add("IsNan IsFinite IsInf", ({ inputs: [x] }) => one(x.shape, BOOL));
add("AddN", ({ inputs: [x] }) => one(x.shape, x.dtype));
add("L2Loss", ({ inputs: [x] }) => one([], x.dtype));
add("Cast", ({ inputs: [x], attributes }) => one(x.shape, Number(attributes.get("DstT"))));
add(
  "Transpose",
  ({ inputs: [x], constant }) => one([...constant(1)].map((axis) => x.shape[axis]), x.dtype),
);
add(
  "UnsortedSegmentSum",
  ({ inputs: [x, ids], constant }) =>
    one([constant(2)[0], ...x.shape.slice(ids.shape.length)], x.dtype),
);
add(
  "Slice",
  ({ inputs: [x], constant }) =>
    one([...constant(2)].map((size, i) => size < 0 ? x.shape[i] - constant(1)[i] : size), x.dtype),
);
add(
  "Tile",
  ({ inputs: [x], constant }) => one(x.shape.map((size, i) => size * constant(1)[i]), x.dtype),
);
add("Fill", ({ inputs: [, value], constant }) => one([...constant(0)], value.dtype));
add("Range", ({ inputs: [start], constant }) => {
  const [from, to, step] = [0, 1, 2].map((i) => constant(i)[0]);
  return one([Math.max(0, Math.ceil((to - from) / step))], start.dtype);
});
add(
  "OneHot",
  ({ inputs: [indices, , on], constant }) => one([...indices.shape, constant(1)[0]], on.dtype),
);
add(
  "ExpandDims",
  ({ inputs: [x], constant }) => one(inserted(x.shape, constant(1)[0], 1), x.dtype),
);
add("LinSpace", ({ inputs: [start], constant }) => one([constant(2)[0]], start.dtype));
add(
  "GatherNd",
  ({ inputs: [x, indices] }) =>
    one([...indices.shape.slice(0, -1), ...x.shape.slice(indices.shape.at(-1))], x.dtype),
);
add("ScatterNd", ({ inputs: [, updates], constant }) => one([...constant(2)], updates.dtype));
add("TopKV2", ({ inputs: [x], constant }) => {
  const shape = [...x.shape.slice(0, -1), constant(1)[0]];
  return [{ shape, dtype: x.dtype }, { shape, dtype: INT32 }];
});

/** The operations that can be recorded, by TensorFlow's names. */
export const operations: readonly string[] = [...rules.keys()].sort();

/** The outputs of one operation. @throws where the operation has no rule. */
export function inferShapes(operation: Operation): Shaped[] {
  const rule = rules.get(operation.name);
  if (rule === undefined) {
    throw new Error(
      `Cannot record ${operation.name}: expected one of ${operations.join(", ")}; ` +
        "write the function with those or run it uncompiled",
    );
  }
  return rule(operation);
}
