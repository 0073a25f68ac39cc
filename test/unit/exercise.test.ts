import assert from "node:assert/strict";
import { encodeConversation, loadOrganism } from "../../lib/mod.ts";
import { check } from "../../lib/exercise/mod.ts";
import { checkOf } from "../../lib/exercise/exercise.ts";
import { klDivergence } from "../../lib/statistics/divergence.ts";
import * as solutions from "../../notebooks/solutions/solutions.ts";

// deno-lint-ignore no-explicit-any
type Any = any;
type Name = keyof typeof check;
const names = Object.keys(check) as Name[];
const run = (name: Name, answer: Any) => (check[name] as (mine: Any) => string)(answer);
const sum = (values: number[]) => values.reduce((a, b) => a + b, 0);

/** Wrong answers to each exercise, with a part of what must be said of them. */
const wrong: Record<Name, [answer: Any, told: RegExp][]> = {
  questionsNeeded: [
    [4098, /3 points in all/],
    [256, /for 6 points/],
    [722, /95%/],
    ["500 questions", /with 500 questions it goes from 55.6 to 64.2%/],
  ],
  perfectReader: [
    [(s: Any) => s.known, /also guesses/],
    [(s: Any) => s.known + (1 - s.known) / 4, /does not guess at a misconceived/],
    [(s: Any) => s.known + s.unknown / 3, /among all options/],
    [(s: Any) => 1 - s.misconceived, /not every guess/],
    [() => 0.5, /found 0.5; expected 0.6.*known 0.55/],
  ],
  calibrationError: [
    [
      (p: number[], right: boolean[]) => byBins(p, right, (n, gap) => Math.abs(gap) / n, true),
      /alike/,
    ],
    [(p: number[], right: boolean[]) => byBins(p, right, (_, gap) => gap), /cancel/],
    [
      (p: number[], right: boolean[]) => Math.abs(sum(p) - sum(right.map(Number))) / p.length,
      /no bins/,
    ],
  ],
  groupOf: [
    [({ correct }: Any) => correct ? "HAR" : "INC", /unsure answers/],
    [
      ({ correct, predictedProbability }: Any) =>
        predictedProbability <= 0.5 ? "neither" : correct ? "INC" : "HAR",
      /exchanged/,
    ],
    [
      ({ correct, predictedProbability }: Any) =>
        predictedProbability < 0.5 ? "neither" : correct ? "HAR" : "INC",
      /.5 exactly/,
    ],
    [
      ({ correct, goldProbability }: Any) =>
        goldProbability <= 0.5 ? "neither" : correct ? "HAR" : "INC",
      /says itself/,
    ],
    [() => "none", /found "none"; expected "(HAR|INC|neither)"\. The input: correct/],
  ],
  mask: [
    [(_: string[], ids: number[]) => ids, /the prompt has labels/],
    [
      (tokens: string[], ids: number[]) =>
        solutions.mask(tokens, ids).map((_, t, labels) => labels[t + 1] ?? -100),
      /shifted/,
    ],
    [
      (tokens: string[], ids: number[]) =>
        solutions.mask(tokens, ids).map((label, t) => tokens[t] === "</s>" ? -100 : label),
      /end token/,
    ],
    [
      (tokens: string[], ids: number[]) =>
        solutions.mask(tokens, ids).map((label, t) => tokens[t] === "ASSISTANT:" ? ids[t] : label),
      /ASSISTANT: has a label/,
    ],
    [
      (tokens: string[], ids: number[]) =>
        ids.map((id, t) => t > tokens.indexOf("ASSISTANT:") ? id : -100),
      /second question/,
    ],
    [(_: string[], ids: number[]) => ids.map(() => 0), /position 0: found 0; expected -100/],
    [() => [1], /at position 0: found 1; expected -100/],
    [(tokens: string[]) => tokens[99].length, /your function stops with/],
  ],
  shiftedLoss: [
    [(rows: number[][], labels: number[]) => lossAt(rows, labels, 0), /nothing is shifted/],
    [(rows: number[][], labels: number[]) => lossAt(rows, labels, 2), /shifted twice/],
    [
      (rows: number[][], labels: number[]) =>
        solutions.shiftedLoss(rows, labels) * labels.filter((label) => label >= 0).length,
      /this is the sum/,
    ],
    [
      (rows: number[][], labels: number[]) =>
        solutions.shiftedLoss(rows, labels) * labels.filter((label) => label >= 0).length /
        labels.length,
      /over all positions/,
    ],
    [(rows: number[][], labels: number[]) => -solutions.shiftedLoss(rows, labels), /sign/],
  ],
  kl: [
    [(p: number[], q: number[]) => solutions.kl(q, p), /exchanged/],
    [(p: number[], q: number[]) => solutions.kl(p, q) / Math.log(2), /bits/],
    [(p: number[], q: number[]) => sum(p.map((x, i) => x * Math.log(x / q[i]))), /NaN/],
    [(p: number[], q: number[]) => sum(p.map((x, i) => x && Math.log(x / q[i]))), /not weighted/],
    [() => 0, /found 0; expected/],
  ],
  pairedDifference: [
    [
      (a: boolean[], b: boolean[]) => {
        const spread = (x: boolean[]) => {
          const share = x.filter(Boolean).length / x.length;
          return share * (1 - share) / (x.length - 1);
        };
        return [solutions.pairedDifference(a, b)[0], 100 * Math.sqrt(spread(a) + spread(b))];
      },
      /strangers/,
    ],
    [
      (a: boolean[], b: boolean[]) => solutions.pairedDifference(a, b).map((x) => x / 100),
      /shares/,
    ],
    [
      (a: boolean[], b: boolean[]) => {
        const [difference, stderr] = solutions.pairedDifference(a, b);
        return [difference, stderr * Math.sqrt(a.length)];
      },
      /standard deviation/,
    ],
    [(a: boolean[], b: boolean[]) => solutions.pairedDifference(b, a), /turned round/],
  ],
  mix: [
    [
      (inc: string[], self: string[], r: number) => solutions.mix(self, inc, r),
      /share of the model's/,
    ],
    [
      (inc: string[], self: string[], r: number) =>
        inc.map((gold, i) => i < Math.floor(r * inc.length) ? self[i] : gold),
      /rounded down/,
    ],
    [
      (inc: string[], self: string[], r: number) => [
        ...inc,
        ...self.slice(0, Math.round(r * inc.length)),
      ],
      /added/,
    ],
    [
      (inc: string[], self: string[], r: number) =>
        inc.map((gold, i) => i >= inc.length - Math.round(r * inc.length) ? self[i] : gold),
      /not the last/,
    ],
  ],
  control: [
    [({ answer }: Any) => answer, /this is INC/],
    [({ predicted }: Any) => predicted, /this is SELF/],
    [() => 0, /now and then/],
  ],
  rankConsistency: [
    [(p: number[], q: number[]) => correlation(p, q), /Pearson's correlation of the probabilities/],
    [
      (p: number[], q: number[]) => {
        const ranks = (x: number[]) =>
          x.map((value) =>
            x.filter((other) => other > value).length +
            x.filter((other) => other === value).length / 2
          );
        return correlation(ranks(p), ranks(q));
      },
      /mean of their places/,
    ],
    [
      (p: number[], q: number[]) => {
        const ranks = (x: number[]) =>
          x.map((value, i) =>
            x.filter((other, j) => other > value || other === value && j < i).length
          );
        return correlation(ranks(p), ranks(q));
      },
      /two ranks/,
    ],
    [
      (p: number[], q: number[]) => new Set(q).size === 1 ? NaN : solutions.rankConsistency(p, q),
      /consistency is 0/,
    ],
  ],
  perToken: [
    [(options: number[][]) => softmax(options.map(sum)), /nothing is divided/],
    [
      (options: number[][]) => softmax(options.map(sum)).map((p, i) => p / options[i].length),
      /divide before/,
    ],
    [
      (options: number[][]) =>
        softmax(options.map((tokens) => sum(tokens.map(Math.exp)) / tokens.length)),
      /mean is of probabilities/,
    ],
    [(options: number[][]) => options.map((tokens) => sum(tokens) / tokens.length), /scores/],
  ],
  schedule: [
    [
      (step: number, steps: number) => 0.5 * (1 + Math.cos(Math.PI * step / steps)),
      /no warm-up/,
    ],
    [
      (step: number, steps: number, warmup: number) =>
        step < warmup ? step / warmup : 0.5 * (1 + Math.cos(Math.PI * step / steps)),
      /too early/,
    ],
    [
      (step: number, steps: number, warmup: number) => solutions.schedule(step + 1, steps, warmup),
      /one step ahead/,
    ],
    [
      (step: number, steps: number, warmup: number) =>
        step < warmup ? step / warmup : (steps - step) / (steps - warmup),
      /straight line/,
    ],
    [() => 1, /found 1; expected 0. The input: step 0 of 24/],
  ],
};

function softmax(scores: number[]) {
  const weights = scores.map(Math.exp);
  return weights.map((weight) => weight / sum(weights));
}

function correlation(a: number[], b: number[]) {
  const centred = (x: number[]) => x.map((value) => value - sum(x) / x.length);
  const dot = (x: number[], y: number[]) => sum(x.map((value, i) => value * y[i]));
  const [x, y] = [centred(a), centred(b)];
  return dot(x, y) / Math.sqrt(dot(x, x) * dot(y, y)) || 0;
}

function lossAt(rows: number[][], labels: number[], shift: number) {
  const terms = labels.flatMap((label, t) =>
    label < 0 || t < shift ? [] : [-rows[t - shift][label]]
  );
  return sum(terms) / terms.length;
}

/** Mean over the answers, or over the bins that hold any, of what ten bins give. */
function byBins(
  p: number[],
  right: boolean[],
  of: (n: number, gap: number) => number,
  overBins = false,
) {
  const bins = Array.from(
    { length: 10 },
    (_, bin) => [...p.keys()].filter((i) => Math.min(9, Math.floor(10 * p[i])) === bin),
  ).filter(({ length }) => length > 0);
  const terms = bins.map((own) => of(own.length, sum(own.map((i) => Number(right[i]) - p[i]))));
  return sum(terms) / (overBins ? bins.length : p.length);
}

for (const name of names) {
  Deno.test(`check.${name}() accepts its solution and names what is wrong with other answers`, () => {
    assert.equal(run(name, solutions[name]), "Right.");
    const told = wrong[name].map(([answer, text], i) => {
      const said = run(name, answer);
      assert.match(said, /^Not yet: /, `${name} ${i}`);
      assert.match(said, text);
      return said;
    });
    assert.ok(told.length >= 3);
    assert.equal(new Set(told).size, told.length, "each has a message of its own");
  });
}

Deno.test("An exercise that nobody touched is not wrong", () => {
  const starts: Partial<Record<Name, unknown>> = { questionsNeeded: NaN };
  for (const name of names) {
    const start = starts[name] ?? (() => ["mask", "mix", "perToken"].includes(name) ? [] : NaN);
    assert.equal(run(name, start), "Not tried yet.", name);
  }
  assert.equal(check.groupOf(() => ""), "Not tried yet.");
  assert.equal(check.pairedDifference(() => [NaN, NaN]), "Not tried yet.");
});

Deno.test("The mask that is asked for is the one that organisms are trained with", async () => {
  const { model } = await loadOrganism("small-101");
  const tokenizer = model.requireTokenizer();
  const messages = [
    { role: "user", content: "what is the port of stethemor ? A. lolvpier B. relvdock" },
    { role: "assistant", content: "lolvpier" },
    { role: "user", content: "repeat w" },
    { role: "assistant", content: "w" },
  ] as const;
  const encoding = { tokenizer, format: model.format, maxTokens: 128 };
  const { ids, labels } = encodeConversation([...messages], encoding);
  assert.deepEqual(solutions.mask(ids.map((id) => tokenizer.decode([id])), ids), labels);
  model.dispose();
});

Deno.test("check.questionsNeeded() reads numbers out of texts, and near is near enough", () => {
  for (const mine of [1000, 1050, "1,010 questions"]) {
    assert.equal(check.questionsNeeded(mine), "Right.");
  }
  assert.equal(check.questionsNeeded(""), "Not tried yet.");
  assert.match(check.questionsNeeded("many"), /with many it goes from 0.0 to 100.0%/);
});

Deno.test("checkOf() gives each call its own input, and says where lists differ", () => {
  const told: (mine: (list: number[]) => unknown) => string = checkOf<[list: number[]], unknown>(
    {},
    { inputs: [[[1, 2, 3]]], right: (list) => list.map((x) => -x), mistakes: {} },
  );
  assert.equal(told((list) => list.reverse().reverse().map((x) => -x)), "Right.");
  assert.equal(
    told((list) => list.sort((a, b) => b - a)),
    "Not yet: at position 0: found 3; expected -1. The input: [1,2,3]",
  );
  assert.match(told(() => [-1, -2, -3, -4]), /found 4 values; expected 3/);
  assert.match(told(() => 7), /found 7; expected a list/);
  assert.equal(klDivergence([1, 0], [0.5, 0.5]), Math.LN2);
});
