/**
 * Steps of many models side by side, in one graph, beside the step of one model alone: organism 16 x 36, random
 * weights, each member on its own batch, on whichever backend is open (SELF_ALIGNING_BACKEND).
 *
 *     deno run -A test/bench/beside.ts [--members=1,4,16,64] [--rounds=3] [--steps=10]
 */
import { parseArgs } from "node:util";
import * as tf from "@tensorflow/tfjs";
import { parameterShapes } from "../../lib/model/architecture.ts";
import type { Batch } from "../../lib/model/batch.ts";
import { parseConfiguration } from "../../lib/model/configuration.ts";
import { LanguageModel } from "../../lib/model/language_model.ts";
import { SideBySide } from "../../lib/model/side_by_side.ts";
import { Trainer } from "../../lib/model/trainer.ts";
import { openBackend } from "../../lib/platform/runtime/backend.ts";
import { organismFormat } from "../../lib/world/format.ts";
import { Random } from "../../lib/statistics/random.ts";
import { BUSY_CORES, watchOthers } from "./_load.ts";
import { median } from "./_rounds.ts";
import { makeBatch, SHAPES } from "./training.ts";

/** Steps that are not counted, the first of which makes the graph. */
const WARM = 3;

const { values } = parseArgs({
  options: {
    members: { type: "string", default: "1,4,16,64" },
    rounds: { type: "string", default: "3" },
    steps: { type: "string", default: "10" },
  },
});
const counts = values.members.split(",").map(Number);
const [rounds, stepsARound] = [Number(values.rounds), Number(values.steps)];
for (const count of [...counts, rounds, stepsARound]) {
  if (Number.isInteger(count) && count >= 1) continue;
  throw new Error(`Cannot measure: expected whole numbers from 1 up; found ${count}`);
}

const backend = await openBackend();
const [shape] = SHAPES;
const config = parseConfiguration({ ...shape.config, bos_token_id: null, eos_token_id: 0 });
const random = new Random("benchmark/beside");
const model = new LanguageModel({
  name: shape.name,
  config,
  parameters: new Map(
    parameterShapes(config).map(([name, size]) => {
      const numbers = Float32Array.from(
        { length: size.reduce((a, b) => a * b, 1) },
        () => name.includes("norm") ? 1 : 0.02 * random.normal(),
      );
      return [name, tf.tidy(() => tf.variable(tf.tensor(numbers, size)))];
    }),
  ),
  format: organismFormat,
});
const total = WARM + rounds * stepsARound;
const options = {
  learningRate: 1e-4,
  totalSteps: 100_000,
  clipNorm: 1,
  weightDecay: 0.1,
};
const batch = makeBatch(shape);
/** Other tokens for every member. */
const batchOf = (member: number): Batch => {
  const moved = (id: number) => id < 0 ? id : (id + member) % config.vocabularySize;
  return {
    inputIds: batch.inputIds.map((row) => row.map(moved)),
    labels: batch.labels.map((row) => row.map(moved)),
  };
};

interface Side {
  name: string;
  members: number;
  /** The first member's loss. */
  step: () => Promise<number>;
  operations?: number;
  first: number;
  /** Milliseconds a step. */
  times: number[];
  loss: number;
}

const base = model.snapshot();
const alone = new Trainer(model, options);
const sides: Side[] = [{
  ...{ name: "alone", members: 1, first: NaN, times: [], loss: NaN },
  step: async () => (await alone.step(batch)).loss,
}];
for (const members of counts) {
  const trainer = new SideBySide(config, members);
  const lists = Array.from({ length: members }, (_, i) => Array(total).fill(batchOf(i)));
  trainer.begin(lists, options, lists.map(() => base));
  const side: Side = {
    ...{ name: "side by side", members, first: NaN, times: [], loss: NaN },
    step: async () => (await trainer.step()).losses[0],
  };
  const { session } = trainer, { add } = session;
  session.add = (...given) => {
    const graph = add.apply(session, given), { nodes, functions = [] } = graph;
    side.operations = [...nodes, ...functions.flatMap(({ nodes }) => nodes)]
      .filter(({ operation }) => operation !== "Const").length;
    return graph;
  };
  sides.push(side);
}

async function timed(side: Side): Promise<number> {
  const start = performance.now();
  side.loss = await side.step();
  return performance.now() - start;
}

const watch = watchOthers(Deno.pid);
for (const side of sides) {
  side.first = await timed(side) / 1000;
  for (let i = 1; i < WARM; i++) await timed(side);
}
for (let round = 0; round < rounds; round++) {
  for (const side of sides) {
    for (let i = 0; i < stepsARound; i++) side.times.push(await timed(side));
  }
}
const others = watch();
const [{ loss }] = sides;
for (const side of sides) {
  if (Math.abs(side.loss - loss) <= 1e-4 * Math.abs(loss)) continue;
  throw new Error(
    `Cannot compare ${side.name} of ${side.members}: expected the loss ${loss} of the model alone ` +
      `after ${total} steps; found ${side.loss}`,
  );
}

const threads = backend.threads === undefined ? "" : `, ${backend.threads} threads`;
console.log(
  `Steps of organism 16 x 36 on ${backend.name}, ${backend.device}${threads}; ` +
    `${backend.versions.package}. Medians of ${rounds} x ${stepsARound} steps (range).\n`,
);
console.log(
  "| side | models | operations | ms/step | ms/step and model | of alone | first step, s |",
);
console.log("| --- | ---: | ---: | ---: | ---: | ---: | ---: |");
const single = median(sides[0].times);
for (const { name, members, operations = "", first, times } of sides) {
  const step = median(times), each = step / members;
  const range = [Math.min(...times), Math.max(...times)].map((ms) => ms.toFixed(1)).join("-");
  console.log(
    `| ${name} | ${members} | ${operations} | ${step.toFixed(1)} (${range}) | ${
      each.toFixed(2)
    } | ` +
      `${(step / single).toFixed(2)} x | ${first.toFixed(1)} |`,
  );
}
if (others !== null && others > BUSY_CORES) {
  console.log(`\nOther processes took ${others.toFixed(1)} cores meanwhile: measure again.`);
}
Deno.exit(0);
