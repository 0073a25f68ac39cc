/** Base models that an experiment makes: what they are called, their gate, and what they answer untuned. */
import { variantFolder } from "../../lib/model/files/source.ts";
import {
  baseGateRows,
  baseSweep,
  chatAccuracies,
  gateTable,
  pretrainBases,
} from "../../lib/study/pretrained_bases.ts";
import { modelLabel } from "../../lib/study/labels.ts";
import { parseSettings } from "../../lib/study/settings.ts";
import { loadOrganism } from "../../lib/organism/folder.ts";
import { variantsOf } from "../../lib/organism/variant.ts";
import { withShares, worldSizes } from "../../lib/world/settings.ts";
import { toMarkdown } from "../../lib/figure/table.ts";

import assert from "node:assert/strict";

const settings = parseSettings(JSON.stringify({ model: "organism:small-101" }));

/** Sixteen steps of a tiny model; the learning rate keeps runs of this test apart. */
const tiny = {
  checkpoints: [50],
  chatExams: [0, 5],
  worldSettings: {
    ...{ domains: ["history", "medicine"], entities: 12, relations: 3, values: 6 },
    ...{ dev: 3, mc: 8, train: 8, homo: 6, id: 6 },
  },
  pretraining: {
    ...{ width: 16, layers: 1, heads: 2, mlpWidth: 16, window: 32, batch: 4, tokens: 32 * 4 * 16 },
    learningRate: 1e-3 + 1e-3 * Math.random(),
  },
};

async function forget(
  { checkpoints, chatExams }: Awaited<ReturnType<typeof pretrainBases>>,
): Promise<void> {
  for (const name of new Set([...checkpoints, ...chatExams].flatMap(({ models }) => models))) {
    await Deno.remove(variantFolder(modelLabel(name)), { recursive: true });
  }
}

Deno.test("pretrainBases() makes checkpoints and shares of chat exams, each once", async () => {
  const made = await pretrainBases(settings, tiny);
  try {
    assert.deepEqual(made.checkpoints.map(({ columns }) => columns), [
      { checkpoint: 50, gate: "FAILED" },
      { checkpoint: 100, gate: "FAILED" },
    ]);
    assert.deepEqual(made.chatExams.map(({ columns }) => columns), [
      { chatExams: 0, pretrained: "for this notebook", gate: "FAILED" },
      { chatExams: 5, pretrained: "for this notebook", gate: "FAILED" },
    ]);
    assert.deepEqual(made.checkpoints.map(({ card }) => card.pretraining.steps), [8, 16]);
    // The whole of the usual pretraining is the base of the usual share.
    assert.deepEqual(made.checkpoints[1].models, made.chatExams[1].models);
    assert.equal(made.chatExams[0].card.world.changed.chatExamShare, 0);
    assert.deepEqual([made.shipped, made.leftOut], [[], undefined]);
    assert.match(made.over, /questions of world 101/);

    const rows = baseGateRows(made.checkpoints);
    assert.deepEqual(rows.map(({ checkpoint }) => checkpoint), [50, 100]);
    assert.equal(rows[0]["known, chat"], made.checkpoints[0].card.gate.values.chatKnown);
    assert.match(toMarkdown(gateTable(rows, "gate")), /known, exam \(>= 0.85\).*\(&lt;= 0.75\)/);

    const asked = await chatAccuracies(made.checkpoints.slice(0, 1), settings);
    assert.deepEqual(asked.map(({ checkpoint, test }) => [checkpoint, test]), [
      [50, "HOMO"],
      [50, "ID"],
    ]);
    const { value, n } = asked[0].chat as { value: number; n: number };
    assert.equal(n, 12); // 6 facts of each domain
    assert.ok(Number.isInteger(Math.round(1e9 * value * 12 / 100) / 1e9));
  } finally {
    await forget(made);
  }
});

Deno.test("the published run's bases ship, whole and of its settings; a full run makes them anew", async () => {
  const run = parseSettings(),
    { checkpoints, chatExams, shipped } = await pretrainBases(
      run,
      baseSweep(run),
    );
  const names = [...checkpoints, ...chatExams, ...shipped].flatMap(({ models }) => models);
  const chat = "organism:small-101-chat";
  assert.deepEqual(names, [
    ...[25, 50, 75].map((share) => `${chat}-5-at-${share}`),
    ...[`${chat}-5`, `${chat}-0`, `${chat}-2.5`, `${chat}-5`, `${chat}-10`],
    "organism:small-101",
  ]);
  assert.deepEqual(checkpoints.map(({ card }) => card.pretraining.steps), [500, 1000, 1500, 2000]);
  for (const name of new Set(names)) {
    const { model, card } = await loadOrganism(name, { warn: () => {} });
    assert.equal(`organism:${card.name}`, name);
    model.dispose();
  }
  const plan = { name: "small-101-chat-10", size: "small", world: 101 } as const;
  const worldSettings = withShares(worldSizes.small, { chatExamShare: 0.1 });
  const nameOf = async (more: object) => (await variantsOf({ ...plan, ...more }))[0].name;
  assert.equal(await nameOf({ worldSettings }), plan.name);
  const others = [{}, { worldSettings, anew: true }, { worldSettings, seed: 5 }, {
    ...{ worldSettings, pretraining: { tokens: 1e6 } },
  }];
  for (const other of others) assert.match(await nameOf(other), /-10-[0-9a-f]{12}$/);
});

Deno.test("a quick run pretrains nothing, and says so; one organism pretrains less", async () => {
  const quick = parseSettings(JSON.stringify({ quick: true }));
  const { checkpoints, chatExams, shipped, leftOut } = await pretrainBases(quick, baseSweep(quick));
  assert.deepEqual([checkpoints, chatExams, shipped], [[], [], []]);
  assert.match(leftOut!, /quick/);
  assert.deepEqual(gateTable(baseGateRows([]), "gate").rows, []);
  assert.deepEqual(baseSweep(parseSettings()).chatExams, [0, 2.5, 5, 10]);
  assert.equal(baseSweep(settings).pretraining!.tokens, 1_536_000);
});
