/** The choice between a card and the processor, precision, and what doctor says of them, without a card. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Backend } from "../../lib/platform/runtime/backend.ts";
import {
  type Candidate,
  cardReason,
  environmentOf,
  fasterOf,
  fastestTurn,
  measuredText,
  measureStep,
  type Outcome,
  STEP_SHAPES,
  type StepShape,
} from "../../lib/platform/runtime/backend_choice.ts";
import { nativeState } from "../../lib/platform/native/native.ts";
import { TENSORFLOW_VERSION } from "../../lib/platform/native/pinned.ts";
import { nvidiaCard } from "../../lib/platform/native/nvidia.ts";

const native = nativeState();
if (!native.ready) console.log(`TensorFlow's part is not tested: ${native.reason}`);
const linux = Deno.build.os === "linux";

async function inFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "choice-" });
  try {
    await body(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Stand-ins for measured times; tells who was measured. */
function times(of: Partial<Record<Candidate, Outcome>>) {
  const asked: string[] = [];
  const measure = (candidate: Candidate, { layers }: StepShape) => {
    asked.push(`${candidate} ${layers}`);
    return Promise.resolve(of[candidate]!);
  };
  return { asked, measure };
}

const ms = (milliseconds: number) => ({ milliseconds });

Deno.test("fasterOf() takes the faster and keeps it, by card, versions and shape", async () => {
  await inFolder(async (folder) => {
    const { asked, measure } = times({ cuda: ms(9.4), processor: ms(5), webgpu: ms(1) });
    const sides = ["cuda", "processor"] as const;
    const about = ["NVIDIA Card", "580.159", "2.21.0"];
    const first = await fasterOf(sides, { about, folder, measure });
    assert.equal(first.candidate, "processor");
    const slow = [{ candidate: "wasm" as const, milliseconds: 3217.4 }];
    assert.equal(measuredText(slow), "wasm 3220 ms");
    assert.equal(measuredText(first.measured), "cuda 9.4 ms, processor 5 ms");
    assert.deepEqual(await fasterOf(sides, { about, folder, measure }), first);
    assert.equal(asked.length, 2, "what is kept is not measured again");
    // Another driver, another shape: measured again.
    await fasterOf(sides, { about: [...about.slice(0, 1), "590"], folder, measure });
    assert.equal(asked.length, 4);
    const fast = times({ cuda: ms(2), processor: ms(5) });
    const shape = STEP_SHAPES.real;
    const real = await fasterOf(sides, { about, folder, shape, measure: fast.measure });
    assert.equal(real.candidate, "cuda");
    assert.deepEqual(fast.asked, ["processor 30", "cuda 30"]);
  });
});

Deno.test("fasterOf() counts that a processor trains one model a core", async () => {
  await inFolder(async (folder) => {
    const processor = { milliseconds: 18.4, processes: 4 };
    const { measure } = times({ cuda: ms(10.8), processor });
    const choice = await fasterOf(["cuda", "processor"], { about: [], folder, measure });
    assert.equal(choice.candidate, "processor");
    assert.equal(
      measuredText(choice.measured),
      "cuda 10.8 ms, processor 18.4 ms in each of 4 processes",
    );
    // Two cores are not enough here.
    const few = times({
      cuda: ms(10.8),
      processor: { ...processor, milliseconds: 24, processes: 2 },
    });
    const options = { about: ["2"], folder, measure: few.measure };
    assert.equal((await fasterOf(["cuda", "processor"], options)).candidate, "cuda");
  });
});

