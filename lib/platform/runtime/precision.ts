/** The precision of matrix products, which an NVIDIA card can trade for speed. */

/** TF32 keeps 10 bits of the factors' 23. */
export type Precision = "float32" | "tf32";

export const PRECISIONS: readonly Precision[] = ["float32", "tf32"];

/** Names the variable that asks for a precision. Default: float32. */
export const PRECISION_VARIABLE = "SELF_ALIGNING_PRECISION";

/** Computing in the precision that was asked for can't be done. */
export class WrongPrecision extends Error {}

/** What `PRECISION_VARIABLE` asks for. @throws where it is neither */
export function wantedPrecision(): Precision {
  const wanted = Deno.env.get(PRECISION_VARIABLE) || "float32";
  const precision = PRECISIONS.find((one) => one === wanted);
  if (precision !== undefined) return precision;
  throw new WrongPrecision(
    `Cannot compute in ${wanted}: expected one of ${PRECISIONS.join(", ")}; set ` +
      `${PRECISION_VARIABLE} (--precision) to one of them or leave it out`,
  );
}

export function refuseTf32(found: string): never {
  throw new WrongPrecision(
    "Cannot compute in tf32: expected TensorFlow on an NVIDIA card of compute capability 8 or later; " +
      `found ${found}; leave ${PRECISION_VARIABLE} (--precision) out to compute in float32`,
  );
}
