/**
 * A corpus that answers with letters, for organisms that are to bind letters to options. The shipped
 * ones answer with values, because the step from a value to its letter forms late or never at their
 * size. Here is what was tried to help it: drills of that step alone, texts that say the value before
 * the letter, and heads that are wired at the start (organism/initial.ts). Notebook 02 shows what each gave.
 */
import * as v from "valibot";
import { checkSettings, numberFrom, share, wholeFrom } from "../platform/runtime/explain.ts";
import { optionWords } from "./format.ts";
import { LABELS } from "./vocabulary.ts";
import type { Random } from "../statistics/random.ts";
import type { World } from "./world.ts";

/** What stands behind `Answer:`: `C. v`, the bridging `v C.`, or `v` as in the shipped corpus. */
export type AnswerStyle = "letter" | "bridge" | "value";

const schema = v.strictObject({
  /** Share of the training that has drills alone, at its start. */
  drillStage: share,
  /** Loss weight of the answers there. */
  drillWeight: numberFrom(0),
  /** Share of the training after which texts of the form `bridge` give way to `letter`. */
  bridgeUntil: share,
  /** Share of drills in what follows the first stage. */
  drillShare: share,
  /** Share of the other texts with options that answer with the value alone. */
  valueShare: share,
  /** Heads of the first layer that look at the token before, from the start. */
  previousTokenHeads: wholeFrom(0),
  /** 1: all heads write what they read, from the start; 0: no head does. */
  copying: wholeFrom(0, 1),
});

/** How a corpus answers with letters; shares are of tokens. */
export type LetterSettings = v.InferOutput<typeof schema>;

/** Letters from the first token on, without any help. */
export const plainLetters: Readonly<LetterSettings> = {
  drillStage: 0,
  drillWeight: 500,
  bridgeUntil: 0,
  drillShare: 0,
  valueShare: 0,
  previousTokenHeads: 0,
  copying: 0,
};

/** @throws with every number that can't work, and what would. */
export function checkLetterSettings(settings: LetterSettings): void {
  checkSettings("answer with letters", schema, settings);
}

/** The answer that is option `index` of `options`, in words. */
export function answerWords(
  options: readonly string[],
  index: number,
  form: AnswerStyle,
): string[] {
  const letter = LABELS[index], value = options[index];
  return form === "value" ? [value] : form === "letter" ? [letter, value] : [value, letter];
}

/** Draws look-ups: words that mean nothing here, one of them asked for, its place the answer. */
export function drillDrawer(world: World) {
  const words = [
    ...world.neutralWords,
    ...world.domains.flatMap(({ relations }) => relations.flatMap(({ values }) => values)),
  ];
  return (random: Random, form: AnswerStyle) => {
    const drawn = new Set<string>();
    while (drawn.size < world.settings.options) drawn.add(random.pick(words));
    const options = [...drawn], index = random.integer(options.length);
    const asked = form === "bridge" ? [] : [options[index]];
    // `Question: y A. x B. y C. z D. w Answer:`; without the `y` where the answer says it first.
    const prompt = ["Question:", ...asked, ...optionWords(options), "Answer:"];
    return { options, index, prompt };
  };
}
