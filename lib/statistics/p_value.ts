/**
 * A p-value as it is printed everywhere: three digits, `< .001` and `> .999` where they say no
 * more, "" where nothing was tested. With a name: `p = .023`, `p < .001`.
 */
export function pValue(p: number | null | undefined, name?: string): string {
  if (p === null || p === undefined || Number.isNaN(p)) return "";
  const number = p.toFixed(3).replace(/^0/, "");
  const text = p < 0.001 ? "< .001" : p > 0.999 && p < 1 ? "> .999" : number;
  if (name === undefined) return text;
  return `${name} ${text === number ? "= " : ""}${text}`;
}
