/** What this machine has for the project: backend, processor, tools, models, and what is missing. */
import { statfsSync } from "node:fs";
import os from "node:os";
import { join } from "node:path";
import { cacheFolder } from "../platform/cache.ts";
import { findCompiler } from "../platform/native/_compiler.ts";
import { run } from "../platform/native/_command.ts";
import { findPip } from "../platform/native/_wheels.ts";
import type { Backend, BackendName, PassedOver } from "../platform/runtime/backend.ts";
import { measuredText, measureStep } from "../platform/runtime/backend_choice.ts";
import { type NativeState, nativeState, ROOT } from "../platform/native/native.ts";
import { nvidiaCard } from "../platform/native/nvidia.ts";
import { DENO_COMMAND, INSTALL_COMMAND, PINNED_DENO } from "../platform/native/pinned.ts";
import { PRECISION_VARIABLE, WrongPrecision } from "../platform/runtime/precision.ts";

/** A file or folder at hand. */
export interface Holding {
  name: string;
  bytes: number;
  /** What it lacks, if anything. */
  lacks?: string[];
}

export interface Missing {
  what: string;
  /** The command that mends it. */
  mend: string;
}

export interface DoctorReport {
  /** False only when the project cannot run at all. */
  works: boolean;
  deno: { version: string; pinned: string };
  machine: {
    system: string;
    processor: string;
    cores: number;
    memoryBytes: number;
    availableMemoryBytes: number;
    freeDiskBytes: number;
    nvidiaGpu?: string;
    /** Why TensorFlow's build for the card leaves it alone, in its own words. */
    gpuUnused?: string;
  };
  /** The backend that a run takes now, without installing anything. */
  backend?: Omit<Backend, "passedOver">;
  passedOver: PassedOver[];
  native: NativeState;
  tools: { python?: string; compiler?: string };
  organisms: Holding[];
  models: Holding[];
  data: Holding[];
  missing: Missing[];
}

export interface DoctorOptions {
  /** The repository. Default: this one. */
  root?: string;
}

/** Looks at everything and changes nothing. */
export async function examine({ root = ROOT }: DoctorOptions = {}): Promise<DoctorReport> {
  const memory = Deno.systemMemoryInfo();
  const disk = statfsSync(root);
  const nvidiaGpu = await findGpu(); // before a backend hides it from this process
  const [backend, tools] = await Promise.all([openOne(), findTools()]);
  const native = nativeState();
  const data = join(root, "data");
  const report: DoctorReport = {
    works: backend.backend !== undefined,
    deno: { version: Deno.version.deno, pinned: PINNED_DENO },
    machine: {
      system: `${os.type()} ${os.release()} ${Deno.build.arch}`,
      processor: os.cpus()[0]?.model?.trim() || Deno.build.arch,
      cores: navigator.hardwareConcurrency,
      memoryBytes: memory.total,
      availableMemoryBytes: memory.available,
      freeDiskBytes: disk.bavail * disk.bsize,
      nvidiaGpu,
      gpuUnused: nvidiaGpu && native.ready && native.kind === "cuda"
        ? await whyUnused(backend.backend)
        : undefined,
    },
    ...backend,
    native,
    tools,
    organisms: holdings(join(data, "organisms"), ORGANISM_FILES),
    models: holdings(root === ROOT ? cacheFolder("models") : join(root, ".cache", "models")),
    data: holdings(data).filter(({ name }) => name !== "organisms"),
    missing: [],
  };
  report.missing = findMissing(report);
  return report;
}

