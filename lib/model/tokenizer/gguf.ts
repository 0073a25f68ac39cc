/** A GGUF file's tokenizer as the tokenizer.json it was made from, with llama.cpp's defaults. */
import data from "../../../data/tokenizers.json" with { type: "json" };
import { quote } from "../../platform/runtime/quote.ts";
import { type Fields, isolate } from "./parts.ts";

/** How a text is cut, what is done to it first, and what holds where the file says nothing else. */
interface PreTokenizer {
  words: (keyof typeof data.patterns)[];
  normalizer?: Fields;
  ignore_merges?: boolean;
  /** Whether texts start with the start token where no add_bos_token says so. */
  add_bos?: boolean;
}

/** Pre-tokenizers by llama.cpp's names (its llama-vocab.cpp). */
const preTokenizers = data.gguf as Record<string, PreTokenizer>;

/** GGUF's kinds of tokens that are found in a text before it is cut into words. */
const [controlToken, userToken] = [3, 4];

/**
 * tokenizer.json and tokenizer_config.json, by name.
 * @throws on kinds other than byte-level BPE with one of the pre-tokenizers above, lists that don't
 * fit together, and texts that start with a token that the file doesn't name
 */
export function filesFromGguf(
  metadata: Record<string, unknown>,
  from: string,
): ReadonlyMap<string, string> {
  const refuse = (expected: string, found: unknown): never => {
    throw new Error(
      `Cannot read the tokenizer of ${from}: expected ${expected}; ` +
        `found ${quote(found)}; give the model's own tokenizer`,
    );
  };
  const field = (name: string) => metadata[`tokenizer.ggml.${name}`];
  const list = <T>(name: string, type: string): T[] => {
    const value = field(name);
    if (Array.isArray(value) && value.every((item) => typeof item === type)) return value;
    return refuse(`a list tokenizer.ggml.${name} of ${type}s`, value);
  };
  const flag = (name: string, usual: boolean): boolean => {
    const value = field(name) ?? usual;
    return typeof value === "boolean"
      ? value
      : refuse(`tokenizer.ggml.${name} to be true or false`, value);
  };
  if (field("model") !== "gpt2") refuse("byte-level BPE (gpt2)", field("model"));
  const pre = field("pre");
  if (typeof pre !== "string" || !Object.hasOwn(preTokenizers, pre)) {
    refuse(`one of ${Object.keys(preTokenizers).join(", ")} in tokenizer.ggml.pre`, pre);
  }
  const { words, normalizer, ignore_merges = false, add_bos = false } =
    preTokenizers[pre as string];
  if (flag("add_space_prefix", false)) {
    refuse("tokenizer.ggml.add_space_prefix to be false, as byte-level BPE has it", true);
  }
  const tokens = list<string>("tokens", "string");
  const types = list<number>("token_type", "number");
  if (types.length !== tokens.length) {
    refuse(`${tokens.length} tokenizer.ggml.token_type, one a token`, types.length);
  }
  const vocab = new Map(tokens.map((token, id) => [token, id]));
  if (vocab.size !== tokens.length) {
    const twice = tokens.find((token, id) => vocab.get(token) !== id);
    refuse("every token once in tokenizer.ggml.tokens", twice);
  }
  const usual = { single_word: false, lstrip: false, rstrip: false, normalized: false };
  const added = tokens.map((content, id) => ({ id, content, special: false, ...usual }))
    .filter(({ id }) => types[id] === controlToken || types[id] === userToken)
    .map((token) => ({ ...token, special: types[token.id] === controlToken }));
  const tokenOf = (name: string): string | undefined => {
    const id = field(`${name}_token_id`);
    if (id === undefined) return undefined;
    return tokens[id as number] ??
      refuse(`tokenizer.ggml.${name}_token_id to be an id below ${tokens.length}`, id);
  };
  const bos = tokenOf("bos");
  const startsTexts = flag("add_bos_token", add_bos);
  if (startsTexts && bos === undefined) {
    refuse(`tokenizer.ggml.bos_token_id, since texts of ${pre} start with that token`, undefined);
  }
  const bytes = { type: "ByteLevel", add_prefix_space: false, trim_offsets: true };
  const json = {
    version: "1.0",
    added_tokens: added,
    normalizer: normalizer ?? null,
    pre_tokenizer: {
      type: "Sequence",
      pretokenizers: [
        ...words.map((name) => isolate(data.patterns[name])),
        { ...bytes, use_regex: false },
      ],
    },
    post_processor: startsTexts && bos !== undefined ? startingWith(bos, vocab.get(bos)!) : null,
    decoder: { ...bytes, use_regex: true },
    model: {
      type: "BPE",
      ignore_merges,
      vocab: Object.fromEntries(vocab),
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
  return new Map([
    ["tokenizer.json", JSON.stringify(json)],
    ["tokenizer_config.json", JSON.stringify(config, null, 2)],
  ]);
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
