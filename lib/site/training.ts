/** One run of the live page: the method's own modules, with what is followed read after each step. */
import { cellExamples, domainOf, targetFit } from "../experiment.ts";
import { finetune } from "../finetune.ts";
import { evaluate, type SuiteName, suiteNames } from "../evaluate.ts";
import { probe } from "../probe.ts";
import type { Question } from "../question.ts";
import type { RunSettings } from "./address.ts";
import type { Subject } from "./subject.ts";

/** Option probabilities of each test, in its questions' order. */
export type TestProbabilities = Partial<Record<SuiteName, number[][]>>;

/** What is told during a run. Step 0 is the model before training. */
export interface RunStep {
  step: number;
  steps: number;
  /** In nats a supervised token; of step 0 none. */
  loss?: number;
  /** Option probabilities of the followed questions, asked as a chat without examples. */
  followed: number[][];
  /** After the last step of an epoch: all tests. */
  tests?: TestProbabilities;
}

/** Questions as a tuned model is asked them. */
export async function ask({ model }: Pick<Subject, "model">, questions: readonly Question[]) {
  const answers = await probe(model, questions, { template: "vicuna" });
  return answers.map(({ probabilities }) => probabilities);
}

/**
 * Trains the subject's model from its start on the group that the settings name, and tests it. What
 * `onStep` throws ends the run; the model is the base again afterwards.
 * @param followed questions whose answers are read after each step
 * @throws where the settings leave no group, saying why
 * @returns `size`: items of the group alone; `fit`: the share of its own targets that the tuned model gives
 */
export async function train(
  subject: Subject,
  settings: RunSettings,
  followed: readonly Question[],
  onStep: (step: RunStep) => void | Promise<void>,
) {
  const started = performance.now();
  const { model, material, base, start } = subject;
  const { domain, group: treatment, ratio, seed, minimumConfidence } = settings;
  const cell = {
    ...{ model: model.name, domain, treatment, seed },
    ...(treatment === "mix" && { ratio }),
  };
  const { pool, suites } = domainOf(cell, material);
  const { group, examples, empty } = cellExamples(cell, {
    ...{ answers: base.get(pool.name)!, general: material.general, format: model.format },
    minimumConfidence,
  });
  if (empty !== undefined) throw new Error(empty);
  const exams = Object.fromEntries(
    suiteNames.map((name) => [name, suites[name]!.flatMap(({ questions }) => [...questions])]),
  );
  const test = async (): Promise<TestProbabilities> => {
    const found = Object.entries(await evaluate(model, exams));
    return Object.fromEntries(
      found.map(([name, { answers }]) => [name, answers.map(({ probabilities }) => probabilities)]),
    );
  };
  model.restore(start);
  try {
    const { learningRate, epochs } = settings;
    let tests: TestProbabilities = {};
    const steps = epochs * Math.ceil(examples.length / model.format.defaults!.batchSize);
    await onStep({ step: 0, steps, followed: await ask(subject, followed) });
    const { losses } = await finetune(model, examples, {
      ...{ learningRate, epochs, seed },
      async onStep({ step, steps, loss }) {
        const told: RunStep = { step, steps, loss, followed: await ask(subject, followed) };
        if (step % (steps / epochs) === 0) told.tests = tests = await test();
        await onStep(told);
      },
    });
    const fit = await targetFit(model, group);
    const seconds = (performance.now() - started) / 1000;
    return { losses, size: group.length, fit, tests, seconds };
  } finally {
    model.restore(start);
  }
}

export type RunResult = Awaited<ReturnType<typeof train>>;
