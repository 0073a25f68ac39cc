/**
 * `deno task doctor`: what this machine has for the project, what is missing, and the commands that mend
 * it; `--json` for programs. Ends with code 1 only when the project cannot run at all.
 */
import { statfsSync } from "node:fs";
import os from "node:os";
import { join } from "node:path";
import { cacheFolder } from "../platform/cache.ts";
import { bytesBelow } from "../platform/native/below.ts";
import { findCompiler } from "../platform/native/_compiler.ts";
import { run } from "../platform/native/_command.ts";
import { findPip } from "../platform/native/_wheels.ts";
import type { Backend, BackendName, PassedOver } from "../platform/runtime/backend.ts";
import { measuredText, measureStep } from "../platform/runtime/backend_choice.ts";
import { exists } from "../platform/runtime/files.ts";
import { formatBytes } from "../platform/runtime/memory.ts";
import { nativeState, ROOT } from "../platform/native/native.ts";
import { nvidiaCard } from "../platform/native/nvidia.ts";
import { DENO_COMMAND, INSTALL_COMMAND, PINNED_DENO } from "../platform/native/pinned.ts";
import { PRECISION_VARIABLE, WrongPrecision } from "../platform/runtime/precision.ts";
import { parseFlags, runTask } from "./command_line.ts";

/** A file or folder at hand. */
interface Holding {
  name: string;
  bytes: number;
  /** What it lacks, if anything. */
  lacks?: string[];
}

/** What is missing, and the command that mends it. */
interface Missing {
  what: string;
  mend: string;
}

/** The backend that a run takes now, without installing anything. */
type Found = Omit<Backend, "passedOver">;

export type DoctorReport = Awaited<ReturnType<typeof look>> & { missing: Missing[] };

/** Looks at everything and changes nothing. @param root the repository; default: this one */
export async function examine({ root = ROOT } = {}): Promise<DoctorReport> {
  const report = await look(root);
  return { ...report, missing: findMissing(report) };
}

async function look(root: string) {
  const memory = Deno.systemMemoryInfo(), disk = statfsSync(root);
  const card = await nvidiaCard(); // before a backend hides it from this process
  const nvidiaGpu = card && [card.name, card.memory, card.driver].filter((text) => text).join(", ");
  const [opened, tools] = await Promise.all([openOne(), findTools()]);
  const native = nativeState(), data = join(root, "data");
  return {
    /** False only when the project cannot run at all. */
    works: opened.backend !== undefined,
    deno: { version: Deno.version.deno, pinned: PINNED_DENO },
    machine: {
      system: `${os.type()} ${os.release()} ${Deno.build.arch}`,
      processor: os.cpus()[0]?.model?.trim() || Deno.build.arch,
      cores: navigator.hardwareConcurrency,
      memoryBytes: memory.total,
      availableMemoryBytes: memory.available,
      freeDiskBytes: disk.bavail * disk.bsize,
      nvidiaGpu,
      /** Why TensorFlow's build for the card leaves it alone, in its own words. */
      gpuUnused: nvidiaGpu && native.ready && native.kind === "cuda"
        ? await whyUnused(opened.backend)
        : undefined,
    },
    ...opened,
    native,
    tools,
    organisms: holdings(
      join(data, "organisms"),
      ["config.json", "tokenizer.json", "model.safetensors"],
    ),
    models: holdings(root === ROOT ? cacheFolder("models") : join(root, ".cache", "models")),
    exams: holdings(root === ROOT ? cacheFolder("data") : join(root, ".cache", "data")),
    data: holdings(data).filter(({ name }) => name !== "organisms"),
  };
}

/** The report for a person, a line each. */
export function reportText(report: DoctorReport): string {
  const { machine, backend, native, tools } = report;
  const list = (all: Holding[]) =>
    all.map(({ name, bytes, lacks }) =>
      `${name} (${lacks ? `lacks ${lacks.join(", ")}` : formatBytes(bytes)})`
    ).join(", ") || "none";
  const memory = [machine.availableMemoryBytes, machine.memoryBytes].map(formatBytes);
  const lines = [
    ["backend", backend ? `${backend.name} on ${describe(backend)}` : "none works"],
    ["", backend?.measured ? `a training step: ${measuredText(backend.measured)}` : ""],
    ...report.passedOver.map(({ name, reason }) => ["", `not ${name}: ${reason}`]),
    ["versions", backend ? versionsOf(backend) : ""],
    ["processor", `${machine.processor}, ${machine.cores} cores, ${machine.system}`],
    ["graphics card", machine.nvidiaGpu ?? "no NVIDIA card"],
    ["", machine.gpuUnused ? `not used by TensorFlow: ${machine.gpuUnused}` : ""],
    ["memory", `${memory.join(" available of ")}`],
    ["disk", `${formatBytes(machine.freeDiskBytes)} free`],
    ["deno", `${report.deno.version} (tested with ${report.deno.pinned})`],
    ["tensorflow", native.ready ? `${native.kind} build in ${native.folder}` : native.reason],
    ["python", tools.python ?? "none with pip"],
    ["compiler", tools.compiler ?? "none; ziglang is downloaded where one is needed"],
    ["organisms", list(report.organisms)],
    ["cached models", list(report.models)],
    ["cached exams", list(report.exams)],
    ["data", list(report.data)],
  ].filter(([, text]) => text !== "").map(([name, text]) => `${name.padEnd(15)}${text}`);
  lines.push("");
  if (report.missing.length === 0) lines.push("Nothing is missing.");
  for (const { what, mend } of report.missing) lines.push(`Missing: ${what}`, `  mend it: ${mend}`);
  if (!report.works) lines.push("The project cannot run here: no backend works.");
  return lines.join("\n");
}

