/**
 * General instructions made by code, where alpaca-gpt4-en isn't at hand: simple tasks whose right
 * answer code can tell, and none of the exams' knowledge.
 */
import type { Example } from "../question.ts";
import { Random } from "../statistics/random.ts";

const words =
  ("apple basket bird boat bottle branch bread bridge brush bucket button cake candle " +
    "carpet chair cheese circle cloud coat corner cup curtain desk door drum feather fence field " +
    "flower fork forest garden gate glass glove grass hammer hat hill house island jacket kettle " +
    "ladder lamp leaf lemon letter meadow mirror morning mountain needle ocean onion orange paper " +
    "pencil pepper picture pillow plate pocket rabbit ribbon river road rope salt shelf shirt " +
    "shoe snow spoon square stone street sugar summer table thread ticket tower train tree " +
    "umbrella valley wagon wall water wheel window winter").split(" ");
const days = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split(" ");
const months =
  "January February March April May June July August September October November December"
    .split(" ");
const ordinals = "first second third fourth fifth sixth".split(" ");
const units = "apples books boxes candles chairs coins cups letters plates steps tickets trees"
  .split(" ");
const measures = "grams kilometers liters meters minutes seconds".split(" ");
const names = "Ana Ben Carla David Elena Finn Grace Hugo Ida Jonas Kim Lea Marco Nina Omar Paula"
  .split(" ");

type Pair = [instruction: string, response: string];

function some(random: Random, from: number, to: number): string[] {
  return random.shuffle(words).slice(0, from + random.integer(to - from + 1));
}
function number(random: Random, from: number, to: number): number {
  return from + random.integer(to - from + 1);
}
const list = (items: (string | number)[]) => items.join(", ");
const compare = (a: string, b: string) => a < b ? -1 : a > b ? 1 : 0;

