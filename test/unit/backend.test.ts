import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import * as tf from "@tensorflow/tfjs";
import { type Backend, BACKEND_NAMES, openBackend } from "../../lib/platform/runtime/backend.ts";
import { examine } from "../../lib/tasks/doctor.ts";
import { addonPlace, nativeState } from "../../lib/platform/native/native.ts";
import { NATIVE_PLATFORMS } from "../../lib/platform/native/pinned.ts";

const require = createRequire(import.meta.url);
const native = nativeState();
if (!native.ready) console.log(`native TensorFlow is not tested: ${native.reason}`);
interface Outcome {
  backend: Backend;
  told: string[];
  engine: string;
  product: number[];
  gathered: number[];
  leaked: number;
  error: string;
}

async function openApart(env: Record<string, string>, ...args: string[]): Promise<Outcome> {
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "-A", "--no-check"],
      fileURLToPath(new URL("_open_backend.ts", import.meta.url)),
      ...args,
    ],
    env: { SELF_ALIGNING_BACKEND: "", ...env },
    stderr: "inherit",
  }).output();
  return JSON.parse(new TextDecoder().decode(stdout));
}

// Each in a process of its own: a graphics driver and TensorFlow do not always bear each other.
for (const name of BACKEND_NAMES) {
  Deno.test({
    name: `openBackend() obeys SELF_ALIGNING_BACKEND=${name}, and it computes right`,
    ignore: name === "tensorflow" && !native.ready,
    async fn() {
      const outcome = await openApart({ SELF_ALIGNING_BACKEND: name });
      if (name === "webgpu" && /finds no graphics card/.test(outcome.error)) {
        console.log("WebGPU is not tested: no adapter here");
        return;
      }
      const { backend, engine, product, gathered, leaked } = outcome;
      assert.equal(outcome.error, undefined);
      assert.equal(backend.name, name);
      assert.equal(engine, name);
      assert.ok(backend.device.length > 0);
      assert.match(backend.versions.package, /^@tensorflow\/tfjs-[a-z-]+ 4\./);
      assert.equal(backend.versions.deno, Deno.version.deno);
      assert.deepEqual(product, [3, 3, 3, 3]);
      const expected = Array(30).fill(0);
      [4, 1, 4, 0, 4].forEach((id, row) => {
        for (let i = 0; i < 6; i++) expected[id * 6 + i] += row * 6 + i + 1;
      });
      assert.deepEqual(gathered, expected, "gather's gradient adds up repeated rows");
      assert.equal(leaked, 0);
    },
  });
}

Deno.test("openBackend() opens a backend once, switches, and keeps the open one", async () => {
  const wasm = await openBackend("wasm");
  const tensor = tf.tensor([1, 2]);
  const cpu = await openBackend("cpu");
  assert.equal(tf.getBackend(), "cpu");
  assert.deepEqual([...await tf.neg(tensor).data()], [-1, -2], "tensors follow");
  assert.equal(await openBackend(), cpu);
  assert.equal(await openBackend("wasm"), wasm);
  assert.equal(tf.getBackend(), "wasm");
  tensor.dispose();
});

for (const name of ["cpu", "wasm"] as const) {
  Deno.test(`gather's gradient on ${name} takes the memory of its output`, async () => {
    await openBackend(name);
    // A row of x for every segment would be 26 GB.
    const [rows, width, segments] = [1024, 64, 100_000];
    const ids = tf.tensor1d(Int32Array.from({ length: rows }, (_, i) => i % 500 * 200), "int32");
    const sums = tf.unsortedSegmentSum(tf.ones([rows, width]), ids, segments);
    const found = await tf.sum(sums, 1).data();
    for (let id = 0; id < segments; id++) {
      const count = id % 200 === 0 ? Math.ceil((rows - id / 200) / 500) : 0;
      if (found[id] !== count * width) assert.equal(found[id], count * width, `segment ${id}`);
    }
    sums.dispose();
  });
}

Deno.test("openBackend() never loads TensorFlow into a process with Mesa's LLVM", {
  ignore: !native.ready || Deno.build.os !== "linux",
}, async () => {
  const { error, backend } = await openApart({ SELF_ALIGNING_BACKEND: "tensorflow" }, "adapter");
  // Without such a driver it opens.
  if (error) assert.match(error, /asked for WebGPU before.*open tensorflow first/);
  else assert.equal(backend.name, "tensorflow");
});

Deno.test({
  name: "openBackend() computes on the @tensorflow/tfjs instance that the project imports",
  ignore: !native.ready,
  sanitizeResources: false,
  async fn() {
    const { versions } = await openBackend("tensorflow");
    const node = require("@tensorflow/tfjs-node-gpu");
    assert.equal(node.engine(), tf.engine());
    const tensor = tf.tensor([1]);
    assert.ok(tensor instanceof node.Tensor);
    tensor.dispose();
    assert.equal(versions.tensorflow, "2.21.0");
    assert.equal(require("danfojs-node").tensorflow.engine(), tf.engine());
  },
});