Deno.test("fasterOf() leaves a card alone where launching takes longer than the processor's step", async () => {
  await inFolder(async (folder) => {
    const processor = { milliseconds: 18.4, processes: 16 };
    const { asked, measure } = times({ processor, cuda: ms(1), webgpu: ms(100), wasm: ms(1) });
    const shape = { ...STEP_SHAPES.organism, together: 1 };
    const options = { about: [], folder, measure, shape };
    const choice = await fasterOf(["cuda", "processor"], options);
    assert.equal(choice.candidate, "processor");
    assert.deepEqual(asked, ["processor 4"]);
    assert.equal(
      measuredText(choice.measured),
      "cuda at least 2.6 ms for launches alone (not opened), processor 18.4 ms in each of 16 processes",
    );
    assert.deepEqual(await fasterOf(["cuda", "processor"], options), choice);
    assert.deepEqual(asked, ["processor 4"], "what is kept is not measured again");
    // Models that a card trains in one step share its launches; and the bound is for a card of CUDA.
    const sixteen = times({ processor, cuda: { milliseconds: 1.1, together: 16 } });
    const together = await fasterOf(["cuda", "processor"], {
      ...{ about: [], folder, shape: STEP_SHAPES.organism },
      measure: (...which) => (measure(...which), sixteen.measure(...which)),
    });
    assert.equal(together.candidate, "cuda");
    assert.equal(
      measuredText(together.measured),
      "cuda 1.1 ms a model, 16 at once and their tests, processor 18.4 ms in each of 16 processes",
    );
    assert.deepEqual(asked.slice(1), ["processor 4", "cuda 4"]);
    await fasterOf(["webgpu", "wasm"], options);
    assert.deepEqual(asked.slice(3), ["wasm 4", "webgpu 4"]);
  });
});

Deno.test("fasterOf() takes what works, and looks again ten minutes after a failure", async () => {
  await inFolder(async (folder) => {
    const failing = times({ webgpu: { reason: "it crashed" }, wasm: ms(100) });
    const sides = ["webgpu", "wasm"] as const;
    const choice = await fasterOf(sides, { about: ["card"], folder, measure: failing.measure });
    assert.equal(choice.candidate, "wasm");
    assert.equal(
      measuredText(choice.measured),
      "webgpu can't be used (it crashed), wasm 100 ms",
    );
    const mended = times({ webgpu: ms(10), wasm: ms(100) });
    const again = () => fasterOf(sides, { about: ["card"], folder, measure: mended.measure });
    assert.deepEqual(await again(), choice);
    const [{ name }] = [...Deno.readDirSync(folder)];
    const path = join(folder, name);
    await Deno.writeTextFile(path, JSON.stringify({ ...choice, at: Date.now() - 11 * 60_000 }));
    assert.equal((await again()).candidate, "webgpu");
    await Deno.writeTextFile(path, "half a");
    assert.equal((await again()).candidate, "webgpu");
    assert.equal(mended.asked.length, 4);
    // Neither works: the first, whose failure is to be seen.
    const broken = times({ webgpu: { reason: "a" }, wasm: { reason: "b" } });
    const none = await fasterOf(sides, { about: [], folder, measure: broken.measure });
    assert.equal(none.candidate, "webgpu");
  });
});

Deno.test("a choice that can't be kept is made all the same", async () => {
  const { asked, measure } = times({ cuda: ms(3), processor: ms(4) });
  const options = { about: [], folder: "/proc/nowhere", measure };
  assert.equal((await fasterOf(["cuda", "processor"], options)).candidate, "cuda");
  assert.equal((await fasterOf(["cuda", "processor"], options)).candidate, "cuda");
  assert.equal(asked.length, 4);
});

Deno.test("fastestTurn() lets candidates take turns, and keeps the one of the shortest", async () => {
  await inFolder(async (folder) => {
    const { now } = performance, { loadavg } = Deno;
    let clock = 0, load = 99;
    performance.now = () => clock;
    Deno.loadavg = () => [load, 0, 0];
    try {
      const told: string[] = [];
      // What else runs slows b's first counted turn, and the fastest of them counts.
      const costs: Record<string, number[]> = { a: [90, 9, 10, 10, 10], b: [50, 8, 60, 7] };
      const choose = (key: string) =>
        fastestTurn(["a", "b"], {
          ...{ key, folder },
          begin: (name) => ({
            turn() {
              told.push(name);
              clock += costs[name].shift() ?? 150;
              return Promise.resolve();
            },
            end: () => void told.push(`${name} ends`),
          }),
        });
      assert.equal(await choose("one"), undefined, "a busy machine");
      assert.deepEqual([...Deno.readDirSync(folder)], []);
      load = 0;
      assert.equal(await choose("one"), "b");
      load = 99;
      // Two uncounted turns each, then by turns until the time is over.
      assert.equal(told.join(" "), "a a b b a b a b a b a b a ends b ends");
      assert.equal(await choose("one"), "b", "kept");
      assert.equal(told.length, 14);
      load = 0;
      assert.equal(await choose("another"), "a", "the first of equals");
      const kept = [...Deno.readDirSync(folder)].map(({ name }) =>
        JSON.parse(Deno.readTextFileSync(join(folder, name)))
      );
      assert.deepEqual(kept.find(({ candidate }) => candidate === "b").measured, [
        { candidate: "a", milliseconds: 10 },
        { candidate: "b", milliseconds: 7 },
      ]);
    } finally {
      performance.now = now;
      Deno.loadavg = loadavg;
    }
  });
});

