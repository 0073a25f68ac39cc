/**
 * Text to token ids and back, by the tokenizer files that every model comes with.
 * The work is done by @huggingface/tokenizers; what differs there from the reference library in Rust
 * is mended here, so that a text has the same tokens as in the model's training.
 */
import { Tokenizer as JsonTokenizer } from "@huggingface/tokenizers";

export interface Tokenizer {
  /** Token ids of `text`; with the model's own beginning and end only when asked for. */
  encode(text: string, options?: EncodeOptions): number[];
  /** The text of `ids`; ids that the vocabulary lacks give nothing. */
  decode(ids: readonly number[], options?: DecodeOptions): string;
  tokenId(token: string): number | undefined;
  /** One more than the largest token id. A model's own vocabulary can be larger (padded). */
  readonly vocabularySize: number;
  readonly bosTokenId?: number;
  readonly eosTokenId?: number;
  readonly padTokenId?: number;
  readonly unkTokenId?: number;
  /** tokenizer.json and its companions by file name, to save beside a checkpoint. */
  readonly files: ReadonlyMap<string, string>;
}

export interface EncodeOptions {
  /** Add what the model's template puts around a text (mostly <s>); default false. */
  addSpecialTokens?: boolean;
}

export interface DecodeOptions {
  /** Leave out <s>, </s> and their like; default false. */
  skipSpecialTokens?: boolean;
}

/** The files of a tokenizer, as they lie in a model's folder; the first one is needed. */
export const tokenizerFileNames = [
  "tokenizer.json",
  "tokenizer_config.json",
  "special_tokens_map.json",
  "added_tokens.json",
  "chat_template.jinja",
  "vocab.json",
  "merges.txt",
] as const;

type Fields = Record<string, unknown>;

function parseObject(files: ReadonlyMap<string, string>, name: string, from: string): Fields {
  const text = files.get(name);
  if (text === undefined) return {};
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    const found = (error as Error).message.slice(0, 160);
    throw new Error(`Cannot read ${name} of ${from}: expected JSON; found ${found}; take it again`);
  }
  if (value === null || typeof value !== "object" || Array.isArray(value)) {
    throw new Error(`Cannot read ${name} of ${from}: expected a JSON object; take it again`);
  }
  return value as Fields;
}

/** GPT-2's way to cut a text into words, as the Rust library has it. */
const gpt2Words = String
  .raw`'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`;
const isolate = (regex: string): Fields => ({
  type: "Split",
  pattern: { Regex: regex },
  behavior: "Isolated",
  invert: false,
});

/**
 * The same pre-tokenizer in terms that the package handles as the Rust library does: its `Digits`
 * knows ASCII digits alone, and its words take U+FEFF for a space and U+0085 for none.
 */
function asInRust(preTokenizer: unknown): unknown {
  if (preTokenizer === null || typeof preTokenizer !== "object") return preTokenizer;
  const fields = preTokenizer as Fields;
  switch (fields.type) {
    case "Sequence":
      return { ...fields, pretokenizers: (fields.pretokenizers as unknown[]).map(asInRust) };
    case "Digits":
      return isolate(fields.individual_digits ? String.raw`\p{N}` : String.raw`\p{N}+`);
    case "ByteLevel":
      if (fields.use_regex === false || fields.add_prefix_space) return fields;
      return {
        type: "Sequence",
        pretokenizers: [isolate(gpt2Words), { ...fields, use_regex: false }],
      };
    case "WhitespaceSplit":
      return { ...isolate(String.raw`\s+`), behavior: "Removed" };
    default:
      return fields;
  }
}

/** The text of a special token, given as a text or as an object with it. */
const contentOf = (token: unknown) =>
  typeof token === "string" ? token : (token as Fields | null | undefined)?.content;

/**
 * A tokenizer from its files, by file name.
 * @param from what errors call the place they came from; default "the model"
 * Throws when tokenizer.json is missing or can't be used.
 */
export function tokenizerFromFiles(
  files: ReadonlyMap<string, string>,
  { from = "the model" }: { from?: string } = {},
): Tokenizer {
  if (!files.has("tokenizer.json")) {
    const found = [...files.keys()].join(", ") || "none";
    throw new Error(
      `Cannot read the tokenizer of ${from}: expected tokenizer.json; found ${found}; save the ` +
        "tokenizer once more by transformers' AutoTokenizer.save_pretrained, or give another one",
    );
  }
  const json = parseObject(files, "tokenizer.json", from);
  const special = {
    ...parseObject(files, "special_tokens_map.json", from),
    ...parseObject(files, "tokenizer_config.json", from),
  };
  const unknown = contentOf(special.unk_token) ?? (json.model as Fields | undefined)?.unk_token;
  let inner: JsonTokenizer;
  try {
    const normal = {
      normalizer: null,
      post_processor: null,
      decoder: null,
      added_tokens: [],
      ...json,
      pre_tokenizer: asInRust(json.pre_tokenizer ?? null),
    };
    inner = new JsonTokenizer(normal, { ...special, unk_token: unknown });
  } catch (error) {
    throw new Error(
      `Cannot read tokenizer.json of ${from}: expected a tokenizer of the tokenizers library; ` +
        `found ${(error as Error).message.slice(0, 200)}; take it again, or give another one`,
    );
  }
  const idOf = (name: string) => {
    const content = contentOf(special[name]);
    return typeof content === "string" ? inner.token_to_id(content) : undefined;
  };
  return {
    encode: (text, { addSpecialTokens = false } = {}) => {
      const { ids, tokens } = inner.encode(text, { add_special_tokens: addSpecialTokens });
      const missing = ids.indexOf(undefined as unknown as number);
      if (missing < 0) return ids;
      throw new Error(
        `Cannot encode ${JSON.stringify(tokens[missing].slice(0, 40))}: expected a word of the ` +
          `vocabulary of ${from}; found none, and no token for unknown words; leave it out`,
      );
    },
    decode: (ids, { skipSpecialTokens = false } = {}) => {
      const known = ids.filter((id) => inner.id_to_token(id) !== undefined);
      // The package refuses an empty list, which stands for an empty text.
      if (known.length === 0) return "";
      return inner.decode(known, {
        skip_special_tokens: skipSpecialTokens,
        clean_up_tokenization_spaces: false,
      });
    },
    tokenId: (token) => inner.token_to_id(token),
    vocabularySize: inner.model?.vocab.length ?? 0,
    bosTokenId: idOf("bos_token"),
    eosTokenId: idOf("eos_token"),
    padTokenId: idOf("pad_token"),
    unkTokenId: typeof unknown === "string" ? inner.token_to_id(unknown) : undefined,
    files,
  };
}
