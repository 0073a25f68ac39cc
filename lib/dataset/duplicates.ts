/**
 * Questions that are asked twice: the same text and options (exact), or nearly so (near). Near ones
 * share most words of question and options; found by prefix filtering (Chaudhuri et al. 2006, Bayardo
 * et al. 2007), which misses none: two sets so alike share one of each one's rarest words.
 */
import type { Question } from "../question.ts";

/** Share of their words, of question and options together, that near questions have in common (Jaccard). */
const NEAR = 0.8;

const plain = (text: string) => text.trim().toLowerCase();

/** Equal for questions of the same text and options, in whichever order and case. */
export const fingerprint = ({ question, choices }: Question): string =>
  JSON.stringify([plain(question), ...choices.map(plain).sort()]);

const WORD = /[\p{L}\p{N}]+/gu;
/** Scripts that write no spaces: pairs of signs stand for words. */
const UNSPACED = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}]/u;

function wordsOf({ question, choices }: Question): Set<string> {
  const text = [question, ...choices].join("\n").normalize("NFKC").toLowerCase();
  const words = new Set<string>();
  for (const [word] of text.matchAll(WORD)) {
    if (!UNSPACED.test(word)) words.add(word);
    else {
      const signs = [...word];
      if (signs.length === 1) words.add(word);
      for (let i = 1; i < signs.length; i++) words.add(signs[i - 1] + signs[i]);
    }
  }
  return words;
}

/** The words of each question as numbers, the rarest of all first. */
function numbered(lists: readonly (readonly Question[])[]): Uint32Array[][] {
  const counts = new Map<string, number>();
  const sets = lists.map((list) => list.map(wordsOf));
  for (const set of sets.flat()) {
    for (const word of set) counts.set(word, (counts.get(word) ?? 0) + 1);
  }
  const order = [...counts].sort(([a, n], [b, m]) => n - m || (a < b ? -1 : 1));
  const numbers = new Map(order.map(([word], i) => [word, i]));
  return sets.map((list) =>
    list.map((set) => Uint32Array.from(set, (word) => numbers.get(word)!).sort())
  );
}

/** Whether two sorted sets share at least `needed` numbers. */
function share(a: Uint32Array, b: Uint32Array, needed: number): boolean {
  let common = 0, i = 0, j = 0;
  while (i < a.length && j < b.length) {
    if (common + Math.min(a.length - i, b.length - j) < needed) return false;
    if (a[i] === b[j]) {
      common++;
      i++;
      j++;
    } else if (a[i] < b[j]) i++;
    else j++;
  }
  return common >= needed;
}

/** So many of the first words of a set hold one of any other set that is `NEAR` to it. */
const prefixOf = (set: Uint32Array) =>
  set.subarray(0, set.length - Math.ceil(NEAR * set.length - 1e-9) + 1);

/** For each question of `pool` the first of `asked` that is near to it; exact ones are near too. */
export function nearQuestions(
  pool: readonly Question[],
  asked: readonly Question[],
): (Question | undefined)[] {
  const [own, others] = numbered([pool, asked]);
  const holding = new Map<number, number[]>();
  for (const [place, set] of others.entries()) {
    for (const word of prefixOf(set)) {
      const places = holding.get(word);
      if (places) places.push(place);
      else holding.set(word, [place]);
    }
  }
  // Which question of `pool` looked at each of `asked` last.
  const seen = new Int32Array(asked.length).fill(-1);
  return own.map((set, i) => {
    let first = Infinity;
    for (const word of prefixOf(set)) {
      for (const place of holding.get(word) ?? []) {
        if (seen[place] === i || place > first) continue;
        seen[place] = i;
        const other = others[place];
        const needed = Math.ceil(NEAR / (1 + NEAR) * (set.length + other.length) - 1e-9);
        if (Math.min(set.length, other.length) < needed) continue;
        if (share(set, other, needed)) first = place;
      }
    }
    return asked[first];
  });
}

/** What a pool shares with the tests. */
interface Leaks {
  /** Questions of the pool that a test asks too, exactly. */
  exact: number;
  /** Others that a test asks nearly so. */
  near: number;
  /** Those that are neither. */
  clean: Question[];
}

/** Parts a pool into what the tests, or the demonstrations, ask too and what they don't. */
export function findLeaks(pool: readonly Question[], asked: readonly Question[]): Leaks {
  const known = new Set(asked.map(fingerprint));
  const others = pool.filter((question) => !known.has(fingerprint(question)));
  const near = nearQuestions(others, asked);
  const clean = others.filter((_, i) => near[i] === undefined);
  return { exact: pool.length - others.length, near: others.length - clean.length, clean };
}
