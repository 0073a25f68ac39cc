/** Exercises on training: the mask, the loss, the learning rate. */
import { IGNORED } from "../model/batch.ts";
import { scheduleFactor } from "../model/trainer_options.ts";
import { mean } from "../statistics/mean.ts";
import { Random } from "../statistics/random.ts";
import { checkOf, shares } from "./exercise.ts";

const random = new Random("exercise/training");
const words = ["the", "port", "of", "stethemor", "is", "lolvpier", "coin", "fraldemor", "?"];
const some = (count: number) => Array.from({ length: count }, () => random.pick(words));
const turn = (asked: number, answered: number) => [
  ...["USER:", ...some(asked)],
  ...["ASSISTANT:", ...some(answered), "</s>"],
];
const conversations = [turn(5, 1), turn(4, 3), [...turn(3, 1), ...turn(2, 2)]]
  .map((turns) => ["<s>", ...turns])
  .map((tokens) => [tokens, tokens.map(() => 3 + random.integer(900))] as [string[], number[]]);

/** Labels: the ids where `falls` says so of a token and of whether the assistant speaks there. */
const maskBy =
  (falls: (token: string, speaks: boolean, spoke: boolean) => boolean) =>
  (tokens: string[], ids: number[]) => {
    let speaks = false, spoke = false;
    return tokens.map((token, i) => {
      const label = falls(token, speaks, spoke) ? ids[i] : IGNORED;
      if (token === "ASSISTANT:") speaks = spoke = true;
      if (token === "</s>") speaks = false;
      return label;
    });
  };
const maskOf = maskBy((_, speaks) => speaks);

/** The loss mask: tokens and their ids -> labels, -100 where no loss falls. */
export const mask = checkOf<[tokens: string[], ids: number[]], number[]>({
  inputs: conversations,
  right: maskOf,
  about: (tokens) => tokens.join(" "),
  mistakes: {
    "the prompt has labels too. The loss falls only on what the assistant says.": (_, ids) => ids,
    "your labels are shifted by one. The loss does that itself: it would be done twice.": (
      ...input
    ) => [...maskOf(...input).slice(1), IGNORED],
    "the end token </s> has no label. Without it the model never learns to stop.": maskBy(
      (token, speaks) => speaks && token !== "</s>",
    ),
    "ASSISTANT: has a label. It belongs to the form of the prompt; the answer starts behind it.":
      maskBy((token, speaks) => speaks || token === "ASSISTANT:"),
    "a second question has labels too. With </s> the assistant's turn ends, and USER: speaks.":
      maskBy((_, speaks, spoke) => speaks || spoke),
  },
});

const batches = [6, 9, 12].map((length): [number[][], number[]] => {
  const draw = () => shares(Array.from({ length: 5 }, () => 0.1 + random.next()));
  const rows = Array.from({ length }, () => draw().map(Math.log));
  const from = 2 + random.integer(length - 4);
  return [rows, rows.map((_, t) => t < from ? IGNORED : random.integer(5))];
});

/** The losses of the labelled tokens, each read at `shift` positions before its label. */
const losses = (rows: number[][], labels: number[], shift: number) =>
  labels.flatMap((label, t) => label === IGNORED || t < shift ? [] : [-rows[t - shift][label]]);
const total = (values: number[]) => values.reduce((a, b) => a + b, 0);
const lossOf = (rows: number[][], labels: number[], shift = 1) => mean(losses(rows, labels, shift));

/** The loss: log-probabilities [position][token] and labels -> nats a labelled token. */
export const shiftedLoss = checkOf<[logProbabilities: number[][], labels: number[]], number>({
  inputs: batches,
  right: (...input) => lossOf(...input),
  about: (rows, labels) => `${rows.length} positions, labels ${labels.join(" ")}`,
  mistakes: {
    "nothing is shifted. What the model says at position t is its guess at the token t + 1.": (
      ...input
    ) => lossOf(...input, 0),
    "shifted twice: the label of position t belongs to the output of t - 1, not of t - 2.": (
      ...input
    ) => lossOf(...input, 2),
    "this is the sum. The mean does not grow with the length of the answers.": (...input) =>
      total(losses(...input, 1)),
    "the mean is over all positions. Those with -100 have no loss and are not counted.": (
      ...input
    ) => total(losses(...input, 1)) / input[1].length,
    "the sign is turned round: log-probabilities are below 0, a loss is above.": (...input) =>
      -lossOf(...input),
  },
});

const factor = (
  step: number,
  totalSteps: number,
  warmupSteps: number,
  schedule: "cosine" | "linear" = "cosine",
) => scheduleFactor(step, { schedule, totalSteps, warmupSteps });

/** The cosine schedule with its warm-up: step (from 0), steps, warm-up steps -> factor on the rate. */
export const schedule = checkOf<[step: number, steps: number, warmup: number], number>({
  inputs: [[24, 3], [10, 1], [30, 6]].flatMap(([steps, warmup]) =>
    Array.from({ length: steps }, (_, step): [number, number, number] => [step, steps, warmup])
  ),
  right: (...input) => factor(...input),
  about: (step, steps, warmup) => `step ${step} of ${steps}, warm-up ${warmup}`,
  mistakes: {
    "there is no warm-up yet: in the first steps the factor climbs from 0 to 1.": (step, steps) =>
      factor(step, steps, 0),
    "the cosine starts too early: its way are the steps behind the warm-up.": (
      step,
      steps,
      warmup,
    ) => step < warmup ? step / warmup : factor(step, steps, 0),
    "you are one step ahead. Steps count from 0, so the very first has the factor 0.": (
      step,
      ...rest
    ) => factor(step + 1, ...rest),
    "this falls along a straight line; a cosine starts slowly and ends slowly.": (...input) =>
      factor(...input, "linear"),
  },
});