Deno.test("measureStep() takes a step in another process, or says why none can be taken", async () => {
  const shape = { ...STEP_SHAPES.organism, layers: 1, rows: 2, length: 8 };
  const wasm = await measureStep("wasm", shape);
  assert.ok("milliseconds" in wasm && wasm.milliseconds > 0, JSON.stringify(wasm));
  const wrong = await measureStep("wasm", { ...shape, heads: 3 });
  assert.match("reason" in wrong ? wrong.reason : "", /Cannot read .*heads/);
  if (!native.ready) return;
  const processor = await measureStep("processor", shape);
  assert.ok("milliseconds" in processor && processor.milliseconds > 0);
  const cores = navigator.hardwareConcurrency;
  assert.equal(processor.processes, cores > 1 ? cores : undefined);
  const alone = await measureStep("processor", { ...shape, sideBySide: false });
  assert.ok("milliseconds" in alone && alone.processes === undefined);
  // This library has no card here: it is not measured as if it had.
  if (native.kind === "cpu") assert.ok("reason" in await measureStep("cuda", shape));
});

Deno.test("cardReason() is what TensorFlow logs of the card, errors first", () => {
  // TensorFlow 2.21's log where a driver is missing, and 2.9's where a library is.
  const missing =
    `WARNING: All log messages before absl::InitializeLog() is called are written to STDERR
I0000 00:00:1795758750.694870   13920 port.cc:153] oneDNN custom operations are on. You may see
I0000 00:00:1795758750.829371   13920 cudart_stub.cc:31] Could not find cuda drivers on your machine
E0000 00:00:1795758750.830986   13920 cuda_platform.cc:52] failed call to cuInit: UNKNOWN ERROR (303)
${"measured step: "}{"unused":true}`;
  assert.equal(
    cardReason(missing),
    "failed call to cuInit: UNKNOWN ERROR (303) / Could not find cuda drivers on your machine",
  );
  const older =
    "2025-11-01 10:00:00.123456: W tensorflow/core/common_runtime/gpu/gpu_device.cc:2343] Cannot dlopen some GPU libraries.";
  assert.equal(cardReason(older), "Cannot dlopen some GPU libraries.");
  assert.equal(cardReason("nothing"), "TensorFlow gives no reason");
});

interface Stage {
  env: Record<string, string>;
  /** A driver that tells of a card of that compute capability. */
  card(capability: string): Promise<void>;
}

/**
 * A machine with TensorFlow's build for CUDA (in truth the one that is installed, which knows no card) and
 * an nvidia-smi that tells of a card that no other run has seen.
 */
async function onStage(body: (stage: Stage) => Promise<void>): Promise<void> {
  await inFolder(async (folder) => {
    if (!native.ready) return;
    const home = join(folder, "native", `tensorflow-${TENSORFLOW_VERSION}-cuda`);
    await Deno.mkdir(home, { recursive: true });
    for (const { name } of Deno.readDirSync(native.folder)) {
      await Deno.symlink(join(native.folder, name), join(home, name));
    }
    const stamp = JSON.parse(await Deno.readTextFile(join(home, "installed.json")));
    await Deno.remove(join(home, "installed.json"));
    await Deno.writeTextFile(
      join(home, "installed.json"),
      JSON.stringify({ ...stamp, kind: "cuda" }),
    );
    const env = {
      SELF_ALIGNING_NATIVE: join(folder, "native"),
      PATH: `${folder}:${Deno.env.get("PATH")}`,
      CUDA_VISIBLE_DEVICES: "0",
      // Many cores are done with an organism before a card has launched its step: it is not opened.
      SELF_ALIGNING_SHAPE: "real",
    };
    const card = (capability: string) =>
      Deno.writeTextFile(
        join(folder, "nvidia-smi"),
        `#!/bin/sh\necho "Stand-in, ${crypto.randomUUID()}, 80 GiB, ${capability}"\n`,
        { mode: 0o755 },
      );
    await card("9.0");
    await body({ env, card });
  });
}

