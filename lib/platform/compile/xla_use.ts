/** Where XLA compiles whole graphs: compiling takes seconds, so only what runs often is worth it. */
import { nodeBackend } from "./backend.ts";

/** Forces it off (0) or on (1) for whatever says how often it runs. Default: by card and runs. */
export const XLA_VARIABLE = "SELF_ALIGNING_XLA";

/** Runs from which the seconds of compiling are won back on a card. */
const LEAST_RUNS = 2000;

let refused = false;

/** @param runs how often the graph is to run; absent: not known, so not often */
export function usesXla(runs: number | undefined): boolean {
  const wanted = Deno.env.get(XLA_VARIABLE) ?? "";
  if (!["", "0", "1"].includes(wanted)) {
    throw new Error(
      `Cannot choose whether XLA compiles: expected ${XLA_VARIABLE} to be 0, 1 or empty; found ` +
        `${JSON.stringify(wanted)}; set it to one of them`,
    );
  }
  if (wanted === "0" || refused || runs === undefined) return false;
  if (wanted === "1") return true;
  // On a processor XLA is no faster: the executor's products are the same, and few calls are launches.
  return nodeBackend().isUsingGpuDevice && runs >= LEAST_RUNS && hasDeviceLibrary();
}

/** Goes on without XLA in this process, which is told once. */
export function refuseXla(error: Error, tell: (line: string) => void = console.error): void {
  if (!refused) {
    const reason = error.message.replaceAll(/\s+/g, " ").slice(0, 300);
    tell(
      `XLA could not compile a training step (${reason}); going on without it, at the same numbers. ` +
        `${XLA_VARIABLE}=0 leaves it out`,
    );
  }
  refused = true;
}

/** Tries again what was refused; for tests. */
export function forgetRefusal(): void {
  refused = false;
}

/** Where backend.ts or the user says that CUDA's compiler lies, as XLA's own flag names it. */
const DATA_FOLDER = /--xla_gpu_cuda_data_dir=(\S+)/;

/** Whether CUDA's library of functions is there, without which XLA has no exp for a card. */
function hasDeviceLibrary(): boolean {
  const [, folder = "/usr/local/cuda"] = DATA_FOLDER.exec(Deno.env.get("XLA_FLAGS") ?? "") ?? [];
  try {
    return Deno.statSync(`${folder}/nvvm/libdevice/libdevice.10.bc`).isFile;
  } catch {
    return false;
  }
}
