/**
 * Installs the native TensorFlow: the C library out of a Python wheel, and the Node addon of
 * `@tensorflow/tfjs-node-gpu`, compiled against it. It lies in `.native/tensorflow-VERSION-KIND`
 * at the root of the repository; the npm package gets a link to the addon, which finds the library
 * beside itself, so that moving the repository or making node_modules anew breaks nothing.
 */
import { accessSync, constants, readdirSync, statfsSync, statSync } from "node:fs";
import { rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, isAbsolute, join, relative, resolve } from "node:path";
import process from "node:process";
import { ROOT } from "../cache.ts";
import { type Stoppable, stoppable } from "../interrupt.ts";
import { filesBelow } from "./below.ts";
import { run, toolCommand } from "./_command.ts";
import { ADDON, addonDigest, compileAddon } from "./_addon.ts";
import { Blocked, fetchWheel, findPip, megabytes, type Python, steps } from "./_wheels.ts";
import { nvidiaCard } from "./nvidia.ts";
import type { NativeKind, NativePlatform } from "./pinned.ts";
import { DENO_COMMAND, INSTALL_COMMAND, NATIVE_PLATFORMS, TENSORFLOW_VERSION } from "./pinned.ts";

export type NativeState =
  | { ready: true; kind: NativeKind; folder: string; addon: string }
  | { ready: false; reason: string; mend: string };

type Ready = NativeState & { ready: true };

export interface NativeOptions {
  /** The npm package that loads the addon. Default: this repository's tfjs-node-gpu. */
  package?: string;
  /** False never downloads. Default: true, unless `SELF_ALIGNING_OFFLINE` is set. */
  download?: boolean;
  /** Tries at once what failed within the last ten minutes. Default: false. */
  retry?: boolean;
  /** Called with a line on each step. Default: prints to stderr. */
  progress?: (line: string) => void;
  /** Default: the pinned wheels of this machine's platform. */
  platform?: NativePlatform;
}

interface Stamp {
  version: string;
  kind: NativeKind;
  platform: string;
  wheels: string[];
  /** `addonDigest` of what the addon was built from, once it is built. */
  source?: string;
  /** Sizes of the libraries, the headers and the addon, by path. */
  files: Record<string, number>;
}

const STAMP = "installed.json";
/** One of the headers that the addon needs, which installations of other versions may lack. */
const HEADER = "tensorflow/include/tensorflow/c/c_api.h";
const FAILURE_MINUTES = 10;
const PLATFORM = `${Deno.build.os}-${Deno.build.arch}`;

/**
 * Makes the native library ready to import: at once when it is installed, else by installing it.
 * What stands in the way is returned, never thrown, so that a run can go on without it.
 * @throws `Interrupted` where it is stopped; nothing is left then
 */
export async function installNative(options: NativeOptions = {}): Promise<NativeState> {
  const work = {
    what: () => "the installation of TensorFlow",
    then: "run it again; SELF_ALIGNING_OFFLINE=1 goes on without it",
  };
  return await stoppable(work, async (signal) => {
    try {
      const state = await ready({
        ...options,
        progress: options.progress ?? console.error,
        signal,
      });
      placeAddon(state.addon, options.package);
      return state;
    } catch (error) {
      signal?.throwIfAborted();
      const text = error instanceof Error ? error.message : String(error);
      const reason = error instanceof Blocked ? text : `installing it failed: ${text}`;
      const mend = error instanceof Blocked && error.mend || INSTALL_COMMAND;
      return { ready: false, reason, mend };
    }
  });
}

/** What is installed now, without changing anything. */
export function nativeState(): NativeState {
  const folder = nativeFolder();
  for (const kind of ["cuda", "cpu"] as const) {
    const home = homeOf(folder, kind);
    if (isWhole(home)) return { ready: true, kind, folder: home, addon: join(home, ADDON) };
  }
  return { ready: false, reason: notInstalled(folder), mend: INSTALL_COMMAND };
}

