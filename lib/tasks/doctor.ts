/**
 * `deno task doctor`: what this machine has for the project, what is missing, and the commands that mend
 * it. Ends with code 1 only when the project cannot run at all.
 */
import { statfsSync } from "node:fs";
import os from "node:os";
import { join } from "node:path";
import { cacheFolder, ROOT } from "../platform/cache.ts";
import { bytesBelow } from "../platform/native/below.ts";
import { findCompiler } from "../platform/native/_addon.ts";
import { run } from "../platform/native/_command.ts";
import { findPip } from "../platform/native/_wheels.ts";
import type { Backend, BackendName, PassedOver } from "../platform/runtime/backend.ts";
import { measuredText, measureStep } from "../platform/runtime/backend_choice.ts";
import { exists } from "../platform/runtime/files.ts";
import { formatBytes } from "../platform/runtime/memory.ts";
import { nativeState } from "../platform/native/native.ts";
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

/** The backend that a run takes now, without installing anything. */
type Found = Omit<Backend, "passedOver">;

/**
 * Looks at everything and changes nothing.
 * @param root the repository; default: this one
 * @returns the report for a person, a line each; `works` is false where the project can't run at all
 */
export async function examine({ root = ROOT } = {}): Promise<{ works: boolean; text: string }> {
  const memory = Deno.systemMemoryInfo(), { bavail, bsize } = statfsSync(root);
  const card = await nvidiaCard(); // before a backend hides it from this process
  const [{ backend, passedOver }, { python, compiler }] = await Promise.all([
    openOne(),
    findTools(),
  ]);
  const native = nativeState(), data = join(root, "data");
  // Why TensorFlow's build for the card leaves it alone, in its own words.
  const unused = card && native.ready && native.kind === "cuda"
    ? await whyUnused(backend)
    : undefined;
  const cardText = card && [card.name, card.memory, card.driver].filter((text) => text).join(", ");
  const parts = ["config.json", "tokenizer.json", "model.safetensors"];
  // Those of the study, and shelves of others among them.
  const shelves = ["", "letters/", "bases/"];
  const organisms = shelves.flatMap((shelf) =>
    holdings(join(data, "organisms", shelf), parts)
      .map((one) => ({ ...one, name: shelf + one.name }))
  ).filter(({ name }) => !shelves.includes(`${name}/`));
  const list = (all: Holding[]) =>
    all.map(({ name, bytes, lacks }) =>
      `${name} (${lacks ? `lacks ${lacks.join(", ")}` : formatBytes(bytes)})`
    ).join(", ") || "none";
  const cached = (what: string) =>
    list(holdings(root === ROOT ? cacheFolder(what) : join(root, ".cache", what)));
  const processor = os.cpus()[0]?.model?.trim() || Deno.build.arch;
  const system = `${os.type()} ${os.release()} ${Deno.build.arch}`;
  const rows = [
    ["backend", backend ? `${backend.name} on ${describe(backend)}` : "none works"],
    ["", backend?.measured ? `a training step: ${measuredText(backend.measured)}` : ""],
    ...passedOver.map(({ name, reason }) => ["", `not ${name}: ${reason}`]),
    ["versions", backend ? versionsOf(backend) : ""],
    ["processor", `${processor}, ${navigator.hardwareConcurrency} cores, ${system}`],
    ["graphics card", cardText ?? "no NVIDIA card"],
    ["", unused ? `not used by TensorFlow: ${unused}` : ""],
    ["memory", `${formatBytes(memory.available)} available of ${formatBytes(memory.total)}`],
    ["disk", `${formatBytes(bavail * bsize)} free`],
    ["deno", `${Deno.version.deno} (tested with ${PINNED_DENO})`],
    ["tensorflow", native.ready ? `${native.kind} build in ${native.folder}` : native.reason],
    ["python", python ?? "none with pip"],
    ["compiler", compiler ?? "none; ziglang is downloaded where one is needed"],
    ["organisms", list(organisms)],
    ["cached models", cached("models")],
    ["cached exams", cached("data")],
    ["data", list(holdings(data).filter(({ name }) => name !== "organisms"))],
  ].filter(([, text]) => text !== "").map(([name, text]) => `${name.padEnd(15)}${text}`);

  const broken = organisms.filter(({ lacks }) => lacks);
  const faults: (false | undefined | [what: string, mend: string])[] = [
    Deno.version.deno !== PINNED_DENO && [
      `Deno ${PINNED_DENO} (this is ${Deno.version.deno}; notebooks may lose output)`,
      `start tasks with ${DENO_COMMAND} task`,
    ],
    ...passedOver.map(({ name, reason, mend }): false | [string, string] =>
      mend !== undefined && [`backend ${name}: ${reason}`, mend]
    ),
    native.ready && native.kind === "cpu" && card && backend?.name === "tensorflow" && [
      "TensorFlow for the NVIDIA card (the one for the processor is installed)",
      INSTALL_COMMAND,
    ],
    unused !== undefined && [
      "the NVIDIA card's use: TensorFlow's build for it is installed and computes on the " +
      `processor (${unused})`,
      "nvidia-smi shows whether the driver works; TensorFlow needs one for CUDA 12 or later, and " +
      "in a container the card passed into it (docker run --gpus all)",
    ],
    (organisms.length === 0 || broken.length > 0) && [
      `organisms: ${broken.length > 0 ? list(broken) : "none in data/organisms"}`,
      `git checkout -- data/organisms, or ${DENO_COMMAND} task pretrain`,
    ],
    bavail * bsize < 2e9 && [
      `disk: ${formatBytes(bavail * bsize)} free, 2 GB are needed`,
      "free some space; .cache/ and .native/ can be deleted and are made again when needed",
    ],
  ];
  const missing = faults.filter((fault) => typeof fault === "object").flatMap(([what, mend]) => [
    `Missing: ${what}`,
    `  mend it: ${mend}`,
  ]);
  if (missing.length === 0) missing.push("Nothing is missing.");
  if (!backend) missing.push("The project cannot run here: no backend works.");
  return { works: backend !== undefined, text: [...rows, "", ...missing].join("\n") };
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
      compiler: await version(await findCompiler(scratch)),
    };
  } finally {
    await Deno.remove(scratch, { recursive: true });
  }
}

/** Undefined where the card is used, or could be and the processor is faster. */
async function whyUnused(backend: Found | undefined): Promise<string | undefined> {
  if (backend?.name === "tensorflow" && backend.threads === undefined) return undefined;
  const measured = backend?.measured?.find(({ candidate }) => candidate === "cuda");
  // A card that was not opened may be what a larger model needs.
  const isOpened = measured !== undefined && !("atLeast" in measured);
  const outcome = isOpened ? measured : await measureStep("cuda");
  return "reason" in outcome ? outcome.reason : undefined;
}

/** The visible entries of a folder, with their sizes; where files are expected, its folders with what they lack. */
function holdings(folder: string, expected: string[] = []): Holding[] {
  if (!exists(folder)) return [];
  return [...Deno.readDirSync(folder)]
    .filter(({ name, isDirectory }) => name[0] !== "." && (isDirectory || expected.length === 0))
    .map(({ name }): Holding => {
      const path = join(folder, name);
      const lacks = expected.filter((file) => bytesOf(join(path, file)) === 0);
      return { name, bytes: bytesOf(path), ...(lacks.length > 0 && { lacks }) };
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

if (import.meta.main) {
  await runTask(async () => {
    parseFlags(Deno.args, { values: [], switches: [] });
    const { works, text } = await examine();
    console.log(text);
    return works ? 0 : 1;
  });
}
