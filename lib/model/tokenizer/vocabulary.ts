/** tokenizer.json's models: from a word to token ids. */
import { BPE, Unigram, WordPiece } from "@huggingface/tokenizers";
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
export function createVocabulary(config: unknown): Vocabulary {
  const fields = (config ?? {}) as Fields;
  // Older files leave the type out.
  const type = fields.type ??
    (Array.isArray(fields.vocab)
      ? "Unigram"
      : fields.merges !== undefined
      ? "BPE"
      : fields.max_input_chars_per_word !== undefined
      ? "WordPiece"
      : fields.vocab !== undefined
      ? "WordLevel"
      : undefined);
  const ids = idsOf(fields.vocab, type === "Unigram");
  const idOf = (token: string, word: string): number => {
    const id = ids.get(token);
    if (id !== undefined) return id;
    throw new Error(
      `Cannot encode ${quote(word.slice(0, 40))}: expected a word of the vocabulary; found none, ` +
        "and no token for unknown words; leave it out",
    );
  };
  const unk = typeof fields.unk_token === "string" ? fields.unk_token : undefined;
  switch (type) {
    case "BPE":
      return { ids, unkToken: unk, encode: bytePairs(fields, ids, idOf, unk) };
    case "Unigram":
      return unigram(fields, ids, idOf);
    case "WordPiece": {
      const usual = { max_input_chars_per_word: 100, continuing_subword_prefix: "##" };
      const model = new WordPiece(
        { ...usual, ...fields } as unknown as ConstructorParameters<typeof WordPiece>[0],
      );
      const encode = (word: string) => model.encode([word]).map((token) => idOf(token, word));
      return { ids, unkToken: unk, encode };
    }
    case "WordLevel": {
      const encode = (word: string) => [idOf(ids.has(word) ? word : unk ?? word, word)];
      return { ids, unkToken: unk, encode };
    }
    default:
      throw new Error(`the model ${quote(type)}, which is not read here`);
  }
}

function idsOf(vocab: unknown, isList: boolean): Map<string, number> {
  const entries: [string, unknown][] = isList
    ? (vocab as [string, number][]).map(([token], id) => [token, id])
    : Object.entries((vocab ?? {}) as Fields);
  const ids = new Map<string, number>(), tokens = new Map<number, string>();
  for (const [token, id] of entries) {
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

type IdOf = (token: string, word: string) => number;

function bytePairs(
  fields: Fields,
  ids: ReadonlyMap<string, number>,
  idOf: IdOf,
  unk: string | undefined,
): Vocabulary["encode"] {
  if (fields.dropout) {
    throw new Error(`BPE with dropout ${quote(fields.dropout)}, whose tokens are drawn by chance`);
  }
  if (fields.continuing_subword_prefix) {
    const prefix = quote(fields.continuing_subword_prefix);
    throw new Error(`BPE with continuing_subword_prefix ${prefix}`);
  }
  const merges = (fields.merges as (string | string[])[]).map((merge) => {
    const parts = typeof merge === "string" ? merge.split(" ") : merge;
    if (parts.length === 2 && [...parts, parts.join("")].every((part) => ids.has(part))) {
      return parts as [string, string];
    }
    throw new Error(`the merge ${quote(merge)}, which is not two tokens that make a third`);
  });
  const model = new BPE({ ...fields, merges } as unknown as ConstructorParameters<typeof BPE>[0]);
  const encoder = new TextEncoder();
  const bytesOf = (letter: string) =>
    Array.from(encoder.encode(letter), byteToken).every((token) => ids.has(token));
  const known = (letter: string) =>
    ids.has(letter) || fields.byte_fallback === true && bytesOf(letter);
  const suffix = fields.end_of_word_suffix ?? "";
  /** Without an unknown token, what is unknown is left out before pairs are merged. */
  const withoutUnknown = (word: string): string => {
    if (unk !== undefined || fields.ignore_merges === true && ids.has(word)) return word;
    const letters = Array.from(word), last = letters.length - 1;
    const kept = letters.filter((letter, i) => known(i === last ? letter + suffix : letter));
    if (kept.length < letters.length && suffix !== "") idOf(letters.join("") + suffix, word);
    return kept.join("");
  };
  return (word) => {
    const tokens = model.encode([withoutUnknown(word)]);
    // Unknown ones are one where they follow each other within a word.
    const joined = fields.fuse_unk === true
      ? tokens.filter((token, i) => token !== unk || tokens[i - 1] !== unk)
      : tokens;
    return joined.map((token) => idOf(token, word));
  };
}

const byteToken = (byte: number) => `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`;

function unigram(fields: Fields, ids: ReadonlyMap<string, number>, idOf: IdOf): Vocabulary {
  const vocab = fields.vocab as [string, number][];
  const unkId = typeof fields.unk_id === "number" ? fields.unk_id : undefined;
  const wrong = vocab.find(([token, score]) =>
    typeof token !== "string" || typeof score !== "number"
  );
  if (wrong !== undefined) throw new Error(`the entry ${quote(wrong)} of Unigram's vocabulary`);
  if (unkId !== undefined && vocab[unkId] === undefined) throw new Error(`unk_id ${unkId}`);
  const model = new Unigram(
    { ...fields, unk_id: unkId ?? -1 } as unknown as ConstructorParameters<typeof Unigram>[0],
    "",
  );
  // The package gives the unknown token's own text the penalty of unknown ones.
  if (unkId !== undefined) model.scores[unkId] = vocab[unkId][1];
  const encoder = new TextEncoder();
  const unkToken = unkId === undefined ? undefined : vocab[unkId][0];
  const unknown = (text: string): number[] => {
    const bytes = fields.byte_fallback === true
      ? Array.from(encoder.encode(text), (byte) => ids.get(byteToken(byte)))
      : [undefined];
    if (!bytes.includes(undefined)) return bytes as number[];
    return [unkId ?? idOf(text, text)];
  };
  return {
    ids,
    unkToken,
    encode: (word) => {
      const result: number[] = [];
      let run = "";
      const end = () => {
        if (run !== "") result.push(...(ids.has(run) ? [ids.get(run)!] : unknown(run)));
        run = "";
      };
      for (const token of model.tokenize(word)) {
        const id = ids.get(token);
        if (id === undefined) run += token;
        else {
          end();
          result.push(id);
        }
      }
      end();
      return result;
    },
  };
}
