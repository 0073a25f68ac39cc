/** Exercises on what is trained on: the groups, their mixtures, a control. */
import { type Answer, answerFrom, type Question } from "../question.ts";
import { Random } from "../statistics/random.ts";
import { checkOf, shares } from "./exercise.ts";

const random = new Random("exercise/groups");
const choices = ["blue", "green", "red", "white"];
const ask = (id: number): Question => ({
  ...{ id, domain: "toys", question: "Which colour?", choices: choices.slice() },
  answer: random.integer(4),
});
const answers = Array.from(
  { length: 40 },
  (_, id) => answerFrom(ask(id), shares(choices.map(() => random.next() ** 4 + 0.01))),
);
// The threshold itself: no belief yet.
const edge = answerFrom({ ...ask(40), answer: 1 }, [0.5, 0.3, 0.1, 0.1]);

const sort = ({ correct }: Answer, sure: boolean) => !sure ? "neither" : correct ? "HAR" : "INC";
const groupName = (answer: Answer) => sort(answer, answer.predictedProbability > 0.5);

/** The group of an answer, "HAR", "INC" or "neither", with a threshold of .5. */
export const groupOf = checkOf<[answer: Answer], string>({
  inputs: [...answers, edge].map((answer) => [answer]),
  right: groupName,
  about: ({ correct, predictedProbability, goldProbability }) =>
    `correct ${correct}, predictedProbability ${predictedProbability.toFixed(2)}, ` +
    `goldProbability ${goldProbability.toFixed(2)}`,
  mistakes: {
    "unsure answers are in your groups. An answer is a belief only above .5.": (answer) =>
      sort(answer, true),
    "HAR and INC are exchanged: HAR is in harmony with the truth, INC is not.": (answer) =>
      groupName({ ...answer, correct: !answer.correct }),
    "an answer of .5 exactly is no belief yet: it must be above.": (answer) =>
      sort(answer, answer.predictedProbability >= 0.5),
    "you ask how sure it is of the truth. A belief is what it says itself, right or wrong.": (
      answer,
    ) => sort(answer, answer.goldProbability > 0.5),
  },
});

const mixed = (inc: string[], self: string[], own: (i: number) => boolean) =>
  inc.map((target, i) => own(i) ? self[i] : target);
const count = (list: string[], ratio: number) => Math.round(ratio * list.length);
const listOf = (name: string, length: number) => Array.from({ length }, (_, i) => `${name} ${i}`);

/** The targets of a mixture; both lists are of the same questions, shuffled already. */
export const mix = checkOf<[inc: string[], self: string[], ratio: number], string[]>({
  inputs: [[5, 0.4], [8, 0.2], [7, 0.5], [4, 0], [4, 1]]
    .map(([n, ratio]) => [listOf("gold", n), listOf("own", n), ratio]),
  right: (inc, self, ratio) => mixed(inc, self, (i) => i < count(inc, ratio)),
  about: (inc, _, ratio) => `${inc.length} questions, r = ${ratio}`,
  mistakes: {
    "r is the share of the model's own answers: r = 0 is INC, r = 1 is SELF.": (inc, self, ratio) =>
      mixed(inc, self, (i) => i >= count(inc, ratio)),
    "the share is rounded down. The paper's ratios are rounded to the nearest count, half up.": (
      inc,
      self,
      ratio,
    ) => mixed(inc, self, (i) => i < Math.floor(ratio * inc.length)),
    "own answers are added, not put in place: each question is asked once, with one answer.": (
      inc,
      self,
      ratio,
    ) => [...inc, ...self.slice(0, count(inc, ratio))],
    "take the first ones of the list (it is shuffled), not the last.": (inc, self, ratio) =>
      mixed(inc, self, (i) => i >= inc.length - count(inc, ratio)),
  },
});

const isThird = ({ answer, predicted }: Answer) => (_: string, i: number) =>
  i !== answer && i !== predicted;

/** What a control trains on: the index of an option that is neither the truth nor the model's belief. */
export const control = checkOf<[answer: Answer], number>({
  inputs: answers.filter(({ correct }) => !correct).map((answer) => [answer]),
  right: (answer) => choices.findIndex(isThird(answer)),
  about: ({ answer, predicted }) => `answer ${answer}, predicted ${predicted}`,
  mistakes: {
    "this is INC: the truth.": ({ answer }) => answer,
    "this is SELF: what the model says itself.": ({ predicted }) => predicted,
    "always the first option: now and then it is the truth, or the model's own.": () => 0,
    "this is the last such option. Take the first, so that it can be checked.": (answer) =>
      choices.findLastIndex(isThird(answer)),
  },
});
