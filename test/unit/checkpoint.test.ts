import assert from "node:assert/strict";
import {
  bytesAccess,
  floatsFromBfloat16,
  openSafetensors,
  parseIndex,
  type Tensor,
} from "../../lib/model/files/checkpoint.ts";
import {
  bfloat16FromFloats,
  type FormatOptions,
  safetensorsPieces,
} from "../../lib/model/files/checkpoint_writer.ts";
import { FileAccess } from "../../lib/platform/runtime/random_access.ts";
import { Random } from "../../lib/statistics/random.ts";
import { headerOf, readTensors } from "./_safetensors.ts";

const fixtures = new URL("../numerics/fixtures/", import.meta.url).pathname;
const bits = (data: Float32Array) => new Int32Array(data.buffer, data.byteOffset, data.length);
const floats = (values: number[]) => new Float32Array(new Int32Array(values).buffer);

interface Expected {
  [name: string]: { shape: number[]; bits: number[] };
}
const { rounded, values, ...expected }: Expected = JSON.parse(
  Deno.readTextFileSync(`${fixtures}types.safetensors.json`),
);

/** A file of any header and data. */
function fileOf(header: unknown, data: number, length?: number): Uint8Array {
  const text = new TextEncoder().encode(
    typeof header === "string" ? header : JSON.stringify(header),
  );
  const file = new Uint8Array(8 + text.length + data);
  new DataView(file.buffer).setBigUint64(0, BigInt(length ?? text.length), true);
  file.set(text, 8);
  return file;
}
const tensor = (begin: number, end: number, shape = [(end - begin) / 4], dtype = "F32") => ({
  dtype,
  shape,
  data_offsets: [begin, end],
});

Deno.test("openSafetensors() reads F32, F16, BF16 and F64 bit for bit as the crate does", async () => {
  using access = await FileAccess.open(`${fixtures}types.safetensors`);
  const file = await openSafetensors(access);
  assert.equal(file.header.metadata.note, "é");
  assert.deepEqual(file.names.toSorted(), [...Object.keys(expected), "counts"].toSorted());
  for (const [name, { shape, bits: wanted }] of Object.entries(expected)) {
    const read = await file.read(name);
    assert.deepEqual(read.shape, shape);
    assert.deepEqual([...bits(read.data)], wanted, name);
  }
});

Deno.test("openSafetensors() reads tensors asked for at once, each whole", async () => {
  using access = await FileAccess.open(`${fixtures}types.safetensors`);
  const file = await openSafetensors(access);
  const names = Object.keys(expected);
  const read = await Promise.all([...names, ...names].map((name) => file.read(name)));
  read.forEach(({ data }, i) => {
    assert.deepEqual([...bits(data)], expected[names[i % names.length]].bits);
  });
});

Deno.test("openSafetensors() refuses tensors that are missing or not of floats, by name", async () => {
  using access = await FileAccess.open(`${fixtures}types.safetensors`);
  const file = await openSafetensors(access);
  await assert.rejects(file.read("counts"), /"counts".*types\.safetensors.*found I64/);
  await assert.rejects(file.read("nothing"), /types\.safetensors.*tensor "nothing"/);
});

/** What lib writes of tensors. */
const written = async (
  tensors: Iterable<[string, Tensor]>,
  options?: FormatOptions,
): Promise<Uint8Array> => {
  const sources = Array.from(tensors, ([name, { shape, data }]) => {
    const source = { shape, data: () => Promise.resolve(data) };
    return [name, source] as [string, typeof source];
  });
  return await new Blob(await Array.fromAsync(safetensorsPieces(sources, options))).bytes();
};

