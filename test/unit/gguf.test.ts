import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { dequantize, formatBytes, openGguf, readableFormats } from "../../lib/model/files/gguf.ts";
import { bytesAccess } from "../../lib/model/files/checkpoint.ts";
import { parseConfiguration } from "../../lib/model/configuration.ts";
import { openSource } from "../../lib/model/files/source.ts";
import { withFolder } from "./_folder.ts";
import { Random } from "../../lib/statistics/random.ts";
import { readTensors } from "./_safetensors.ts";

const fixtures = fileURLToPath(new URL("../numerics/fixtures/", import.meta.url));
const blocks: Record<string, { bytes: string; bits: string }> = JSON.parse(
  Deno.readTextFileSync(join(fixtures, "gguf", "blocks.json")),
);
const file = (name: string) => Deno.readFileSync(join(fixtures, "gguf", `${name}.gguf`));
const bits = (data: Float32Array) => new Uint32Array(data.buffer, data.byteOffset, data.length);

Deno.test("the fixtures hold every format that can be read", () => {
  assert.deepEqual(Object.keys(blocks).toSorted(), readableFormats.toSorted());
});
for (const [format, { bytes, bits: wanted }] of Object.entries(blocks)) {
  Deno.test(`dequantize() of ${format} gives the numbers of the gguf package, bit for bit`, () => {
    const source = Uint8Array.fromBase64(bytes);
    const expected = new Uint32Array(Uint8Array.fromBase64(wanted).buffer);
    assert.equal(formatBytes(format, expected.length), source.length);
    assert.deepEqual(bits(dequantize(format, source)), expected);
    // Where the bytes lie in memory doesn't matter.
    const shifted = new Uint8Array(source.length + 1);
    shifted.set(source, 1);
    assert.deepEqual(bits(dequantize(format, shifted.subarray(1))), expected);
  });
}

Deno.test("formatBytes() knows no bytes of broken blocks and unknown formats", () => {
  assert.equal(formatBytes("Q4_K", 512), 288);
  assert.equal(formatBytes("Q4_K", 128), undefined);
  assert.equal(formatBytes("IQ1_S", 256), undefined);
});

for (const name of ["llama", "llama-bias", "qwen2", "qwen3"]) {
  Deno.test(`openGguf() of a ${name} gives the checkpoint that it was made from`, async () => {
    const folder = join(fixtures, "models", name);
    const gguf = await openGguf(bytesAccess(file(name), "x.gguf"));
    const config = Deno.readTextFileSync(join(folder, "config.json"));
    assert.deepEqual(gguf.configuration, parseConfiguration(config));
    const wanted = readTensors(Deno.readFileSync(join(folder, "model.safetensors")));
    assert.deepEqual([...gguf.headers.keys()].toSorted(), [...wanted.keys()].toSorted());
    for (const [tensor, { shape, data }] of wanted) {
      assert.deepEqual(await gguf.read(tensor), { shape, data }, tensor);
    }
  });
}

Deno.test("openSource() opens a GGUF file by its path, with the SHA-256 of the file", async () => {
  const path = join(fixtures, "gguf", "qwen2.gguf");
  using source = await openSource(path, { tokenizer: false });
  assert.equal(source.configuration.family, "qwen2");
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", file("qwen2"))).toHex();
  assert.deepEqual(source.description, { source: path, kind: "gguf", digest });
  const { shape } = await source.read("model.embed_tokens.weight");
  assert.deepEqual(shape, [97, 32]);
  // These files were made without a tokenizer.
  await assert.rejects(openSource(path), /tokenizer of .*qwen2\.gguf/);
  await assert.rejects(openSource("none.gguf"), /none\.gguf: expected a file/);
});

/** The bytes of a file with each of the texts replaced once by one as long. */
function withTexts(bytes: Uint8Array, texts: Record<string, string>): Uint8Array {
  let all = Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
  for (const [old, text] of Object.entries(texts)) {
    assert.ok(old.length === text.length && all.split(old).length === 2, old);
    all = all.replace(old, text);
  }
  return Uint8Array.from(all, (c) => c.charCodeAt(0));
}

