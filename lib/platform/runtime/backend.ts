/**
 * Where the arithmetic runs: native TensorFlow (CPU or CUDA), WebGPU, WebAssembly, plain
 * JavaScript, the first of these that works. Chosen once per process.
 */
import { dirname, join } from "node:path";
import { createRequire } from "node:module";
import os from "node:os";
import * as tf from "@tensorflow/tfjs";
import { registerMissingKernels } from "./_kernels.ts";
import { selfTest } from "./_self_test.ts";
import { withQuietStderr } from "../native/_stderr.ts";
import { cacheFolder } from "../cache.ts";
import { Interrupted } from "../interrupt.ts";
import { watchWebGpu } from "./_webgpu.ts";
import { fasterOf, measuredText } from "./backend_choice.ts";
import type { Candidate, Choice, Measured, StepShape } from "./backend_choice.ts";
import { Blocked } from "../native/_wheels.ts";
import { installNative, nativeState } from "../native/native.ts";
import { TENSORFLOW_VERSION } from "../native/pinned.ts";
import { exists } from "./files.ts";
import "./free_memory.ts";
import { xlaCacheFlags, xlaFlags } from "../compile/xla.ts";
import { type NodeBackend, usesCard } from "../compile/backend.ts";
import { attachSessions } from "../compile/compile.ts";
import { Session } from "../compile/session.ts";
import { type NvidiaCard, nvidiaCard } from "../native/nvidia.ts";
import { DENO_COMMAND, INSTALL_COMMAND } from "../native/pinned.ts";
import { type Precision, refuseTf32, wantedPrecision, WrongPrecision } from "./precision.ts";

export type BackendName = "tensorflow" | "webgpu" | "wasm" | "cpu";

/** In the order of preference. */
export const BACKEND_NAMES: readonly BackendName[] = ["tensorflow", "webgpu", "wasm", "cpu"];

export interface Backend {
  name: BackendName;
  /** The model of the processor or of the graphics card; `, TF32` after a card that uses it. */
  device: string;
  precision: Precision;
  /** Steps that decided between a card and the processor, where both could be taken. */
  measured?: Measured[];
  /** Threads of one operation, where it is known. */
  threads?: number;
  /** Versions of Deno, of TensorFlow.js, of the backend's package, of native TensorFlow. */
  versions: { deno: string; tfjs: string; package: string; tensorflow?: string };
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
  /** Of the model that is to be computed, where one is known: steps of its shape decide. */
  shape?: StepShape;
}

/**
 * Opens a backend and makes it the one that `@tensorflow/tfjs` computes with. Each must first give a
 * known product, known gradients and a known training step; one that fails is passed over. `name` asks
 * for one; without it `SELF_ALIGNING_BACKEND` does; without both the open backend stays, or the best that
 * works is opened: TensorFlow first; its card or its processor, WebGPU or WebAssembly by a measured step.
 * `tensorflow` asked for takes the card unless it is hidden (`CUDA_VISIBLE_DEVICES=-1`).
 * @throws when the backend asked for is unknown or does not work here, or `SELF_ALIGNING_PRECISION` is
 *   not what it computes in.
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
  const precision = wantedPrecision();
  if (name === undefined && current) return inPrecision(current, precision);
  const asked = name ?? Deno.env.get("SELF_ALIGNING_BACKEND") ?? "";
  if (asked === "" && precision === "float32") return await best(options);
  // What other backends can't do need not be tried there.
  const wanted = BACKEND_NAMES.find((one) => one === (asked || "tensorflow"));
  if (wanted === undefined) {
    throw new Error(
      `Cannot open backend "${asked}": expected one of ${BACKEND_NAMES.join(", ")}; ` +
        `${whatWorks()}; set SELF_ALIGNING_BACKEND to one of them or leave it empty`,
    );
  }
  if (precision === "tf32" && wanted !== "tensorflow") refuseTf32(wanted);
  const before = current;
  try {
    return inPrecision(await open(wanted, { ...options, forced: true }), precision);
  } catch (error) {
    if (before) {
      await tf.setBackend(before.name);
      current = before;
    }
    if (error instanceof WrongPrecision || error instanceof Interrupted) throw error;
    const { reason, mend } = passedOver(wanted, error);
    throw new Error(
      `Cannot open backend "${wanted}": expected it to work here, but ${reason}; ` +
        `${whatWorks()}; ${mend ? `to mend it: ${mend}` : "choose another"}`,
    );
  }
}

function inPrecision(backend: Backend, wanted: Precision): Backend {
  if (backend.precision === wanted) return backend;
  if (!usesCard()) refuseTf32(`${backend.name} on ${backend.device}`);
  throw new WrongPrecision(
    `Cannot compute in ${wanted}: expected TensorFlow to be opened in it; found it open in ` +
      `${backend.precision}, which stays for this process; start another`,
  );
}

async function best(options: BackendOptions): Promise<Backend> {
  const failed: PassedOver[] = [];
  for (const name of BACKEND_NAMES) {
    try {
      const backend = await open(name, options);
      backend.passedOver = failed;
      const native = failed.find((one) => one.name === "tensorflow");
      if (native) {
        const mend = native.mend ? ` To mend it: ${native.mend}` : "";
        (options.progress ?? console.error)(
          `Native TensorFlow is not used: ${native.reason}. ` +
            `Going on with ${name}: ${costs[name]}.${mend}`,
        );
      }
      return backend;
    } catch (error) {
      if (error instanceof Interrupted) throw error;
      failed.push(passedOver(name, error));
    }
  }
  const reasons = failed.map(({ name, reason }) => `${name}: ${reason}`).join("; ");
  throw new Error(`Cannot open a backend: expected one that works, found none (${reasons})`);
}

const costs: Record<BackendName, string> = {
  tensorflow: "",
  webgpu: "small models train slower there",
  wasm: "training takes 10 (small models) to 40 times as long",
  cpu: "training takes over 100 times as long",
};

async function open(name: BackendName, options: OpenOptions): Promise<Backend> {
  let backend = opened.get(name);
  const about = backend ?? await prepare[name](options);
  if (!await tf.setBackend(name)) throw new Error("TensorFlow.js could not start it");
  if (backend === undefined) {
    await selfTest();
    const versions = { deno: Deno.version.deno, tfjs: tf.version.tfjs, ...about.versions };
    backend = { name, precision: "float32", ...about, versions, passedOver: [] };
    opened.set(name, backend);
  }
  return current = backend;
}

type OpenOptions = BackendOptions & {
  /** It was asked for: nothing is measured, and WebGPU may be emulated. */
  forced?: boolean;
};