/** The report for a person, a line each. */
export function reportText(report: DoctorReport): string {
  const { machine, backend, native, tools } = report;
  const list = (all: Holding[]) =>
    all.map(({ name, bytes, lacks }) =>
      `${name} (${lacks ? `lacks ${lacks.join(", ")}` : size(bytes)})`
    ).join(", ") || "none";
  const lines = [
    ["backend", backend ? `${backend.name} on ${describe(backend)}` : "none works"],
    ["", backend?.measured ? `a training step: ${measuredText(backend.measured)}` : ""],
    ...report.passedOver.map(({ name, reason }) => ["", `not ${name}: ${reason}`]),
    ["versions", backend ? versions(backend) : ""],
    ["processor", `${machine.processor}, ${machine.cores} cores, ${machine.system}`],
    ["graphics card", machine.nvidiaGpu ?? "no NVIDIA card"],
    ["", machine.gpuUnused ? `not used by TensorFlow: ${machine.gpuUnused}` : ""],
    ["memory", `${size(machine.availableMemoryBytes)} available of ${size(machine.memoryBytes)}`],
    ["disk", `${size(machine.freeDiskBytes)} free`],
    ["deno", `${report.deno.version} (tested with ${report.deno.pinned})`],
    ["tensorflow", native.ready ? `${native.kind} build in ${native.folder}` : native.reason],
    ["python", tools.python ?? "none with pip"],
    ["compiler", tools.compiler ?? "none; ziglang is downloaded where one is needed"],
    ["organisms", list(report.organisms)],
    ["cached models", list(report.models)],
    ["data", list(report.data)],
  ].filter(([, text]) => text !== "").map(([name, text]) => `${name.padEnd(15)}${text}`);
  lines.push("");
  if (report.missing.length === 0) lines.push("Nothing is missing.");
  for (const { what, mend } of report.missing) lines.push(`Missing: ${what}`, `  mend it: ${mend}`);
  if (!report.works) lines.push("The project cannot run here: no backend works.");
  return lines.join("\n");
}

const ORGANISM_FILES = ["config.json", "tokenizer.json", "model.safetensors"];

/** Opens the backend, whose packages may be absent, so they are imported only here. */
async function openOne(): Promise<
  { backend?: Omit<Backend, "passedOver">; passedOver: PassedOver[] }
> {
  try {
    const { openBackend } = await import("../platform/runtime/backend.ts");
    const { passedOver, ...backend } = await openBackend(undefined, {
      install: false,
      progress: () => {},
    });
    return { backend, passedOver };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    const forced = Deno.env.get("SELF_ALIGNING_BACKEND");
    const variable = error instanceof WrongPrecision
      ? PRECISION_VARIABLE
      : forced && "SELF_ALIGNING_BACKEND";
    const mend = variable ? `unset ${variable}` : `${DENO_COMMAND} install`;
    return { passedOver: [{ name: (forced || "tensorflow") as BackendName, reason, mend }] };
  }
}

async function findTools(): Promise<DoctorReport["tools"]> {
  const scratch = await Deno.makeTempDir();
  try {
    const python = await findPip();
    const compiler = await findCompiler(scratch);
    return {
      python: python && (await firstLine([...python.pip, "--version"])),
      compiler: compiler && (await firstLine([...compiler.command, "--version"])),
    };
  } finally {
    await Deno.remove(scratch, { recursive: true });
  }
}

async function findGpu(): Promise<string | undefined> {
  const card = await nvidiaCard();
  return card && [card.name, card.memory, card.driver].filter((text) => text).join(", ");
}

/** Undefined where the card is used, or could be and the processor is faster. */
async function whyUnused(
  backend: Omit<Backend, "passedOver"> | undefined,
): Promise<string | undefined> {
  const measured = backend?.measured?.find(({ candidate }) => candidate === "cuda");
  if (backend?.name === "tensorflow" && backend.threads === undefined) return undefined;
  const outcome = measured ?? await measureStep("cuda");
  return "reason" in outcome ? outcome.reason : undefined;
}

async function firstLine(command: string[]): Promise<string> {
  const { ok, output } = await run(command);
  return ok ? output.split("\n")[0].trim() : command[0];
}

