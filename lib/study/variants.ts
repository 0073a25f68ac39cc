/** Organisms made for an experiment, several at once: a small model's step keeps one core busy. */
import { makeVariant, variantCard, type VariantPlan, variantsOf } from "../organism/variant.ts";
import type { OrganismCard } from "../organism/card.ts";
import { planSettings } from "../organism/make.ts";
import type { Stoppable } from "../platform/interrupt.ts";
import { pretrainingSteps } from "../world/pretraining.ts";
import { runChildren, serveChild } from "./_child.ts";

export interface VariantProgress {
  /** Steps done of all plans together, those of an earlier run included; how many those are. */
  done: number;
  found: number;
  total: number;
  /** The plan that has moved on. */
  name: string;
  loss?: number;
}

/** What a process tells of its plan. */
type Step = { step: number; loss?: number };

/**
 * Makes what is not there yet of the plans' organisms, each plan in a process of its own.
 * @returns the cards of all, plan by plan, in the order of `variantsOf`
 * @throws where a process ends early, or it is stopped; what is finished is kept
 */
export async function makeVariants(
  plans: readonly VariantPlan[],
  { onProgress, workers, signal }: Stoppable & {
    onProgress?: (state: VariantProgress) => void;
    /** Processes at once. Default: one a core, and one alone where a graphics card computes. */
    workers?: number;
  } = {},
): Promise<OrganismCard[][]> {
  const lacking: VariantPlan[] = [];
  for (const plan of plans) {
    const cards = await Promise.all((await variantsOf(plan)).map(variantCard));
    if (cards.includes(undefined)) lacking.push(plan);
  }
  const sum = (steps: number[]) => steps.reduce((a, b) => a + b, 0);
  const total = sum(lacking.map((plan) => pretrainingSteps(planSettings(plan).pretraining)));
  const done = lacking.map(() => 0), found: number[] = [];
  await runChildren<Step>("make the organisms", import.meta.url, lacking, {
    what: () => "pretraining",
    then: "finished organisms and the latest state of the others are kept; run it again to go on",
    signal,
    workers,
    nameOf: (i) => `${lacking[i].name}: `,
    onLine({ step, loss }, i) {
      done[i] = step;
      found[i] ??= step;
      onProgress?.({ done: sum(done), found: sum(found), total, loss, name: lacking[i].name });
    },
  });
  return await Promise.all(plans.map((plan) => makeVariant(plan)));
}

/** More lines would take longer to read than the steps. */
const TELL_EVERY = 20;

if (import.meta.main) {
  await serveChild<VariantPlan>(async (plan, tell) => {
    await makeVariant(plan, {
      onStart: (step) => tell({ step }),
      onStep({ step, steps, loss }) {
        if (step % TELL_EVERY === 0 || step === steps) tell({ step, loss });
      },
    });
  });
}
