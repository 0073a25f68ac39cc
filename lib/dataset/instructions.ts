/**
 * General instructions made by code, where alpaca-gpt4-en isn't at hand: simple tasks whose right
 * answer code can tell, and none of the exams' knowledge.
 */
import type { Example } from "../question.ts";
import { Random } from "../statistics/random.ts";
import lists from "../../data/instructions.json" with { type: "json" };

const { words, days, months, ordinals, units, measures, names } = lists;

type Pair = [instruction: string, response: string];
/** A task draws one instruction and knows its response. */
type Task = (random: Random) => Pair;

const number = (random: Random, from: number, to: number) => from + random.integer(to - from + 1);
const some = (random: Random, from: number, to: number) =>
  random.shuffle(words).slice(0, number(random, from, to));
const onWords =
  (from: number, to: number, make: (w: string[], random: Random) => Pair): Task => (random) =>
    make(some(random, from, to), random);
const onWord = (make: (w: string, random: Random) => Pair): Task => (random) =>
  make(random.pick(words), random);
const list = (items: (string | number)[]) => items.join(", ");
const compare = (a: string, b: string) => a < b ? -1 : a > b ? 1 : 0;
const withArticle = (text: string) => text.replace(/ a ([aeiou])/, " an $1");

const tasks: Task[] = [
  onWords(2, 5, (w, r) => [
    r.pick(["Repeat these words: ", "Say the following words again: ", "Copy these words: "]) +
    w.join(" "),
    w.join(" "),
  ]),
  onWords(3, 5, (w, r) => [
    r.pick(["Write these words in reverse order: ", "List these words from last to first: "]) +
    list(w),
    list(w.toReversed()),
  ]),
  onWords(3, 6, (w, r) => [
    r.pick(["Sort these words alphabetically: ", "Put these words in alphabetical order: "]) +
    list(w),
    list(w.toSorted(compare)),
  ]),
  (r) => {
    const n = r.shuffle(Array.from({ length: 99 }, (_, i) => i + 1)).slice(0, number(r, 3, 6));
    const [order, sign] = r.integer(2) === 0
      ? ["smallest to largest", 1]
      : ["largest to smallest", -1];
    return [
      `Sort these numbers from ${order}: ${list(n)}`,
      list(n.toSorted((a, b) => sign * (a - b))),
    ];
  },
  onWords(2, 7, (w) => [
    `How many words are in this list? ${list(w)}`,
    `There are ${w.length} words.`,
  ]),
  onWord((w) => [`How many letters does the word "${w}" have?`, `It has ${w.length} letters.`]),
  onWords(3, 6, (w, r) => {
    const [which, at] = r.integer(2) === 0 ? ["last", -1] : ["first", 0];
    return [`What is the ${which} word of this list? ${list(w)}`, w.at(at)!];
  }),
  onWords(4, 6, (w, r) => {
    const i = r.integer(w.length);
    return [`Give me the ${ordinals[i]} word of this list: ${list(w)}`, w[i]];
  }),
  onWords(1, 3, (w, r) => [
    r.pick(["Write this in upper case: ", "Change this to capital letters: "]) + w.join(" "),
    w.join(" ").toUpperCase(),
  ]),
  onWords(1, 3, (w) => [
    `Write this in lower case: ${w.join(" ").toUpperCase()}`,
    w.join(" "),
  ]),
  onWord((w, r) => [
    r.pick([`Spell the word "${w}".`, `Spell "${w}" letter by letter.`]),
    [...w].join("-"),
  ]),
  onWord((w) => [`Write the word "${w}" backwards.`, [...w].reverse().join("")]),
  onWord((w, r) => {
    const [end, at] = r.integer(2) === 0 ? ["end", -1] : ["start", 0];
    return [
      `Which letter does the word "${w}" ${end} with?`,
      `It ${end}s with the letter ${w.at(at)}.`,
    ];
  }),
  (r) => {
    const [name, unit, a, b] = [r.pick(names), r.pick(units), number(r, 2, 60), number(r, 2, 40)];
    return [
      `${name} has ${a} ${unit} and gets ${b} more. How many ${unit} does ${name} have now?`,
      `${name} has ${a + b} ${unit}, because ${a} + ${b} = ${a + b}.`,
    ];
  },
  (r) => {
    const [name, unit, a, b] = [r.pick(names), r.pick(units), number(r, 12, 90), number(r, 2, 10)];
    return [
      `${name} has ${a} ${unit} and gives ${b} away. How many ${unit} are left?`,
      `${a - b} ${unit} are left, because ${a} - ${b} = ${a - b}.`,
    ];
  },
  (r) => {
    const [a, b, unit] = [number(r, 2, 12), number(r, 2, 12), r.pick(units)];
    return [
      `There are ${a} rows with ${b} ${unit} each. How many ${unit} is that?`,
      `That is ${a * b} ${unit}, because ${a} x ${b} = ${a * b}.`,
    ];
  },
  (r) => {
    const [a, b, unit] = [number(r, 2, 80), number(r, 2, 80), r.pick(measures)];
    return [`What is ${a} ${unit} plus ${b} ${unit}?`, `${a + b} ${unit}`];
  },
  (r) => {
    const a = number(r, 2, 98), b = a + number(r, 1, 40), pair = r.shuffle([a, b]);
    const [which, answer] = r.integer(2) === 0 ? ["larger", b] : ["smaller", a];
    return [`Which number is ${which}, ${pair.join(" or ")}?`, `${answer} is ${which}.`];
  },
  (r) => {
    const n = number(r, 2, 400);
    return [`Is the number ${n} even or odd?`, `The number ${n} is ${n % 2 ? "odd" : "even"}.`];
  },
  (r) => {
    const [start, step] = [number(r, 1, 40), number(r, 2, 9)];
    const row = [0, 1, 2, 3].map((i) => start + i * step);
    return [`Which number comes next? ${list(row)}`, String(start + 4 * step)];
  },
  (r) => {
    const i = r.integer(7), ahead = number(r, 1, 3), day = days[(i + ahead) % 7];
    return ahead === 1
      ? [`Which day comes after ${days[i]}?`, `${day} comes after ${days[i]}.`]
      : [`Today is ${days[i]}. Which day will it be in ${ahead} days?`, `It will be ${day}.`];
  },
  (r) => {
    const i = r.integer(12), after = r.integer(2) === 0;
    const other = months[(i + (after ? 1 : 11)) % 12], verb = after ? "follows" : "comes before";
    return [`Which month ${verb} ${months[i]}?`, `${other} ${verb} ${months[i]}.`];
  },
  onWords(2, 4, (w) => [
    `Make a numbered list of these words: ${list(w)}`,
    w.map((word, i) => `${i + 1}. ${word}`).join("\n"),
  ]),
  onWords(3, 5, (w, r) => {
    const drop = r.integer(3);
    return [
      `Leave out the word "${w[drop]}" from this list: ${list(w)}`,
      list(w.filter((_, i) => i !== drop)),
    ];
  }),
  (r) => {
    const name = r.pick(names), w = r.pick(words);
    return [
      withArticle(`Write a short sentence that says that ${name} sees a ${w}.`),
      withArticle(`${name} sees a ${w}.`),
    ];
  },
];

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
    const [instruction, response] = tasks[turn % tasks.length](random);
    if (seen.has(instruction)) continue;
    seen.add(instruction);
    examples.push({
      id: `general:${examples.length}`,
      domain: "general",
      messages: [
        { role: "user", content: instruction },
        { role: "assistant", content: response },
      ],
      group: "general",
    });
  }
  return examples;
}