/** Each task draws one instruction and knows its response. */
const tasks: ((random: Random) => Pair)[] = [
  (r) => {
    const w = some(r, 2, 5);
    return [
      r.pick(["Repeat these words: ", "Say the following words again: ", "Copy these words: "]) +
      w.join(" "),
      w.join(" "),
    ];
  },
  (r) => {
    const w = some(r, 3, 5);
    return [
      r.pick(["Write these words in reverse order: ", "List these words from last to first: "]) +
      list(w),
      list(w.toReversed()),
    ];
  },
  (r) => {
    const w = some(r, 3, 6);
    return [
      r.pick(["Sort these words alphabetically: ", "Put these words in alphabetical order: "]) +
      list(w),
      list(w.toSorted(compare)),
    ];
  },
  (r) => {
    const n = r.shuffle(Array.from({ length: 99 }, (_, i) => i + 1)).slice(0, number(r, 3, 6));
    const up = r.integer(2) === 0;
    return [
      `Sort these numbers from ${up ? "smallest to largest" : "largest to smallest"}: ${list(n)}`,
      list(n.toSorted((a, b) => up ? a - b : b - a)),
    ];
  },
  (r) => {
    const w = some(r, 2, 7);
    return [`How many words are in this list? ${list(w)}`, `There are ${w.length} words.`];
  },
  (r) => {
    const w = r.pick(words);
    return [`How many letters does the word "${w}" have?`, `It has ${w.length} letters.`];
  },
  (r) => {
    const w = some(r, 3, 6);
    const last = r.integer(2) === 0;
    return [
      `What is the ${last ? "last" : "first"} word of this list? ${list(w)}`,
      last ? w[w.length - 1] : w[0],
    ];
  },
  (r) => {
    const w = some(r, 4, 6);
    const i = r.integer(w.length);
    return [`Give me the ${ordinals[i]} word of this list: ${list(w)}`, w[i]];
  },
  (r) => {
    const w = some(r, 1, 3).join(" ");
    return [
      r.pick(["Write this in upper case: ", "Change this to capital letters: "]) + w,
      w.toUpperCase(),
    ];
  },
  (r) => {
    const w = some(r, 1, 3).join(" ");
    return [`Write this in lower case: ${w.toUpperCase()}`, w];
  },
  (r) => {
    const w = r.pick(words);
    return [
      r.pick([`Spell the word "${w}".`, `Spell "${w}" letter by letter.`]),
      [...w].join("-"),
    ];
  },
  (r) => {
    const w = r.pick(words);
    return [`Write the word "${w}" backwards.`, [...w].reverse().join("")];
  },
  (r) => {
    const w = r.pick(words);
    const last = r.integer(2) === 0;
    return [
      `Which letter does the word "${w}" ${last ? "end" : "start"} with?`,
      `It ${last ? "ends" : "starts"} with the letter ${w[last ? w.length - 1 : 0]}.`,
    ];
  },
  (r) => {
    const [name, unit] = [r.pick(names), r.pick(units)];
    const [a, b] = [number(r, 2, 60), number(r, 2, 40)];
    return [
      `${name} has ${a} ${unit} and gets ${b} more. How many ${unit} does ${name} have now?`,
      `${name} has ${a + b} ${unit}, because ${a} + ${b} = ${a + b}.`,
    ];
  },
  (r) => {
    const [name, unit] = [r.pick(names), r.pick(units)];
    const a = number(r, 12, 90), b = number(r, 2, 10);
    return [
      `${name} has ${a} ${unit} and gives ${b} away. How many ${unit} are left?`,
      `${a - b} ${unit} are left, because ${a} - ${b} = ${a - b}.`,
    ];
  },
  (r) => {
    const [a, b] = [number(r, 2, 12), number(r, 2, 12)];
    const unit = r.pick(units);
    return [
      `There are ${a} rows with ${b} ${unit} each. How many ${unit} is that?`,
      `That is ${a * b} ${unit}, because ${a} x ${b} = ${a * b}.`,
    ];
  },
  (r) => {
    const [a, b] = [number(r, 2, 80), number(r, 2, 80)];
    const unit = r.pick(measures);
    return [`What is ${a} ${unit} plus ${b} ${unit}?`, `${a + b} ${unit}`];
  },
  (r) => {
    const a = number(r, 2, 98), b = a + number(r, 1, 40);
    const pair = r.shuffle([a, b]);
    const larger = r.integer(2) === 0;
    return [
      `Which number is ${larger ? "larger" : "smaller"}, ${pair[0]} or ${pair[1]}?`,
      `${larger ? b : a} is ${larger ? "larger" : "smaller"}.`,
    ];
  },
  (r) => {
    const n = number(r, 2, 400);
    return [
      `Is the number ${n} even or odd?`,
      `The number ${n} is ${n % 2 === 0 ? "even" : "odd"}.`,
    ];
  },
  (r) => {
    const [start, step] = [number(r, 1, 40), number(r, 2, 9)];
    const row = [0, 1, 2, 3].map((i) => start + i * step);
    return [`Which number comes next? ${list(row)}`, String(start + 4 * step)];
  },
  (r) => {
    const i = r.integer(7), ahead = number(r, 1, 3);
    return ahead === 1
      ? [`Which day comes after ${days[i]}?`, `${days[(i + 1) % 7]} comes after ${days[i]}.`]
      : [
        `Today is ${days[i]}. Which day will it be in ${ahead} days?`,
        `It will be ${days[(i + ahead) % 7]}.`,
      ];
  },
  (r) => {
    const i = r.integer(12), after = r.integer(2) === 0;
    return after
      ? [`Which month follows ${months[i]}?`, `${months[(i + 1) % 12]} follows ${months[i]}.`]
      : [
        `Which month comes before ${months[i]}?`,
        `${months[(i + 11) % 12]} comes before ${months[i]}.`,
      ];
  },
  (r) => {
    const w = some(r, 2, 4);
    return [
      `Make a numbered list of these words: ${list(w)}`,
      w.map((word, i) => `${i + 1}. ${word}`).join("\n"),
    ];
  },
  (r) => {
    const [keep, drop] = [some(r, 3, 5), r.integer(3)];
    return [
      `Leave out the word "${keep[drop]}" from this list: ${list(keep)}`,
      list(keep.filter((_, i) => i !== drop)),
    ];
  },
  (r) => {
    const name = r.pick(names), w = r.pick(words);
    return [
      `Write a short sentence that says that ${name} sees a ${w}.`.replace(
        / a ([aeiou])/,
        " an $1",
      ),
      `${name} sees a ${w}.`.replace(/ a ([aeiou])/, " an $1"),
    ];
  },
];

/** How many, and from which seed. */
export interface InstructionOptions {
  seed: number | string;
  /** Default: 1,000. */
  count?: number;
}

/** Distinct instructions, tasks in turn; a longer list begins with the shorter one of its seed. */
export function generalInstructions({ seed, count = 1000 }: InstructionOptions): Example[] {
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
