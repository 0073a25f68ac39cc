/**
 * How much of the machine other processes took while one was measured. Timings beside a busy
 * neighbour mislead: PyTorch's threads wait for each other by spinning, and on two cores with one
 * taken a step of 15 ms was seen to take 300.
 */

/** More cores than this taken by others, and a timing is not a measurement. */
export const BUSY_CORES = 0.1;

/** Linux counts processor time for its users in hundredths of a second. */
const TICKS = 100;

interface Sample {
  time: number;
  machine: number;
  process: number;
}

function sample(pid: number): Sample | undefined {
  try {
    const all = Deno.readTextFileSync("/proc/stat").split("\n")[0].trim().split(/\s+/).slice(1);
    const [user, nice, system, , , irq, softirq, steal] = all.map(Number);
    // After the name in brackets, which may hold spaces: state is the 3rd field, utime the 14th.
    const stat = Deno.readTextFileSync(`/proc/${pid}/stat`);
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return {
      time: performance.now() / 1000,
      machine: user + nice + system + irq + softirq + (steal ?? 0),
      process: Number(fields[11]) + Number(fields[12]),
    };
  } catch {
    return undefined;
  }
}

/** Processor time that a process has taken, seconds; NaN where the system does not tell. */
export const processorSeconds = (pid: number): number => (sample(pid)?.process ?? NaN) / TICKS;

/**
 * Starts watching; the function returned gives the cores that others took since, on average, or null
 * where the system does not tell (not Linux).
 */
export function watchOthers(pid: number): () => number | null {
  const before = sample(pid);
  return () => {
    const after = sample(pid);
    if (before === undefined || after === undefined) return null;
    const others = after.machine - before.machine - (after.process - before.process);
    return Math.max(0, others / TICKS / (after.time - before.time));
  };
}
