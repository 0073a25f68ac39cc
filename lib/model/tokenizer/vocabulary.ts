/** tokenizer.json's models: from a word to token ids. */
import { BPE } from "@huggingface/tokenizers";
import { quote } from "../../platform/runtime/quote.ts";
import type { Fields } from "./words.ts";

export interface Vocabulary {
  /** Ids by token, without those added later. */
  ids: ReadonlyMap<string, number>;
  unkToken?: string;
  /** @throws naming a word that neither has tokens nor an unknown token that stands for it */
  encode(word: string): number[];
}

/** @throws naming what a model has that is not read here or can't be right */
export function createVocabulary(config: unknown, from: string): Vocabulary {
  const fields = (config ?? {}) as Fields;
  // Older files leave the type out.
  const type = fields.type ?? (fields.merges !== undefined ? "BPE" : undefined);
  // Before the vocabulary, which each type writes in its own way.
  if (type !== "BPE" && type !== "WordLevel") {
    throw new Error(`the model ${quote(type)}, which is not read here`);
  }
  const ids = idsOf(fields.vocab);
  const unkToken = typeof fields.unk_token === "string" ? fields.unk_token : undefined;
  if (type === "BPE") return { ids, unkToken, encode: bytePairs(fields, ids, unkToken) };
  const encode = (word: string): number[] => {
    const id = ids.get(word) ?? ids.get(unkToken ?? word);
    if (id !== undefined) return [id];
    throw new Error(
      `Cannot encode ${quote(word.slice(0, 40))}: expected a word of the vocabulary of ${from}; ` +
        "found none, and no token for unknown words; leave it out",
    );
  };
  return { ids, unkToken, encode };
}

function idsOf(vocab: unknown): Map<string, number> {
  const ids = new Map<string, number>(), tokens = new Map<number, string>();
  for (const [token, id] of Object.entries((vocab ?? {}) as Fields)) {
    if (typeof id !== "number" || !Number.isInteger(id) || id < 0 || id > 0xffffffff) {
      throw new Error(`the id ${quote(id)} of token ${quote(token)}`);
    }
    if (tokens.has(id)) {
      throw new Error(`the id ${id} of two tokens, ${quote(tokens.get(id))} and ${quote(token)}`);
    }
    ids.set(token, id);
    tokens.set(id, token);
  }
  return ids;
}

function bytePairs(
  fields: Fields,
  ids: ReadonlyMap<string, number>,
  unk: string | undefined,
): Vocabulary["encode"] {
  // Tokens drawn by chance, and marks of CLIP and BERT.
  for (const name of ["dropout", "continuing_subword_prefix", "end_of_word_suffix"]) {
    if (fields[name]) throw new Error(`BPE with ${name} ${quote(fields[name])}`);
  }
  if (unk !== undefined && !ids.has(unk)) throw new Error(`unk_token ${quote(unk)}`);
  const merges = (fields.merges as (string | string[])[]).map((merge) => {
    const parts = typeof merge === "string" ? merge.split(" ") : merge;
    if (parts.length === 2 && [...parts, parts.join("")].every((part) => ids.has(part))) {
      return parts as [string, string];
    }
    throw new Error(`the merge ${quote(merge)}, which is not two tokens that make a third`);
  });
  const model = new BPE({ ...fields, merges } as unknown as ConstructorParameters<typeof BPE>[0]);
  const encoder = new TextEncoder();
  const known = (letter: string) =>
    ids.has(letter) || fields.byte_fallback === true &&
      Array.from(encoder.encode(letter), byteToken).every((token) => ids.has(token));
  /** Without an unknown token, what is unknown is left out before pairs are merged. */
  const withoutUnknown = (word: string): string =>
    unk !== undefined || fields.ignore_merges === true && ids.has(word)
      ? word
      : Array.from(word).filter(known).join("");
  return (word) =>
    model.encode([withoutUnknown(word)])
      // Unknown ones are one where they follow each other within a word.
      .filter((token, i, all) => !fields.fuse_unk || token !== unk || all[i - 1] !== unk)
      .map((token) => ids.get(token)!);
}

const byteToken = (byte: number) => `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`;
