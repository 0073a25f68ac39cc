/** Where XLA compiles whole graphs: compiling takes seconds, so only what runs often is worth it. */
import { nodeBackend } from "./backend.ts";

/** Forces it off (0) or on (1) for whatever says how often it runs. Default: by card and runs. */
export const XLA_VARIABLE = "SELF_ALIGNING_XLA";

/** Runs from which the seconds of compiling are won back on a card (measured: 500 to 2,100; test/bench/card.md). */
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
  return nodeBackend().isUsingGpuDevice && runs >= LEAST_RUNS && hasCompiler();
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

const DATA_FOLDER = "--xla_gpu_cuda_data_dir=";

/** TF_XLA_FLAGS by which another process takes what this one compiled for a card, out of a folder. */
export const xlaCacheFlags = (folder: string): string =>
  `--tf_xla_persistent_cache_directory=${folder} ` +
  "--tf_xla_persistent_cache_device_types=GPU,XLA_GPU_JIT";

/**
 * XLA's own settings for a card, XLA_FLAGS.
 * @param folder holds CUDA's assembler (bin/ptxas) and library of functions (nvvm/libdevice)
 */
export function xlaFlags(folder: string, isFloat32: boolean): string {
  // Triton's products take TF32 whatever NVIDIA_TF32_OVERRIDE says, which cuBLAS heeds.
  return `${DATA_FOLDER}${folder}${isFloat32 ? " --xla_gpu_enable_triton_gemm=false" : ""}`;
}

/** Whether what XLA compiles with is where its settings say, or where CUDA is usually installed. */
function hasCompiler(): boolean {
  const flags = (Deno.env.get("XLA_FLAGS") ?? "").split(/\s+/);
  const folder = flags.find((flag) => flag.startsWith(DATA_FOLDER))?.slice(DATA_FOLDER.length) ??
    "/usr/local/cuda";
  try {
    return ["bin/ptxas", "nvvm/libdevice/libdevice.10.bc"]
      .every((name) => Deno.statSync(`${folder}/${name}`).isFile);
  } catch {
    return false;
  }
}
