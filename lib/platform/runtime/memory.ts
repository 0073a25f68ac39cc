/** Needs of memory compared with what is free, before a process is killed for them. */

export interface FreeMemory {
  bytes: number;
  /** What bounds it, for errors. */
  by: string;
}

/** What can be asked of the machine; free_memory.ts attaches it, a page has none of it. */
export const machine: {
  freeMemory?: () => FreeMemory;
  /** A variable of the environment. */
  setting?: (name: string) => string | undefined;
} = {};

/** Set to `anyway`, a run goes on where too little memory is told. */
export const MEMORY_VARIABLE = "SELF_ALIGNING_MEMORY";

export interface MemoryNeed {
  /** What is to be done, e.g. `load smollm2`. */
  action: string;
  /** Bytes beyond what the process has now. */
  bytes: number;
  /** What they are for, largest first, e.g. `weights .5 GB`. */
  parts: string;
  /** What to do where they are not there. */
  mend: string;
}

/**
 * Compares a need with what is free.
 * @param free default: what this machine and container have
 * @param tell told where a run goes on all the same
 * @throws where it is more than that, unless SELF_ALIGNING_MEMORY is `anyway`; then it is told
 */
export function requireMemory(
  { action, bytes, parts, mend }: MemoryNeed,
  { free = machine.freeMemory?.(), tell = console.error }: {
    free?: FreeMemory;
    tell?: (text: string) => void;
  } = {},
): void {
  if (free === undefined || bytes <= free.bytes) return;
  const text = `Cannot ${action}: expected ${formatBytes(bytes)} of memory (${parts}); found ` +
    `${formatBytes(free.bytes)} ${free.by}; ${mend}, or set ${MEMORY_VARIABLE}=anyway to try`;
  if (machine.setting?.(MEMORY_VARIABLE) !== "anyway") throw new Error(text);
  tell(`${text}: going on`);
}

/** Bytes for a reader: 1.3 GB, 870 MB, 12 kB. */
export function formatBytes(bytes: number): string {
  if (bytes >= 1e9) return `${(bytes / 1e9).toFixed(1)} GB`;
  return bytes >= 1e6 ? `${Math.ceil(bytes / 1e6)} MB` : `${Math.ceil(bytes / 1e3)} kB`;
}