Deno.test("safetensorsPieces() then readTensors() gives back every number and shape", async () => {
  const random = new Random(1);
  const tensors = new Map(["b", "a.weight", "__proto__", "ü", "0"].map((name, i) => {
    const shape = [i, 3, 2].slice(i % 2);
    const length = shape.reduce((a, b) => a * b, 1);
    return [name, { shape, data: Float32Array.from({ length }, () => random.normal()) }];
  }));
  const file = await written(tensors, { metadata: { who: "me" } });
  const back = readTensors(file);
  assert.deepEqual([...back.keys()].toSorted(), [...tensors.keys()].toSorted());
  for (const [name, { shape, data }] of tensors) {
    assert.deepEqual(back.get(name), { shape, data, dtype: "F32" });
  }
  assert.deepEqual(headerOf(file).metadata, { who: "me" });
  assert.equal(headerOf(file).dataStart % 8, 0);
});

Deno.test("bfloat16FromFloats() rounds as PyTorch does", async () => {
  const halves = bfloat16FromFloats(floats(values.bits));
  assert.deepEqual([...bits(floatsFromBfloat16(halves))], rounded.bits);
  assert.ok(Number.isNaN(floatsFromBfloat16(bfloat16FromFloats(floats([0x7f800001])))[0]));
  const file = await written([["w", { shape: [values.shape[0]], data: floats(values.bits) }]], {
    dtype: "BF16",
  });
  assert.deepEqual([...bits(readTensors(file).get("w")!.data)], rounded.bits);
});

Deno.test("readTensors() reads numbers that don't lie on their own boundaries", () => {
  const file = fileOf(`{"a":${JSON.stringify(tensor(0, 8))}} `, 8);
  assert.notEqual(headerOf(file).dataStart % 4, 0);
  file.set(new Uint8Array(new Float32Array([1.5, -2]).buffer), file.length - 8);
  assert.deepEqual([...readTensors(file).get("a")!.data], [1.5, -2]);
});

