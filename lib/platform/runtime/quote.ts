/** Texts out of files, as messages show them. */

/** So much of a value is shown at most. */
const LONGEST = 80;
const MOST_PARTS = 40;

/**
 * A value out of a file as JSON for an error, cut to 80 characters. No more of it is looked at than
 * is shown, so that a crafted one of many megabytes takes no time.
 */
export function quote(value: unknown): string {
  let parts = MOST_PARTS;
  const text = JSON.stringify(value, (_, part: unknown) => {
    if (parts-- <= 0) return "...";
    if (typeof part === "string") return part.slice(0, LONGEST);
    if (part === null || typeof part !== "object") return part;
    if (Array.isArray(part)) return part.slice(0, MOST_PARTS);
    return Object.fromEntries(Object.entries(part).slice(0, MOST_PARTS));
  }) ?? "none";
  return text.length > LONGEST ? `${text.slice(0, LONGEST - 3)}...` : text;
}

/**
 * `text` with what no document may hold (control characters, half surrogates) or what turns the text
 * after it round (bidirectional embeddings, overrides and isolates) shown as U+FFFD.
 */
export function clean(text: string): string {
  // deno-lint-ignore no-control-regex
  const unfit = /[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufffe\uffff]/g;
  return text.replaceAll(unfit, "\ufffd").toWellFormed();
}
