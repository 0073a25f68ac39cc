/** What tasks share: the flags of a command line, times and errors for people. */
import { parseArgs } from "node:util";
import { clean } from "../platform/runtime/quote.ts";

/**
 * The values of flags, by name.
 * @param values flags that need a value
 * @param switches flags that take none
 * @throws naming the flag that is unknown, or whose value does not fit
 */
export function parseFlags(
  args: string[],
  { values, switches }: { values: readonly string[]; switches: readonly string[] },
): { given: Record<string, string>; set: Set<string> } {
  const options = Object.fromEntries([
    ...values.map((name) => [name, { type: "string" as const }]),
    ...switches.map((name) => [name, { type: "boolean" as const }]),
  ]);
  const known = [...values, ...switches].map((name) => ` --${name}`).join("");
  const refuse = (found: string): never => {
    throw new Error(
      `Cannot understand the flags: ${found}; expected ${known ? `some of${known}` : "none"}`,
    );
  };
  const given: Record<string, string> = {}, set = new Set<string>();
  try {
    for (const [name, value] of Object.entries(parseArgs({ args, options }).values)) {
      if (typeof value === "string") given[name] = value;
      else set.add(name);
    }
  } catch (error) {
    refuse((error as Error).message.split(/\.\n|\. T/)[0]);
  }
  const empty = values.find((name) => given[name] === "");
  if (empty !== undefined) refuse(`no value in --${empty}=`);
  return { given, set };
}

/** `batchTokens` as a flag: `batch-tokens`. */
export const kebab = (name: string) => name.replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`);

/** `batch-tokens` as a setting: `batchTokens`. */
export const camel = (name: string) => name.replace(/-(.)/g, (_, c: string) => c.toUpperCase());

export function duration(ms: number): string {
  const seconds = Math.round(ms / 1000);
  return seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}

/** Ends the process with what the task gives; an error is told without its trace. */
export async function runTask(main: () => Promise<number>): Promise<never> {
  try {
    Deno.exit(await main());
  } catch (error) {
    console.error(error instanceof Error ? clean(error.message) : error);
    Deno.exit(1);
  }
}
