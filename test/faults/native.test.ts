import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { findPip } from "../../lib/platform/native/_wheels.ts";
import type { NativeOptions, NativeState } from "../../lib/platform/native/native.ts";
import type { NativePlatform, Wheel } from "../../lib/platform/native/pinned.ts";

/** What the runs below share: tiny wheels in place of the real ones, and stand-ins on the PATH. */
interface Stage extends AsyncDisposable {
  folder: string;
  native: string;
  platform: NativePlatform;
  /** Adds a program to the PATH. */
  program(name: string, script: string): Promise<void>;
  /** How often pip was asked to download. */
  downloads(): Promise<number>;
  start(options?: NativeOptions, env?: Record<string, string>): Deno.ChildProcess;
  install(options?: NativeOptions, env?: Record<string, string>): Promise<Outcome>;
}

interface Outcome {
  state: NativeState;
  told: string[];
  again: number;
}

/** A compiler that leaves a file where it was told to. */
const COMPILER = 'while [ $# -gt 0 ]; do [ "$1" = -o ] && echo addon > "$2"; shift; done';

/** A compiler that serves until it has something to make. */
const BROKEN_COMPILER = 'case "$*" in *" -o "*) echo "error: broken" >&2; exit 1;; esac';

const realPython = await (async () => {
  const found = await findPip();
  if (found?.python[0] === "uv" || found === undefined) return undefined;
  const { stdout } = await new Deno.Command(found.python[0], {
    args: ["-c", "import sys; print(sys.executable)"],
  }).output();
  return new TextDecoder().decode(stdout).trim();
})();
if (realPython === undefined) console.log("native.test.ts is skipped: no Python with pip here");

function test(name: string, body: (stage: Stage) => Promise<void>): void {
  Deno.test({
    name,
    ignore: realPython === undefined,
    async fn() {
      await using stage = await setStage();
      await body(stage);
    },
  });
}

