/** A Python with torch, transformers and peft, for checks and timings against them. */
import { existingPythonEnvironment, REFERENCE_PACKAGES } from "../../lib/platform/native/python.ts";

export const REASON_WITHOUT_PYTHON = "no Python with torch and transformers: set " +
  "SELF_ALIGNING_PYTHON to one, or let `deno task bench` make it";

/** SELF_ALIGNING_PYTHON, else the environment that the benchmarks made, else undefined. */
export async function referencePython(): Promise<string | undefined> {
  const given = Deno.env.get("SELF_ALIGNING_PYTHON");
  if (given) return given;
  return await existingPythonEnvironment({ packages: REFERENCE_PACKAGES });
}