/** Where node-pre-gyp, which tfjs-node uses, looks for the addon of the NAPI version that it is compiled for. */
export function addonPlace(packageFolder = tfjsPackage()): string {
  return join(packageFolder, "lib", "napi-v8", "tfjs_binding.node");
}

type Installing = NativeOptions & Stoppable & { progress: (line: string) => void };

async function ready(options: Installing): Promise<Ready> {
  const found = nativeState();
  // The CUDA build also runs on a CPU: with it in place nobody needs to look for a GPU.
  if (found.ready && found.kind === "cuda") return found;

  const platform = options.platform ?? NATIVE_PLATFORMS[PLATFORM];
  if (platform === undefined) {
    throw new Blocked(
      `there is no TensorFlow ${TENSORFLOW_VERSION} wheel that this project can use on ${PLATFORM}`,
      Deno.build.os === "windows" ? "run in WSL 2" : "run on Linux, or on a Mac with Apple silicon",
    );
  }
  const kind = platform.kinds.cuda && await nvidiaCard() ? "cuda" : "cpu";
  if (found.ready && found.kind === kind) return found;
  try {
    return await install(kind, platform, options);
  } catch (error) {
    if (!found.ready || options.signal?.aborted) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    options.progress(
      `TensorFlow's ${kind} build is not used: ${reason}; going on with the one for the CPU`,
    );
    return found;
  }
}

/** Fetches the libraries where they are not there already, and compiles the addon against them. */
async function install(
  kind: NativeKind,
  platform: NativePlatform,
  options: Installing,
): Promise<Ready> {
  const { progress, signal } = options;
  const folder = nativeFolder(), home = homeOf(folder, kind);
  refuseOffline(folder, options.download);
  if (!options.retry) recall(folder);
  const python = await findPip();
  if (python === undefined) {
    throw new Blocked(
      "fetching it needs Python 3 with pip (or uv), and none was found on the PATH",
      toolCommand("python3-pip", "Python 3 with pip, or uv (https://docs.astral.sh/uv)"),
    );
  }
  const packageFolder = options.package ?? tfjsPackage();
  try {
    accessSync(packageFolder, constants.W_OK);
  } catch {
    throw new Blocked(
      `it is not installed, and ${packageFolder}, which needs a link to it, can't be written to`,
      `let its owner run ${INSTALL_COMMAND}`,
    );
  }

  await Deno.mkdir(folder, { recursive: true });
  // The system frees this lock when its holder ends, however it ends: none goes stale.
  using lock = await Deno.open(join(folder, "install.lock"), { write: true, create: true });
  if (!await lock.tryLock(true)) {
    progress(`Waiting for another process that installs TensorFlow in ${folder}`);
    await lock.lock(true);
  }
  const meanwhile = nativeState();
  if (meanwhile.ready && meanwhile.kind === kind) return meanwhile;
  let stamp = stampOf(home);
  const isFetched = stamp !== undefined && HEADER in stamp.files;
  if (!isFetched) requireRoom(folder, platform.kinds[kind]!.diskBytes);
  try {
    if (!isFetched) stamp = await fetchLibraries(home, kind, python, platform, options);
    await compileAddon(python, platform, { home, packageFolder, progress, signal });
  } catch (error) {
    if (error instanceof Blocked) await remember(folder, error);
    throw error;
  }
  const files = { ...stamp!.files, [ADDON]: sizeOf(home, ADDON)! };
  await writeStamp(home, { ...stamp!, source: addonDigest(), files });
  await rm(join(folder, "failure.json"), { force: true });
  progress(`${nameOf(kind)} is installed`);
  return { ready: true, kind, folder: home, addon: join(home, ADDON) };
}

