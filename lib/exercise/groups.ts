/** Exercises on what is trained on: the groups, their mixtures, a control. */
import texts from "../../data/exercises.json" with { type: "json" };
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
export const groupOf = checkOf<[answer: Answer], string>(texts.groupOf, {
  inputs: [...answers, edge].map((answer) => [answer]),
  right: groupName,
  about: ({ correct, predictedProbability, goldProbability }) =>
    `correct ${correct}, predictedProbability ${predictedProbability.toFixed(2)}, ` +
    `goldProbability ${goldProbability.toFixed(2)}`,
  mistakes: {
    unsure: (answer) => sort(answer, true),
    exchanged: (answer) => groupName({ ...answer, correct: !answer.correct }),
    edge: (answer) => sort(answer, answer.predictedProbability >= 0.5),
    ofTruth: (answer) => sort(answer, answer.goldProbability > 0.5),
  },
});

const mixed = (inc: string[], self: string[], own: (i: number) => boolean) =>
  inc.map((target, i) => own(i) ? self[i] : target);
const count = (list: string[], ratio: number) => Math.round(ratio * list.length);
const listOf = (name: string, length: number) => Array.from({ length }, (_, i) => `${name} ${i}`);

/** The targets of a mixture; both lists are of the same questions, shuffled already. */
export const mix = checkOf<[inc: string[], self: string[], ratio: number], string[]>(texts.mix, {
  inputs: [[5, 0.4], [8, 0.2], [7, 0.5], [4, 0], [4, 1]]
    .map(([n, ratio]) => [listOf("gold", n), listOf("own", n), ratio]),
  right: (inc, self, ratio) => mixed(inc, self, (i) => i < count(inc, ratio)),
  about: (inc, _, ratio) => `${inc.length} questions, r = ${ratio}`,
  mistakes: {
    exchanged: (inc, self, ratio) => mixed(inc, self, (i) => i >= count(inc, ratio)),
    floor: (inc, self, ratio) => mixed(inc, self, (i) => i < Math.floor(ratio * inc.length)),
    added: (inc, self, ratio) => [...inc, ...self.slice(0, count(inc, ratio))],
    last: (inc, self, ratio) => mixed(inc, self, (i) => i >= inc.length - count(inc, ratio)),
  },
});

const isThird = ({ answer, predicted }: Answer) => (_: string, i: number) =>
  i !== answer && i !== predicted;

/** What a control trains on: the index of an option that is neither the truth nor the model's belief. */
export const control = checkOf<[answer: Answer], number>(texts.control, {
  inputs: answers.filter(({ correct }) => !correct).map((answer) => [answer]),
  right: (answer) => choices.findIndex(isThird(answer)),
  about: ({ answer, predicted }) => `answer ${answer}, predicted ${predicted}`,
  mistakes: {
    inc: ({ answer }) => answer,
    self: ({ predicted }) => predicted,
    first: () => 0,
    last: (answer) => choices.findLastIndex(isThird(answer)),
  },
});
