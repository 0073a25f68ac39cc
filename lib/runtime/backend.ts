/**
 * Where the arithmetic runs: native TensorFlow (CPU or CUDA), WebGPU, WebAssembly, plain
 * JavaScript, the first of these that works. Chosen once per process.
 */
import { dirname } from "node:path";
import { createRequire } from "node:module";
import os from "node:os";
import * as tf from "@tensorflow/tfjs";
import { run } from "./_command.ts";
import { registerMissingKernels } from "./_kernels.ts";
import { selfTest } from "./_self_test.ts";
import { withQuietStderr } from "./_stderr.ts";
import { watchWebGpu } from "./_webgpu.ts";
import { INSTALL_COMMAND, installNative, nativeState } from "./native.ts";

export type BackendName = "tensorflow" | "webgpu" | "wasm" | "cpu";

/** In the order of preference. */
export const BACKEND_NAMES: readonly BackendName[] = ["tensorflow", "webgpu", "wasm", "cpu"];

export interface Backend {
  name: BackendName;
  /** The model of the processor or of the graphics card. */
  device: string;
  /** Threads of one operation, where it is known. */
  threads?: number;
  /** Versions of Deno, of TensorFlow.js, of the backend's package, of native TensorFlow. */
  versions: { deno: string; tfjs: string; package: string; tensorflow?: string };
  /** What was tried before, and why it was not taken. */
  passedOver: PassedOver[];
}

export interface PassedOver {
  name: BackendName;
  reason: string;
  /** The command that mends it, where there is one. */
  mend?: string;
}

export interface BackendOptions {
  /** Whether the native library may be downloaded. Default: true, unless `SELF_ALIGNING_OFFLINE`. */
  install?: boolean;
  /** Told of an installation and of a slower backend. Default: prints to stderr. */
  progress?: (line: string) => void;
}

/**
 * Opens a backend and makes it the one that `@tensorflow/tfjs` computes with. Each must first give
 * a known product, known gradients and a known training step; one that fails is passed over.
 * `name` asks for one; without it `SELF_ALIGNING_BACKEND` does; without both the open backend
 * stays, or the best that works is opened.
 * @throws when the backend asked for is unknown or does not work here.
 */
export function openBackend(name?: BackendName, options: BackendOptions = {}): Promise<Backend> {
  const turn = queue.then(() => choose(name, options));
  queue = turn.catch(() => {});
  return turn;
}

let queue: Promise<unknown> = Promise.resolve();
let current: Backend | undefined;
const opened = new Map<BackendName, Backend>();

async function choose(name: string | undefined, options: BackendOptions): Promise<Backend> {
  if (name === undefined && current) return current;
  const wanted = name ?? Deno.env.get("SELF_ALIGNING_BACKEND") ?? "";
  if (wanted === "") return await best(options);
  if (!isBackendName(wanted)) {
    throw new Error(
      `Cannot open backend "${wanted}": expected one of ${BACKEND_NAMES.join(", ")}; ` +
        `${whatWorks()}; set SELF_ALIGNING_BACKEND to one of them or leave it empty`,
    );
  }
  const before = current;
  try {
    return await open(wanted, { ...options, software: true });
  } catch (error) {
    if (before) await tf.setBackend(before.name);
    const { reason, mend } = passedOver(wanted, error);
    throw new Error(
      `Cannot open backend "${wanted}": expected it to work here, but ${reason}; ` +
        `${whatWorks()}; ${mend ? `to mend it: ${mend}` : "choose another"}`,
    );
  }
}

async function best(options: BackendOptions): Promise<Backend> {
  const failed: PassedOver[] = [];
  for (const name of BACKEND_NAMES) {
    try {
      const backend = await open(name, options);
      backend.passedOver = failed;
      const native = failed.find((one) => one.name === "tensorflow");
      if (native && name !== "tensorflow") tellCost(native, backend, options);
      return backend;
    } catch (error) {
      failed.push(passedOver(name, error));
    }
  }
  const reasons = failed.map(({ name, reason }) => `${name}: ${reason}`).join("; ");
  throw new Error(`Cannot open a backend: expected one that works, found none (${reasons})`);
}

function tellCost(native: PassedOver, { name }: Backend, options: BackendOptions): void {
  const cost = {
    tensorflow: "",
    webgpu: "small models train slower there",
    wasm: "training takes 10 (small models) to 40 times as long",
    cpu: "training takes over 100 times as long",
  }[name];
  (options.progress ?? ((line: string) => console.error(line)))(
    `Native TensorFlow is not used: ${native.reason}. Going on with ${name}: ${cost}.` +
      (native.mend ? ` To mend it: ${native.mend}` : ""),
  );
}

async function open(
  name: BackendName,
  options: BackendOptions & { software?: boolean },
): Promise<Backend> {
  let backend = opened.get(name);
  if (backend === undefined) {
    const about = await prepare[name](options);
    if (!await tf.setBackend(name)) throw new Error("TensorFlow.js could not start it");
    await selfTest();
    const versions = { deno: Deno.version.deno, tfjs: tf.version.tfjs, ...about.versions };
    backend = { name, ...about, versions, passedOver: [] };
    opened.set(name, backend);
  } else if (!await tf.setBackend(name)) {
    throw new Error("TensorFlow.js could not switch to it");
  }
  return current = backend;
}

