/** tokenizer.json's normalizers: what is done to a text before it is cut into words. */
import { compilePattern } from "./regex.ts";
import type { Fields, Piece } from "./words.ts";

export type Normalizer = (piece: Piece) => Piece;

/** A normalizer that makes more characters than this, and more than twice the text's, runs away. */
const MOST_CHARACTERS = 10_000_000;

const edges = { left: /^\p{White_Space}+/u, right: /\p{White_Space}+$/u };

/** @throws naming a normalizer that is not read here */
export function createNormalizer(config: unknown): Normalizer {
  const normalize = normalizerOf(config as Fields | null | undefined);
  return (piece) => {
    const most = Math.max(2 * piece.text.length, MOST_CHARACTERS);
    let found = "too long a text";
    try {
      const result = normalize(piece);
      if (result.text.length <= most) return result;
      found = `${result.text.length}`;
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
    }
    throw new Error(
      `Cannot encode a text of ${piece.text.length} characters: expected its normalizer ` +
        `${JSON.stringify(config).slice(0, 80)} to make at most ${most} of them; found ${found}; ` +
        "use another tokenizer",
    );
  };
}

/** A normalizer that leaves a text's first letter where it was. */
const inPlace = (change: (text: string) => string): Normalizer => ({ text, first }) => ({
  text: change(text),
  first,
});

function normalizerOf(config: Fields | null | undefined): Normalizer {
  if (config === null || config === undefined) return (piece) => piece;
  const { type } = config;
  switch (type) {
    case "Sequence": {
      const all = (config.normalizers as unknown[]).map(createNormalizer);
      return (piece) => all.reduce((result, normalize) => normalize(result), piece);
    }
    case "Prepend":
      return inPlace((text) => text === "" ? text : String(config.prepend) + text);
    case "Replace": {
      const pattern = compilePattern(config.pattern);
      return ({ text, first }) => {
        let start = false;
        const replaced = text.replace(pattern, (found, ...rest) => {
          // One letter's place is the new one's; of several the Rust library keeps the last one's.
          start ||= rest.indexOf(0) >= 0 && found !== "" &&
            (config.content === "" || Array.from(found).length > 1);
          return String(config.content);
        });
        return { text: replaced, first: first && !start };
      };
    }
    case "NFC":
    case "NFD":
    case "NFKC":
    case "NFKD":
      return inPlace((text) => text.normalize(type));
    case "Lowercase":
      // Letter by letter: a sigma at a word's end is like any other there.
      return inPlace((text) => Array.from(text, (letter) => letter.toLowerCase()).join(""));
    case "Strip":
      return ({ text, first }) => {
        const start = config.strip_left ? text.replace(edges.left, "") : text;
        return {
          text: config.strip_right ? start.replace(edges.right, "") : start,
          first: first && start === text,
        };
      };
    case "StripAccents":
      return ({ text, first }) => ({
        text: text.replace(/\p{M}/gu, ""),
        first: first && !/^\p{M}/u.test(text),
      });
    case "Precompiled":
      return precompiled(String(config.precompiled_charsmap ?? ""));
    default:
      throw new Error(`the normalizer ${type}, which is not read here`);
  }
}

/**
 * SentencePiece's table of replacements: a double array that finds a text's beginnings by their
 * UTF-8 bytes, then the texts, each ended by a zero (github.com/huggingface/spm_precompiled).
 */
function precompiled(base64: string): Normalizer {
  const bytes = Uint8Array.fromBase64(base64);
  if (bytes.length === 0) return (piece) => piece;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const length = bytes.length < 4 ? 0 : view.getUint32(0, true);
  if (length === 0 || length % 4 !== 0 || length + 4 > bytes.length) {
    throw new Error(`the normalizer Precompiled with a table of ${length} bytes`);
  }
  const unit = (at: number) => at < length / 4 ? view.getUint32(4 + 4 * at, true) : 0;
  const offset = (value: number) => (value >>> 10) << ((value & 0x200) >>> 6);
  const texts = bytes.subarray(4 + length);
  const encoder = new TextEncoder(), decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  const segments = new Intl.Segmenter("en", { granularity: "grapheme" });

  /** What stands for the shortest beginning of `part` that the table has. */
  const replacement = (part: string): string | undefined => {
    let at = offset(unit(0));
    for (const byte of encoder.encode(part)) {
      at ^= byte;
      const value = unit(at);
      if (byte === 0 || (value & 0x800000ff) !== byte) return undefined;
      at ^= offset(value);
      if ((value >>> 8 & 1) === 0) continue;
      const start = unit(at) & 0x7fffffff;
      const end = texts.indexOf(0, start);
      return decoder.decode(texts.subarray(start, end < 0 ? texts.length : end));
    }
    return undefined;
  };
  // What it drops at the start doesn't move what follows there: the Rust library counts it so.
  return inPlace((text) => {
    const parts: string[] = [];
    for (const { segment } of segments.segment(text)) {
      const whole = encoder.encode(segment).length < 6 ? replacement(segment) : undefined;
      if (whole !== undefined) parts.push(whole);
      else parts.push(...Array.from(segment, (part) => replacement(part) ?? part));
    }
    return parts.join("");
  });
}
