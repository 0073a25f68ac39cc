/** Memory that this process may still take, as the machine and its container tell. */
import { type FreeMemory, machine } from "./memory.ts";

/**
 * Memory that can be taken without pushing others out: the machine's, or what is left of a container's
 * limit (control groups, version 1 and 2). Undefined where the system tells neither.
 * @param places where Linux tells of control groups; others for tests
 */
export function freeMemory(
  { groups, own } = { groups: "/sys/fs/cgroup", own: "/proc/self/cgroup" },
): FreeMemory | undefined {
  const found = groupLimits(groups, own);
  try {
    found.push({ bytes: Deno.systemMemoryInfo().available, by: "free on this machine" });
  } catch {
    // Not Deno, or not allowed to ask.
  }
  return found.sort((a, b) => a.bytes - b.bytes)[0];
}

function groupLimits(root: string, own: string): FreeMemory[] {
  const versions = [
    {
      line: /^0::(.*)$/m,
      base: root,
      files: ["memory.max", "memory.current"],
      cached: /^(?:in)?active_file (\d+)$/gm,
    },
    {
      line: /^\d+:(?:[^:\n]*,)?memory(?:,[^:\n]*)?:(.*)$/m,
      base: `${root}/memory`,
      files: ["memory.limit_in_bytes", "memory.usage_in_bytes"],
      cached: /^total_(?:in)?active_file (\d+)$/gm,
    },
  ];
  const text = readOrNone(own) ?? "";
  return versions.flatMap(({ line, base, files, cached }) => {
    const found: FreeMemory[] = [];
    const start = line.exec(text)?.[1];
    if (start === undefined) return found;
    // A group's parents bound it too; inside a container only the root can be seen.
    for (let path = start.replace(/\/+$/, "");; path = path.slice(0, path.lastIndexOf("/"))) {
      const [most, taken] = files
        .map((name) => Number(readOrNone(`${base}${path}/${name}`) ?? NaN));
      const stat = readOrNone(`${base}${path}/memory.stat`) ?? "";
      // What is kept of files that were read is given back when memory is needed.
      const back = [...stat.matchAll(cached)].reduce((sum, [, bytes]) => sum + Number(bytes), 0);
      // Without a limit: `max`, or a number near 2^63.
      if (most < 2 ** 60 && taken >= 0) {
        const bytes = Math.max(0, most - taken + back);
        found.push({ bytes, by: "left of this container's limit" });
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
