/** How a finding's estimate reads in a text. */
import { formatNumber, signed } from "../figure/number.ts";
import type { Finding } from "../findings.ts";

/** `+12.1 [+3.0, +21.2]`, and what else must be known. */
export function findingText(
  { estimate: { value, interval }, unit, detail }: Pick<Finding, "estimate" | "unit" | "detail">,
): string {
  const write = (number: number) =>
    unit === "r" ? formatNumber(number, 2) : signed(number, unit === "points" ? 1 : 2);
  const bounds = interval?.every(Number.isFinite) ? ` [${interval.map(write).join(", ")}]` : "";
  return write(value) + bounds + (detail ? ` (${detail})` : "");
}
