/** Rows on what a model believes. Probabilities and shares in %, shares with Wilson's intervals. */
import { type Answer, optionLetter } from "../question.ts";
import { auditProbe, beliefOf, type BeliefOptions, reliabilityOf, shareOf } from "../audit.ts";
import { suiteLabels } from "../contrast.ts";
import { compareAnswers, suiteNames } from "../evaluate.ts";
import { inPoints } from "../figure/number.ts";
import type { Row } from "../figure/rows.ts";
import type { ProbedBase } from "./bases.ts";

/** Answers that belong together, by what they have in common: a kind of fact, a way to ask. */
export type AnswerGroups = ReadonlyMap<string, readonly Answer[]>;

const share = (answers: readonly Answer[], fits: (answer: Answer) => boolean) =>
  inPoints(shareOf(answers, fits));

const right = ({ correct }: Answer) => correct;

/** A row for each option: how probable the model finds it, and whether it is true or chosen. */
export function optionRows(answer: Answer) {
  return answer.choices.map((option, i) => ({
    option,
    probability: 100 * answer.probabilities[i],
    is: [i === answer.answer && "true", i === answer.predicted && "the model's answer"]
      .filter(Boolean).join(", "),
  }));
}

/** A row for each group: how much is right, sure, sure and wrong, and `shares`; mean probability, entropy. */
export function beliefRows(
  groups: AnswerGroups,
  { shares = {}, ...options }: BeliefOptions & {
    shares?: Readonly<Record<string, (answer: Answer) => boolean>>;
  } = {},
): Row[] {
  return [...groups].map(([name, answers]) => {
    const { right, confident, confidentWrong, confidence, entropy } = beliefOf(answers, options);
    const further = Object.entries(shares).map(([key, fits]) => [key, share(answers, fits)]);
    return {
      ...{ answers: name, right: inPoints(right), sure: inPoints(confident) },
      ...{ sureWrong: inPoints(confidentWrong), confidence: 100 * confidence, entropy },
      ...Object.fromEntries(further),
    };
  });
}

/** A row for each group: is it right more often than a guess, and than one letter always? */
export function auditRows(groups: AnswerGroups): Row[] {
  return [...groups].map(([name, answers]) => {
    const { chance, majority, mostPredicted, meaningful } = auditProbe(answers);
    return {
      ...{ answers: name, right: share(answers, right), chance: 100 * chance },
      ...{ constant: 100 * majority.rate, constantLetter: majority.letter },
      ...{ most: 100 * mostPredicted.share, mostLetter: mostPredicted.letter },
      knowledge: meaningful,
    };
  });
}

export const outcomeColors = {
  "right, sure": "#009E73",
  "right, unsure": "#8FD1BC",
  "wrong, unsure": "#F2B48A",
  "wrong, sure": "#D55E00",
};

/** Four rows for each group: how much of it is right or wrong, sure or unsure. */
export function outcomeRows(
  groups: AnswerGroups,
  { minimumConfidence = 0.5 }: BeliefOptions = {},
): Row[] {
  const outcomeOf = ({ correct, predictedProbability }: Answer) => {
    const sure = predictedProbability > minimumConfidence ? "sure" : "unsure";
    return `${correct ? "right" : "wrong"}, ${sure}`;
  };
  return [...groups].flatMap(([name, answers]) =>
    Object.keys(outcomeColors).map((outcome) => (
      { answers: name, outcome, share: share(answers, (one) => outcomeOf(one) === outcome) }
    ))
  );
}

/** Rows for each group: how much of it is right, and how often each place of the list is chosen. */
export function choiceRows(groups: AnswerGroups): Row[] {
  const places = Math.max(...[...groups.values()].flat().map(({ choices }) => choices.length));
  const rightRows = [...groups].map(([name, answers]) => (
    { answers: name, panel: "right answers", choice: "right", share: share(answers, right) }
  ));
  const placeRows = [...groups].flatMap(([name, answers]) =>
    Array.from({ length: places }, (_, place) => ({
      ...{ answers: name, panel: "which place is chosen", choice: `chose ${optionLetter(place)}` },
      share: share(answers, ({ predicted }) => predicted === place),
    }))
  );
  return [...rightRows, ...placeRows];
}

/** A row for each bin of probability that holds at least `minimumAnswers`: how many are right. */
export function reliabilityRows(
  answers: readonly Answer[],
  { minimumAnswers = 1 }: { minimumAnswers?: number } = {},
) {
  return reliabilityOf(answers).bins.filter(({ n }) => n >= minimumAnswers).map((
    { confidence, accuracy, interval, n },
  ) => ({ confidence: 100 * confidence, right: inPoints({ value: accuracy, interval, n }) }));
}

/** A row for each base model, domain and test. */
export function baseRows(bases: readonly Pick<ProbedBase, "model" | "base" | "material">[]) {
  return bases.flatMap(({ model, base, material }) =>
    [...material.domains].flatMap(([domain, { suites }]) =>
      suiteNames.flatMap((suite) => {
        const answers = (suites[suite] ?? []).flatMap(({ name }) => base.answers[name]);
        if (answers.length === 0) return [];
        return [{ model, domain, test: suiteLabels[suite], accuracy: share(answers, right) }];
      })
    )
  );
}

/** A row for each state of one model, the one before first: what fine-tuning changed on a test. */
export function changeRows(before: readonly Answer[], states: AnswerGroups): Row[] {
  return [...states].map(([state, after]) => {
    const { kl, rank, lost, gained } = compareAnswers(before, after);
    const moved = { kl, rank, "newly wrong": lost, "newly right": gained };
    return { state, accuracy: share(after, right), ...moved };
  });
}
