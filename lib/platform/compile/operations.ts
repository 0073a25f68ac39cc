/**
 * The operations that can be recorded: for each the shapes and types of its outputs, and what stands for it
 * where many members of one function run at once.
 *
 * Tracing runs nothing: it needs TensorFlow's shape functions, which the addon doesn't reach, for the
 * operations that tfjs-node emits. Members are JAX's and torch.func's vmap: the function is traced on one
 * member's shapes; an operand is stacked, [M, ...its shape], or shared by all members, and what comes of a
 * stacked one is stacked. Members never meet: no rule sums over the leading axis. An operation without a rule
 * is refused by name.
 */
import { backend_util, type TypedArray } from "@tensorflow/tfjs";
import { caller } from "./active.ts";
import { type Attribute, attribute, attributeValue, dataTypes, typed } from "./backend.ts";
import type { NodeList } from "./nodes.ts";

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

interface Operation {
  name: string;
  attributes: Attribute[];
  inputs: Operand[];
  outputs: number;
  /** The value of a constant input: axes, shapes, sizes. */
  constant(index: number): TypedArray;
}

/** One whose outputs are known, of one member. */
type MemberOperation = Omit<Operation, "outputs"> & { outputs: Shaped[] };

interface Rules {
  shapes(operation: Operation): Shaped[];
  /** Records it where an input is stacked; gives the names of the outputs, `node:output`. */
  members?(operation: MemberOperation, nodes: MemberNodes): string[];
}
type ShapeRule = Rules["shapes"];
type MemberRule = NonNullable<Rules["members"]>;

/** The nodes of a graph, and what the rules need of them. */
export class MemberNodes {
  constructor(readonly list: NodeList, readonly members: number) {}

  add(operation: string, inputs: string[], attributes: Attribute[]): string {
    return `${this.list.addOnce(operation, inputs, attributes)}:0`;
  }

  whole(values: readonly number[], shape = [values.length]): string {
    const constant = { dtype: dataTypes.int32, shape, values: new Int32Array(values) };
    return `${this.list.constant(constant)}:0`;
  }

  /** A node's output in another shape, which starts with the members' axis where it has one. */
  reshape(name: string, dtype: number, shape: readonly number[]): string {
    const attributes = [typed("T", dtype), typed("Tshape", "int32")];
    return this.add("Reshape", [name, this.whole(shape)], attributes);
  }

  /** The operand stacked: a shared one is repeated for every member. */
  stacked({ name, shape, dtype, stacked }: Operand): string {
    if (stacked) return name;
    const attributes = [typed("T", dtype), typed("Tidx", "int32")];
    return this.add("BroadcastTo", [name, this.whole([this.members, ...shape])], attributes);
  }

  /** The operand such that it broadcasts with stacked ones of `rank`: what is stacked starts with M. */
  aligned({ name, shape, dtype, stacked }: Operand, rank: number): string {
    if (!stacked || shape.length === rank) return name;
    const ones = Array(rank - shape.length).fill(1);
    return this.reshape(name, dtype, [this.members, ...ones, ...shape]);
  }
}

const rules = new Map<string, Rules>();

/** @param names of operations, with spaces between */
const add = (names: string, shapes: ShapeRule, members?: MemberRule) =>
  names.split(" ").forEach((name) => rules.set(name, { shapes, members }));

const one = (shape: number[], dtype: number): Shaped[] => [{ shape, dtype }];

const broadcast = (a: Shaped, b: Shaped) =>
  backend_util.assertAndGetBroadcastShape(a.shape, b.shape);

/** An axis counted from the front. */
const axisOf = (axis: number, { shape }: Shaped) => (axis + shape.length) % shape.length;

const shapeOfFirst: ShapeRule = ({ inputs: [x] }) => one(x.shape, x.dtype);

const sources = (operation: MemberOperation, nodes: MemberNodes) =>
  operation.inputs.map((input) => nodes.stacked(input));

/** Every input is stacked, and the operation does with a leading axis what it did without. */
const same: MemberRule = (operation, nodes) => [
  nodes.add(operation.name, sources(operation, nodes), operation.attributes),
];

