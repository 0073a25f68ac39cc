/** A Python with torch, transformers and peft, for checks and timings against them. */
import { existingPythonEnvironment } from "../../lib/platform/native/python.ts";

/** The packages against which the numerics are checked and timed. */
export const REFERENCE_PACKAGES = ["torch==2.15.0", "transformers==5.23.0", "peft==0.21.2"];

export const REASON_WITHOUT_PYTHON = "no Python with torch and transformers: set " +
  "SELF_ALIGNING_PYTHON to one, or let `deno task bench` make it";

/** SELF_ALIGNING_PYTHON, else the environment that the benchmarks made, else undefined. */
export function referencePython(): string | undefined {
  const given = Deno.env.get("SELF_ALIGNING_PYTHON");
  if (given) return given;
  return existingPythonEnvironment({ packages: REFERENCE_PACKAGES });
}
