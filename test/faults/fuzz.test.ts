/**
 * Damaged and lying files of every format that a model comes in, made from seeds: each is read, or
 * refused by name in an error of ours; never a crash, a hang, or memory beyond the file's own size.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { chatTemplateFromFiles } from "../../lib/model/chat_template.ts";
import {
  bytesAccess,
  openSafetensors,
  parseIndex,
  type RandomAccess,
} from "../../lib/model/files/checkpoint.ts";
import { parseConfiguration } from "../../lib/model/configuration.ts";
import { openGguf } from "../../lib/model/files/gguf.ts";
import { Random } from "../../lib/statistics/random.ts";
import { tokenizerFromFiles } from "../../lib/model/tokenizer.ts";

const fixtures = join(import.meta.dirname!, "../numerics/fixtures");
const models = join(fixtures, "models");
const NAME = "damaged.file";
/** Most floats of one byte: formats of 2 bits have four. */
const FLOATS_A_BYTE = 4;

/** Numbers that lie about sizes, as 8 bytes. */
const lies = [
  0n,
  1n,
  0xffn,
  1n << 20n,
  1n << 31n,
  1n << 32n,
  1n << 53n,
  1n << 63n,
  (1n << 64n) - 1n,
];

/** One kind of damage, chosen by the seed; `near` is how many first bytes are most of interest. */
function damage(whole: Uint8Array, random: Random, near: number): Uint8Array {
  const bytes = whole.slice();
  const place = () =>
    random.integer(random.integer(4) > 0 ? Math.min(near, bytes.length) : bytes.length);
  switch (random.integer(5)) {
    case 0: // bits flipped
      for (let n = 1 + random.integer(8); n > 0; n--) bytes[place()] ^= 1 << random.integer(8);
      return bytes;
    case 1: // cut off
      return bytes.slice(0, place());
    case 2: { // a lie about a size
      const at = Math.min(place(), bytes.length - 8);
      new DataView(bytes.buffer).setBigUint64(at, random.pick(lies), true);
      return bytes;
    }
    case 3: { // bytes missing within
      const at = place(), gone = 1 + random.integer(64);
      return new Uint8Array([...bytes.subarray(0, at), ...bytes.subarray(at + gone)]);
    }
    default: { // a piece twice, over another
      const [from, to] = [place(), place()];
      bytes.copyWithin(to, from, from + 1 + random.integer(200));
      return bytes;
    }
  }
}

/** Bytes that are watched: no one asks for more than there is. */
function watched(bytes: Uint8Array): RandomAccess {
  const access = bytesAccess(bytes, NAME);
  return {
    ...access,
    read: (offset, length) => {
      assert.ok(length >= 0 && length <= bytes.length, `${length} bytes asked of ${bytes.length}`);
      return access.read(offset, length);
    },
  };
}

type Open = (access: RandomAccess) => Promise<{
  names: string[];
  read(name: string): Promise<{ shape: number[]; data: Float32Array }>;
}>;

const tensorFormats: { format: string; file: string; near: number; open: Open }[] = [
  ...["qwen2", "llama", "llama-bias"].map((name) => ({
    format: `GGUF (${name})`,
    file: join(fixtures, "gguf", `${name}.gguf`),
    near: 4000,
    open: async (access: RandomAccess) => {
      const { headers, read } = await openGguf(access);
      return { names: [...headers.keys()], read };
    },
  })),
  ...[join(fixtures, "types.safetensors"), join(models, "qwen2/bf16/model.safetensors")].map((
    file,
  ) => ({
    format: `safetensors (${file.includes("types") ? "types" : "qwen2"})`,
    file,
    near: 2000,
    open: openSafetensors,
  })),
];