const aligned: MemberRule = ({ name, inputs, attributes, outputs: [{ shape }] }, nodes) => [
  nodes.add(name, inputs.map((input) => nodes.aligned(input, shape.length)), attributes),
];

/** As `same`, but the constant inputs from `first` on are others. */
const withConstants = (
  first: number,
  shift: (operation: MemberOperation) => { values: number[]; shape?: number[] }[],
): MemberRule =>
(operation, nodes) => {
  const { name, inputs, attributes, outputs } = operation;
  const constants = shift(operation).map(({ values, shape }) => nodes.whole(values, shape));
  const all = [
    ...inputs.slice(0, first).map((input) => nodes.stacked(input)),
    ...constants,
    ...inputs.slice(first + constants.length).map((input) => input.name),
  ];
  const node = nodes.list.addOnce(name, all, attributes);
  return outputs.map((_, i) => `${node}:${i}`);
};

/** The axis that a constant input names, counted with the members'. */
const laterAxis = ({ inputs: [x], constant }: MemberOperation, index: number) => ({
  values: [axisOf(constant(index)[0], x) + 1],
  shape: [],
});

/** The `axis` attribute counted with the members' axis. @param rank of the axis's tensor */
const shiftAxis =
  (rank: (operation: MemberOperation) => number): MemberRule => (operation, nodes) => {
    const attributes = operation.attributes.map((attribute) => {
      if (attribute.name !== "axis") return attribute;
      const axis = Number(attribute.value), axes = rank(operation);
      return { ...attribute, value: (axis + axes) % axes + 1 };
    });
    const node = nodes.list.addOnce(operation.name, sources(operation, nodes), attributes);
    return operation.outputs.map((_, i) => `${node}:${i}`);
  };

add("AddN Exp Log Neg Rsqrt Sigmoid Softmax Sqrt Square ZerosLike", shapeOfFirst, same);
add("IsFinite", ({ inputs: [x] }) => one(x.shape, dataTypes.bool), same);
add(
  "Cast",
  ({ inputs: [x], attributes }) => one(x.shape, Number(attributeValue(attributes, "DstT"))),
  same,
);

add(
  "Add Maximum Minimum Mul RealDiv Sub",
  ({ inputs: [a, b] }) => one(broadcast(a, b), a.dtype),
  aligned,
);
add(
  "Equal GreaterEqual Less LogicalAnd NotEqual",
  ({ inputs: [a, b] }) => one(broadcast(a, b), dataTypes.bool),
  aligned,
);
add(
  "Select",
  ({ inputs: [, a, b] }) => one(broadcast(a, b), a.dtype),
  // Select itself takes rows by a vector's truth values.
  (operation, nodes) => aligned({ ...operation, name: "SelectV2" }, nodes),
);

add(
  "Max Mean Sum",
  ({ inputs: [x], attributes, constant }) => {
    const axes = new Set([...constant(1)].map((axis) => axisOf(axis, x)));
    const shape = attributeValue(attributes, "keep_dims")
      ? x.shape.map((size, i) => axes.has(i) ? 1 : size)
      : x.shape.filter((_, i) => !axes.has(i));
    return one(shape, x.dtype);
  },
  withConstants(1, ({ inputs: [x], constant }) => [
    { values: [...constant(1)].map((axis) => axisOf(axis, x) + 1) },
  ]),
);
add("ArgMax", ({ inputs: [x], constant }) => {
  return one(x.shape.toSpliced(axisOf(constant(1)[0], x), 1), dataTypes.int32);
}, withConstants(1, (operation) => [laterAxis(operation, 1)]));
// L2Loss is half the sum of squares: of each member.
add("L2Loss", ({ inputs: [x] }) => one([], x.dtype), ({ inputs: [x], attributes }, nodes) => {
  const squares = nodes.add("Square", [x.name], attributes);
  const how = [...attributes, typed("Tidx", "int32"), attribute("keep_dims", "BOOL", false)];
  const sums = nodes.add("Sum", [squares, nodes.whole(x.shape.map((_, i) => i + 1))], how);
  const half = { dtype: x.dtype, shape: [], values: new Float32Array([0.5]) };
  return [nodes.add("Mul", [sums, `${nodes.list.constant(half)}:0`], attributes)];
});