/** Opens the backend, whose packages may be absent, so they are imported only here. */
async function openOne(): Promise<{ backend?: Found; passedOver: PassedOver[] }> {
  try {
    const { openBackend } = await import("../platform/runtime/backend.ts");
    const quiet = { install: false, progress: () => {} };
    const { passedOver, ...backend } = await openBackend(undefined, quiet);
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

/** What pip and the compiler say of themselves. */
async function findTools(): Promise<{ python?: string; compiler?: string }> {
  const version = async (command: string[] | undefined) => {
    if (command === undefined) return undefined;
    const { ok, output } = await run([...command, "--version"]);
    return ok ? output.split("\n")[0].trim() : command[0];
  };
  const scratch = await Deno.makeTempDir();
  try {
    return {
      python: await version((await findPip())?.pip),
      compiler: await version((await findCompiler(scratch))?.command),
    };
  } finally {
    await Deno.remove(scratch, { recursive: true });
  }
}

/** Undefined where the card is used, or could be and the processor is faster. */
async function whyUnused(backend: Found | undefined): Promise<string | undefined> {
  if (backend?.name === "tensorflow" && backend.threads === undefined) return undefined;
  const measured = backend?.measured?.find(({ candidate }) => candidate === "cuda");
  const outcome = measured ?? await measureStep("cuda");
  return "reason" in outcome ? outcome.reason : undefined;
}

function findMissing(report: Awaited<ReturnType<typeof look>>): Missing[] {
  const { native, deno, machine, organisms, passedOver, backend } = report;
  const broken = organisms.filter(({ lacks }) => lacks);
  const lacking = broken.map(({ name, lacks }) => `${name} lacks ${lacks!.join(", ")}`).join("; ");
  return [
    deno.version !== deno.pinned && {
      what: `Deno ${deno.pinned} (this is ${deno.version}; notebooks may lose output)`,
      mend: `start tasks with ${DENO_COMMAND} task`,
    },
    ...passedOver.map(({ name, reason, mend }) =>
      mend && { what: `backend ${name}: ${reason}`, mend }
    ),
    native.ready && native.kind === "cpu" && Boolean(machine.nvidiaGpu) &&
    backend?.name === "tensorflow" && {
      what: "TensorFlow for the NVIDIA card (the one for the processor is installed)",
      mend: INSTALL_COMMAND,
    },
    machine.gpuUnused !== undefined && {
      what: `the NVIDIA card's use: TensorFlow's build for it is installed and computes on the ` +
        `processor (${machine.gpuUnused})`,
      mend:
        "nvidia-smi shows whether the driver works; TensorFlow needs one for CUDA 12 or later, and " +
        "in a container the card passed into it (docker run --gpus all)",
    },
    native.ready && native.outdated && native.kind === "cuda" && {
      what:
        "TensorFlow's addon as it is built now: this one reloads a card's session for every shape",
      mend: INSTALL_COMMAND,
    },
    (organisms.length === 0 || broken.length > 0) && {
      what: `organisms: ${lacking || "none in data/organisms"}`,
      mend: `git checkout -- data/organisms, or ${DENO_COMMAND} task pretrain`,
    },
    machine.freeDiskBytes < 2e9 && {
      what: `disk: ${formatBytes(machine.freeDiskBytes)} free, 2 GB are needed`,
      mend: "free some space; .cache/ and .native/ can be deleted and are made again when needed",
    },
  ].filter((one) => typeof one === "object");
}

/**
 * The visible entries of a folder, with their sizes; none when there is no such folder. A folder that
 * holds none of the expected files but folders that do stands for these: they are listed as NAME/NAME.
 */
function holdings(folder: string, expected: string[] = []): Holding[] {
  if (!exists(folder)) return [];
  return [...Deno.readDirSync(folder)]
    .filter(({ name, isDirectory }) =>
      !name.startsWith(".") && (expected.length === 0 || isDirectory)
    )
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

function bytesOf(path: string): number {
  if (!exists(path)) return 0;
  const { isDirectory, size } = Deno.statSync(path);
  return isDirectory ? bytesBelow(path) : size;
}

function describe({ device, threads }: Found): string {
  return threads === undefined ? device : `${device}, ${threads} thread${threads > 1 ? "s" : ""}`;
}

function versionsOf({ versions: { tfjs, package: own, tensorflow } }: Found): string {
  return `TensorFlow.js ${tfjs}, ${own}${tensorflow ? `, TensorFlow ${tensorflow}` : ""}`;
}

async function main(): Promise<number> {
  const { set } = parseFlags(Deno.args, { values: [], switches: ["json"] });
  const report = await examine();
  console.log(set.has("json") ? JSON.stringify(report, null, 2) : reportText(report));
  return report.works ? 0 : 1;
}

if (import.meta.main) await runTask(main);
