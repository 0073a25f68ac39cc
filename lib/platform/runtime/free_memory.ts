/** Memory that this process may still take, as the machine and its container tell. */
import process from "node:process";
import { type FreeMemory, machine } from "./memory.ts";

/**
 * Memory that can be taken without pushing others out: the machine's, or what is left of a container's
 * limit if this process is alone in it.
 * @param limit the container's, of its control group; 0, or more than a machine has, for none
 */
export function freeMemory(limit = process.constrainedMemory()): FreeMemory {
  const { available, total } = Deno.systemMemoryInfo();
  const left = limit > 0 && limit < total
    ? Math.max(0, limit - process.memoryUsage.rss())
    : Infinity;
  return left < available
    ? { bytes: left, by: "left of this container's limit" }
    : { bytes: available, by: "free on this machine" };
}

machine.freeMemory = freeMemory;
machine.setting = (name) => Deno.env.get(name);
