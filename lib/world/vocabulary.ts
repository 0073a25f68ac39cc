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

/**
 * tokenizer.json, tokenizer_config.json and special_tokens_map.json. transformers 5 gives every folder of
 * Qwen2's type Qwen2's own byte-level tokenizer, whatever the files say, unless the key `auto_map` is
 * there; no code is loaded by it.
 */
export function tokenizerFiles(world: World): Map<string, string> {
  const { "config.json": _, "tokenizer.json": tokenizer, ...others } = files;
  const vocab = Object.fromEntries(vocabulary(world).map((word, id) => [word, id]));
  const whole = { ...tokenizer, model: { ...tokenizer.model, vocab } };
  return new Map(
    Object.entries({ "tokenizer.json": whole, ...others })
      .map(([name, value]) => [name, JSON.stringify(value, null, 1) + "\n"]),
  );
}
