/** What @huggingface/tokenizers does to a text between added tokens, mended where Rust's library differs. */
import {
  AddedToken,
  ByteFallbackDecoder,
  ByteLevelDecoder,
  type SequenceDecoder,
  Tokenizer,
} from "@huggingface/tokenizers";
import { quote } from "../../platform/runtime/quote.ts";
import { type Fields, readParts } from "./parts.ts";

export interface Stages {
  /** Ids of the model's tokens, without those added later. */
  ids: ReadonlyMap<string, number>;
  unkToken?: string;
  normalize(text: string): string;
  /**
   * Ids of a normalized text without added tokens; `first`: nothing stands before it.
   * @throws naming a word that neither has tokens nor an unknown token that stands for it
   */
  encode(text: string, first: boolean): number[];
  decode(tokens: string[]): string;
}

/** The stages of a tokenizer.json; errors call it `from`. @throws naming what is not read here */
export function createStages(json: Fields, from: string): Stages {
  const normalizers = readParts(json, "normalizer"), cuts = readParts(json, "pre_tokenizer");
  const decoders = readParts(json, "decoder");
  if (normalizers.some(({ type }) => type === "Prepend") && cuts.length > 0) {
    throw new Error("the normalizer Prepend before a pre-tokenizer");
  }
  const { ids, unkToken, known, fields } = readModel(json.model);
  const { normalizer, pre_tokenizer, decoder, model } = new Tokenizer({
    normalizer: { type: "Sequence", normalizers },
    pre_tokenizer: { type: "Sequence", pretokenizers: cuts },
    model: fields,
    decoder: decoders.length === 0 ? null : { type: "Sequence", decoders },
    post_processor: null,
    added_tokens: [],
  }, {});
  const steps = (decoder as SequenceDecoder | null)?.decoders ?? [];
  for (const step of steps) {
    if (step instanceof ByteFallbackDecoder) step.text_decoder = new ByteRunDecoder();
  }
  const idOf = (token: string): number => {
    const id = ids.get(token) ?? ids.get(unkToken ?? token);
    if (id !== undefined) return id;
    throw new Error(
      `Cannot encode ${quote(token.slice(0, 40))}: expected a word of the vocabulary of ${from}; ` +
        "found none, and no token for unknown words; leave it out",
    );
  };
  return {
    ids,
    unkToken,
    normalize: (text) => text === "" ? "" : normalizer!(text),
    encode: (text, first) => {
      const words = text === "" ? [] : pre_tokenizer!(text, { section_index: first ? 0 : 1 });
      // One by one: unknown letters become one token within a word alone.
      return words.flatMap((word) => model!([known(word)]).map(idOf));
    },
    decode: (tokens) => {
      if (steps[0] instanceof ByteLevelDecoder) {
        // A token is a text as it is where one of its letters stands for no byte.
        steps[0].added_tokens = tokens
          .filter((token) => /[^!-~\u00a1-\u00ac\u00ae-\u0143]/u.test(token))
          .map((content) => new AddedToken({ content, id: 0 }));
      }
      return decoder === null ? tokens.join(" ") : decoder(tokens);
    },
  };
}

/** @throws naming what a model has that is not read here or can't be right */
function readModel(config: unknown) {
  const fields = { ...config as Fields };
  // Older files leave the type out.
  if (fields.type === undefined && fields.merges !== undefined) fields.type = "BPE";
  if (fields.type !== "BPE" && fields.type !== "WordLevel") {
    throw new Error(`the model ${quote(fields.type)}, which is not read here`);
  }
  const { vocab } = fields;
  if (typeof vocab !== "object" || vocab === null || Array.isArray(vocab)) {
    throw new Error(`the vocabulary ${quote(vocab)}`);
  }
  const ids = new Map<string, number>(), taken = new Set<number>();
  for (const [token, id] of Object.entries(vocab as Record<string, number>)) {
    if (!Number.isInteger(id) || id < 0 || id >= 0xffffffff || taken.has(id)) {
      throw new Error(`the id ${quote(id)} of token ${quote(token)}, which is none or another's`);
    }
    ids.set(token, id);
    taken.add(id);
  }
  const unkToken = (fields.unk_token || undefined) as string | undefined;
  const drops = fields.type === "BPE" && unkToken === undefined;
  const encoder = new TextEncoder();
  const isKnown = (letter: string): boolean =>
    ids.has(letter) || fields.byte_fallback === true &&
      Array.from(encoder.encode(letter), byteToken).every((token) => ids.has(token));
  // Letters that nothing stands for are left out before pairs are merged; the package does it later.
  const known = (word: string): string =>
    !drops || fields.ignore_merges === true && ids.has(word)
      ? word
      : Array.from(word).filter(isKnown).join("");
  if (fields.type === "WordLevel") return { ids, unkToken, known, fields };
  // Tokens drawn by chance, and marks of CLIP and BERT.
  for (const name of ["dropout", "continuing_subword_prefix", "end_of_word_suffix"]) {
    if (fields[name]) throw new Error(`BPE with ${name} ${quote(fields[name])}`);
  }
  if (!drops && !ids.has(unkToken!)) {
    throw new Error(`BPE with unk_token ${quote(unkToken)}`);
  }
  fields.merges = (fields.merges as (string | string[])[]).map((merge) => {
    const parts = typeof merge === "string" ? merge.split(" ") : merge;
    if (parts.length === 2 && [...parts, parts.join("")].every((part) => ids.has(part))) {
      return parts;
    }
    throw new Error(`the merge ${quote(merge)}, which is not two tokens that make a third`);
  });
  return { ids, unkToken, known, fields };
}

const byteToken = (byte: number) => `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`;

/** The text of a run of byte tokens, byte order marks kept; each of a run that is none becomes U+FFFD. */
class ByteRunDecoder extends TextDecoder {
  readonly #strict = new TextDecoder("utf-8", { ignoreBOM: true, fatal: true });

  override decode(bytes: Uint8Array<ArrayBuffer>): string {
    try {
      return this.#strict.decode(bytes);
    } catch {
      return "\ufffd".repeat(bytes.length);
    }
  }
}