interface Opened {
  backend: Backend;
  told: string[];
  error: string;
  environment: Record<string, string>;
}

async function openApart(env: Record<string, string>, ...args: string[]): Promise<Opened> {
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "-A", "--no-check"],
      fileURLToPath(new URL("_open_backend.ts", import.meta.url)),
      ...args,
    ],
    env: { SELF_ALIGNING_BACKEND: "", SELF_ALIGNING_PRECISION: "", ...env },
    stderr: "inherit",
  }).output();
  return JSON.parse(new TextDecoder().decode(stdout));
}

const stageTest = (name: string, body: (stage: Stage) => Promise<void>) =>
  Deno.test({ name, ignore: !native.ready || !linux, fn: () => onStage(body) });

stageTest(
  "a card that TensorFlow can't use leaves the processor, measured and told",
  async ({ env }) => {
    const { backend, environment } = await openApart(env);
    assert.equal(backend.name, "tensorflow");
    assert.equal(backend.precision, "float32");
    const [cuda, processor] = backend.measured!;
    assert.ok(cuda.candidate === "cuda" && "reason" in cuda);
    assert.ok(processor.candidate === "processor" && "milliseconds" in processor);
    // A worker takes the same, without measuring.
    assert.deepEqual(
      [environment.SELF_ALIGNING_BACKEND, environment.CUDA_VISIBLE_DEVICES],
      ["tensorflow", "-1"],
    );
    const worker = await openApart({ ...env, ...environment });
    assert.equal(worker.backend.measured, undefined);
    // Asked for by name it is not measured, and that the card is left alone is told.
    const forced = await openApart({ ...env, SELF_ALIGNING_BACKEND: "tensorflow" });
    assert.equal(forced.backend.measured, undefined);
    assert.match(forced.told.join(), /leaves Stand-in alone; why: .*task doctor/);
  },
);

Deno.test("WebGPU and WebAssembly are measured where there is a graphics card, and no TensorFlow", async () => {
  const { backend } = await openApart({ SELF_ALIGNING_NATIVE: "/nowhere" }, "graphics");
  // An emulated card is slower, an absent one fails in the measuring process.
  assert.equal(backend.name, "wasm");
  const { name, reason } = backend.passedOver[1];
  assert.equal(name, "webgpu");
  assert.match(
    reason,
    /^a training step was measured: webgpu .*, wasm [\d.]+ ms( in each of \d+ processes)?$/s,
  );
});

stageTest("float32 is what a card computes in unless tf32 is asked for", async ({ env, card }) => {
  const forced = { ...env, SELF_ALIGNING_BACKEND: "tensorflow", NVIDIA_TF32_OVERRIDE: "1" };
  const plain = await openApart(forced, "card");
  assert.equal(plain.backend.device, "Stand-in");
  assert.equal(plain.backend.precision, "float32");
  assert.equal(plain.environment.NVIDIA_TF32_OVERRIDE, "0");
  for (const backend of ["tensorflow", ""]) {
    const tf32 = { ...forced, SELF_ALIGNING_BACKEND: backend, SELF_ALIGNING_PRECISION: "tf32" };
    const { backend: fast, environment } = await openApart(tf32, "card");
    assert.equal(fast.device, "Stand-in, TF32");
    assert.equal(fast.precision, "tf32");
    assert.equal(fast.threads, undefined);
    assert.equal(environment.NVIDIA_TF32_OVERRIDE, undefined);
  }
  const asked = { ...env, SELF_ALIGNING_PRECISION: "tf32" };
  const unused = await openApart(asked);
  assert.match(
    unused.error,
    /^Cannot compute in tf32: .*found Stand-in, which TensorFlow does not/,
  );
  await card("7.5");
  assert.match(
    (await openApart(asked, "card")).error,
    /capability 8 or later; found Stand-in; leave/,
  );
});

