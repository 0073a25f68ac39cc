/** The NVIDIA card of this machine, asked of its driver. */
import { run } from "./_command.ts";

export interface NvidiaCard {
  name: string;
  /** Absent where the driver does not report it. */
  driver?: string;
  /** Such as 9; TF32 needs 8 or later. Absent where the driver does not report it. */
  computeCapability?: number;
  memory?: string;
}

/** Whether an NVIDIA GPU can be used here; `CUDA_VISIBLE_DEVICES` may hide it. */
export async function seesNvidiaGpu(): Promise<boolean> {
  const visible = Deno.env.get("CUDA_VISIBLE_DEVICES");
  if (visible === "" || visible === "-1") return false;
  try {
    for (const _ of Deno.readDirSync("/proc/driver/nvidia/gpus")) return true;
  } catch { /* no driver on this Linux, or another system */ }
  const { ok, output } = await run(["nvidia-smi", "-L"]);
  return ok && /^GPU \d/m.test(output);
}

export async function nvidiaCard(): Promise<NvidiaCard | undefined> {
  if (!await seesNvidiaGpu()) return undefined;
  const columns = "--query-gpu=name,driver_version,memory.total,compute_cap";
  const { ok, output } = await run(["nvidia-smi", columns, "--format=csv,noheader"]);
  const fields = ok ? output.split("\n")[0].split(",").map((field) => field.trim()) : [];
  const [name, driver, memory, capability] = fields;
  if (!name) return { name: "NVIDIA GPU" };
  const computeCapability = Number(capability);
  return { name, driver, memory, ...(computeCapability > 0 && { computeCapability }) };
}
