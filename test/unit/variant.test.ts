/** Organisms made for an experiment: made once, found by name, opened by a study. */
import { variantFolder } from "../../lib/model/files/source.ts";
import { loadOrganism, organismCard } from "../../lib/organism/folder.ts";
import {
  makeVariant,
  variantCard,
  type VariantPlan,
  variantsOf,
} from "../../lib/organism/variant.ts";
import { openBackend } from "../../lib/platform/runtime/backend.ts";
import { makeVariants } from "../../lib/study/variants.ts";
import { openSubject } from "../../lib/study/subjects.ts";
import { modelLabel } from "../../lib/study/labels.ts";
import { parseSettings } from "../../lib/study/settings.ts";

import assert from "node:assert/strict";

await openBackend();

/** A few steps of a tiny model; the seed keeps runs of these tests apart. */
function tinyPlan(changes: Partial<VariantPlan> = {}): VariantPlan {
  return {
    name: "tiny",
    size: "small",
    world: `variant-${crypto.randomUUID().slice(0, 8)}`,
    worldSettings: {
      ...{ domains: ["history", "medicine"], entities: 12, relations: 3, values: 6 },
      ...{ dev: 3, mc: 8, train: 8, homo: 6, id: 6 },
    },
    pretraining: {
      ...{ width: 16, layers: 1, heads: 2, mlpWidth: 16 },
      ...{ window: 32, batch: 4, tokens: 32 * 4 * 16 },
    },
    ...changes,
  };
}

async function forget(plan: VariantPlan): Promise<void> {
  for (const { name } of await variantsOf(plan)) {
    await Deno.remove(variantFolder(name), { recursive: true }).catch(() => {});
  }
}

/** Runs `body` and takes what it printed as warnings. */
async function warnings(body: () => Promise<void>): Promise<string[]> {
  const { warn } = console, said: string[] = [];
  console.warn = (line: string) => void said.push(line);
  try {
    await body();
  } finally {
    console.warn = warn;
  }
  return said;
}

Deno.test("variantsOf() names organisms by all that they are made from", async () => {
  const plan = tinyPlan({ checkpoints: [0.5, 0.125, 0.5] });
  const found = await variantsOf(plan);
  assert.deepEqual(found.map(({ share }) => share), [0.125, 0.5, 1]);
  const [first, , whole] = found.map(({ name }) => name);
  assert.match(whole, /^tiny-[0-9a-f]{12}$/);
  assert.equal(first, `${whole}-at-12.5`);
  const others: Partial<VariantPlan>[] = [
    { world: "another" },
    { seed: 2 },
    { worldSettings: { ...plan.worldSettings, strength: 0.5 } },
    { pretraining: { ...plan.pretraining, learningRate: 1e-3 } },
  ];
  for (const other of others) {
    assert.notEqual((await variantsOf({ ...plan, ...other })).at(-1)!.name, whole);
  }
  for (const share of [0, 1, NaN]) {
    await assert.rejects(
      variantsOf({ ...plan, checkpoints: [share] }),
      /expected shares .* above 0/,
    );
  }
});

Deno.test("makeVariant() makes a plan's organisms once, and a study opens them by name", async () => {
  const plan = tinyPlan({ checkpoints: [0.25] });
  try {
    assert.equal(await variantCard((await variantsOf(plan))[0]), undefined);
    const told: number[] = [];
    const cards = await makeVariant(plan, { onStep: ({ step }) => void told.push(step) });
    assert.deepEqual(told, Array.from({ length: 16 }, (_, i) => i + 1));
    assert.deepEqual(cards.map(({ pretraining }) => pretraining.steps), [4, 16]);
    assert.deepEqual(cards.map(({ name }) => name), (await variantsOf(plan)).map((v) => v.name));
    assert.notEqual(cards[0].files["model.safetensors"], cards[1].files["model.safetensors"]);
    // Sixteen steps teach nothing; it is kept, and says so where it is opened.
    assert.ok(cards.every(({ gate }) => !gate.passed));
    assert.deepEqual(await makeVariant(plan, { onStep: () => assert.fail("made twice") }), cards);
    const name = `organism:${cards[0].name}`;
    assert.deepEqual(await organismCard(name), cards[0]);
    const said = await warnings(async () => {
      const { model, material } = await openSubject(
        name,
        parseSettings(JSON.stringify({ domains: ["history"] })),
      );
      assert.equal(material.domains.get("history")!.pool.questions.length, 8);
      assert.match(model.description!.digest, /^[0-9a-f]{64}$/);
      assert.equal(model.description!.digest, cards[0].files["model.safetensors"]);
      model.dispose();
    });
    assert.equal(said.length, 1);
    assert.match(said[0], /^tiny-.*-at-25 did not pass its gate/);
    assert.equal(modelLabel(name), cards[0].name);
  } finally {
    await forget(plan);
  }
  await assert.rejects(loadOrganism("../study"), /Cannot (read|load)/);
  await assert.rejects(organismCard("organism:.."), /Cannot load the organism \.\./);
});

Deno.test("makeVariants() makes several at once, each the same as by itself", async () => {
  const [one, two] = [tinyPlan(), tinyPlan()];
  const plans = [one, two];
  try {
    let last = 0;
    const [[first], [second]] = await makeVariants(plans, {
      workers: 2,
      onProgress: ({ done, total }) => {
        assert.equal(total, 32);
        last = done;
      },
    });
    assert.equal(last, 32);
    assert.deepEqual([first.world.seed, second.world.seed], plans.map(({ world }) => world));
    await makeVariants(plans, { onProgress: () => assert.fail("made twice") });
    await forget(one);
    const [again] = await makeVariant(one);
    const { values } = again.gate, before = first.gate.values;
    // Threads sum in another order; sixteen steps hardly carry that on.
    for (const key of Object.keys(values) as (keyof typeof values)[]) {
      assert.ok(Math.abs(values[key] - before[key]) < 0.05, `${key}: ${values[key]}`);
    }
  } finally {
    for (const plan of plans) await forget(plan);
  }
});

Deno.test("makeVariants() passes on why a plan can't be made", async () => {
  const plan = tinyPlan({ worldSettings: { strength: 2 } });
  await assert.rejects(
    makeVariants([plan], { workers: 1 }),
    /Cannot make the organisms: .*tiny: Cannot make a world: strength: .*found 2/,
  );
});
