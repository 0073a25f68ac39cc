/** The runs of a visit: their settings, curves and results, as the page keeps them. */
import { compareAnswers, scoreAnswers, type SuiteName, suiteNames } from "../evaluate.ts";
import type { DomainMaterial } from "../cell.ts";
import type { BaseAnswers } from "../experiment.ts";
import { type Answer, answerFrom } from "../question.ts";
import { defaultSettings, type RunSettings } from "./address.ts";
import type { RunResult, RunStep, TestProbabilities } from "./training.ts";

export interface Run {
  settings: RunSettings;
  /** Ids of the questions that its steps follow. */
  followed: string[];
  steps: RunStep[];
  state: "running" | "done" | "stopped";
  result?: RunResult;
}

export const groupLabels = { har: "HAR", inc: "INC", self: "SELF", mix: "Mixture" } as const;

const SHORT: Partial<Record<keyof RunSettings, string>> = {
  ...{ learningRate: "rate", epochs: "epochs", minimumConfidence: "conf.", seed: "seed" },
};

/** A run's group, with its ratio. */
export function groupText({ group, ratio }: RunSettings): string {
  return group === "mix" ? `Mix ${ratio}` : groupLabels[group];
}

/** A run's group, and in which settings it differs from another's. */
export function runLabel({ settings }: Run, from: RunSettings = defaultSettings): string {
  const differing = (Object.keys(SHORT) as (keyof RunSettings)[])
    .filter((key) => settings[key] !== from[key])
    .map((key) => `${SHORT[key]} ${settings[key]}`);
  return [groupText(settings), ...differing].join(", ");
}

/** The latest tests of a run; undefined before its first epoch is over. */
export function latestTests({ steps }: Run): TestProbabilities | undefined {
  return steps.findLast(({ tests }) => tests)?.tests;
}

/** The base's answers to a domain's test, and the tuned model's. */
export function testAnswers(
  name: SuiteName,
  { base, domain, tests }: {
    base: BaseAnswers;
    domain: DomainMaterial;
    tests?: TestProbabilities;
  },
): { before: Answer[]; after?: Answer[] } {
  const before = domain.suites[name]!.flatMap((exam) => base.get(exam.name)!);
  const found = tests?.[name];
  return { before, after: found && before.map((question, i) => answerFrom(question, found[i])) };
}

/** One test before and after: accuracies from 0 to 1, KL in nats. */
export function testScores(answers: ReturnType<typeof testAnswers>) {
  const { before, after } = answers;
  const { n, accuracy: baseAccuracy } = scoreAnswers(before);
  if (!after) return { n, baseAccuracy };
  const { accuracy, interval } = scoreAnswers(after);
  const { kl, rank, lost, gained } = compareAnswers(before, after);
  return { n, baseAccuracy, accuracy, interval, kl, rank, lost, gained };
}

export type TestScores = ReturnType<typeof testScores>;

/**
 * A question's option probabilities over a run: of each step if the run follows it; else, of a test's
 * question, before training (`start`) and after each epoch.
 */
export function curveOf(
  run: Run,
  id: string,
  { domain, start }: { domain: DomainMaterial; start?: number[] },
): [step: number, probabilities: number[]][] {
  const place = run.followed.indexOf(id);
  if (place >= 0) return run.steps.map(({ step, followed }) => [step, followed[place]]);
  for (const name of suiteNames) {
    const questions = domain.suites[name]!.flatMap((exam) => [...exam.questions]);
    const at = questions.findIndex((question) => question.id === id);
    if (at < 0) continue;
    const after = run.steps.flatMap(({ step, tests }): [number, number[]][] =>
      tests?.[name] ? [[step, tests[name][at]]] : []
    );
    return start ? [[0, start], ...after] : after;
  }
  return [];
}