/** @throws `Blocked` where nothing may be downloaded */
function refuseOffline(folder: string, download: boolean | undefined): void {
  const isOffline = !["", "0"].includes(Deno.env.get("SELF_ALIGNING_OFFLINE") ?? "");
  if (download ?? !isOffline) return;
  const why = download === false ? "" : " and SELF_ALIGNING_OFFLINE forbids to fetch it";
  throw new Blocked(
    `${notInstalled(folder)}${why}`,
    `${why ? "SELF_ALIGNING_OFFLINE=0 " : ""}${INSTALL_COMMAND}`,
  );
}

/** @throws `Blocked` where a disk has too little room */
function requireRoom(folder: string, bytes: number): void {
  const { bavail, bsize } = statfsSync(folder), free = bavail * bsize;
  if (free >= bytes) return;
  throw new Blocked(
    `it needs ${gigabytes(bytes)} of disk and ${folder} has ${gigabytes(free)} free`,
    `free some space, or set SELF_ALIGNING_NATIVE to a folder on a larger disk, then ${INSTALL_COMMAND}`,
  );
}

/** Lays the wheels' libraries and headers into `home`, whole or not at all. */
async function fetchLibraries(
  home: string,
  kind: NativeKind,
  python: Python,
  { kinds, tags }: NativePlatform,
  { progress, signal }: Installing,
): Promise<Stamp> {
  const folder = dirname(home), { wheels } = kinds[kind]!, name = nameOf(kind);
  // What killed installations left; a download that still runs into it may keep a little.
  for (const name of readdirSync(folder).filter((name) => name.startsWith("partial-"))) {
    await Deno.remove(join(folder, name), { recursive: true }).catch(() => {});
  }
  const total = wheels.reduce((sum, wheel) => sum + wheel.bytes, 0);
  progress(`Installing ${name} in ${folder}, once: ${megabytes(total)} to download`);
  const partial = join(folder, `partial-${crypto.randomUUID()}`);
  try {
    let before = 0;
    const share = steps((percent) => progress(`${name}: ${percent} % downloaded`));
    for (const wheel of wheels) {
      await fetchWheel(python, wheel, {
        folder: partial,
        tags,
        progress: (part) => share((before + part * wheel.bytes) / total),
        signal,
      });
      before += wheel.bytes;
    }
    await dropUnused(join(partial, "tensorflow"));
    const stamp: Stamp = {
      version: TENSORFLOW_VERSION,
      kind,
      platform: PLATFORM,
      wheels: wheels.map(({ requirement, sha256 }) => `${requirement} sha256:${sha256}`),
      files: Object.fromEntries(
        [...filesBelow(partial)].filter(([path]) => /\.(so(\.\d+)*|dylib|h)$/.test(path)),
      ),
    };
    await writeStamp(partial, stamp);
    await rm(home, { recursive: true, force: true });
    await Deno.rename(partial, home);
    return stamp;
  } finally {
    await Deno.remove(partial, { recursive: true }).catch(() => {});
  }
}

/** Frees 450 MB: symbols that only a debugger reads, and other systems' ONNX runtimes. */
async function dropUnused(tensorflow: string): Promise<void> {
  if (Deno.build.os === "linux") {
    const libraries = ["cc", "framework"].map((name) =>
      join(tensorflow, `libtensorflow_${name}.so.2`)
    );
    await run(["strip", "--strip-unneeded", ...libraries]); // where there is no strip, they stay
  }
  const from = createRequire(createRequire(import.meta.url).resolve("@huggingface/transformers"));
  const runtimes = join(dirname(from.resolve("onnxruntime-node")), "..", "bin");
  for (const name of [...filesBelow(runtimes).keys()]) {
    const [, os, processor] = name.split("/");
    if (os === process.platform && processor === process.arch) continue;
    await Deno.remove(join(runtimes, name)).catch(() => {});
  }
}

