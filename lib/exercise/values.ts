/** Exercises of the first notebooks: a number, and a formula. */
import texts from "../../data/exercises.json" with { type: "json" };
import { wilsonInterval } from "../statistics/proportion.ts";
import { type WorldSettings, worldSizes } from "../world/settings.ts";
import { checkOf, RIGHT, UNTRIED } from "./exercise.ts";

const told: readonly (readonly [z: number, reach: number, text: string])[] = [
  [1.96, 0.03, RIGHT],
  [1.96, 0.015, "Not yet: that is for 3 points in all. It may reach 3 to each side."],
  [1.96, 0.06, "Not yet: that is for 6 points. Half as wide takes four times as many."],
  [1.645, 0.03, "Not yet: with 1.645 an interval holds 90%. 1.96 stands for 95%."],
];

/**
 * How many questions a test needs so that the interval around 60% reaches 3 points to either side. Near
 * is near enough, and a text such as "1,000 questions" counts as its number.
 */
export function questionsNeeded(mine: number | string): string {
  const found = typeof mine === "number" ? mine : parseFloat(mine.replace(",", ""));
  if (mine === "" || Number.isNaN(mine)) return UNTRIED;
  const near = told.find(([z, reach]) => Math.abs(found - z ** 2 * 0.24 / reach ** 2) <= 30);
  if (near) return near[2];
  const bounds = Number.isFinite(found) && found >= 1
    ? wilsonInterval(Math.round(0.6 * found), Math.round(found))
    : [0, 1];
  const [low, high] = bounds.map((bound) => (100 * bound).toFixed(1));
  return `Not yet: with ${mine} it goes from ${low} to ${high}%.`;
}

/** What a reader gets right who believes what is told more often and guesses where nothing was told. */
export const perfectReader = checkOf<[settings: WorldSettings], number>(texts.perfectReader, {
  inputs: [[0.55, 0.25, 0.2], [0.3, 0.5, 0.2], [0.8, 0.1, 0.1]].map((
    [known, misconceived, unknown],
  ) => [{ ...worldSizes.small, known, misconceived, unknown }]),
  tolerance: 0.005,
  right: ({ known, unknown, options }) => known + unknown / options,
  about: ({ known, misconceived, unknown, options }) =>
    `known ${known}, misconceived ${misconceived}, unknown ${unknown}, options ${options}`,
  mistakes: {
    noGuess: ({ known }) => known,
    guessesWrong: ({ known, options }) => known + (1 - known) / options,
    notWrong: ({ known, unknown, options }) => known + unknown / (options - 1),
    allRight: ({ known, unknown }) => known + unknown,
  },
});
