/** What lies below a folder. */
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";

/** Bytes of all files below a folder, which may be changing, by their paths in it, sorted. */
export function filesBelow(folder: string): Map<string, number> {
  const paths = (readdirSync(folder, { recursive: true }) as string[])
    .map((path) => path.replaceAll("\\", "/")).sort();
  return new Map(paths.flatMap((path): [string, number][] => {
    const found = statSync(join(folder, path), { throwIfNoEntry: false });
    return found?.isFile() ? [[path, found.size]] : [];
  }));
}

/** Their bytes together; 0 where there is no such folder. */
export function bytesBelow(folder: string): number {
  try {
    return [...filesBelow(folder).values()].reduce((sum, bytes) => sum + bytes, 0);
  } catch {
    return 0;
  }
}
