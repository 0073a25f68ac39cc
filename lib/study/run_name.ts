/** The name of a run with settings of its own, and of its folder. */
import { basename } from "node:path";
import { sha256OfText } from "../platform/runtime/digest.ts";

/** The same name for the same settings, and readable; where the results go is no setting. */
export function runName({ resume: _, output: __, ...given }: Record<string, unknown>): string {
  const sorted = JSON.stringify(Object.entries(given).sort(([a], [b]) => a < b ? -1 : 1));
  const hash = sha256OfText(sorted).slice(0, 6);
  const words = [
    given.quick && "quick",
    given.full && "full",
    given.exam,
    given.model,
    given.domains,
  ].flat()
    .filter((word) => typeof word === "string")
    .map((word) => basename(word).replace(/[^\w.-]+/g, "-"));
  return [...words, hash].join("-").slice(-80);
}