/** BatchMatMulV2's attributes as MatMul's. */
export const ofMatMul = (attributes: Attribute[]): Attribute[] => {
  const names: Record<string, string> = { adj_x: "transpose_a", adj_y: "transpose_b" };
  return attributes.map((one) => ({ ...one, name: names[one.name] ?? one.name }));
};

add("BatchMatMulV2", ({ inputs: [a, b], attributes }) => {
  const rows = a.shape.at(attributeValue(attributes, "adj_x") ? -1 : -2)!;
  const columns = b.shape.at(attributeValue(attributes, "adj_y") ? -2 : -1)!;
  const [batchA, batchB] = [a, b].map(({ shape }) => shape.slice(0, -2));
  const batch = backend_util.assertAndGetBroadcastShape(batchA, batchB);
  return one([...batch, rows, columns], a.dtype);
}, ({ inputs: [a, b], attributes, outputs: [{ shape, dtype }] }, nodes) => {
  if (!b.stacked && b.shape.length === 2 && !attributeValue(attributes, "adj_x")) {
    // One matrix for all: the members' rows are rows of one product.
    const columns = a.shape.at(-1)!;
    const rows = nodes.reshape(a.name, a.dtype, [-1, columns]);
    const all = nodes.add("MatMul", [rows, b.name], ofMatMul(attributes));
    return [nodes.reshape(all, dtype, [nodes.members, ...shape])];
  }
  // A shared factor is repeated: TensorFlow crashes on some products that broadcast an axis of one.
  const rank = Math.max(a.shape.length, b.shape.length);
  const factors = [a, b].map((one) => {
    const whole = { ...one, name: nodes.stacked(one), stacked: true };
    return nodes.aligned(whole, rank);
  });
  return [nodes.add("BatchMatMulV2", factors, attributes)];
});

add("Reshape", ({ inputs: [x], constant }) => {
  const shape = [...constant(1)];
  const known = shape.filter((size) => size >= 0).reduce((a, b) => a * b, 1);
  const total = x.shape.reduce((a, b) => a * b, 1);
  return one(shape.map((size) => size < 0 ? total / known : size), x.dtype);
}, ({ inputs: [x], outputs: [{ shape, dtype }] }, nodes) => [
  nodes.reshape(x.name, dtype, [nodes.members, ...shape]),
]);
add(
  "Transpose",
  ({ inputs: [x], constant }) => {
    return one([...constant(1)].map((axis) => x.shape[axis]), x.dtype);
  },
  withConstants(
    1,
    ({ constant }) => [{ values: [0, ...[...constant(1)].map((axis) => axis + 1)] }],
  ),
);
add("Tile", ({ inputs: [x], constant }) => {
  return one(x.shape.map((size, i) => size * constant(1)[i]), x.dtype);
}, withConstants(1, ({ constant }) => [{ values: [1, ...constant(1)] }]));
add(
  "PadV2",
  ({ inputs: [x], constant }) => {
    const margins = constant(1);
    return one(x.shape.map((size, i) => size + margins[2 * i] + margins[2 * i + 1]), x.dtype);
  },
  withConstants(1, ({ inputs: [x], constant }) => [
    { values: [0, 0, ...constant(1)], shape: [x.shape.length + 1, 2] },
  ]),
);
add("Range", ({ inputs: [start], constant }) => {
  const [from, to, step] = [0, 1, 2].map((i) => constant(i)[0]);
  return one([Math.max(0, Math.ceil((to - from) / step))], start.dtype);
});

