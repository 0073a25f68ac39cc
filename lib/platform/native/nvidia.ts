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

/** The card that can be used here, if there is one; `CUDA_VISIBLE_DEVICES` may hide it. */
export async function nvidiaCard(): Promise<NvidiaCard | undefined> {
  const visible = Deno.env.get("CUDA_VISIBLE_DEVICES");
  if (visible === "" || visible === "-1") return undefined;
  const columns = "--query-gpu=name,driver_version,memory.total,compute_cap";
  const { ok, output } = await run(["nvidia-smi", columns, "--format=csv,noheader"]);
  const fields = ok ? output.split("\n")[0].split(",").map((field) => field.trim()) : [];
  const [name, driver, memory, capability] = fields;
  // Without a card it may say so in one cell, and end well.
  if (!driver) return hasDriver() ? { name: "NVIDIA GPU" } : undefined;
  const computeCapability = Number(capability);
  return { name, driver, memory, ...(computeCapability > 0 && { computeCapability }) };
}

/** Whether Linux's driver has a card, for where its tool is not installed, as in a container. */
function hasDriver(): boolean {
  try {
    return [...Deno.readDirSync("/proc/driver/nvidia/gpus")].length > 0;
  } catch {
    return false;
  }
}