const lies: [string, Uint8Array, RegExp][] = [
  ["an empty file", new Uint8Array(), /at least 8 bytes; found 0/],
  ["a header longer than the file", fileOf({}, 0, 3), /at most 2 bytes; found one of 3/],
  ["a header above 100 MB", fileOf({}, 0, 2 ** 52), /found one of 4503599627370496/],
  ["a header that isn't UTF-8", fileOf("{}", 1, 3).map((b, i) => i === 10 ? 0xff : b), /UTF-8/],
  ["a header that isn't JSON", fileOf("{a}", 0), /JSON/],
  ["a header that isn't an object", fileOf("[]", 0), /starts with \{/],
  ["spaces before the header", fileOf(" {}", 0), /starts with \{/],
  [
    "a name twice",
    fileOf(`{"a":${JSON.stringify(tensor(0, 4))},"\\u0061":${JSON.stringify(tensor(4, 8))}}`, 8),
    /tensor "a".*hole/,
  ],
  [
    "an unknown type",
    fileOf({ a: tensor(0, 4, [1], "F4") }, 4),
    /"C64"\) as dtype of tensor "a"; found "F4"/,
  ],
  ["a type of Object", fileOf({ a: tensor(0, 4, [1], "valueOf") }, 4), /"valueOf"/],
  ["a negative size", fileOf({ a: tensor(0, 4, [-1, -1]) }, 4), /shape\.0 of tensor "a"; found -1/],
  ["half a size", fileOf({ a: tensor(0, 4, [0.5, 2]) }, 4), /shape\.0 of tensor "a"; found 0\.5/],
  ["a size above 2^53", fileOf({ a: tensor(0, 4, [2 ** 53]) }, 4), /shape\.0 of tensor "a"/],
  ["a product above 2^53", fileOf({ a: tensor(0, 4, [2 ** 40, 2 ** 40]) }, 4), /tensor "a"/],
  [
    "an offset above 2^53",
    fileOf({ a: tensor(0, 2 ** 53, [1]) }, 4),
    /data_offsets\.1 of tensor "a"/,
  ],
  ["offsets reversed", fileOf({ a: tensor(4, 0, [1]) }, 4), /tensor "a"/],
  ["three offsets", fileOf({ a: { ...tensor(0, 4), data_offsets: [0, 2, 4] } }, 4), /tensor "a"/],
  ["no offsets", fileOf({ a: { dtype: "F32", shape: [1] } }, 4), /data_offsets of tensor "a"/],
  ["a tensor that is a list", fileOf({ a: [1] }, 4), /dtype of tensor "a"; found none/],
  ["fewer bytes than the shape", fileOf({ a: tensor(0, 4, [2]) }, 4), /8 bytes of tensor "a"/],
  ["an overlap", fileOf({ a: tensor(0, 8), b: tensor(4, 8) }, 8), /tensor "b".*overlap/],
  ["a hole", fileOf({ a: tensor(0, 4), b: tensor(8, 12) }, 12), /tensor "b".*hole/],
  ["a hole at the start", fileOf({ a: tensor(4, 8) }, 8), /tensor "a".*hole/],
  ["bytes after the end", fileOf({ a: tensor(0, 4) }, 5), /found \d+ bytes/],
  ["an end before the data's", fileOf({ a: tensor(0, 4) }, 3), /found \d+ bytes/],
  ["notes that aren't texts", fileOf({ __metadata__: { a: 1 } }, 0), /__metadata__/],
  ["notes that are a list", fileOf({ __metadata__: ["a"] }, 0), /__metadata__/],
  ["notes of an object's own names", fileOf('{"__metadata__":{"constructor":5}}', 0), /__meta/],
  ["notes for what stands behind", fileOf('{"__metadata__":{"__proto__":{}}}', 0), /__meta/],
];
for (const [what, bytes, message] of lies) {
  Deno.test(`openSafetensors() refuses ${what}, naming the file`, async () => {
    const open = () => openSafetensors(bytesAccess(bytes, "x.safetensors"));
    await assert.rejects(open, message);
    await assert.rejects(open, /x\.safetensors/);
  });
}

Deno.test("parseHeader() takes a file without tensors, spaces after the header, sizes of zero", () => {
  assert.equal(headerOf(fileOf("{}   ", 0)).tensors.size, 0);
  const { tensors } = headerOf(
    fileOf({ b: tensor(4, 4, [2 ** 40, 0, 2 ** 40]), a: tensor(0, 4), c: tensor(4, 8) }, 8),
  );
  assert.equal(tensors.size, 3);
});

Deno.test("parseIndex() maps tensors to files and refuses ways out of the folder", () => {
  const map = parseIndex(`{"metadata":{},"weight_map":{"a":"model-1.safetensors"}}`);
  assert.deepEqual([...map], [["a", "model-1.safetensors"]]);
  for (const shard of ["../b.safetensors", "/b.safetensors", "x\\b.safetensors", "b.bin", 3]) {
    const text = JSON.stringify({ weight_map: { a: shard } });
    assert.throws(() => parseIndex(text), /model\.safetensors\.index\.json.*"a"/);
  }
  assert.throws(() => parseIndex("{}"), /weight_map/);
  assert.throws(() => parseIndex("{"), /JSON/);
});

Deno.test("FileAccess.open() names the path that isn't there or is a folder", async () => {
  await assert.rejects(FileAccess.open(`${fixtures}none`), /fixtures\/none.*expected a file/);
  await assert.rejects(FileAccess.open(fixtures), /fixtures\/.*found a folder/);
});

Deno.test("safetensorsPieces() asks for a tensor's numbers when its turn has come", async () => {
  const asked: string[] = [];
  const tensor = (name: string, values: number[]) => ({
    shape: [2],
    data: async () => {
      await Promise.resolve();
      asked.push(name);
      return Float32Array.from(values);
    },
  });
  const pieces = safetensorsPieces([["b", tensor("b", [3, 4])], ["a", tensor("a", [1, 2])]]);
  const bytes = [...(await pieces.next()).value as Uint8Array];
  assert.deepEqual(asked, []);
  bytes.push(...(await pieces.next()).value as Uint8Array);
  assert.deepEqual(asked, ["a"]);
  for await (const piece of pieces) bytes.push(...piece);
  const read = readTensors(new Uint8Array(bytes));
  assert.deepEqual([...read].map(([name, { data }]) => [name, ...data]), [
    ["a", 1, 2],
    ["b", 3, 4],
  ]);
});
