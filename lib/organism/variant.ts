/**
 * Variants: organisms that are made for an experiment, into .cache/organisms, each once. What an organism
 * is made from has a digest, which is part of the name: other settings never find this one in their place.
 * `organism:NAME` opens it, in a study too.
 */
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { baseFolder, findOrganism, variantFolder } from "../model/files/source.ts";
import { exists } from "../platform/runtime/files.ts";
import { worldSizes } from "../world/settings.ts";
import { differences, type OrganismCard, RECIPE } from "./card.ts";
import { organismCard, readCard, writeOrganism } from "./folder.ts";
import type { MadeOrganism, MakeOptions, OrganismPlan } from "./make.ts";
import { makeOrganism, planKey, planSettings } from "./make.ts";

/** What a variant is made from; its `name` is the first part of those of the organisms made. */
export interface VariantPlan extends OrganismPlan {
  /** Shares of the pretraining, below 1, after which it is kept too, each an organism. Default: none. */
  checkpoints?: readonly number[];
  /** Makes them here though they ship. Default: false. */
  anew?: boolean;
}

/** The organisms that a plan makes, by how much of the pretraining they have had; the last one has had all. */
export async function variantsOf(plan: VariantPlan) {
  const { checkpoints = [] } = plan;
  if (checkpoints.some((share) => !(share > 0 && share < 1))) {
    throw new RangeError(
      `Cannot keep ${plan.name} at ${checkpoints.join(", ")}: expected shares of its pretraining ` +
        "above 0 and below 1; the whole is kept anyway",
    );
  }
  const shares = [...new Set(checkpoints)].sort((a, b) => a - b);
  const called = (name: string) => [
    ...shares.map((share) => ({ name: `${name}-at-${Number((100 * share).toFixed(2))}`, share })),
    { name, share: 1 },
  ];
  const shipped = called(plan.name);
  return await areShipped(plan, shipped)
    ? shipped
    : called(`${plan.name}-${(await planKey(plan)).slice(0, 12)}`);
}

/** Whether what a plan makes lies in data/organisms/bases, made from the same by some version of the code. */
async function areShipped(plan: VariantPlan, variants: readonly { name: string }[]) {
  const { world: seed, size } = plan, made = planSettings(plan);
  const isThere = variants.every(({ name }) => exists(join(baseFolder(name), "organism.json")));
  if (plan.anew || plan.letters || !isThere) return false;
  const { recipe, world, pretraining } = await readCard(baseFolder(plan.name));
  const changed = differences(made.world, worldSizes[size]);
  return isDeepStrictEqual(
    [recipe, world, pretraining.seed, pretraining.settings],
    [RECIPE, { seed, changed }, plan.seed ?? seed, made.pretraining],
  );
}

type Variant = Awaited<ReturnType<typeof variantsOf>>[number];

/** The card of a variant; undefined where it was not made yet. */
export async function variantCard({ name }: Variant): Promise<OrganismCard | undefined> {
  return findOrganism(name) === undefined ? undefined : await organismCard(name);
}

/** Looks on the way ask so many facts at most: they are for the card's curve, and take time. */
const LOOK_FACTS = 120;

/**
 * Makes the organisms of a plan, or does nothing where all are there. A run that was stopped goes on.
 * An organism that fails its gate is kept too: its card says so, and so does whoever loads it.
 * @returns their cards, in the order of `variantsOf`
 */
export async function makeVariant(
  plan: VariantPlan,
  options: Pick<MakeOptions, "onStart" | "onStep" | "limit" | "saveEvery" | "signal"> = {},
): Promise<OrganismCard[]> {
  const variants = await variantsOf(plan);
  const found = await Promise.all(variants.map(variantCard));
  if (found.every((card) => card !== undefined)) return found;
  const { pretraining } = planSettings(plan);
  const tokensOf = (share: number) => Math.round(share * pretraining.tokens);
  const write = async ({ world, model, card }: MadeOrganism, { name }: Variant) => {
    // One that is there stays: results may rest on it.
    if (await variantCard({ name, share: 1 })) return;
    const parts = { world, model, card: { ...card, name } };
    await writeOrganism(variantFolder(name), parts, { exams: false });
  };
  const state = variantFolder(`.${await planKey(plan)}.state`);
  const whole = await makeOrganism(plan, {
    limit: LOOK_FACTS,
    ...options,
    folder: state,
    checkpoints: plan.checkpoints,
    async onCheckpoint(made) {
      const { tokens } = made.card.pretraining;
      const distance = ({ share }: Variant) => Math.abs(tokensOf(share) - tokens);
      await write(made, variants.toSorted((a, b) => distance(a) - distance(b))[0]);
    },
  });
  try {
    await write(whole, variants.at(-1)!);
  } finally {
    whole.model.dispose();
  }
  await Deno.remove(state, { recursive: true });
  return await Promise.all(variants.map(async (one) => (await variantCard(one))!));
}
