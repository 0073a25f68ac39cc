/** tokenizer.json's normalizers and pre-tokenizers: how a text is cut into the words that tokens make up. */

export type Fields = Record<string, unknown>;

const identity = (text: string) => text;

/** What is done to a text first. @throws naming a normalizer that is not read here */
export function createNormalizer(config: unknown): (text: string) => string {
  if (config === null || config === undefined) return identity;
  const fields = config as Fields, { type } = fields;
  switch (type) {
    case "Sequence": {
      const all = (fields.normalizers as unknown[]).map(createNormalizer);
      return (text) => all.reduce((result, normalize) => normalize(result), text);
    }
    case "Prepend":
      return (text) => text === "" ? text : `${fields.prepend}${text}`;
    case "Replace": {
      const from = literal(fields.pattern), to = String(fields.content);
      // Of one letter by one: others would move where the text starts, or let it grow without end.
      if ([from, to].some((text) => Array.from(text).length !== 1)) {
        throw new Error(`the normalizer Replace of ${JSON.stringify([from, to])}`);
      }
      return (text) => text.replaceAll(from, () => to);
    }
    case "NFC":
    case "NFD":
    case "NFKC":
    case "NFKD":
      return (text) => text.normalize(type);
    default:
      throw new Error(`the normalizer ${type}, which is not read here`);
  }
}

/** The text that a pattern is; a decoder or normalizer has no other here. */
export function literal(pattern: unknown): string {
  const { String: text } = (pattern ?? {}) as Fields;
  if (typeof text === "string" && text !== "") return text;
  throw new Error(`the pattern ${JSON.stringify(pattern)?.slice(0, 80)}`);
}

/** Cuts each of a text's parts further; `first`: nothing of the text stands before them. */
export type PreTokenizer = (parts: string[], first: boolean) => string[];

/** GPT-2's way to cut a text into words. */
export const gpt2Words = String
  .raw`'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`;

/** @throws naming a pre-tokenizer that is not read here */
export function createPreTokenizer(config: unknown): PreTokenizer {
  if (config === null || config === undefined) return (parts) => parts;
  const fields = config as Fields;
  switch (fields.type) {
    case "Sequence": {
      if (JSON.stringify(fields).includes('"Metaspace"')) {
        throw new Error("the pre-tokenizer Metaspace beside others");
      }
      const all = (fields.pretokenizers as unknown[]).map(createPreTokenizer);
      return (parts, first) => all.reduce((result, cut) => cut(result, first), parts);
    }
    case "ByteLevel": {
      const cut = fields.use_regex === false
        ? (parts: string[]) => parts
        : splitAt(compileRegex(gpt2Words), "Isolated");
      const spaced = (text: string) =>
        fields.add_prefix_space === false || text.startsWith(" ") ? text : ` ${text}`;
      return (parts) => cut(parts.map(spaced)).map(asBytes);
    }
    case "Metaspace": {
      const sign = String(fields.replacement ?? "▁"), scheme = prependScheme(fields);
      const cut = fields.split === false
        ? (parts: string[]) => parts
        : splitAt(new RegExp(RegExp.escape(sign), "gu"), "MergedWithNext");
      return (parts, first) =>
        cut(parts.map((text) => {
          const marked = text.replaceAll(" ", () => sign);
          const starts = scheme === "always" || scheme === "first" && first;
          return starts && !marked.startsWith(sign) ? sign + marked : marked;
        }));
    }
    case "Split": {
      const { Regex } = (fields.pattern ?? {}) as Fields;
      const pattern = typeof Regex === "string"
        ? compileRegex(Regex)
        : new RegExp(RegExp.escape(literal(fields.pattern)), "gu");
      return splitAt(pattern, String(fields.behavior), fields.invert === true);
    }
    case "Digits":
      return splitAt(fields.individual_digits === true ? /\p{N}/gu : /\p{N}+/gu, "Isolated");
    case "WhitespaceSplit":
      return splitAt(/\p{White_Space}/gu, "Removed");
    default:
      throw new Error(`the pre-tokenizer ${fields.type}, which is not read here`);
  }
}

const behaviors = ["Removed", "Isolated", "MergedWithPrevious", "MergedWithNext"];

/** Cuts at a pattern's matches, or what lies between them where `invert`; `behavior` says what becomes of these. */
function splitAt(pattern: RegExp, behavior: string, invert = false) {
  if (!behaviors.includes(behavior)) {
    throw new Error(`a pre-tokenizer that splits as ${JSON.stringify(behavior)}`);
  }
  const cut = (text: string): string[] => {
    const result: string[] = [];
    let end = 0, before: boolean | undefined;
    const add = (stop: number, match: boolean) => {
      const part = text.slice(end, stop);
      end = stop;
      if (part === "") return;
      const joins = behavior === "MergedWithPrevious"
        ? match && before === false
        : behavior === "MergedWithNext" && before === true && !match;
      before = match;
      if (joins) result[result.length - 1] += part;
      else if (behavior !== "Removed" || !match) result.push(part);
    };
    for (const { 0: found, index } of text.matchAll(pattern)) {
      add(index, invert);
      add(index + found.length, !invert);
    }
    add(text.length, invert);
    return result;
  };
  return (parts: string[]) => parts.flatMap(cut);
}

const repeat = String.raw`[*+?]|\{\d+(?:,\d*)?\}`;
const letter = String.raw`\\[pP]\{\w+\}|\\[rntsS]|\\[^\w]`;
/** What means the same to Oniguruma and JavaScript; no group repeats, which could take years. */
const common = new RegExp(
  String
    .raw`^(?:(?:${letter}|\[\^?(?:${letter}|(?!&&)[^\\[\]])+\]|[^\\[\](){}.*+?^$|])(?:${repeat})?|` +
    String.raw`\((?:\?(?:i:|:|=|!|<=|<!))?|\)\??|\|)*$`,
  "u",
);

/** A regular expression of Oniguruma's, global and by code points. @throws on terms that JavaScript reads otherwise */
function compileRegex(source: string): RegExp {
  try {
    if (common.test(source)) {
      return new RegExp(source.replace(/\\./gu, (term) => spaces[term] ?? term), "gu");
    }
  } catch { /* refused below */ }
  const shown = JSON.stringify(source.slice(0, 100));
  throw new Error(`the regular expression ${shown}, which is none of those that are read here`);
}

/** JavaScript's \s has U+FEFF and lacks U+0085. */
const spaces: Record<string, string> = { "\\s": "\\p{White_Space}", "\\S": "\\P{White_Space}" };

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
    ["always", "first", "never"].includes(scheme) &&
    (add_prefix_space !== false || scheme === "never")
  ) return scheme;
  throw new Error(
    `Metaspace with prepend_scheme ${scheme} and add_prefix_space ${add_prefix_space}`,
  );
}
