/**
 * One function for many members at once: the operations on a leading axis that stand for an operation on one
 * member's tensors, as in JAX's and torch.func's vmap.
 *
 * The function is traced on one member's shapes. An operand is stacked, [M, ...its shape], or shared by all
 * members; what comes of a stacked one is stacked. Members never meet: no rule sums over the leading axis.
 */
import { type Attribute, attributeValue, dataTypes, nodeBackend, typed } from "./backend.ts";
import type { NodeList } from "./nodes.ts";
import { caller } from "./place.ts";
import { axisOf, type Operand, type Operation, ruleTable, type Shaped } from "./shapes.ts";

interface MemberOperation extends Omit<Operation, "outputs"> {
  /** Of one member. */
  outputs: Shaped[];
}

/** Names of the outputs, `node:output`. */
type Rule = (operation: MemberOperation, nodes: MemberNodes) => string[];

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

const sources = (operation: MemberOperation, nodes: MemberNodes) =>
  operation.inputs.map((input) => nodes.stacked(input));

/** Every input is stacked, and the operation does with a leading axis what it did without. */
const same: Rule = (operation, nodes) => [
  nodes.add(operation.name, sources(operation, nodes), operation.attributes),
];

const broadcast: Rule = ({ name, inputs, attributes, outputs: [{ shape }] }, nodes) => [
  nodes.add(name, inputs.map((input) => nodes.aligned(input, shape.length)), attributes),
];

/** As `same`, but the constant inputs from `first` on are others. */
const withConstants = (
  first: number,
  shift: (operation: MemberOperation) => { values: number[]; shape?: number[] }[],
): Rule =>
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

const reduce = withConstants(1, ({ inputs: [x], constant }) => [
  { values: [...constant(1)].map((axis) => axisOf(axis, x) + 1) },
]);

/** The `axis` attribute counted with the members' axis. @param rank of the axis's tensor */
const shiftAxis = (rank: (operation: MemberOperation) => number): Rule => (operation, nodes) => {
  const attributes = operation.attributes.map((attribute) => {
    if (attribute.name !== "axis") return attribute;
    const axis = Number(attribute.value), axes = rank(operation);
    return { ...attribute, value: (axis + axes) % axes + 1 };
  });
  const node = nodes.list.addOnce(operation.name, sources(operation, nodes), attributes);
  return operation.outputs.map((_, i) => `${node}:${i}`);
};

/** BatchMatMulV2's attributes as MatMul's. */
export const ofMatMul = (attributes: Attribute[]): Attribute[] => {
  const names: Record<string, string> = { adj_x: "transpose_a", adj_y: "transpose_b" };
  return attributes.map((one) => ({ ...one, name: names[one.name] ?? one.name }));
};

/** A shared factor is repeated: TensorFlow crashes on some products that broadcast an axis of one. */
const product: Rule = ({ inputs: [a, b], attributes, outputs: [{ shape, dtype }] }, nodes) => {
  if (!b.stacked && b.shape.length === 2 && !attributeValue(attributes, "adj_x")) {
    // One matrix for all: the members' rows are rows of one product.
    const columns = a.shape.at(-1)!;
    const rows = nodes.reshape(a.name, a.dtype, [-1, columns]);
    const all = nodes.add("MatMul", [rows, b.name], ofMatMul(attributes));
    return [nodes.reshape(all, dtype, [nodes.members, ...shape])];
  }
  const rank = Math.max(a.shape.length, b.shape.length);
  const factors = [a, b].map((one) => {
    const whole = { ...one, name: nodes.stacked(one), stacked: true };
    return nodes.aligned(whole, rank);
  });
  return [nodes.add("BatchMatMulV2", factors, attributes)];
};

const gather: Rule = (operation, nodes) => {
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
};

