/**
 * Evaluation on the three tests of a domain (paper, section 4.1): HOMO, the domain's own test; ID, the
 * same domain in another exam; OOD, other domains. Means are over items (micro).
 */
import type { Answer, Question } from "./question.ts";
import { probe, type ProbeOptions } from "./probe.ts";
import type { ProbedModel } from "./model/readable_model.ts";
import { entropy } from "./statistics/divergence.ts";
import type { Interval } from "./statistics/_check.ts";
import { mean } from "./statistics/mean.ts";
import { wilsonInterval } from "./statistics/proportion.ts";

export const suiteNames = ["homo", "id", "ood"] as const;
export type SuiteName = typeof suiteNames[number];

/** The tests of a domain; one that is not at hand is left out. */
export type Suites = Partial<Record<SuiteName, readonly Question[]>>;

export interface SuiteResult {
  n: number;
  correct: number;
  /** Share of right answers, 0 to 1. */
  accuracy: number;
  /** Wilson's 95% interval of the accuracy. */
  interval: Interval;
  /** Mean entropy of the option probabilities, in nats. */
  entropy: number;
  answers: Answer[];
}

export type Evaluation = Partial<Record<SuiteName, SuiteResult>>;

/** Accuracy of answers, with its interval. */
export function scoreAnswers(answers: Answer[]): SuiteResult {
  const correct = answers.filter((answer) => answer.correct).length;
  return {
    n: answers.length,
    correct,
    accuracy: answers.length === 0 ? NaN : correct / answers.length,
    interval: wilsonInterval(correct, answers.length),
    entropy: answers.length === 0
      ? NaN
      : mean(answers.map(({ probabilities }) => entropy(probabilities))),
    answers,
  };
}

/**
 * Asks the model all questions of the suites. The default is how a fine-tuned model is tested: 0-shot,
 * inside the conversation's template. A base model is tested with `demonstrations` and the template
 * "plain".
 */
export async function evaluate(
  model: ProbedModel,
  suites: Suites,
  options: ProbeOptions = {},
): Promise<Evaluation> {
  const settings: ProbeOptions = {
    template: options.demonstrations?.length ? "plain" : "vicuna",
    ...options,
  };
  const names = suiteNames.filter((name) => suites[name] !== undefined);
  const asked = names.flatMap((name) => [...suites[name]!]);
  // What all questions of a call start with is read once: the paper's header names their domain. An
  // organism's conversation has no header, so that one call fills its batches best.
  const parts = model.format.name === "organism"
    ? [asked]
    : [...Map.groupBy(asked, ({ domain }) => domain).values()];
  const found = new Map<Question, Answer>();
  for (const part of parts) {
    const given = await probe(model, part, settings);
    part.forEach((question, i) => found.set(question, given[i]));
  }
  const answers = asked.map((question) => found.get(question)!);
  const result: Evaluation = {};
  let start = 0;
  for (const name of names) {
    const end = start + suites[name]!.length;
    result[name] = scoreAnswers(answers.slice(start, end));
    start = end;
  }
  return result;
}
