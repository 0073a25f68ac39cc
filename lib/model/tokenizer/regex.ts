/** Regular expressions of tokenizer files, which are Oniguruma's, as JavaScript's. */
import { SplitPreTokenizer } from "@huggingface/tokenizers";

interface Group {
  start: number;
  atomic: boolean;
  /** Letters stand for both of their cases. */
  folds: boolean;
  /** It repeats something without end, or says that it may by branches that begin alike. */
  open: boolean;
  branches: string[];
}

const unbounded = /^(?:[*+]|\{\d+,\})$/;
const quantifier = /^(?:[*+?]|\{\d+(?:,\d*)?\}|\{,\d+\})/;
const escape = /^\\(?:[pPxu]\{[^}]*\}|x[0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4}|[^])/;
const groupStart = /^\((?:\?(?:i:|:|>|=|!|<=|<!|<[A-Za-z_]\w*>))?/;

/** The length of a character class that starts `text`, nested ones included. */
function classLength(text: string): number {
  let depth = 0;
  for (let i = 0; i < text.length; i++) {
    if (text[i] === "\\") i++;
    else if (text[i] === "[") {
      depth++;
      if (text[i + 1] === "^") i++;
      if (text[i + 1] === "]") i++;
    } else if (text[i] === "]" && --depth === 0) return i + 1;
  }
  return text.length;
}

/**
 * The expression for JavaScript, global and by code points. The package translates Oniguruma's
 * terms; what may not give back what it took (`a++`, `(?>a)`) is said here by a look ahead and what
 * it found.
 * @throws on flags and groups that it would take for others, and on an endless repetition of
 * something that repeats endlessly itself, as in (a+)+: these can take years over forty letters
 */
export function compileRegex(source: string): RegExp {
  const refuse = (why: string): never => {
    throw new Error(`the regular expression ${JSON.stringify(source.slice(0, 100))}, ${why}`);
  };
  const group = (start: number, atomic = false, folds = false): Group => ({
    start,
    atomic,
    folds,
    open: false,
    branches: [""],
  });
  const groups = [group(0)];
  let kept = 0, atom = -1, last: Group | undefined, out = "";
  const keep = (start: number) => {
    const name = `kept${kept++}`;
    out = `${out.slice(0, start)}(?=(?<${name}>${out.slice(start)}))\\k<${name}>`;
  };
  for (let i = 0; i < source.length;) {
    const rest = source.slice(i), inner = groups[groups.length - 1];
    const repeated = atom >= 0 ? quantifier.exec(rest)?.[0] : undefined;
    let token: string;
    if (repeated !== undefined) {
      const mode = /^[?+]/.exec(rest.slice(repeated.length))?.[0] ?? "";
      const possessive = mode === "+" && !repeated.startsWith("{");
      token = repeated + mode;
      if (unbounded.test(repeated) && last?.open) {
        refuse("which repeats without end what repeats without end and may never be done");
      }
      out += possessive ? repeated : token;
      if (possessive) keep(atom);
      else if (unbounded.test(repeated)) inner.open = true;
      atom = -1;
    } else if (rest[0] === "(") {
      if (/^\(\?[^:>=!<i]|^\(\?i[^:]|^\(\?<(?![=!A-Za-z_])/.test(rest)) {
        refuse("which has a group or a flag that is not read here");
      }
      token = groupStart.exec(rest)![0];
      groups.push(group(out.length, token === "(?>", inner.folds || token === "(?i:"));
      out += token === "(?>" ? "(?:" : token;
      atom = -1;
    } else if (rest[0] === ")") {
      token = ")";
      if (groups.length === 1) refuse("which closes a group that is not open");
      last = groups.pop()!;
      const begins = last.branches.map((branch) => escape.exec(branch)?.[0] ?? branch[0] ?? "");
      last.open ||= new Set(begins).size < begins.length;
      out += ")";
      atom = last.start;
      if (last.atomic) keep(atom);
      else groups[groups.length - 1].open ||= last.open;
      groups[groups.length - 1].branches.push(
        groups[groups.length - 1].branches.pop()! + source.slice(i, i + 1),
      );
      i++;
      continue;
    } else {
      token = rest[0] === "["
        ? rest.slice(0, classLength(rest))
        : escape.exec(rest)?.[0] ?? String.fromCodePoint(rest.codePointAt(0)!);
      last = undefined;
      atom = token === "|" ? -1 : out.length;
      // The package knows ASCII's cases: these two letters have one more.
      const third = inner.folds ? { s: "\u017f", k: "\u212a" }[token.toLowerCase()] : undefined;
      out += third === undefined ? token : `[${token}${third}]`;
      if (token === "|") inner.branches.push("");
    }
    if (token !== "|") inner.branches[inner.branches.length - 1] += token;
    i += token.length;
  }
  const { pattern } = new SplitPreTokenizer({
    type: "Split",
    pattern: { Regex: out },
    behavior: "Isolated",
    invert: true,
  });
  return pattern ?? refuse("which is none");
}

export function compilePattern(pattern: unknown): RegExp {
  const { String: text, Regex: regex } = (pattern ?? {}) as Record<string, unknown>;
  if (typeof text === "string" && text !== "") {
    return new RegExp(text.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&"), "gu");
  }
  if (typeof regex === "string") return compileRegex(regex);
  throw new Error(`the pattern ${JSON.stringify(pattern)?.slice(0, 80)}`);
}