Deno.test("openGguf() takes a rotary factor without a type as linear, like llama.cpp", async () => {
  const whole = file("llama-bias");
  const { configuration } = await openGguf(bytesAccess(whole));
  assert.deepEqual(configuration.ropeScaling, { type: "linear", factor: 2 });
  const untyped = withTexts(whole, { "llama.rope.scaling.type": "general.something.else." });
  assert.deepEqual((await openGguf(bytesAccess(untyped))).configuration, configuration);
});

Deno.test("openGguf() refuses a key of its metadata given twice", async () => {
  const twice = withTexts(file("qwen2"), {
    "qwen2.attention.key_length": "qwen2.attention.head_count",
  });
  await assert.rejects(openGguf(bytesAccess(twice, "x.gguf")), /x\.gguf: .* one of them twice/);
});

Deno.test("openSource() tells a GGUF file by its first bytes, whatever its name", async () => {
  await withFolder(async (folder) => {
    for (const name of ["MODEL.GGUF", "sha256-0123abcd", "model"]) {
      await Deno.writeFile(join(folder, name), file("qwen2"));
      using source = await openSource(join(folder, name), { tokenizer: false });
      assert.deepEqual([source.configuration.family, source.description.kind], ["qwen2", "gguf"]);
    }
    const refused: [string, string, RegExp][] = [
      ["model.safetensors", "\x08\0\0\0\0\0\0\0{}", /give the folder that holds it and config/],
      ["model.gguf", "version https://git-lfs.github.com/spec/v1\n", /git lfs pull/],
      ["old.bin", "tjgg", /starts with "tjgg"; convert/],
      ["empty", "", /starts with ""/],
    ];
    for (const [name, text, message] of refused) {
      const path = join(folder, name);
      await Deno.writeTextFile(path, text);
      await assert.rejects(openSource(path, { tokenizer: false }), (error: Error) => {
        assert.match(error.message, message);
        assert.ok(error.message.includes(path));
        return true;
      });
    }
  });
});

Deno.test("openSource() of a GGUF file refuses tensors that its metadata doesn't ask for", async () => {
  await withFolder(async (folder) => {
    const path = join(folder, "x.gguf");
    // The value of a 32-bit number stands behind its key and type.
    const bytes = file("qwen2"), key = "qwen2.block_count";
    const at = new TextDecoder("latin1").decode(bytes).indexOf(key) + key.length + 4;
    assert.equal(bytes[at], 2);
    bytes[at] = 1;
    await Deno.writeFile(path, bytes);
    await assert.rejects(openSource(path), /a qwen2 of 1 layers alone; found "model\.layers\.1\./);
  });
});

Deno.test("openGguf() refuses files cut off and other files, by name", async () => {
  const whole = file("qwen2");
  for (const length of [0, 3, 4, 20, 100, 500, 1500, 5000, whole.length - 1]) {
    await assert.rejects(openGguf(bytesAccess(whole.slice(0, length), "x.gguf")), /x\.gguf/);
  }
  const other = new TextEncoder().encode("GIF89a".repeat(100));
  await assert.rejects(openGguf(bytesAccess(other, "x.gguf")), /x\.gguf: expected a GGUF file/);
});

Deno.test("openGguf() refuses bits flipped in the header by name, or reads within the file", async () => {
  const whole = file("qwen2");
  const header = whole.length - 68_096; // the numbers take the rest
  const random = new Random("gguf");
  let refused = 0;
  for (let i = 0; i < 150; i++) {
    const damaged = whole.slice();
    damaged[random.integer(header)] ^= 1 << random.integer(8);
    try {
      const gguf = await openGguf(bytesAccess(damaged, "x.gguf"));
      for (const name of gguf.headers.keys()) {
        const { shape, data } = await gguf.read(name);
        assert.equal(shape.reduce((a, b) => a * b, 1), data.length);
      }
    } catch (error) {
      refused++;
      assert.match((error as Error).message, /x\.gguf/, `${(error as Error).stack}`);
    }
  }
  assert.ok(refused > 30, `only ${refused} refused`);
});
