/** Damaged safetensors files: refused by name or read rightly, never a crash. */
import assert from "node:assert/strict";
import { bytesAccess, openSafetensors } from "../../lib/model/files/checkpoint.ts";

import { FileAccess } from "../../lib/platform/runtime/random_access.ts";
import { Random } from "../../lib/statistics/random.ts";
import { formatSafetensors, headerOf, readTensors } from "../unit/_safetensors.ts";

const fixtures = new URL("../numerics/fixtures/", import.meta.url).pathname;
const whole = Deno.readFileSync(`${fixtures}types.safetensors`);
const file = "damaged.safetensors";

/** The error of reading `bytes`, checked to name the file; undefined where the read went well. */
async function refusal(bytes: Uint8Array): Promise<string | undefined> {
  try {
    const { header: { tensors, dataStart } } = await openSafetensors(bytesAccess(bytes, file));
    let end = 0;
    const byBegin = [...tensors.values()].sort((a, b) => a.begin - b.begin || a.end - b.end);
    for (const info of byBegin) {
      assert.equal(info.begin, end);
      end = info.end;
    }
    assert.equal(dataStart + end, bytes.length);
  } catch (error) {
    assert.equal((error as Error).constructor, Error, String(error));
    assert.match((error as Error).message, /^Cannot read damaged\.safetensors: expected .*found /s);
    return (error as Error).message;
  }
}

Deno.test("openSafetensors() takes and refuses the bit flips that the crate takes and refuses", async () => {
  const { header_end, accepted } = JSON.parse(
    Deno.readTextFileSync(`${fixtures}types.safetensors.flips.json`),
  );
  const crate = new Set(accepted.map(String));
  const differing: string[] = [];
  let taken = 0;
  for (let byte = 0; byte < header_end; byte++) {
    for (let bit = 0; bit < 8; bit++) {
      const damaged = whole.slice();
      damaged[byte] ^= 1 << bit;
      const found = await refusal(damaged);
      if (found === undefined) taken++;
      if (crate.has(`${byte},${bit}`) !== (found === undefined)) {
        differing.push(`byte ${byte} bit ${bit}: ${found}`);
      }
    }
  }
  assert.ok(taken > 100, `only ${taken} taken`);
  assert.deepEqual(differing, []);
});

Deno.test("openSafetensors() refuses a file cut off anywhere, on disk as well", async () => {
  for (let length = 0; length < whole.length; length += length < 1000 ? 7 : 101) {
    const cut = whole.slice(0, length);
    assert.ok(await refusal(cut), `${length} bytes`);
  }
  const path = await Deno.makeTempFile({ suffix: ".safetensors" });
  try {
    await Deno.writeFile(path, whole);
    using access = await FileAccess.open(path);
    const opened = await openSafetensors(access);
    await Deno.truncate(path, whole.length - 1);
    const last = [...opened.header.tensors].sort((a, b) => b[1].end - a[1].end)[0][0];
    await assert.rejects(opened.read(last), new RegExp(`${path}.*found an end`));
  } finally {
    await Deno.remove(path);
  }
});

Deno.test("readTensors() keeps what a flipped bit in the numbers says, and every other number", () => {
  const random = new Random("flips");
  const data = Float32Array.from({ length: 64 }, () => random.normal());
  const good = formatSafetensors([["w", { shape: [8, 8], data }]]);
  const { dataStart } = headerOf(good);
  for (let i = 0; i < 200; i++) {
    const at = random.integer(256);
    const damaged = good.slice();
    damaged[dataStart + at] ^= 1 << random.integer(8);
    const read = readTensors(damaged).get("w")!.data;
    const changed = [...read].flatMap((value, j) => Object.is(value, data[j]) ? [] : [j]);
    assert.deepEqual(changed, [Math.floor(at / 4)]);
  }
});

Deno.test("openSafetensors() refuses headers rewritten at random, and never crashes", async () => {
  const random = new Random("rewritten");
  const { dataStart } = headerOf(whole);
  const pieces = [
    "{",
    "}",
    "[",
    "]",
    '"',
    ":",
    ",",
    "1e400",
    "-1",
    "9007199254740993",
    "null",
    "\\",
  ];
  const text = new TextDecoder().decode(whole.subarray(8, dataStart));
  let refused = 0;
  for (let i = 0; i < 3000; i++) {
    const at = random.integer(text.length);
    const gone = random.integer(20);
    const changed = text.slice(0, at) + random.pick(pieces) + text.slice(at + gone);
    const header = new TextEncoder().encode(changed);
    const damaged = new Uint8Array(8 + header.length + whole.length - dataStart);
    new DataView(damaged.buffer).setBigUint64(0, BigInt(header.length), true);
    damaged.set(header, 8);
    damaged.set(whole.subarray(dataStart), 8 + header.length);
    if (await refusal(damaged) !== undefined) refused++;
  }
  assert.ok(refused > 2000, `only ${refused} refused`);
});

Deno.test("openSafetensors() survives nesting deeper than the stack and shapes of a million sizes", async () => {
  const lying = (header: string) => {
    const text = new TextEncoder().encode(header);
    const bytes = new Uint8Array(8 + text.length);
    new DataView(bytes.buffer).setBigUint64(0, BigInt(text.length), true);
    bytes.set(text, 8);
    return bytes;
  };
  const deep = "[".repeat(1e6) + "]".repeat(1e6);
  assert.ok(await refusal(lying(`{"a":${deep}}`)));
  assert.ok(await refusal(lying(`{"a":{"dtype":"F32","shape":${deep},"data_offsets":[0,4]}}`)));
  const sizes = `[${"9007199254740991,".repeat(1e6)}1]`;
  assert.ok(await refusal(lying(`{"a":{"dtype":"F32","shape":${sizes},"data_offsets":[0,4]}}`)));
});
