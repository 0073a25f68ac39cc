/**
 * The words of a world, and their tokenizer: one word is one token, text is split at white space.
 * As a file it is a `WordLevel` tokenizer.json, which transformers and transformers.js load.
 */
import files from "../../data/world/model.json" with { type: "json" };
import { FUNCTION_WORDS } from "./names.ts";
import type { World } from "./world.ts";

export const BOS = "<s>", EOS = "</s>", PAD = "<pad>", UNKNOWN = "<unk>";
const SPECIALS = [BOS, EOS, PAD, UNKNOWN];

/** Options' labels in texts: `A.` to `H.`. */
export const LABELS: readonly string[] = [..."ABCDEFGH"].map((letter) => `${letter}.`);

/** All words of a world; a word's place is its token id. */
export function vocabulary(world: World): string[] {
  const relations = world.domains.flatMap((domain) => domain.relations);
  return [
    ...SPECIALS,
    ...FUNCTION_WORDS,
    ...LABELS,
    ...world.domains.map((domain) => domain.name),
    ...world.neutralWords,
    ...relations.map((relation) => relation.noun),
    ...relations.map((relation) => relation.verb),
    ...world.domains.flatMap((domain) => domain.entities),
    ...relations.flatMap((relation) => relation.values),
  ];
}

/** A tokenizer of words; the same ids as the files that it carries give elsewhere. */
export class WordTokenizer {
  readonly words: readonly string[];
  readonly vocabularySize: number;
  readonly bosTokenId = 0;
  readonly eosTokenId = 1;
  readonly padTokenId = 2;
  readonly unkTokenId = 3;
  /** tokenizer.json and what goes with it, to save beside a checkpoint. */
  readonly files: Map<string, string>;
  readonly #ids: Map<string, number>;

  /** @param words all words, the four special ones first, as `vocabulary` gives them. */
  constructor(words: readonly string[]) {
    this.words = words;
    this.vocabularySize = words.length;
    this.#ids = new Map(words.map((word, id) => [word, id]));
    if (SPECIALS.some((word, id) => words[id] !== word) || this.#ids.size !== words.length) {
      throw new Error(
        `Cannot make a tokenizer: expected different words that start with ${
          SPECIALS.join(" ")
        }; ` +
          `found ${words.length} words, ${this.#ids.size} different, that start with ` +
          `${words.slice(0, 4).join(" ")}; give the words of vocabulary(world)`,
      );
    }
    this.files = tokenizerFiles(words);
  }

  tokenId(token: string): number | undefined {
    return this.#ids.get(token);
  }

  /** Ids of a text's words; words that the world lacks become `<unk>`. A prompt carries its own `<s>`. */
  encode(text: string, _options: { addSpecialTokens?: boolean } = {}): number[] {
    return text.split(/\s+|(<s>|<\/s>|<pad>|<unk>)/).filter(Boolean)
      .map((word) => this.#ids.get(word) ?? this.unkTokenId);
  }

  /** The words of ids, joined by spaces. `skipSpecialTokens` leaves out `<s>` etc.; default false. */
  decode(
    ids: readonly number[],
    { skipSpecialTokens = false }: { skipSpecialTokens?: boolean } = {},
  ): string {
    return ids.filter((id) => !(skipSpecialTokens && id < SPECIALS.length))
      .map((id) => this.words[id] ?? UNKNOWN).join(" ");
  }
}

export function worldTokenizer(world: World): WordTokenizer {
  return new WordTokenizer(vocabulary(world));
}

/**
 * tokenizer.json, tokenizer_config.json and special_tokens_map.json. transformers 5 gives every folder of
 * Qwen2's type Qwen2's own byte-level tokenizer, whatever the files say, unless the key `auto_map` is
 * there; no code is loaded by it.
 */
function tokenizerFiles(words: readonly string[]): Map<string, string> {
  const { "config.json": _, "tokenizer.json": tokenizer, ...others } = files;
  const vocab = Object.fromEntries(words.map((word, id) => [word, id]));
  const whole = { ...tokenizer, model: { ...tokenizer.model, vocab } };
  return new Map(
    Object.entries({ "tokenizer.json": whole, ...others })
      .map(([name, value]) => [name, JSON.stringify(value, null, 1) + "\n"]),
  );
}