type About = Pick<Backend, "device" | "threads" | "measured"> & {
  precision?: Precision;
  versions: { package: string; tensorflow?: string };
};

/** What the library was loaded with; it reads it once. */
let loadedIn: Precision | undefined;

const prepare: Record<BackendName, (options: OpenOptions) => Promise<About>> = {
  async tensorflow(options) {
    const state = await installNative({ download: options.install, progress: options.progress });
    if (!state.ready) throw new Blocked(state.reason, state.mend);
    if (loadsMesa()) {
      throw new Blocked(
        "this process asked for WebGPU before, whose driver's LLVM would crash TensorFlow's",
        "open tensorflow first, or in a new process",
      );
    }
    // The build for CUDA computes on the processor too, where there is no card or it is slower.
    const card = state.kind === "cuda" ? await nvidiaCard() : undefined;
    const wanted = wantedPrecision();
    if (wanted === "tf32" && !((card?.computeCapability ?? 0) >= 8)) refuseTf32(cardText(card));
    const choice = card && wanted === "float32" && !options.forced
      ? await faster(["cuda", "processor"], [card.name, card.driver, TENSORFLOW_VERSION], options)
      : undefined;
    const hidesCard = choice?.candidate === "processor";
    setTensorFlow(wanted, { folder: state.folder, card, hidesCard });
    loadedIn ??= wanted;
    loadTensorFlow(state.folder);
    registerMissingKernels("tensorflow");
    attachSessions((...options) => new Session(...options));
    const { binding, isUsingGpuDevice } = tf.findBackend("tensorflow") as unknown as NodeBackend;
    if (wanted === "tf32" && !isUsingGpuDevice) {
      refuseTf32(`${cardText(card)}, which TensorFlow does not use (${DENO_COMMAND} task doctor)`);
    }
    if (card && !isUsingGpuDevice && !hidesCard) {
      (options.progress ?? console.error)(
        `TensorFlow computes on the processor and leaves ${card.name} alone; why: ` +
          `${DENO_COMMAND} task doctor`,
      );
    }
    const precision = isUsingGpuDevice ? loadedIn : "float32";
    return {
      device: isUsingGpuDevice
        ? `${cardText(card)}${precision === "tf32" ? ", TF32" : ""}`
        : processor(),
      precision,
      measured: choice?.measured,
      threads: isUsingGpuDevice ? undefined : threads(),
      versions: {
        package: packageVersion("@tensorflow/tfjs-node-gpu"),
        tensorflow: String(binding.TF_Version),
      },
    };
  },

  async webgpu({ forced, ...options }) {
    const adapter = await navigator.gpu?.requestAdapter({ powerPreference: "high-performance" });
    if (!adapter) throw new Blocked("Deno finds no graphics card with a Vulkan or Metal driver");
    const { description, vendor, isFallbackAdapter } = adapter.info;
    const device = description || vendor || "unknown graphics card";
    const emulated = isFallbackAdapter || /llvmpipe|lavapipe|swiftshader|software/i.test(device);
    if (emulated && !forced) throw new Blocked(`its only adapter is a processor (${device})`);
    const { candidate, measured } = forced
      ? { candidate: "webgpu" }
      : await faster(["webgpu", "wasm"], [device, vendor, adapter.info.device], options);
    if (candidate === "wasm") {
      throw new Blocked(`a training step was measured: ${measuredText(measured!)}`);
    }
    await import("@tensorflow/tfjs-backend-webgpu");
    registerMissingKernels("webgpu");
    watchWebGpu();
    const versions = { package: packageVersion("@tensorflow/tfjs-backend-webgpu") };
    return { device, measured, versions };
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

/** Sets what TensorFlow reads when its library loads, where nobody has set it. */
function setTensorFlow(
  precision: Precision,
  { folder, card, hidesCard }: { folder: string; card?: NvidiaCard; hidesCard: boolean },
): void {
  // For this process and those that it starts.
  if (hidesCard) Deno.env.set("CUDA_VISIBLE_DEVICES", "-1");
  // TensorFlow takes TF32 wherever a card has it, unless CUDA's libraries are told otherwise.
  if (precision === "float32") Deno.env.set("NVIDIA_TF32_OVERRIDE", "0");
  else Deno.env.delete("NVIDIA_TF32_OVERRIDE");
  const compiler = join(folder, "nvidia", "cuda_nvcc"); // comes with the build for CUDA
  const defaults = {
    TF_CPP_MIN_LOG_LEVEL: "3",
    // Sessions may differ in their threads (see compile/streams.ts).
    TF_OVERRIDE_GLOBAL_THREADPOOL: "1",
    // Several processes can share a card.
    TF_FORCE_GPU_ALLOW_GROWTH: "true",
    ...(card && {
      XLA_FLAGS: xlaFlags(compiler, precision === "float32"),
      TF_XLA_FLAGS: xlaCacheFlags(cacheFolder("xla")),
    }),
  };
  for (const [name, value] of Object.entries(defaults)) {
    if (!Deno.env.has(name)) Deno.env.set(name, value);
  }
}

/** Loads TensorFlow's library with its addon. @throws `Blocked` */
function loadTensorFlow(folder: string): void {
  // tfjs-node calls it; Node 23 and Deno no longer have it (tfjs issue 8609).
  require("node:util").isNullOrUndefined ??= (value: unknown) => value == null;
  const loaded = withQuietStderr(() => require("@tensorflow/tfjs-node-gpu"));
  if ("error" in loaded) {
    const said = loaded.said.trim().split("\n").at(-1);
    const message = loaded.error instanceof Error ? loaded.error.message : String(loaded.error);
    throw new Blocked(
      `its library cannot be loaded: ${message}${said ? ` (${said})` : ""}`,
      `rm -rf ${folder} && ${INSTALL_COMMAND}`,
    );
  }
  // Who sets the level lower wants to see what is logged.
  if (Deno.env.get("TF_CPP_MIN_LOG_LEVEL") !== "3" && loaded.said) console.error(loaded.said);
}

function passedOver(name: BackendName, error: unknown): PassedOver {
  const reason = error instanceof Error ? error.message : String(error);
  return { name, reason, ...(error instanceof Blocked && error.mend && { mend: error.mend }) };
}

/** Asks for no adapter: that could keep TensorFlow from loading later. */
function whatWorks(): string {
  const native = nativeState().ready ? "tensorflow" : `tensorflow after ${INSTALL_COMMAND}`;
  return `available here: wasm, cpu, ${native}, webgpu where Deno finds a graphics card`;
}

/** Whether a Mesa driver brought its LLVM into this process; opening TensorFlow then would crash. */
function loadsMesa(): boolean {
  const maps = "/proc/self/maps";
  return exists(maps) && /libLLVM/.test(Deno.readTextFileSync(maps));
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

const cardText = (card: NvidiaCard | undefined) => card?.name ?? "no NVIDIA card";

/** @param about the card, and what its times depend on */
function faster(
  candidates: [Candidate, Candidate],
  about: (string | undefined)[],
  { shape }: BackendOptions,
): Promise<Choice> {
  return fasterOf(candidates, { about: [...about, ...machine()], shape, folder: choices() });
}

/** What a choice by measured times depends on, and where it is kept. */
export const machine = () => [processor(), threads(), Deno.version.deno, tf.version.tfjs];
export const choices = () => cacheFolder("backend");

/** Processes that compute at once: one for a card, else one a core. Needs an open backend. */
export function processesAtOnce(): number {
  return usesCard() ? 1 : navigator.hardwareConcurrency;
}

/** The environment in which a process that this one starts takes the same backend. */
export function inheritedBackend(): Record<string, string> {
  return current === undefined ? {} : { SELF_ALIGNING_BACKEND: current.name };
}
