/** Exercises whose answer is a number, a word, or settings. */
import { wilsonInterval } from "../statistics/proportion.ts";
import { allFacts, createWorld } from "../world/world.ts";
import { type WorldSettings, worldSizes } from "../world/settings.ts";
import { checkFunction, checkValue } from "./exercise.ts";

/** How many questions a test needs so that the interval around 60% reaches 3 points to either side. */
export function questionsNeeded(mine: number | string | undefined): string {
  const widest = (n: number) => {
    const [low, high] = wilsonInterval(Math.round(0.6 * n), n);
    return Math.max(0.6 - low, high - 0.6);
  };
  let right = 50;
  while (widest(right) > 0.03) right += 5;
  const count = (z: number, reach: number) => Math.round(z ** 2 * 0.24 / reach ** 2);
  return checkValue(mine, {
    right,
    tolerance: 30,
    help: "Try wilsonInterval with more questions where it reaches too far, with fewer elsewhere.",
    mistakes: [
      ["That is for 3 points in all. It may reach 3 points to each side.", count(1.96, 0.015)],
      [
        "That is for 6 points to each side. Half the width takes four times as many, not twice.",
        count(1.96, 0.06),
      ],
      ["1.96 stands for 95%; with 1.645 the interval holds 90%.", count(1.645, 0.03)],
    ],
  });
}

/** What a reader gets right who believes what is told more often and guesses where nothing was told. */
export const perfectReader = (mine: (settings: WorldSettings) => number | undefined) => {
  const kinds = [[0.55, 0.25, 0.2], [0.3, 0.5, 0.2], [0.8, 0.1, 0.1]];
  const inputs = kinds.map(([known, misconceived, unknown]): [WorldSettings] => [
    { ...worldSizes.small, known, misconceived, unknown },
  ]);
  return checkFunction(mine, {
    inputs,
    tolerance: 0.005,
    right: ({ known, unknown, options }) => known + unknown / options,
    about: ({ known, misconceived, unknown, options }) =>
      `known ${known}, misconceived ${misconceived}, unknown ${unknown}, options ${options}`,
    mistakes: [
      [
        "he also guesses, and some guesses are right. At which facts, and how many?",
        ({ known }) => known,
      ],
      [
        "he does not guess at a misconceived fact: he believes the wrong value, and gives it.",
        ({ known, misconceived, unknown, options }) => known + (misconceived + unknown) / options,
      ],
      [
        "a guess is among all options: nobody told him that the wrong value is wrong.",
        ({ known, unknown, options }) => known + unknown / (options - 1),
      ],
      ["not every guess is right: he has one try.", ({ known, unknown }) => known + unknown],
    ],
  });
};

/** Settings of a world in which half of the facts of pool and tests are misconceived. */
export function halfMisconceived(mine: Partial<WorldSettings>): string {
  if (Object.keys(mine).length === 0) return "Not tried yet.";
  const share = (settings: WorldSettings) => {
    const asked = allFacts(createWorld({ seed: 11, settings }))
      .filter(({ split }) => split !== "dev" && split !== "mc");
    return asked.filter(({ status }) => status === "misconceived").length / asked.length;
  };
  const settings = { ...worldSizes.small, ...mine };
  const { known, misconceived, unknown } = settings;
  if (misconceived === 0.5 && Math.abs(known + misconceived + unknown - 1) > 1e-9) {
    return "Not yet: the shares of known, misconceived and unknown facts must sum to one, so one of " +
      "the others has to give way.";
  }
  const changed = (key: keyof WorldSettings) => settings[key] !== worldSizes.small[key];
  if (changed("strength") && !changed("misconceived")) {
    return "Not yet: strength says how often a misconceived fact is told wrongly, not how many there are.";
  }
  if (unknown === 0.5) {
    return "Not yet: unknown facts are told not at all. Misconceived ones are told wrongly.";
  }
  let found: number;
  try {
    found = share(settings);
  } catch (error) {
    return `Not yet: ${(error as Error).message}`;
  }
  return Math.abs(found - 0.5) < 0.04
    ? "Right."
    : `Not yet: ${Math.round(100 * found)}% of the facts are misconceived there.`;
}

/** What was foretold of a change, "more", "fewer" or "as many", and the change in points. */
export function prediction(mine: string, change: number): string {
  if (mine === "") return "Not tried yet.";
  const right = Math.abs(change) < 10 ? "as many" : change > 0 ? "more" : "fewer";
  const points = `${change < 0 ? "" : "+"}${change.toFixed(0)} points`;
  const told: Record<string, string> = {
    more: `It came out otherwise (${points}). What makes a misconception believed less?`,
    fewer: `It came out otherwise (${points}). Is each told as firmly as before?`,
    "as many": `It came out otherwise (${points}). Which statements did the knob change?`,
  };
  const help = `Answer with one of: ${Object.keys(told).join(", ")}.`;
  const mistakes = Object.entries(told).map(([word, text]) => [text, word] as const);
  return checkValue(mine, { right, mistakes, help });
}
