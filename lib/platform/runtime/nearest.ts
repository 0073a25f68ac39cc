/** The known name that a misspelt one may stand for. */

/** Edits (insert, delete, replace) from `a` to `b`. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      next[j] = Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1));
    }
    row = next;
  }
  return row[b.length];
}

const plain = (name: string) => name.toLowerCase().replaceAll(/[\s_-]/g, "");

/** The name nearest to `wanted`, whatever its case and joints; undefined where none is near. */
export function nearest(wanted: string, names: readonly string[]): string | undefined {
  const [found] = names
    .map((name) => ({ name, edits: distance(plain(wanted), plain(name)) }))
    .sort((a, b) => a.edits - b.edits);
  return found && found.edits <= Math.ceil(plain(wanted).length / 3) ? found.name : undefined;
}

/** ` (did you mean NAME?)` where a known name is near, for the end of an error's `found`. */
export function suggestion(wanted: string, names: readonly string[]): string {
  const near = nearest(wanted, names);
  return near === undefined ? "" : ` (did you mean ${near}?)`;
}
