/** tokenizer.json's pre-tokenizers: how a text is cut into the words that a model's tokens make up. */
import { compilePattern, compileRegex } from "./regex.ts";

export type Fields = Record<string, unknown>;

/** A part of a text, and whether nothing of the text stands before it. */
export interface Piece {
  text: string;
  first: boolean;
}

export type PreTokenizer = (pieces: Piece[]) => Piece[];

/** GPT-2's way to cut a text into words. */
export const gpt2Words = String
  .raw`'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`;

const punctuation = /[!-/:-@[-\x60{-~\p{P}]/gu;
const behaviors = ["Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"];

/** Cuts at a pattern's matches, or what lies between them where `invert`; `behavior` says what becomes of these. */
function splitAt(pattern: RegExp, behavior: string, invert = false): PreTokenizer {
  if (!behaviors.includes(behavior)) {
    throw new Error(`a pre-tokenizer that splits as ${JSON.stringify(behavior)}`);
  }
  return (pieces) => pieces.flatMap((piece) => cut(piece, pattern, behavior, invert));
}

function cut({ text, first }: Piece, pattern: RegExp, behavior: string, invert: boolean): Piece[] {
  const parts: { start: number; end: number; match: boolean }[] = [];
  let end = 0;
  const add = (start: number, stop: number, match: boolean) =>
    void parts.push({ start, end: stop, match: match !== invert });
  for (const { 0: found, index } of text.matchAll(pattern)) {
    // Nothing found is nothing behind something found, and no place within a letter of two units.
    const within = () =>
      /^[\udc00-\udfff]/.test(text[index] ?? "") && /[\ud800-\udbff]$/.test(text[index - 1]);
    if (found === "" && (index === end && index > 0 || within())) continue;
    if (end < index) add(end, index, false);
    end = index + found.length;
    add(index, end, true);
  }
  if (end < text.length) add(end, text.length, false);
  const merged: typeof parts = [];
  for (const [i, part] of parts.entries()) {
    const last = merged.at(-1), before = parts[i - 1];
    const joins = last !== undefined && (
      behavior === "Contiguous"
        ? part.match === before.match
        : behavior === "MergedWithPrevious"
        ? part.match && !before.match
        : behavior === "MergedWithNext" && before.match && !part.match
    );
    if (joins) last.end = part.end;
    else if (behavior !== "Removed" || !part.match) merged.push({ ...part });
  }
  return merged.filter(({ start, end }) => start < end)
    .map(({ start, end }) => ({ text: text.slice(start, end), first: first && start === 0 }));
}

const byteLetters: string[] = (() => {
  const plain = (byte: number) => byte > 32 && byte < 127 || byte > 160 && byte !== 173;
  let next = 256;
  return Array.from({ length: 256 }, (_, byte) => String.fromCharCode(plain(byte) ? byte : next++));
})();
const letterBytes = new Map(byteLetters.map((letter, byte) => [letter, byte]));

/** The byte that a letter stands for in byte-level tokens. */
export const byteOf = (letter: string): number | undefined => letterBytes.get(letter);

const encoder = new TextEncoder();
const asBytes = (text: string) =>
  Array.from(encoder.encode(text), (byte) => byteLetters[byte]).join("");

/** How Metaspace starts texts; older files say it by add_prefix_space. @throws if both differ */
export function prependScheme({ prepend_scheme, add_prefix_space }: Fields): string {
  const scheme = String(prepend_scheme ?? "always");
  if (
    !["always", "first", "never"].includes(scheme) ||
    add_prefix_space === false && scheme !== "never"
  ) {
    throw new Error(
      `Metaspace with prepend_scheme ${scheme} and add_prefix_space ${add_prefix_space}`,
    );
  }
  return scheme;
}

/** @throws naming a pre-tokenizer that is not read here */
export function createPreTokenizer(config: unknown): PreTokenizer {
  if (config === null || config === undefined) return (pieces) => pieces;
  const fields = config as Fields;
  switch (fields.type) {
    case "Sequence": {
      const types = JSON.stringify(fields), spaces = types.split('"Metaspace"').length - 1;
      if (spaces > 1 || spaces > 0 && types.includes('"ByteLevel"')) {
        throw new Error("the pre-tokenizer Metaspace beside ByteLevel or another Metaspace");
      }
      const all = (fields.pretokenizers as unknown[]).map(createPreTokenizer);
      return (pieces) => all.reduce((result, words) => words(result), pieces);
    }
    case "ByteLevel": {
      const words = fields.use_regex === false
        ? (pieces: Piece[]) => pieces
        : splitAt(compileRegex(gpt2Words), "Isolated");
      const spaced = (text: string) =>
        fields.add_prefix_space === false || text.startsWith(" ") ? text : ` ${text}`;
      return (pieces) =>
        words(pieces.map((piece) => ({ ...piece, text: spaced(piece.text) })))
          .map((piece) => ({ ...piece, text: asBytes(piece.text) }));
    }
    case "Metaspace": {
      const sign = String(fields.replacement ?? "▁"), scheme = prependScheme(fields);
      const parts = fields.split === false
        ? (pieces: Piece[]) => pieces
        : splitAt(compilePattern({ String: sign }), "MergedWithNext");
      return (pieces) =>
        parts(pieces.map(({ text, first }) => {
          const marked = text.replaceAll(" ", () => sign);
          const starts = scheme === "always" || scheme === "first" && first;
          return { text: starts && !marked.startsWith(sign) ? sign + marked : marked, first };
        }));
    }
    case "Split":
      return splitAt(
        compilePattern(fields.pattern),
        String(fields.behavior),
        fields.invert === true,
      );
    case "Punctuation":
      return splitAt(punctuation, String(fields.behavior ?? "Isolated"));
    case "Digits":
      return splitAt(/\p{N}/gu, fields.individual_digits === true ? "Isolated" : "Contiguous");
    case "Whitespace":
      return splitAt(
        /[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\u200c\u200d]+|[^\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\u200c\u200d\p{White_Space}]+/gu,
        "Removed",
        true,
      );
    case "WhitespaceSplit":
      return splitAt(/\p{White_Space}/gu, "Removed");
    case "BertPreTokenizer": {
      const words = splitAt(/\p{White_Space}/gu, "Removed");
      const signs = splitAt(punctuation, "Isolated");
      return (pieces) => signs(words(pieces));
    }
    case "CharDelimiterSplit":
      return splitAt(compilePattern({ String: fields.delimiter }), "Removed");
    default:
      throw new Error(`the pre-tokenizer ${fields.type}, which is not read here`);
  }
}
