/**
 * Where the published exams and instructions come from (data/sources.json). A source's revision and the
 * digests of its files are locked when they are first had: what is written here was not guessed.
 */
import data from "../../data/sources.json" with { type: "json" };
import { suggestion } from "../platform/runtime/nearest.ts";

/** A data set and the files of it that are read. */
export interface DataSource {
  name: string;
  title: string;
  /** Its page on the hub, or its repository on GitHub, which is had as an archive. */
  address: string;
  /** A branch, tag or commit; a branch is locked to its commit at the first download. */
  branch: string;
  license: string;
  layout: string;
  /** The file of the hub's data set that holds the others, a zip archive. */
  archive?: string;
  /** The files of each part, in order: paths in which a star stands for part of a name. */
  parts: Readonly<Record<string, readonly string[]>>;
}

export const dataSources: ReadonlyMap<string, DataSource> = new Map(
  Object.entries(data).map(([name, source]): [string, DataSource] => [name, { name, ...source }]),
);

/** `owner/name`, and whether it lies on GitHub. */
export function repositoryOf({ address }: DataSource): { id: string; onGithub: boolean } {
  const { hostname, pathname } = new URL(address);
  return { id: pathname.split("/").slice(-2).join("/"), onGithub: hostname === "github.com" };
}

/** @throws naming the sources that there are */
export function dataSource(name: string): DataSource {
  const source = dataSources.get(name);
  if (source) return source;
  const known = [...dataSources.keys()];
  throw new Error(
    `Cannot get data set ${name}: expected one of ${known.join(", ")}${suggestion(name, known)}`,
  );
}

/** Whether `path` is what a pattern means, or lies so in some folder. */
export function matchesPattern(path: string, pattern: string): boolean {
  const source = pattern.split("*").map((part) => RegExp.escape(part)).join("[^/]*");
  return new RegExp(`(^|/)${source}$`).test(path);
}

/**
 * The paths of each part, by the order of its patterns and then of the names.
 * @throws naming the pattern that no path fits, and some of the paths
 */
export function partsOf(
  { name, parts }: DataSource,
  paths: readonly string[],
  place: string,
): Record<string, string[]> {
  const sorted = paths.toSorted();
  return Object.fromEntries(
    Object.entries(parts).map(([part, patterns]) => {
      const found = patterns.flatMap((pattern) => {
        const fitting = sorted.filter((path) => matchesPattern(path, pattern));
        if (fitting.length > 0) return fitting;
        const there = sorted.slice(0, 8).join(", ") || "no files";
        throw new Error(
          `Cannot get data set ${name}: expected ${pattern} in ${place}; found ${there}; its layout ` +
            "may have changed: give its files in the layout of data/sources.json by " +
            "SELF_ALIGNING_DATA=FOLDER",
        );
      });
      return [part, [...new Set(found)]];
    }),
  );
}
