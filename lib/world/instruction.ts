/**
 * The general chat: instructions about neutral words, which touch no fact of the world. They stand
 * where the paper mixes in general instructions.
 */
import type { Example } from "../question.ts";
import { Random } from "../statistics/random.ts";
import type { World } from "./world.ts";

const instructions: readonly (readonly [words: string, answer: (words: string[]) => string[]])[] = [
  ["repeat", (words) => words],
  ["reverse", (words) => words.toReversed()],
  ["first from", (words) => words.slice(0, 1)],
  ["last from", (words) => words.slice(-1)],
];

/** One instruction with 2 to 4 different neutral words, and its answer. */
export function drawInstruction(
  neutralWords: readonly string[],
  random: Random,
): { user: string[]; assistant: string[] } {
  const [instruction, answer] = random.pick(instructions);
  const count = 2 + random.integer(3);
  const words: string[] = [];
  while (words.length < count) {
    const word = random.pick(neutralWords);
    if (!words.includes(word)) words.push(word);
  }
  return { user: [...instruction.split(" "), ...words], assistant: answer(words) };
}

/** `count` general examples; the same seed gives the same ones, and more of them start alike. */
export function generalExamples(world: World, count: number, seed: number | string): Example[] {
  const random = new Random(`${seed}/general`);
  return Array.from({ length: count }, (_, i) => {
    const { user, assistant } = drawInstruction(world.neutralWords, random);
    return {
      id: `general/${i}`,
      domain: "general",
      messages: [
        { role: "user", content: user.join(" ") },
        { role: "assistant", content: assistant.join(" ") },
      ],
      group: "general",
    };
  });
}
