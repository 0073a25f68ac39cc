/** Memory that this process may still take, as the machine and its container tell. */
import { type FreeMemory, machine } from "./memory.ts";

/** Where Linux tells of control groups; another place for tests. */
export interface MemoryPlaces {
  groups?: string;
  own?: string;
}

/**
 * Memory that can be taken without pushing others out: the machine's, or what is left of a container's
 * limit (control groups, version 1 and 2). Undefined where the system tells neither.
 */
export function freeMemory(
  { groups = "/sys/fs/cgroup", own = "/proc/self/cgroup" }: MemoryPlaces = {},
): FreeMemory | undefined {
  const found = groupLimits(groups, own);
  try {
    found.push({ bytes: Deno.systemMemoryInfo().available, by: "free on this machine" });
  } catch {
    // Not Deno, or not allowed to ask.
  }
  return found.reduce<FreeMemory | undefined>(
    (least, one) => least === undefined || one.bytes < least.bytes ? one : least,
    undefined,
  );
}

function groupLimits(root: string, own: string): FreeMemory[] {
  const versions = [
    {
      line: /^0::(.*)$/m,
      base: root,
      limit: "memory.max",
      used: "memory.current",
      cached: /^(?:in)?active_file (\d+)$/gm,
    },
    {
      line: /^\d+:(?:[^:\n]*,)?memory(?:,[^:\n]*)?:(.*)$/m,
      base: `${root}/memory`,
      limit: "memory.limit_in_bytes",
      used: "memory.usage_in_bytes",
      cached: /^total_(?:in)?active_file (\d+)$/gm,
    },
  ];
  const text = readOrNone(own) ?? "";
  return versions.flatMap(({ line, base, limit, used, cached }) => {
    const found: FreeMemory[] = [];
    const start = line.exec(text)?.[1];
    if (start === undefined) return found;
    // A group's parents bound it too; inside a container only the root can be seen.
    for (let path = start.replace(/\/+$/, "");; path = path.slice(0, path.lastIndexOf("/"))) {
      const number = (name: string) => Number(readOrNone(`${base}${path}/${name}`) ?? NaN);
      const most = number(limit), taken = number(used);
      const stat = readOrNone(`${base}${path}/memory.stat`) ?? "";
      // What is kept of files that were read is given back when memory is needed.
      const back = [...stat.matchAll(cached)].reduce((sum, [, bytes]) => sum + Number(bytes), 0);
      // Without a limit: `max`, or a number near 2^63.
      if (most < 2 ** 60 && taken >= 0) {
        found.push({
          bytes: Math.max(0, most - taken + back),
          by: "left of this container's limit",
        });
      }
      if (!path.includes("/")) return found;
    }
  });
}

function readOrNone(path: string): string | undefined {
  try {
    return Deno.readTextFileSync(path).trim();
  } catch {
    return undefined;
  }
}

machine.freeMemory = freeMemory;
machine.setting = (name) => Deno.env.get(name);