type About = Pick<Backend, "device" | "threads"> & {
  versions: { package: string; tensorflow?: string };
};

/** Loads each backend's package, which registers it. */
const prepare: Record<
  BackendName,
  (options: BackendOptions & { software?: boolean }) => Promise<About>
> = {
  async tensorflow(options) {
    const state = await installNative({ download: options.install, progress: options.progress });
    if (!state.ready) throw new Unavailable(state.reason, state.mend);
    if (loadsMesa()) {
      throw new Unavailable(
        "this process asked for WebGPU before, whose driver's LLVM would crash TensorFlow's",
        "open tensorflow first, or in a new process",
      );
    }
    // Read when the library loads.
    setDefault("TF_CPP_MIN_LOG_LEVEL", "3");
    // Several processes can share a card.
    setDefault("TF_FORCE_GPU_ALLOW_GROWTH", "true");
    // tfjs-node calls it; Node 23 and Deno no longer have it (tfjs issue 8609).
    require("node:util").isNullOrUndefined ??= (value: unknown) => value == null;
    const loaded = withQuietStderr(() => require("@tensorflow/tfjs-node-gpu"));
    if ("error" in loaded) {
      const said = loaded.said.trim().split("\n").at(-1);
      const message = loaded.error instanceof Error ? loaded.error.message : String(loaded.error);
      throw new Unavailable(
        `its library cannot be loaded: ${message}${said ? ` (${said})` : ""}`,
        `rm -rf ${state.folder} && ${INSTALL_COMMAND}`,
      );
    }
    const { binding, isUsingGpuDevice } = tf.findBackend("tensorflow") as unknown as {
      binding: { TF_Version: string };
      isUsingGpuDevice: boolean;
    };
    return {
      device: isUsingGpuDevice ? await nvidiaName() : processor(),
      threads: isUsingGpuDevice ? undefined : threads(),
      versions: {
        package: packageVersion("@tensorflow/tfjs-node-gpu"),
        tensorflow: binding.TF_Version,
      },
    };
  },

  async webgpu({ software }) {
    const adapter = await navigator.gpu?.requestAdapter({ powerPreference: "high-performance" });
    if (!adapter) {
      throw new Unavailable("Deno finds no graphics card with a Vulkan or Metal driver");
    }
    const { description, vendor, isFallbackAdapter } = adapter.info;
    const device = description || vendor || "unknown graphics card";
    const emulated = isFallbackAdapter || /llvmpipe|lavapipe|swiftshader|software/i.test(device);
    if (emulated && !software) throw new Unavailable(`its only adapter is a processor (${device})`);
    await import("@tensorflow/tfjs-backend-webgpu");
    registerMissingKernels("webgpu");
    watchWebGpu();
    return { device, versions: { package: packageVersion("@tensorflow/tfjs-backend-webgpu") } };
  },

  async wasm() {
    const name = "@tensorflow/tfjs-backend-wasm";
    const { setWasmPaths } = await import("@tensorflow/tfjs-backend-wasm");
    if (!opened.has("wasm")) setWasmPaths(`${dirname(require.resolve(name))}/`);
    registerMissingKernels("wasm");
    return { device: processor(), threads: 1, versions: { package: packageVersion(name) } };
  },

  cpu() {
    registerMissingKernels("cpu");
    // It would print an advertisement for tfjs-node.
    (tf.findBackend("cpu") as { firstUse?: boolean } | null ?? {}).firstUse = false;
    const versions = { package: `@tensorflow/tfjs-backend-cpu ${tf.version["tfjs-backend-cpu"]}` };
    return Promise.resolve({ device: processor(), threads: 1, versions });
  },
};

class Unavailable extends Error {
  constructor(reason: string, readonly mend?: string) {
    super(reason);
  }
}

function passedOver(name: BackendName, error: unknown): PassedOver {
  const reason = error instanceof Error ? error.message : String(error);
  return { name, reason, ...(error instanceof Unavailable && error.mend && { mend: error.mend }) };
}

/** Asks for no adapter: that could keep TensorFlow from loading later. */
function whatWorks(): string {
  const native = nativeState().ready ? "tensorflow" : `tensorflow after ${INSTALL_COMMAND}`;
  return `available here: wasm, cpu, ${native}, webgpu where Deno finds a graphics card`;
}

/** Whether a Mesa driver brought its LLVM into this process; opening TensorFlow then would crash. */
function loadsMesa(): boolean {
  if (Deno.build.os !== "linux") return false;
  try {
    return /libLLVM/.test(Deno.readTextFileSync("/proc/self/maps"));
  } catch {
    return false;
  }
}

function isBackendName(name: string): name is BackendName {
  return (BACKEND_NAMES as readonly string[]).includes(name);
}

function setDefault(name: string, value: string): void {
  if (!Deno.env.has(name)) Deno.env.set(name, value);
}

const require = createRequire(import.meta.url);

function packageVersion(name: string): string {
  return `${name} ${require(`${name}/package.json`).version}`;
}

function processor(): string {
  return os.cpus()[0]?.model?.trim() || Deno.build.arch;
}

function threads(): number {
  return Number(Deno.env.get("TF_NUM_INTRAOP_THREADS")) || navigator.hardwareConcurrency;
}

async function nvidiaName(): Promise<string> {
  const { ok, output } = await run(["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]);
  return ok && output.trim() ? output.trim().split("\n")[0] : "NVIDIA GPU";
}
