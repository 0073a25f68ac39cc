/**
 * Names of a synthetic world: invented, pronounceable, one lowercase word each, apt for the domain.
 * A name is a nonce stem and an ending that says what kind of thing it is (`keldspire`, `urnitis`);
 * data/world/names.json has the parts. Its neutral words occur in no fact; its blocked stems and names
 * are real words, people or places, or would be read as such.
 *
 * Every verb has the same form in the present and in the past (set, put, cast, let, ...), because the
 * same single token stands in "E VERB V ." and in "which one does E VERB ?", and both have to be English.
 */
import names from "../../data/world/names.json" with { type: "json" };
import type { Random } from "../statistics/random.ts";

interface DomainCatalogue {
  /** Endings of the entities' names. */
  entity: string;
  /** [noun, verb, endings of the values], in the order in which a world takes them. */
  relations: [noun: string, verb: string, values: string][];
}

export const FUNCTION_WORDS: readonly string[] = names.functionWords;

export const neutralWords: readonly string[] = names.neutralWords;

/** The domains that a world can have, with up to ten relations each. */
export const catalogue = names.catalogue as unknown as Record<string, DomainCatalogue>;

/** The stems that names are made of; "brarn" and "quurn" are hard to say. */
export const stems: readonly string[] = names.onsets.flatMap((onset) =>
  names.rimes
    .filter((rime) => !(onset.endsWith("r") && rime.includes("r")))
    .filter((rime) => !(onset === "qu" && rime.startsWith("u")))
    .map((rime) => onset + rime)
).filter((stem) => !names.blockedStems.includes(stem));

/**
 * `count` distinct names of one kind, none of them in `taken`; they are added to it.
 * Stems differ as long as there are enough of them.
 * @throws when the kind has fewer names than asked for.
 */
export function inventNames(
  endings: string,
  count: number,
  { random, taken }: { random: Random; taken: Set<string> },
): string[] {
  const kinds = endings.split(" ");
  // Each round takes every stem once, with another ending than in the rounds before.
  const order = random.shuffle(stems);
  const first = order.map(() => random.integer(kinds.length));
  const all = kinds.flatMap((_, round) =>
    order.map((stem, i) => stem + kinds[(first[i] + round) % kinds.length])
  );
  const found = [...new Set(all)].filter((name) =>
    !taken.has(name) && !names.blockedNames.includes(name)
  ).slice(0, count);
  if (found.length < count) {
    throw new Error(
      `Cannot invent ${count} names ending in ${kinds.join(", ")}: expected at most ` +
        `${found.length}; ask for fewer entities or values`,
    );
  }
  for (const name of found) taken.add(name);
  return found;
}
