/**
 * Measures the gate of an organism that answers with letters: the other organisms' gate, asked by letters,
 * and what shows that letters are read and not guessed.
 */
import { Random } from "../statistics/random.ts";
import type { HeldOutOptions, LetterGateValues, ScoreOptions } from "./gate.ts";
import { gateValues, mean, scoreHeldOut } from "./gate.ts";
import { drillDrawer } from "./letters.ts";
import { BOS, LABELS } from "./vocabulary.ts";
import type { World } from "./world.ts";

const DRILLS = 400;

/**
 * Measures the gate's values.
 * @param score gives the options' probabilities out of ALL words: what they lack to 1 is the mass
 * that is not on letters
 */
export async function measureLetterGate(
  world: World,
  score: ScoreOptions,
  options: Omit<HeldOutOptions, "formulation"> = {},
): Promise<LetterGateValues> {
  const raw = await scoreHeldOut(world, score, { ...options, formulation: "letters" });
  const mass = raw.exam.map((row) => row.reduce((a, b) => a + b, 0));
  const scores = { ...raw, exam: raw.exam.map((row, i) => row.map((p) => p / mass[i])) };
  const counts = world.domains[0].facts[0].options.map((_, letter) =>
    scores.exam.filter((row) => row.indexOf(Math.max(...row)) === letter).length
  );
  // Fresh look-ups, each alone at the start of a document.
  const draw = drillDrawer(world), random = new Random(`${world.seed}/letter gate`);
  const drills = Array.from({ length: DRILLS }, () => draw(random, "letter"));
  const drilled = await score(drills.map(({ prompt, options }) => (
    { text: [BOS, ...prompt].join(" "), options: LABELS.slice(0, options.length) }
  )));
  return {
    ...gateValues(scores),
    drill: mean(drilled.map((row, i) => Number(row.indexOf(Math.max(...row)) === drills[i].index))),
    letterMass: mean(mass),
    majority: Math.max(...counts) / raw.facts.length,
  };
}
