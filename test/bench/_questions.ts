/** Questions to measure with: a file's, the reference rows' where they are at hand, else made-up ones. */
import { readQuestions } from "../../lib/dataset/read.ts";
import type { Question } from "../../lib/question.ts";
import { Random } from "../../lib/statistics/random.ts";

const reference = new URL("../../../shared/reference-data/source/history/", import.meta.url);

export interface BenchQuestions {
  questions: Question[];
  demonstrations: Question[];
  /** Where they come from. */
  from: string;
}

/** `count` questions and five demonstrations. `file` has a dev.jsonl beside it. */
export async function benchQuestions(count: number, file?: string): Promise<BenchQuestions> {
  const path = file ?? new URL("test.jsonl", reference).pathname;
  const there = await Deno.stat(path).then(({ isFile }) => isFile, () => false);
  if (!there && file === undefined) {
    const made = madeUp(count + 5);
    const from =
      "made-up questions of the length of real ones; give --questions=FILE for real ones";
    return { questions: made.slice(5), demonstrations: made.slice(0, 5), from };
  }
  const read = async (path: string) => (await readQuestions(path)).questions;
  const dev = path.replace(/[^/\\]*$/, "dev.jsonl");
  const all = await read(path);
  if (all.length < count) {
    throw new Error(
      `Cannot measure with ${path}: expected ${count} questions; found ${all.length}; ` +
        "give a file of more",
    );
  }
  return {
    questions: all.slice(0, count),
    demonstrations: (await read(dev)).slice(0, 5),
    from: `the first ${count} of ${all.length} questions of ${path.split("/").slice(-2).join("/")}`,
  };
}

/** Words without meaning, in questions as long as Xiezhi's: 20 to 60 words, options of 2 to 6. */
function madeUp(count: number): Question[] {
  const random = new Random("bench/questions");
  const syllables = ["ba", "re", "ti", "lo", "mun", "sar", "ven", "dor", "ki", "pal", "eth", "on"];
  const word = () =>
    Array.from({ length: 1 + random.integer(3) }, () => syllables[random.integer(12)]).join("");
  const words = (least: number, most: number) =>
    Array.from({ length: least + random.integer(most - least + 1) }, word).join(" ");
  return Array.from({ length: count }, (_, i) => ({
    id: i,
    domain: "history",
    question: `${words(20, 60)} _____`,
    choices: Array.from({ length: 4 }, () => words(2, 6)),
    answer: random.integer(4),
  }));
}