add("ConcatV2", ({ inputs, constant }) => {
  const parts = inputs.slice(0, -1), [{ shape, dtype }] = parts;
  const axis = axisOf(constant(inputs.length - 1)[0], parts[0]);
  return one(shape.with(axis, parts.reduce((sum, part) => sum + part.shape[axis], 0)), dtype);
}, (operation, nodes) => {
  const parts = operation.inputs.length - 1;
  return withConstants(parts, (one) => [laterAxis(one, parts)])(operation, nodes);
});
add(
  "SplitV",
  ({ inputs: [x], constant }) =>
    [...constant(1)].map((size) => ({
      shape: x.shape.with(axisOf(constant(2)[0], x), size),
      dtype: x.dtype,
    })),
  withConstants(
    1,
    (operation) => [{ values: [...operation.constant(1)] }, laterAxis(operation, 2)],
  ),
);
add(
  "Pack",
  ({ inputs: [x, ...others], attributes }) =>
    one(
      x.shape.toSpliced(Number(attributeValue(attributes, "axis")), 0, 1 + others.length),
      x.dtype,
    ),
  shiftAxis(({ outputs: [one] }) => one.shape.length),
);
add("Unpack", ({ inputs: [x], attributes, outputs }) => {
  const shape = x.shape.toSpliced(axisOf(Number(attributeValue(attributes, "axis")), x), 1);
  return Array.from({ length: outputs }, () => ({ shape, dtype: x.dtype }));
}, shiftAxis(({ inputs: [x] }) => x.shape.length));

add("GatherV2", ({ inputs: [x, indices], attributes, constant }) => {
  const axis = axisOf(constant(2)[0], x);
  const own = indices.shape.slice(Number(attributeValue(attributes, "batch_dims")));
  return one([...x.shape.slice(0, axis), ...own, ...x.shape.slice(axis + 1)], x.dtype);
}, (operation, nodes) => {
  const { inputs: [x, indices], attributes, constant } = operation;
  const axis = axisOf(constant(2)[0], x);
  const batch = Number(attributeValue(attributes, "batch_dims"));
  const take = (table: string, ids: string, axis: number, batch: number) => {
    const how = attributes.map((one) => one.name === "batch_dims" ? { ...one, value: batch } : one);
    return [nodes.add("GatherV2", [table, ids, nodes.whole([axis], [])], how)];
  };
  if (batch === 0 && !indices.stacked) return take(x.name, indices.name, axis + 1, 0);
  if (batch === 0 && axis === 0 && !x.stacked) return take(x.name, indices.name, 0, 0);
  return take(nodes.stacked(x), nodes.stacked(indices), axis + 1, batch + 1);
});
// For members, each one's segments follow the former one's; ids must be from 0 to below their number.
add("UnsortedSegmentSum", ({ inputs: [x, ids], constant }) => {
  return one([constant(2)[0], ...x.shape.slice(ids.shape.length)], x.dtype);
}, (operation, nodes) => {
  const { inputs: [x, ids], outputs: [{ shape, dtype }], attributes, constant } = operation;
  const { members } = nodes, [segments] = constant(2);
  const first = Array.from({ length: members }, (_, i) => i * segments);
  const offsets = nodes.whole(first, [members, ...ids.shape.map(() => 1)]);
  const own = nodes.add("Add", [ids.name, offsets], [typed("T", ids.dtype)]);
  const total = nodes.whole([members * segments], []);
  const sums = nodes.add("UnsortedSegmentSum", [nodes.stacked(x), own, total], attributes);
  return [nodes.reshape(sums, dtype, [members, ...shape])];
});

/** The operations that can be recorded, by TensorFlow's names. */
export const operations: readonly string[] = [...rules.keys()].sort();

/** Those that can be for many members. */
export const memberOperations = operations.filter((name) => rules.get(name)!.members);

/** The outputs of one operation. @throws where the operation has no rule. */
export function inferShapes(operation: Operation): Shaped[] {
  const rule = rules.get(operation.name)?.shapes;
  if (rule === undefined) {
    throw new Error(
      `Cannot record ${operation.name}${caller()}: expected one of ${operations.join(", ")}; ` +
        "write the function with those or add a rule to operations.ts",
    );
  }
  return rule(operation);
}

/** Records an operation of which an input is stacked. @throws where it has no rule */
export function addForMembers(operation: MemberOperation, nodes: MemberNodes): string[] {
  const rule = rules.get(operation.name)?.members;
  if (rule === undefined) {
    throw new Error(
      `Cannot record ${operation.name} for ${nodes.members} members at once${caller()}: expected ` +
        `one of ${memberOperations.join(", ")}; train the members one by one, or add a rule to ` +
        "operations.ts",
    );
  }
  return rule(operation, nodes);
}
