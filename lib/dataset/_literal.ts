/**
 * Lists and records in a cell of a table: JSON, Python's repr (what pandas writes for a list) and
 * numpy's (spaces in place of commas, or `array([...], dtype=object)`). Own code, because no
 * library reads numpy's.
 */

/** What stands in a cell. Numbers and truth values stay texts as they are written. */
type Literal = string | null | Literal[] | { [key: string]: Literal };

const DEEPEST = 8;
const NOTHING = /^(None|null|nan|NaN)$/;
const WORD = /[^\s,:()[\]{}'"]+/y;
const BARE = /^([-+]?\d[\d_.eE+-]*|True|False|true|false)$/;
const ARRAY_END = /\s*(,\s*dtype=[^()[\]]*)?,?\s*\)/y;
const CODE = /([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})/y;
const ESCAPES: Record<string, string> = { n: "\n", t: "\t", r: "\r", b: "\b", f: "\f" };

/** @throws SyntaxError where `text` is none of these, or mixes commas and spaces */
export function parseLiteral(text: string): Literal {
  let at = 0;
  const fail = (): never => {
    throw new SyntaxError(`no list or record from character ${at + 1} on`);
  };
  const match = (pattern: RegExp) => {
    pattern.lastIndex = at;
    const found = pattern.exec(text);
    if (found) at = pattern.lastIndex;
    return found;
  };
  const skip = () => match(/\s+/y) !== null;
  const take = (character: string) => text[at] === character && ++at > 0;

  const value = (depth: number): Literal => {
    if (depth > DEEPEST) fail();
    skip();
    if (text[at] === "'" || text[at] === '"') return quoted(text[at++]);
    if (take("[")) return list("]", depth);
    if (take("(")) return list(")", depth);
    if (take("{")) return record(depth);
    if (match(/array\(/y)) {
      const inner = value(depth + 1);
      return match(ARRAY_END) ? inner : fail();
    }
    const word = match(WORD)?.[0] ?? fail();
    if (NOTHING.test(word)) return null;
    return BARE.test(word) ? word : fail();
  };

  const quoted = (quote: string): string => {
    let result = "";
    for (;;) {
      if (at >= text.length) fail();
      const character = text[at++];
      if (character === quote) return result;
      result += character === "\\" ? escaped() : character;
    }
  };
  const escaped = (): string => {
    const character = text[at++] ?? fail();
    if (character in ESCAPES) return ESCAPES[character];
    if (!/[xuU]/.test(character)) return /['"\\/]/.test(character) ? character : `\\${character}`;
    if (character !== "x") at--;
    const [, byte, unit, point] = match(CODE) ?? fail();
    const code = parseInt(byte ?? unit ?? point, 16);
    return code <= 0x10FFFF ? String.fromCodePoint(code) : fail();
  };

  const list = (close: string, depth: number): Literal[] => {
    const items: Literal[] = [];
    let separator: boolean | undefined;
    for (;;) {
      const spaced = skip();
      if (take(close)) return items;
      if (items.length > 0) {
        const comma = take(",");
        // Python joins 'a' 'b' and numpy parts them: with commas elsewhere it can't be told.
        if (!comma && !spaced || separator === !comma) fail();
        separator = comma;
        skip();
        if (take(close)) return items;
      }
      items.push(value(depth + 1));
    }
  };
  const record = (depth: number): { [key: string]: Literal } => {
    const entries: [string, Literal][] = [];
    for (;;) {
      skip();
      if (take("}")) return Object.fromEntries(entries);
      if (entries.length > 0 && !take(",")) fail();
      skip();
      if (take("}")) return Object.fromEntries(entries);
      const key = value(depth + 1);
      skip();
      if (typeof key !== "string" || !take(":")) return fail();
      entries.push([key, value(depth + 1)]);
    }
  };

  const result = value(0);
  skip();
  return at === text.length ? result : fail();
}
