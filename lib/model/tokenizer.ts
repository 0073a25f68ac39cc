/**
 * Text to token ids and back by @huggingface/tokenizers, with the ids that the tokenizers library in
 * Rust gives. Read is what the model families here have, and refused by name what they have not.
 */
import { quote } from "../platform/runtime/quote.ts";
import { type Fields, parseObject, words } from "./fields.ts";
import { addedTokens, contentOf, createEncoder } from "./tokenizer/added.ts";
import { filesFromGguf } from "./tokenizer/gguf.ts";
import { partsOf } from "./tokenizer/parts.ts";
import { createStages } from "./tokenizer/stages.ts";

export interface Tokenizer {
  /**
   * Token ids of `text`. `addSpecialTokens` adds what the tokenizer puts before a text (mostly <s>);
   * default false. What it puts behind one (</s>) is never added: a prompt goes on, and an answer's
   * end is written by the prompt format.
   */
  encode(text: string, options?: { addSpecialTokens?: boolean }): number[];
  /** The text of `ids`, those of no token left out, and of <s>, </s> and their like where asked. */
  decode(ids: readonly number[], options?: { skipSpecialTokens?: boolean }): string;
  tokenId(token: string): number | undefined;
  /** One more than the largest token id. A model's own vocabulary can be larger (padded). */
  readonly vocabularySize: number;
  /** The same without tokens added to the vocabulary later. Absent: there are none. */
  readonly ordinarySize?: number;
  readonly bosTokenId?: number;
  readonly eosTokenId?: number;
  readonly padTokenId?: number;
  readonly unkTokenId?: number;
  /** tokenizer.json and its companions by file name, to save beside a checkpoint. */
  readonly files: ReadonlyMap<string, string>;
}

/** The files of a tokenizer, as they lie in a model's folder; the first one is needed. */
export const tokenizerFileNames = words(`
  tokenizer.json tokenizer_config.json special_tokens_map.json added_tokens.json chat_template.jinja
  vocab.json merges.txt
`);

/** The largest that are published have 40 million. */
const MOST_CHARACTERS = 100_000_000;

/** The ids that a post-processor puts before a text. What stands behind one is none of a prompt. */
function startOf({ type, single, special_tokens }: Fields): number[] {
  if (type === "ByteLevel") return [];
  if (type !== "TemplateProcessing") {
    throw new Error(`the post-processor ${quote(type)}, which is not read here`);
  }
  const parts = single as { SpecialToken?: Fields; Sequence?: Fields }[];
  const text = parts.findIndex(({ Sequence }) => Sequence?.id === "A");
  if (text < 0 || parts.filter(({ Sequence }) => Sequence !== undefined).length > 1) {
    throw new Error(`the template ${quote(parts)}`);
  }
  const special = special_tokens as Record<string, { ids: number[] }>;
  return parts.slice(0, text).flatMap(({ SpecialToken }) => special[String(SpecialToken?.id)].ids);
}

/** Everything between a text and its ids, as the files say it. @throws naming what is not read here */
function readFiles(json: Fields, config: Fields, from: string) {
  // GPT-2's class alone takes it from tokenizer_config.json.
  const { type, add_prefix_space: own = true } = (json.pre_tokenizer ?? {}) as Fields;
  const { tokenizer_class, add_prefix_space: asked = own } = config;
  if (type === "ByteLevel" && asked !== own && /^GPT2Tokenizer/.test(String(tokenizer_class))) {
    throw new Error(`add_prefix_space ${asked} in tokenizer_config.json, and ${own} here`);
  }
  const stages = createStages(json, from);
  const added = addedTokens(json, config, stages.ids);
  return {
    stages,
    added,
    encode: createEncoder(added, stages),
    // Each processor works on what the one before it made.
    start: partsOf(json.post_processor, "processors").toReversed().flatMap(startOf),
  };
}

/**
 * A tokenizer from its files, by file name, without their truncation and padding, as in transformers.
 * @throws when tokenizer.json is missing, can't be used or has what is not read here, by name
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
  const refuse = (found: string): never => {
    throw new Error(
      `Cannot read tokenizer.json of ${from}: expected a tokenizer of the tokenizers library; ` +
        `found ${found.slice(0, 300)}; take it again, or give another one`,
    );
  };
  for (const [name, text] of files) {
    if (text.length > MOST_CHARACTERS) refuse(`${text.length} characters in ${name}`);
  }
  const fieldsOf = (name: string) => parseObject(files.get(name) ?? "{}", `${name} of ${from}`);
  const json = fieldsOf("tokenizer.json");
  const config = { ...fieldsOf("special_tokens_map.json"), ...fieldsOf("tokenizer_config.json") };
  let read: ReturnType<typeof readFiles>;
  try {
    read = readFiles(json, config, from);
  } catch (error) {
    return refuse((error as Error).message);
  }
  const { stages, added, encode, start } = read;
  const ids = new Map([...stages.ids, ...added.map(({ content, id }) => [content, id] as const)]);
  const tokens: string[] = [];
  for (const [token, id] of ids) tokens[id] = token;
  const special = new Set(added.filter((token) => token.special).map(({ id }) => id));
  const idOf = (content: unknown) => typeof content === "string" ? ids.get(content) : undefined;
  return {
    encode: (text, { addSpecialTokens = false } = {}) => {
      const found = encode(text.toWellFormed());
      return addSpecialTokens ? [...start, ...found] : found;
    },
    decode: (ids, { skipSpecialTokens = false } = {}) => {
      const known = ids.filter((id) =>
        tokens[id] !== undefined && !(skipSpecialTokens && special.has(id))
      );
      return known.length === 0 ? "" : stages.decode(known.map((id) => tokens[id]));
    },
    tokenId: (token) => ids.get(token),
    vocabularySize: tokens.length,
    ordinarySize: stages.ids.values().reduce((size, id) => Math.max(size, id + 1), 0),
    bosTokenId: idOf(contentOf(config.bos_token)),
    eosTokenId: idOf(contentOf(config.eos_token)),
    padTokenId: idOf(contentOf(config.pad_token)),
    unkTokenId: idOf(contentOf(config.unk_token) ?? stages.unkToken),
    files,
  };
}

/** A tokenizer from a GGUF file's metadata. @throws on kinds other than byte-level BPE */
export function tokenizerFromGguf(
  metadata: Record<string, unknown>,
  { from = "the GGUF file" }: { from?: string } = {},
): Tokenizer {
  return tokenizerFromFiles(filesFromGguf(metadata, from), { from });
}