/** Links the addon where the npm package looks for it; the loader resolves the link. */
function placeAddon(addon: string, packageFolder = tfjsPackage()): void {
  const place = addonPlace(packageFolder);
  try {
    if (Deno.realPathSync(place) === Deno.realPathSync(addon)) return;
  } catch { /* nothing there yet, or a link to nothing */ }
  Deno.mkdirSync(dirname(place), { recursive: true });
  const real = Deno.realPathSync(addon), way = relative(Deno.realPathSync(ROOT), real);
  // Relative within the repository, so that it can be moved whole.
  const isOutside = way.startsWith("..") || isAbsolute(way);
  const target = isOutside ? real : relative(Deno.realPathSync(dirname(place)), real);
  const partial = `${place}.${crypto.randomUUID()}.partial`;
  Deno.symlinkSync(target, partial);
  Deno.renameSync(partial, place);
}

/** Whether an installation is there, complete, and of this version of the project. */
function isWhole(home: string): boolean {
  const stamp = stampOf(home);
  return stamp?.source === addonDigest() && stamp.files[ADDON] === sizeOf(home, ADDON);
}

/** The stamp of an installation of this TensorFlow that is complete but for the addon, if that. */
function stampOf(home: string): Stamp | undefined {
  let stamp: Stamp;
  try {
    stamp = JSON.parse(Deno.readTextFileSync(join(home, STAMP)));
  } catch {
    return undefined;
  }
  const isWhole = stamp.version === TENSORFLOW_VERSION && stamp.platform === PLATFORM &&
    Object.entries(stamp.files).every(([path, size]) =>
      path === ADDON || sizeOf(home, path) === size
    );
  return isWhole ? stamp : undefined;
}

const sizeOf = (home: string, path: string): number | undefined =>
  statSync(join(home, path), { throwIfNoEntry: false })?.size;

async function writeStamp(home: string, stamp: Stamp): Promise<void> {
  const partial = join(home, `${STAMP}.partial`);
  await Deno.writeTextFile(partial, JSON.stringify(stamp, null, 1) + "\n");
  await Deno.rename(partial, join(home, STAMP));
}

/** Several notebooks in a row need not each wait for a network that is not there. */
async function remember(folder: string, failure: Blocked): Promise<void> {
  const record = { at: Date.now(), reason: failure.message, mend: failure.mend };
  const path = join(folder, "failure.json"); // one that is cut short is none
  await Deno.writeTextFile(path, JSON.stringify(record)).catch(() => {});
}

/** @throws what failed here within the last ten minutes. */
function recall(folder: string): void {
  let failure: { at: number; reason: string; mend: string };
  try {
    failure = JSON.parse(Deno.readTextFileSync(join(folder, "failure.json")));
  } catch {
    return;
  }
  const minutes = (Date.now() - failure.at) / 60_000;
  if (!(minutes >= 0 && minutes < FAILURE_MINUTES)) return;
  throw new Blocked(`${failure.reason} (tried ${Math.round(minutes)} min ago)`, failure.mend);
}

/** Where it lies: `SELF_ALIGNING_NATIVE`, or `.native` at the repository's root. */
const nativeFolder = () => resolve(Deno.env.get("SELF_ALIGNING_NATIVE") || join(ROOT, ".native"));

const notInstalled = (folder: string) =>
  `the build for this version of the project is not installed in ${folder}`;

const homeOf = (folder: string, kind: NativeKind) =>
  join(folder, `tensorflow-${TENSORFLOW_VERSION}-${kind}`);

const require = createRequire(import.meta.url);

function tfjsPackage(): string {
  try {
    return dirname(require.resolve("@tensorflow/tfjs-node-gpu/package.json"));
  } catch {
    throw new Blocked("the npm packages are not installed", `${DENO_COMMAND} install`);
  }
}

const nameOf = (kind: NativeKind) => `TensorFlow ${TENSORFLOW_VERSION} (${kind})`;

const gigabytes = (bytes: number) => `${(bytes / 1e9).toFixed(1)} GB`;
