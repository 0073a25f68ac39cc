/** The runs of a visit: their settings, curves and results, as the page keeps them. */
import { compareAnswers, scoreAnswers, type SuiteName } from "../evaluate.ts";
import type { Answer } from "../question.ts";
import { defaultSettings, type RunSettings } from "./address.ts";
import type { RunResult, RunStep } from "./training.ts";

export interface Run {
  settings: RunSettings;
  /** Ids of the questions that its steps follow. */
  followed: string[];
  steps: RunStep[];
  state: "running" | "done" | "stopped";
  result?: RunResult;
}

/** What each test asks. */
export const testTexts: Readonly<Record<SuiteName, string>> = {
  homo: "the domain’s own test",
  id: "the same domain, other wording",
  ood: "the other three domains",
};

/** A run's group, with its ratio. */
export function groupText({ group, ratio }: RunSettings): string {
  return group === "mix" ? `Mix ${ratio}` : group.toUpperCase();
}

const SHORT = [
  ["learningRate", "rate"],
  ["epochs", "epochs"],
  ["minimumConfidence", "conf."],
  ["seed", "seed"],
] as const;

/** A run's group, and in which settings it differs from another's. */
export function runLabel({ settings }: Run, from: RunSettings = defaultSettings): string {
  const differing = SHORT.filter(([key]) => settings[key] !== from[key])
    .map(([key, name]) => `${name} ${settings[key]}`);
  return [groupText(settings), ...differing].join(", ");
}

/** One test before and after: accuracies from 0 to 1, KL in nats. */
export function testScores({ before, after }: { before: Answer[]; after?: Answer[] }) {
  const { n, accuracy: baseAccuracy } = scoreAnswers(before);
  if (!after) return { n, baseAccuracy };
  const { accuracy, interval } = scoreAnswers(after);
  const { kl, rank } = compareAnswers(before, after);
  return { n, baseAccuracy, accuracy, interval, kl, rank };
}

export type TestScores = ReturnType<typeof testScores>;