for (const { format, file, near, open } of tensorFormats) {
  Deno.test(`damaged ${format} is read within its size or refused by name`, async () => {
    const whole = Deno.readFileSync(file);
    let refused = 0;
    const count = 250;
    for (let seed = 0; seed < count; seed++) {
      const bytes = damage(whole, new Random(`${format}/${seed}`), near);
      let tensors;
      try {
        tensors = await open(watched(bytes));
      } catch (error) {
        refused++;
        checkRefusal(error, seed);
        continue;
      }
      for (const name of tensors.names) {
        try {
          const { shape, data } = await tensors.read(name);
          assert.equal(shape.reduce((a, b) => a * b, 1), data.length, `seed ${seed}`);
          assert.ok(data.length <= FLOATS_A_BYTE * bytes.length, `seed ${seed}: ${data.length}`);
        } catch (error) {
          checkRefusal(error, seed);
        }
      }
    }
    assert.ok(refused > count / 10 && refused < count, `${refused} of ${count} refused`);
  });
}

function checkRefusal(error: unknown, seed: number) {
  const { constructor, message, stack } = error as Error;
  assert.equal(constructor, Error, `seed ${seed}: ${stack}`);
  assert.match(message, /^Cannot read .*damaged\.file: expected .*; found /s, `seed ${seed}`);
  assert.ok(message.length < 1000, `seed ${seed}: ${message.length} characters`);
}

const text = (path: string) => Deno.readTextFileSync(path);
const tokenizer = JSON.stringify(
  JSON.parse(text(join(fixtures, "tokenizers/qwen2.json"))).tokenizer,
);
const [{ config: chatml }] = JSON.parse(text(join(fixtures, "chat_templates.json")));
const jsonFormats: {
  format: string;
  good: string;
  read: (text: string) => unknown;
  count: number;
}[] = [
  {
    format: "config.json",
    good: text(join(models, "llama3-rope/config.json")),
    read: (text) => parseConfiguration(text, { file: NAME }),
    count: 500,
  },
  {
    format: "model.safetensors.index.json",
    good: text(join(models, "llama/sharded/model.safetensors.index.json")),
    read: (text) => parseIndex(text, NAME),
    count: 300,
  },
  {
    format: "tokenizer.json",
    good: tokenizer,
    read: (text) =>
      tokenizerFromFiles(new Map([["tokenizer.json", text]]), { from: NAME }).encode("ab c"),
    count: 120,
  },
  {
    format: "a chat template",
    good: chatml.chat_template,
    read: (text) =>
      chatTemplateFromFiles(new Map([["chat_template.jinja", text]]), { from: NAME }).prompt("x"),
    count: 300,
  },
];
/** JSON of the right form with a value or two of another kind. */
function lyingJson(good: string, random: Random): string {
  const value = JSON.parse(good);
  const others = [null, true, -1, 0, 1e300, 0.5, "", "x", [], {}, [[1]], 2 ** 53];
  for (let n = 1 + random.integer(2); n > 0; n--) {
    let at = value;
    for (;;) {
      const key = random.pick(Object.keys(at));
      const inner = at[key];
      const deeper = inner !== null && typeof inner === "object" && Object.keys(inner).length > 0;
      if (deeper && random.integer(4) > 0) at = inner;
      else {
        if (random.integer(4) === 0) delete at[key];
        else at[key] = random.pick(others);
        break;
      }
    }
    if (Object.keys(value).length === 0) break;
  }
  return JSON.stringify(value);
}

for (const { format, good, read, count } of jsonFormats) {
  Deno.test(`damaged ${format} is read or refused by name`, () => {
    read(good);
    const whole = new TextEncoder().encode(good);
    let refused = 0;
    for (let seed = 0; seed < count; seed++) {
      const random = new Random(`${format}/${seed}`);
      const text = seed % 2 === 0 || !good.startsWith("{") || format === "a chat template"
        ? new TextDecoder().decode(damage(whole, random, whole.length))
        : lyingJson(good, random);
      try {
        read(text);
      } catch (error) {
        refused++;
        const { constructor, message, stack } = error as Error;
        assert.equal(constructor, Error, `seed ${seed}: ${stack}`);
        assert.match(
          message,
          /^Cannot (read|encode|use) .*expected .*damaged\.file|^Cannot (read|use) .*damaged\.file.*: expected /s,
          `seed ${seed}`,
        );
      }
    }
    assert.ok(refused > count / 10, `${refused} of ${count} refused`);
  });
}