/** Each member's segments follow the former one's; ids must be from 0 to below their number. */
const segmentSum: Rule = (operation, nodes) => {
  const { inputs: [x, ids], outputs: [{ shape, dtype }], attributes, constant } = operation;
  const { members } = nodes, [segments] = constant(2);
  const first = Array.from({ length: members }, (_, i) => i * segments);
  const offsets = nodes.whole(first, [members, ...ids.shape.map(() => 1)]);
  const own = nodes.add("Add", [ids.name, offsets], [typed("T", ids.dtype)]);
  const total = nodes.whole([members * segments], []);
  const sums = nodes.add("UnsortedSegmentSum", [nodes.stacked(x), own, total], attributes);
  return [nodes.reshape(sums, dtype, [members, ...shape])];
};

/** Half the sum of squares of each member. */
const halfSquares: Rule = ({ inputs: [x], attributes }, nodes) => {
  const squares = nodes.add("Square", [x.name], attributes);
  const { TF_ATTR_BOOL } = nodeBackend().binding;
  const keep = { name: "keep_dims", type: TF_ATTR_BOOL, value: false };
  const how = [...attributes, typed("Tidx", "int32"), keep];
  const sums = nodes.add("Sum", [squares, nodes.whole(x.shape.map((_, i) => i + 1))], how);
  const half = { dtype: x.dtype, shape: [], values: new Float32Array([0.5]) };
  return [nodes.add("Mul", [sums, `${nodes.list.constant(half)}:0`], attributes)];
};

const select: Rule = ({ inputs, attributes, outputs: [{ shape }] }, nodes) => [
  // Select itself takes rows by a vector's truth values.
  nodes.add("SelectV2", inputs.map((one) => nodes.aligned(one, shape.length)), attributes),
];

const { rules, add } = ruleTable<Rule>();
add("AddN Cast Exp IsFinite Log Neg Rsqrt Sigmoid Softmax Sqrt Square ZerosLike", same);
add("Add Maximum Minimum Mul RealDiv Sub", broadcast);
add("Equal GreaterEqual Less LogicalAnd NotEqual", broadcast);
add("Max Mean Sum", reduce);
add("BatchMatMulV2", product);
add("GatherV2", gather);
add("L2Loss", halfSquares);
add("Pack", shiftAxis(({ outputs: [one] }) => one.shape.length));
add("Unpack", shiftAxis(({ inputs: [x] }) => x.shape.length));
add("Select", select);
add("UnsortedSegmentSum", segmentSum);
add("ArgMax", withConstants(1, (one) => [laterAxis(one, 1)]));
add("ConcatV2", (operation, nodes) => {
  const parts = operation.inputs.length - 1;
  return withConstants(parts, (one) => [laterAxis(one, parts)])(operation, nodes);
});
add(
  "PadV2",
  withConstants(1, ({ inputs: [x], constant }) => [
    { values: [0, 0, ...constant(1)], shape: [x.shape.length + 1, 2] },
  ]),
);
add("Reshape", ({ inputs: [x], outputs: [{ shape, dtype }] }, nodes) => [
  nodes.reshape(x.name, dtype, [nodes.members, ...shape]),
]);
add("SplitV", withConstants(1, (one) => [{ values: [...one.constant(1)] }, laterAxis(one, 2)]));
add("Tile", withConstants(1, ({ constant }) => [{ values: [1, ...constant(1)] }]));
add(
  "Transpose",
  withConstants(1, ({ constant }) => [
    { values: [0, ...[...constant(1)].map((axis) => axis + 1)] },
  ]),
);

/** The operations that can be recorded for many members, by TensorFlow's names. */
export const memberOperations: readonly string[] = [...rules.keys()].sort();

/** Records an operation of which an input is stacked. @throws where it has no rule */
export function addForMembers(operation: MemberOperation, nodes: MemberNodes): string[] {
  const rule = rules.get(operation.name);
  if (rule === undefined) {
    throw new Error(
      `Cannot record ${operation.name} for ${nodes.members} members at once${caller()}: expected ` +
        `one of ${memberOperations.join(", ")}; train the members one by one, or add a rule to ` +
        "members.ts",
    );
  }
  return rule(operation, nodes);
}
