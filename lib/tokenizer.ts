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
  /**
   * The same without tokens added to the vocabulary later (such as a padding). Absent: there are none.
   */
  readonly ordinarySize?: number;
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
  const vocabulary = (json.model as Fields | undefined)?.vocab ?? {};
  let ordinarySize = 0;
  if (Array.isArray(vocabulary)) ordinarySize = vocabulary.length;
  else for (const id of Object.values(vocabulary)) ordinarySize = Math.max(ordinarySize, id + 1);
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
    ordinarySize,
    bosTokenId: idOf("bos_token"),
    eosTokenId: idOf("eos_token"),
    padTokenId: idOf("pad_token"),
    unkTokenId: typeof unknown === "string" ? inner.token_to_id(unknown) : undefined,
    files,
  };
}

/** How llama.cpp's names of pre-tokenizers cut a text, and what they do to it first. */
const ggufPreTokenizers: Record<string, Fields> = {
  "gpt-2": { words: [isolate(gpt2Words)] },
  smollm: { words: [isolate(String.raw`\p{N}`), isolate(gpt2Words)] },
  qwen2: { words: [isolate(wordsWithDigits(1))], normalizer: { type: "NFC" } },
  "llama-bpe": { words: [isolate(wordsWithDigits(3))], ignoreMerges: true },
};

/** Llama 3's and Qwen 2's words: any case of 's, line breaks apart, up to `most` digits together. */
function wordsWithDigits(most: number): string {
  const digits = most === 1 ? String.raw`\p{N}` : String.raw`\p{N}{1,${most}}`;
  return String.raw`(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|` + digits +
    String.raw`| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`;
}

/** GGUF's kinds of tokens that are found in a text before it is cut into words. */
const [controlToken, userToken] = [3, 4];

/**
 * A tokenizer from a GGUF file's metadata, built as the tokenizer.json it was made from.
 * @param from what errors call the file; default "the GGUF file"
 * Throws on kinds other than byte-level BPE as in GPT-2, SmolLM, Llama 3 and Qwen 2.
 */
export function tokenizerFromGguf(
  metadata: Record<string, unknown>,
  { from = "the GGUF file" }: { from?: string } = {},
): Tokenizer {
  const refuse = (expected: string, found: unknown): never => {
    throw new Error(
      `Cannot read the tokenizer of ${from}: expected ${expected}; ` +
        `found ${JSON.stringify(found)?.slice(0, 80) ?? "none"}; give the model's own tokenizer`,
    );
  };
  const field = (name: string) => metadata[`tokenizer.ggml.${name}`];
  const list = <T>(name: string, type: string): T[] => {
    const value = field(name);
    if (Array.isArray(value) && value.every((item) => typeof item === type)) return value;
    return refuse(`a list tokenizer.ggml.${name} of ${type}s`, value);
  };
  if (field("model") !== "gpt2") refuse("byte-level BPE (gpt2)", field("model"));
  const pre = field("pre");
  if (typeof pre !== "string" || !Object.hasOwn(ggufPreTokenizers, pre)) {
    refuse(`one of ${Object.keys(ggufPreTokenizers).join(", ")} in tokenizer.ggml.pre`, pre);
  }
  const { words, normalizer, ignoreMerges } = ggufPreTokenizers[pre as string];
  const tokens = list<string>("tokens", "string");
  const types = list<number>("token_type", "number");
  const added = tokens.flatMap((content, id) =>
    types[id] !== controlToken && types[id] !== userToken ? [] : [{
      id,
      content,
      special: types[id] === controlToken,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
    }]
  );
  const bytes = { type: "ByteLevel", add_prefix_space: false, trim_offsets: true };
  const tokenOf = (name: string) => tokens[field(`${name}_token_id`) as number];
  const bos = tokenOf("bos");
  const json = {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: added,
    normalizer: normalizer ?? null,
    pre_tokenizer: {
      type: "Sequence",
      pretokenizers: [...words as Fields[], { ...bytes, use_regex: false }],
    },
    post_processor: field("add_bos_token") === true && bos !== undefined
      ? startingWith(bos, tokens.indexOf(bos))
      : null,
    decoder: { ...bytes, use_regex: true },
    model: {
      type: "BPE",
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: ignoreMerges ?? false,
      vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
      merges: list<string>("merges", "string").map((merge) => merge.split(" ")),
    },
  };
  const template = metadata["tokenizer.chat_template"];
  const config = {
    tokenizer_class: "PreTrainedTokenizerFast",
    bos_token: bos ?? null,
    eos_token: tokenOf("eos") ?? null,
    unk_token: tokenOf("unknown") ?? null,
    pad_token: tokenOf("padding") ?? null,
    clean_up_tokenization_spaces: false,
    ...(typeof template === "string" && { chat_template: template }),
  };
  const files = new Map([
    ["tokenizer.json", JSON.stringify(json)],
    ["tokenizer_config.json", JSON.stringify(config, null, 2)],
  ]);
  return tokenizerFromFiles(files, { from });
}

/** A template that puts one token before a text. */
function startingWith(token: string, id: number): Fields {
  const special = { SpecialToken: { id: token, type_id: 0 } };
  const sequence = (name: string) => ({ Sequence: { id: name, type_id: 0 } });
  return {
    type: "TemplateProcessing",
    single: [special, sequence("A")],
    pair: [special, sequence("A"), special, sequence("B")],
    special_tokens: { [token]: { id: token, ids: [id], tokens: [token] } },
  };
}