Deno.test("tf32 is refused by name where there is no card for it, and so is an unknown precision", async () => {
  const asked = { SELF_ALIGNING_PRECISION: "tf32", CUDA_VISIBLE_DEVICES: "-1" };
  for (const name of ["wasm", "cpu", "webgpu"]) {
    const { error } = await openApart({ ...asked, SELF_ALIGNING_BACKEND: name });
    assert.match(
      error,
      new RegExp(`^Cannot compute in tf32: expected .*; found ${name}; leave SELF_`),
    );
  }
  if (native.ready) {
    assert.match((await openApart(asked)).error, /^Cannot compute in tf32: .*found no NVIDIA card/);
  }
  const { error } = await openApart({ SELF_ALIGNING_PRECISION: "bf16" });
  assert.match(
    error,
    /^Cannot compute in bf16: expected one of float32, tf32; set SELF_ALIGNING_PREC/,
  );
});

Deno.test("environmentOf() forces each candidate", () => {
  assert.deepEqual(environmentOf("cuda"), { SELF_ALIGNING_BACKEND: "tensorflow" });
  assert.deepEqual(environmentOf("processor"), {
    SELF_ALIGNING_BACKEND: "tensorflow",
    CUDA_VISIBLE_DEVICES: "-1",
  });
  assert.deepEqual(environmentOf("wasm"), { SELF_ALIGNING_BACKEND: "wasm" });
});

stageTest(
  "doctor says that TensorFlow's build for the card leaves it alone, and what was measured",
  async ({ env }) => {
    const { stdout } = await new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "-A",
        fileURLToPath(new URL("../../lib/tasks/doctor.ts", import.meta.url)),
      ],
      env: { SELF_ALIGNING_BACKEND: "", ...env },
    }).output();
    const text = new TextDecoder().decode(stdout);
    assert.match(text, /^graphics card +Stand-in, 80 GiB, /m);
    const [, why] = /not used by TensorFlow: (.+)/.exec(text)!;
    assert.match(text, new RegExp(`Missing: the NVIDIA card's use: .*${RegExp.escape(why)}`));
    assert.match(text, /a training step: cuda can't be used \(.*\), processor [\d.]+ ms/);
  },
);

Deno.test({
  name: "nvidiaCard() reads what the driver tells, or that there is none",
  ignore: !linux,
  fn: () =>
    inFolder(async (folder) => {
      const { PATH, CUDA_VISIBLE_DEVICES } = Deno.env.toObject();
      const told = async (rows: string) => {
        const script = `#!/bin/sh\necho "${rows}"\n`;
        await Deno.writeTextFile(join(folder, "nvidia-smi"), script, { mode: 0o755 });
        return await nvidiaCard();
      };
      try {
        Deno.env.set("PATH", `${folder}:${PATH}`);
        Deno.env.delete("CUDA_VISIBLE_DEVICES");
        assert.deepEqual(
          await told("NVIDIA H200, 580.159, 143771 MiB, 9.0\nNVIDIA H200, 1, 2, 3"),
          {
            name: "NVIDIA H200",
            driver: "580.159",
            memory: "143771 MiB",
            computeCapability: 9,
          },
        );
        assert.equal((await told("NVIDIA Old, 390, 4 GiB, [N/A]"))?.computeCapability, undefined);
        assert.notEqual((await told("No devices were found"))?.name, "No devices were found");
        Deno.env.set("CUDA_VISIBLE_DEVICES", "-1");
        assert.equal(await told("NVIDIA H200, 580.159, 143771 MiB, 9.0"), undefined);
      } finally {
        Deno.env.set("PATH", PATH);
        if (CUDA_VISIBLE_DEVICES === undefined) Deno.env.delete("CUDA_VISIBLE_DEVICES");
        else Deno.env.set("CUDA_VISIBLE_DEVICES", CUDA_VISIBLE_DEVICES);
      }
    }),
});