async function setStage(): Promise<Stage> {
  const folder = await Deno.makeTempDir({ prefix: "native-" });
  const [bin, index, native] = ["bin", "index", "native"].map((name) => join(folder, name));
  const addonPackage = join(folder, "package");
  for (const path of [bin, index, addonPackage]) await Deno.mkdir(path);
  await Deno.writeTextFile(
    join(addonPackage, "package.json"),
    JSON.stringify({
      binary: {
        module_name: "tfjs_binding",
        module_path: "./lib/napi-v{napi_build_version}",
        napi_versions: [3, 8],
      },
    }),
  );
  const program = (name: string, script: string) =>
    Deno.writeTextFile(join(bin, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  const log = join(folder, "downloads");
  await program(
    "python3",
    `case "$*" in *"pip download"*) echo x >> ${log};; esac\nexec ${realPython} "$@"`,
  );
  await program("g++", COMPILER);
  const tensorflow = await wheel(index, "tensorflow-cpu", {
    "tensorflow/libtensorflow_cc.so.2": "cc",
    "tensorflow/libtensorflow_framework.so.2": "framework",
    "tensorflow/include/tensorflow/c/c_api.h": "",
    "tensorflow/unwanted.so": "",
  });
  const nvidia = await wheel(index, "nvidia-fake-cu12", { "nvidia/fake/lib/libfake.so.12": "gpu" });
  const zig = await wheel(index, "ziglang", { "ziglang/zig": `#!/bin/sh\n${COMPILER}\n` });
  const platform = {
    tags: ["manylinux_2_17_x86_64"],
    zig,
    kinds: {
      cpu: { wheels: [tensorflow], diskBytes: 1e6 },
      cuda: { wheels: [tensorflow, nvidia], diskBytes: 1e6 },
    },
  };
  const start = (options: NativeOptions = {}, env: Record<string, string> = {}) =>
    new Deno.Command(Deno.execPath(), {
      args: [
        ...["run", "-A", "--no-check"],
        fileURLToPath(new URL("_install_native.ts", import.meta.url)),
        JSON.stringify({ package: addonPackage, platform, ...options }),
      ],
      env: {
        PATH: bin,
        SELF_ALIGNING_NATIVE: native,
        CXX: "",
        CUDA_VISIBLE_DEVICES: "-1",
        SELF_ALIGNING_OFFLINE: "",
        PIP_NO_INDEX: "1",
        PIP_FIND_LINKS: index,
        ...env,
      },
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
  return {
    folder,
    native,
    platform,
    program,
    start,
    async downloads() {
      const text = await Deno.readTextFile(log).catch(() => "");
      return text.split("\n").length - 1;
    },
    async install(options, env) {
      const { stdout } = await start(options, env).output();
      return JSON.parse(new TextDecoder().decode(stdout));
    },
    async [Symbol.asyncDispose]() {
      await Deno.remove(folder, { recursive: true });
    },
  };
}

/** Makes a wheel of these files; each is executable. */
async function wheel(index: string, name: string, files: Record<string, string>): Promise<Wheel> {
  const stem = `${name.replaceAll("-", "_")}-2.21.0`;
  const path = join(index, `${stem}-py3-none-any.whl`);
  const all = {
    ...files,
    [`${stem}.dist-info/METADATA`]: `Metadata-Version: 2.1\nName: ${name}\nVersion: 2.21.0\n`,
    [`${stem}.dist-info/WHEEL`]: "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    [`${stem}.dist-info/RECORD`]: "",
  };
  const script = `
import json, sys, zipfile
with zipfile.ZipFile(sys.argv[1], "w") as archive:
    for name, text in json.loads(sys.argv[2]).items():
        entry = zipfile.ZipInfo(name)
        entry.external_attr = 0o100755 << 16
        archive.writestr(entry, text)
`;
  const { success } = await new Deno.Command(realPython!, {
    args: ["-c", script, path, JSON.stringify(all)],
  }).output();
  assert.ok(success);
  const bytes = await Deno.readFile(path);
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return {
    requirement: `${name}==2.21.0`,
    sha256: digest.toHex(),
    bytes: bytes.length,
  };
}

function entries(folder: string): string[] {
  return [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
}

function assertReady(state: NativeState): asserts state is NativeState & { ready: true } {
  assert.ok(state.ready, JSON.stringify(state));
}

function assertHindered(state: NativeState): asserts state is NativeState & { ready: false } {
  assert.ok(!state.ready, JSON.stringify(state));
  assert.ok(state.mend.length > 0, "a mending command");
}

test("installNative() fetches, compiles and links once, and is fast afterwards", async (stage) => {
  const { state, told, again } = await stage.install();
  assertReady(state);
  assert.equal(state.kind, "cpu");
  assert.deepEqual(entries(stage.native), ["install.lock", "tensorflow-2.21.0-cpu"]);
  assert.deepEqual(entries(state.folder), ["installed.json", "tensorflow"]);
  assert.deepEqual(entries(join(state.folder, "tensorflow")), [
    "include",
    "libtensorflow_cc.so.2",
    "libtensorflow_framework.so.2",
    "tfjs_binding.node",
  ]);
  const link = join(stage.folder, "package", "lib", "napi-v8", "tfjs_binding.node");
  assert.equal(await Deno.realPath(link), await Deno.realPath(state.addon));
  assert.ok(told.some((line) => line.includes("100 % downloaded")), told.join("\n"));
  assert.ok(again < 50, `${again} ms`);

  await Deno.remove(join(stage.folder, "package", "lib"), { recursive: true });
  assertReady((await stage.install()).state);
  assert.equal(await Deno.realPath(link), await Deno.realPath(state.addon));
  assert.equal(await stage.downloads(), 1);
});

test("installNative() repairs an installation that was killed", async (stage) => {
  const probe = join(stage.folder, "compiling");
  await stage.program(
    "g++",
    `case "$*" in *" -o "*) echo > ${probe}; exec /bin/sleep 20;; esac`,
  );
  await Deno.mkdir(join(stage.native, "partial-of-another"), { recursive: true });
  const child = stage.start();
  for (let i = 0; i < 200; i++) {
    if (await Deno.stat(probe).then(() => true, () => false)) break;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  child.kill("SIGKILL");
  await child.output();
  assert.deepEqual(entries(stage.native), ["install.lock", "tensorflow-2.21.0-cpu"]);

  // The library is there, if not its addon: only that is made again.
  await stage.program("g++", COMPILER);
  const { state } = await stage.install();
  assertReady(state);
  assert.equal(await stage.downloads(), 1);
  assert.deepEqual(entries(state.folder), ["installed.json", "tensorflow"]);
});

test("installNative() installs again what was damaged", async (stage) => {
  const { state } = await stage.install();
  assertReady(state);
  const library = join(state.folder, "tensorflow", "libtensorflow_framework.so.2");
  await Deno.truncate(library, 3);
  assertReady((await stage.install()).state);
  assert.equal(await Deno.readTextFile(library), "framework");
});

test("installNative() compiles anew what another version of the project compiled", async (stage) => {
  const { state } = await stage.install();
  assertReady(state);
  const path = join(state.folder, "installed.json");
  const stamp = JSON.parse(await Deno.readTextFile(path));
  await Deno.writeTextFile(path, JSON.stringify({ ...stamp, source: "0".repeat(64) }));
  const { state: offline } = await stage.install({ download: false });
  assertHindered(offline);
  assert.match(offline.reason, /this version of the project.*is not installed in/);
  // What fails to compile leaves all as it was, and is not written half.
  await stage.program("g++", `${COMPILER.replace("addon", "ad")}; exit 1`);
  stage.platform.zig.requirement = "ziglang==9.9.9";
  assertHindered((await stage.install()).state);
  assert.equal(await Deno.readTextFile(state.addon), "addon\n");
  assert.deepEqual(entries(state.folder), ["installed.json", "tensorflow"]);
  const before = await stage.downloads();

  await stage.program("g++", COMPILER.replace("addon", "another"));
  const { state: again, told } = await stage.install({ retry: true });
  assertReady(again);
  assert.doesNotMatch(told.join(), /download/);
  assert.equal(await stage.downloads(), before);
  assert.equal(await Deno.readTextFile(state.addon), "another\n");
  stamp.files["tensorflow/tfjs_binding.node"] = "another\n".length;
  assert.deepEqual(JSON.parse(await Deno.readTextFile(path)), stamp);

  // An installation without headers is fetched again.
  const { "tensorflow/include/tensorflow/c/c_api.h": _, ...files } = stamp.files;
  await Deno.writeTextFile(path, JSON.stringify({ ...stamp, files, source: "0" }));
  assertReady((await stage.install()).state);
  assert.equal(await stage.downloads(), before + 1);
});

test("installNative() refuses a wheel whose SHA-256 is not the pinned one", async (stage) => {
  const [wheel] = stage.platform.kinds.cpu.wheels;
  wheel.sha256 = "0".repeat(64);
  const { state } = await stage.install();
  assertHindered(state);
  assert.match(state.reason, /SHA-256 of the downloaded tensorflow-cpu==2.21.0/);
  assert.deepEqual(entries(stage.native), ["failure.json", "install.lock"]);
});

test("installNative() says what to do without Python", async (stage) => {
  await Deno.remove(join(stage.folder, "bin", "python3"));
  const { state } = await stage.install();
  assertHindered(state);
  assert.match(state.reason, /needs Python 3 with pip \(or uv\)/);
  assert.equal(await stage.downloads(), 0);
});

test("installNative() downloads a compiler where there is none", async (stage) => {
  await Deno.remove(join(stage.folder, "bin", "g++"));
  const { state, told } = await stage.install();
  assertReady(state);
  assert.match(told.join("\n"), /Compiling the addon with zig/);
  assert.deepEqual(entries(state.folder), ["installed.json", "tensorflow"]);
});

test("installNative() passes from a compiler that fails to the downloaded one", async (stage) => {
  await stage.program("g++", BROKEN_COMPILER);
  const { state, told } = await stage.install();
  assertReady(state);
  assert.match(told.join("\n"), /with g\+\+[^]*with zig/);
});

test("installNative() remembers for a while that nothing compiles here", async (stage) => {
  await stage.program("g++", BROKEN_COMPILER);
  stage.platform.zig.requirement = "ziglang==9.9.9";
  const { state } = await stage.install();
  assertHindered(state);
  assert.match(state.reason, /g\+\+ failed: error: broken/);
  const before = await stage.downloads();

  const { state: second } = await stage.install();
  assertHindered(second);
  assert.match(second.reason, /tried 0 min ago/);
  assert.equal(await stage.downloads(), before);

  await stage.program("g++", COMPILER);
  assertReady((await stage.install({ retry: true })).state);
});

test("installNative() says that the index cannot be reached", async (stage) => {
  const { state } = await stage.install({}, {
    PIP_NO_INDEX: "",
    PIP_FIND_LINKS: "",
    PIP_INDEX_URL: "http://127.0.0.1:9/simple",
  });
  assertHindered(state);
  assert.match(state.reason, /could not be reached/);
});

test("installNative() downloads nothing when SELF_ALIGNING_OFFLINE is set", async (stage) => {
  const { state } = await stage.install({}, { SELF_ALIGNING_OFFLINE: "1" });
  assertHindered(state);
  assert.match(state.reason, /SELF_ALIGNING_OFFLINE/);
  assert.equal(await stage.downloads(), 0);
});

test("installNative() called by two processes at once installs once", async (stage) => {
  const both = await Promise.all([stage.install(), stage.install()]);
  for (const { state } of both) assertReady(state);
  assert.equal(await stage.downloads(), 1);
});

test("installNative() lays the CUDA libraries beside where a GPU is seen", async (stage) => {
  await stage.program("nvidia-smi", 'echo "Some Card, 580.65, 80 GiB, 9.0"');
  const { state } = await stage.install({}, { CUDA_VISIBLE_DEVICES: "0" });
  assertReady(state);
  assert.equal(state.kind, "cuda");
  assert.deepEqual(entries(join(state.folder, "nvidia", "fake", "lib")), ["libfake.so.12"]);
});

test("installNative() keeps to the processor's build when the GPU's cannot be had", async (stage) => {
  assertReady((await stage.install()).state);
  await stage.program("nvidia-smi", 'echo "Some Card, 580.65, 80 GiB, 9.0"');
  const { state, told } = await stage.install({}, {
    CUDA_VISIBLE_DEVICES: "0",
    SELF_ALIGNING_OFFLINE: "1",
  });
  assertReady(state);
  assert.equal(state.kind, "cpu");
  assert.match(told.join("\n"), /going on with the one for the CPU/);
});
