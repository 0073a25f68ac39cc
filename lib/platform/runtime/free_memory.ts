/** Memory that this process may still take, as the machine and its container tell. */
import process from "node:process";
import { type FreeMemory, machine } from "./memory.ts";

/**
 * Memory that can be taken without pushing others out: the machine's, or what is left of a container's limit.
 * @param limit the container's, of its control group; 0, or more than a machine has, for none
 * @param group where a container sees its own control group (version 2)
 */
export function freeMemory(
  limit = process.constrainedMemory(),
  group = "/sys/fs/cgroup",
): FreeMemory {
  const { available, total } = Deno.systemMemoryInfo();
  const left = limit > 0 && limit < total ? Math.max(0, limit - takenIn(group)) : Infinity;
  return left < available
    ? { bytes: left, by: "left of this container's limit" }
    : { bytes: available, by: "free on this machine" };
}

/** What a container's processes hold, other kernels among them; this process's own where nobody tells. */
function takenIn(group: string): number {
  const own = process.memoryUsage.rss();
  try {
    const read = (name: string) => Deno.readTextFileSync(`${group}/memory.${name}`);
    // What is kept of files that were read is given back when memory is needed.
    const files = [...read("stat").matchAll(/^(?:in)?active_file (\d+)$/gm)];
    return Math.max(own, files.reduce((sum, [, bytes]) => sum - Number(bytes), +read("current")));
  } catch {
    return own;
  }
}

machine.freeMemory = freeMemory;
machine.setting = (name) => Deno.env.get(name);
