/**
 * A p-value as it is printed everywhere: three digits without the zero before the point, `< .001`
 * below that, "" where nothing was tested. With a name: `p = .023`, `p < .001`.
 */
export function pValue(p: number | null | undefined, name?: string): string {
  if (p === null || p === undefined || Number.isNaN(p)) return "";
  const text = p < 0.001 ? "< .001" : p.toFixed(3).replace(/^0/, "");
  if (name === undefined) return text;
  return `${name} ${p < 0.001 ? "" : "= "}${text}`;
}