function findMissing(report: DoctorReport): Missing[] {
  const { native, deno, machine, organisms, passedOver, backend } = report;
  const missing: Missing[] = [];
  if (deno.version !== deno.pinned) {
    missing.push({
      what: `Deno ${deno.pinned} (this is ${deno.version}; notebooks may lose output)`,
      mend: `start tasks with ${DENO_COMMAND} task`,
    });
  }
  for (const { name, reason, mend } of passedOver) {
    if (mend) missing.push({ what: `backend ${name}: ${reason}`, mend });
  }
  if (
    native.ready && native.kind === "cpu" && machine.nvidiaGpu && backend?.name === "tensorflow"
  ) {
    missing.push({
      what: "TensorFlow for the NVIDIA card (the one for the processor is installed)",
      mend: INSTALL_COMMAND,
    });
  }
  if (machine.gpuUnused) {
    missing.push({
      what: `the NVIDIA card's use: TensorFlow's build for it is installed and computes on the ` +
        `processor (${machine.gpuUnused})`,
      mend:
        "nvidia-smi shows whether the driver works; TensorFlow needs one for CUDA 12 or later, and " +
        "in a container the card passed into it (docker run --gpus all)",
    });
  }
  if (native.ready && native.outdated && native.kind === "cuda") {
    missing.push({
      what:
        "TensorFlow's addon as it is built now: this one reloads a card's session for every shape",
      mend: INSTALL_COMMAND,
    });
  }
  const broken = organisms.filter(({ lacks }) => lacks);
  if (organisms.length === 0 || broken.length > 0) {
    const names = broken.map(({ name, lacks }) => `${name} lacks ${lacks!.join(", ")}`).join("; ");
    missing.push({
      what: names ? `organisms: ${names}` : "organisms: none in data/organisms",
      mend: `git checkout -- data/organisms, or ${DENO_COMMAND} task pretrain`,
    });
  }
  if (machine.freeDiskBytes < 2e9) {
    missing.push({
      what: `disk: ${size(machine.freeDiskBytes)} free, 2 GB are needed`,
      mend: "free some space; .cache/ and .native/ can be deleted and are made again when needed",
    });
  }
  return missing;
}

/**
 * The visible entries of a folder, with their sizes; none when there is no such folder. A folder that
 * holds none of the expected files but folders that do stands for these: they are listed as NAME/NAME.
 */
function holdings(folder: string, expected: string[] = []): Holding[] {
  return entriesOf(folder)
    .filter(({ isDirectory }) => expected.length === 0 || isDirectory)
    .flatMap(({ name }): Holding[] => {
      const path = join(folder, name);
      const lacks = expected.filter((file) => bytesOf(join(path, file)) === 0);
      if (lacks.length > 0 && lacks.length === expected.length) {
        const shelved = holdings(path, expected);
        if (shelved.some(({ lacks }) => (lacks?.length ?? 0) < expected.length)) {
          return shelved.map((one) => ({ ...one, name: `${name}/${one.name}` }));
        }
      }
      return [{ name, bytes: bytesOf(path), ...(lacks.length > 0 && { lacks }) }];
    })
    .sort((a, b) => a.name < b.name ? -1 : 1);
}

function entriesOf(folder: string): Deno.DirEntry[] {
  try {
    return [...Deno.readDirSync(folder)].filter(({ name }) => !name.startsWith("."));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}

function bytesOf(path: string): number {
  try {
    const { isDirectory, size } = Deno.statSync(path);
    if (!isDirectory) return size;
    return [...Deno.readDirSync(path)].reduce(
      (sum, { name }) => sum + bytesOf(join(path, name)),
      0,
    );
  } catch {
    return 0;
  }
}

function describe({ device, threads }: Omit<Backend, "passedOver">): string {
  return threads === undefined ? device : `${device}, ${threads} thread${threads > 1 ? "s" : ""}`;
}

function versions({ versions }: Omit<Backend, "passedOver">): string {
  const native = versions.tensorflow ? `, TensorFlow ${versions.tensorflow}` : "";
  return `TensorFlow.js ${versions.tfjs}, ${versions.package}${native}`;
}

function size(bytes: number): string {
  const unit = bytes >= 1e9 ? 1e9 : bytes >= 1e6 ? 1e6 : 1e3;
  const name = unit === 1e9 ? "GB" : unit === 1e6 ? "MB" : "kB";
  return `${(bytes / unit).toFixed(bytes / unit < 10 ? 1 : 0)} ${name}`;
}
