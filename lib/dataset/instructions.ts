/**
 * General instructions made by code, where alpaca-gpt4-en isn't at hand: simple tasks whose right
 * answer code can tell, and none of the exams' knowledge.
 */
import type { Example } from "../question.ts";
import { Random } from "../statistics/random.ts";
import lists from "../../data/instructions.json" with { type: "json" };

const { words, days, months, ordinals, units, measures, names, tasks } = lists;

/** What a task's texts in data/instructions.json are filled with. */
type Filling = Record<string, string | number>;

const number = (r: Random, from: number, to: number) => from + r.integer(to - from + 1);
const either = <T>(r: Random, first: T, second: T) => r.integer(2) === 0 ? first : second;
const onWords =
  (from: number, to: number, fill: (w: string[], r: Random) => Filling) => (r: Random) =>
    fill(r.shuffle(words).slice(0, number(r, from, to)), r);
const onWord = (fill: (w: string, r: Random) => Filling) => (r: Random) => fill(r.pick(words), r);
const list = (items: (string | number)[]) => items.join(", ");
const compare = (a: string, b: string) => a < b ? -1 : a > b ? 1 : 0;
const inCapitals = onWords(1, 3, (w) => ({ w: w.join(" "), upper: w.join(" ").toUpperCase() }));

/** Draws a task's words and numbers, and knows its answer. */
const fillings: Record<keyof typeof tasks, (r: Random) => Filling> = {
  repeat: onWords(2, 5, (w) => ({ w: w.join(" ") })),
  reverse: onWords(3, 5, (w) => ({ w: list(w), answer: list(w.toReversed()) })),
  sortWords: onWords(3, 6, (w) => ({ w: list(w), answer: list(w.toSorted(compare)) })),
  sortNumbers(r) {
    const n = r.shuffle(Array.from({ length: 99 }, (_, i) => i + 1)).slice(0, number(r, 3, 6));
    const sign = either(r, 1, -1), answer = list(n.toSorted((a, b) => sign * (a - b)));
    return { n: list(n), order: sign > 0 ? "smallest to largest" : "largest to smallest", answer };
  },
  countWords: onWords(2, 7, (w) => ({ w: list(w), n: w.length })),
  countLetters: onWord((w) => ({ w, n: w.length })),
  endWord: onWords(3, 6, (w, r) => {
    const which = either(r, "last", "first");
    return { w: list(w), which, answer: w.at(which === "last" ? -1 : 0)! };
  }),
  ordinal: onWords(4, 6, (w, r) => {
    const i = r.integer(w.length);
    return { w: list(w), ordinal: ordinals[i], answer: w[i] };
  }),
  upper: inCapitals,
  lower: inCapitals,
  spell: onWord((w) => ({ w, answer: [...w].join("-") })),
  backwards: onWord((w) => ({ w, answer: [...w].reverse().join("") })),
  endLetter: onWord((w, r) => {
    const end = either(r, "end", "start");
    return { w, end, letter: w.at(end === "end" ? -1 : 0)! };
  }),
  gets(r) {
    const [name, unit, a, b] = [r.pick(names), r.pick(units), number(r, 2, 60), number(r, 2, 40)];
    return { name, unit, a, b, sum: a + b };
  },
  gives(r) {
    const [name, unit, a, b] = [r.pick(names), r.pick(units), number(r, 12, 90), number(r, 2, 10)];
    return { name, unit, a, b, rest: a - b };
  },
  rows(r) {
    const [a, b, unit] = [number(r, 2, 12), number(r, 2, 12), r.pick(units)];
    return { a, b, unit, product: a * b };
  },
  plus(r) {
    const [a, b, unit] = [number(r, 2, 80), number(r, 2, 80), r.pick(measures)];
    return { a, b, unit, sum: a + b };
  },
  compare(r) {
    const a = number(r, 2, 98), b = a + number(r, 1, 40), pair = r.shuffle([a, b]).join(" or ");
    const which = either(r, "larger", "smaller");
    return { pair, which, answer: which === "larger" ? b : a };
  },
  parity(r) {
    const n = number(r, 2, 400);
    return { n, parity: n % 2 ? "odd" : "even" };
  },
  next(r) {
    const [start, step] = [number(r, 1, 40), number(r, 2, 9)];
    return { row: list([0, 1, 2, 3].map((i) => start + i * step)), answer: start + 4 * step };
  },
  day(r) {
    const i = r.integer(7), ahead = number(r, 1, 3), day = days[(i + ahead) % 7];
    return ahead === 1
      ? { ask: `Which day comes after ${days[i]}?`, answer: `${day} comes after ${days[i]}.` }
      : {
        ask: `Today is ${days[i]}. Which day will it be in ${ahead} days?`,
        answer: `It will be ${day}.`,
      };
  },
  month(r) {
    const i = r.integer(12), verb = either(r, "follows", "comes before");
    return { month: months[i], verb, other: months[(i + (verb === "follows" ? 1 : 11)) % 12] };
  },
  number: onWords(2, 4, (w) => (
    { w: list(w), answer: w.map((word, i) => `${i + 1}. ${word}`).join("\n") }
  )),
  drop: onWords(3, 5, (w, r) => {
    const out = r.integer(3);
    return { w: list(w), out: w[out], answer: list(w.filter((_, i) => i !== out)) };
  }),
  sentence(r) {
    const name = r.pick(names), w = r.pick(words);
    return { name, w: `${/^[aeiou]/.test(w) ? "an" : "a"} ${w}` };
  },
};

/** A task's instruction, in one of its wordings, and the response. */
function drawTask(name: keyof typeof tasks, random: Random): [ask: string, answer: string] {
  const { ask, answer } = tasks[name], filling = fillings[name](random);
  const wording = ask.length > 1 ? random.pick(ask) : ask[0];
  const filled = (text: string) => text.replaceAll(/\{(\w+)\}/g, (_, key) => String(filling[key]));
  return [filled(wording), filled(answer)];
}

const taskNames = Object.keys(tasks) as (keyof typeof tasks)[];

/** Distinct instructions, tasks in turn; a longer list begins with the shorter one of its seed. */
export function generalInstructions(
  { seed, count = 1000 }: { seed: number | string; count?: number },
): Example[] {
  // Lists of words never run out, so the loop below ends; many more would be lists of words only.
  if (!Number.isInteger(count) || count < 0 || count > 100_000) {
    throw new RangeError(
      `Cannot make general instructions: expected a count of 0 to 100,000; found ${count}; ` +
        "for more, give a file of instructions",
    );
  }
  const random = new Random(seed).fork("general instructions");
  const seen = new Set<string>();
  const examples: Example[] = [];
  for (let turn = 0; examples.length < count; turn++) {
    const [instruction, response] = drawTask(taskNames[turn % taskNames.length], random);
    if (seen.has(instruction)) continue;
    seen.add(instruction);
    examples.push({
      id: `general:${examples.length}`,
      domain: "general",
      messages: [{ role: "user", content: instruction }, { role: "assistant", content: response }],
      group: "general",
    });
  }
  return examples;
}
