/** Exercises on training: the mask, the loss, the learning rate. */
import texts from "../../data/exercises.json" with { type: "json" };
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
export const mask = checkOf<[tokens: string[], ids: number[]], number[]>(texts.mask, {
  inputs: conversations,
  right: maskOf,
  about: (tokens) => tokens.join(" "),
  mistakes: {
    prompt: (_, ids) => ids,
    shifted: (...input) => [...maskOf(...input).slice(1), IGNORED],
    end: maskBy((token, speaks) => speaks && token !== "</s>"),
    start: maskBy((token, speaks) => speaks || token === "ASSISTANT:"),
    secondTurn: maskBy((_, speaks, spoke) => speaks || spoke),
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
export const shiftedLoss = checkOf<[logProbabilities: number[][], labels: number[]], number>(
  texts.shiftedLoss,
  {
    inputs: batches,
    right: (...input) => lossOf(...input),
    about: (rows, labels) => `${rows.length} positions, labels ${labels.join(" ")}`,
    mistakes: {
      unshifted: (...input) => lossOf(...input, 0),
      twice: (...input) => lossOf(...input, 2),
      sum: (...input) => total(losses(...input, 1)),
      allPositions: (...input) => total(losses(...input, 1)) / input[1].length,
      sign: (...input) => -lossOf(...input),
    },
  },
);

const factor = (
  step: number,
  totalSteps: number,
  warmupSteps: number,
  schedule: "cosine" | "linear" = "cosine",
) => scheduleFactor(step, { schedule, totalSteps, warmupSteps });

/** The cosine schedule with its warm-up: step (from 0), steps, warm-up steps -> factor on the rate. */
export const schedule = checkOf<[step: number, steps: number, warmup: number], number>(
  texts.schedule,
  {
    inputs: [[24, 3], [10, 1], [30, 6]].flatMap(([steps, warmup]) =>
      Array.from({ length: steps }, (_, step): [number, number, number] => [step, steps, warmup])
    ),
    right: (...input) => factor(...input),
    about: (step, steps, warmup) => `step ${step} of ${steps}, warm-up ${warmup}`,
    mistakes: {
      noWarmup: (step, steps) => factor(step, steps, 0),
      early: (step, steps, warmup) => step < warmup ? step / warmup : factor(step, steps, 0),
      ahead: (step, ...rest) => factor(step + 1, ...rest),
      linear: (...input) => factor(...input, "linear"),
    },
  },
);