Deno.test("openBackend() goes on without the native library, and says why and what it costs", async () => {
  const { backend, told } = await openApart({ SELF_ALIGNING_NATIVE: "/nowhere" });
  assert.notEqual(backend.name, "tensorflow");
  assert.equal(backend.passedOver[0].name, "tensorflow");
  assert.match(backend.passedOver[0].reason, /not installed in \/nowhere/);
  assert.equal(told.length, 1);
  assert.match(told[0], /Going on with (webgpu|wasm): .*To mend it: npx -y deno@/);
});

Deno.test("openBackend() refuses an unknown or a failing backend, and says which work", async () => {
  const unknown = await openApart({ SELF_ALIGNING_BACKEND: "abacus" });
  assert.match(unknown.error, /Cannot open backend "abacus": expected one of tensorflow, webgpu/);
  const absent = await openApart({
    SELF_ALIGNING_BACKEND: "tensorflow",
    SELF_ALIGNING_NATIVE: "/nowhere",
  });
  assert.match(absent.error, /not installed in \/nowhere.*available here: .*wasm, cpu.*to mend it/);
});

Deno.test("openBackend() passes over a backend that computes wrongly", async () => {
  const forced = await openApart({ SELF_ALIGNING_BACKEND: "wasm" }, "broken");
  assert.match(forced.error, /"wasm".*self-test failed: product is 0,0,0,0, not -4.5,4,-6,6.25/);
  const chosen = await openApart({ SELF_ALIGNING_NATIVE: "/nowhere" }, "broken");
  assert.notEqual(chosen.backend.name, "wasm");
  if (chosen.backend.name === "cpu") {
    assert.match(chosen.backend.passedOver[2].reason, /self-test failed/);
  }
  assert.deepEqual(chosen.product, [3, 3, 3, 3]);
});

Deno.test("openBackend() passes over a backend that multiplies right and trains wrongly", async () => {
  const { error } = await openApart({ SELF_ALIGNING_BACKEND: "wasm" }, "untrainable");
  assert.match(error, /"wasm".*self-test failed: norm is 0, not 8/);
});

Deno.test("addonPlace() is where node-pre-gyp looks", () => {
  const manifest = require.resolve("@tensorflow/tfjs-node-gpu/package.json");
  const { find } = createRequire(manifest)("@mapbox/node-pre-gyp");
  assert.equal(addonPlace(dirname(manifest)), find(manifest));
});

Deno.test("NATIVE_PLATFORMS pins every wheel by version and SHA-256", () => {
  const wheels = Object.values(NATIVE_PLATFORMS).flatMap(({ kinds, zig }) => [
    zig,
    ...Object.values(kinds).flatMap((kind) => kind.wheels),
  ]);
  assert.ok(wheels.length >= 18);
  for (const { requirement, sha256, bytes } of wheels) {
    assert.match(requirement, /^[a-z0-9-]+==[0-9.]+$/);
    assert.match(sha256, /^[0-9a-f]{64}$/);
    assert.ok(bytes > 1e6);
  }
  assert.equal(new Set(wheels.map(({ sha256 }) => sha256)).size, wheels.length);
});

Deno.test({
  name: "examine() finds organisms, what they lack, and the command that mends it",
  sanitizeResources: false,
  async fn() {
    const root = await Deno.makeTempDir();
    try {
      // The shelves of those that answer with letters and of bases are no organisms: they hold some.
      const made = [["whole", 3], ["half", 2], ["letters/a", 3], ["letters/b", 1], ["bases/c", 2]];
      for (const [name, files] of [...made, ["empty/x", 0]] as [string, number][]) {
        const folder = `${root}/data/organisms/${name}`;
        await Deno.mkdir(folder, { recursive: true });
        for (const file of ["config.json", "tokenizer.json", "model.safetensors"].slice(0, files)) {
          await Deno.writeTextFile(`${folder}/${file}`, "x".repeat(500));
        }
      }
      const { works, text } = await examine({ root });
      assert.ok(works);
      const line = text.split("\n").find((line) => line.startsWith("organisms "));
      assert.equal(
        line,
        "organisms      empty (lacks config.json, tokenizer.json, model.safetensors), half (lacks " +
          "model.safetensors), whole (2 kB), letters/a (2 kB), letters/b (lacks tokenizer.json, " +
          "model.safetensors), bases/c (lacks model.safetensors)",
      );
      assert.doesNotMatch((await examine()).text, /^organisms.*lacks/m);
      assert.match(text, /Missing: organisms: .*half \(lacks model\.safetensors\)/);
      assert.match(text, /mend it: git checkout -- data\/organisms/);
      assert.match(text, /^backend +(tensorflow|webgpu|wasm|cpu) on \S/m);
    } finally {
      await Deno.remove(root, { recursive: true });
    }
  },
});
