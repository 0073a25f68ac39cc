import { join } from "node:path";
import { headerOf } from "./_safetensors.ts";
import { parseCard, serializeCard } from "../../lib/organism/card.ts";
import { formatCard, remakeCommand } from "../../lib/organism/card_text.ts";
import { letterFolder, letterNames, organismNames } from "../../lib/model/files/source.ts";
import { loadOrganism, writeOrganism } from "../../lib/organism/folder.ts";
import { letterGateOf } from "../../lib/organism/pretrain.ts";
import { letterTrials } from "../../lib/organism/registry.ts";
import { makeOrganism, type OrganismPlan, planKey } from "../../lib/organism/make.ts";
import { openBackend } from "../../lib/platform/runtime/backend.ts";
import { parsePretrainRequest } from "../../lib/tasks/pretrain.ts";
import { checkGate, letterThresholds } from "../../lib/world/gate.ts";
import { createWorld } from "../../lib/world/world.ts";
import { exam } from "../../lib/world/exam.ts";
import { plainLetters } from "../../lib/world/letters.ts";
import { serializeWorld } from "../../lib/world/serialization.ts";
import { probe } from "../../lib/probe.ts";

import assert from "node:assert/strict";

/** The fields of data/organisms/letters.jsonl that notebooks do not read. */
type Trial = Awaited<ReturnType<typeof letterTrials>>[0] & {
  curve: { tokens: number }[];
  command: string;
  letters: unknown;
  facts: Record<string, number>;
};
const allTrials = async () => await letterTrials() as Trial[];

const plain: OrganismPlan = {
  name: "tiny-letters",
  size: "small",
  world: 5,
  worldSettings: {
    domains: ["history"],
    entities: 12,
    relations: 3,
    values: 6,
    dev: 3,
    mc: 8,
    train: 8,
    homo: 6,
    id: 6,
  },
  pretraining: {
    width: 16,
    layers: 2,
    heads: 2,
    mlpWidth: 24,
    window: 64,
    batch: 4,
    tokens: 64 * 4 * 12,
  },
};

const letters = {
  ...plainLetters,
  drillStage: 0.5,
  drillShare: 0.1,
  previousTokenHeads: 1,
  copying: 1,
};
await openBackend();

const tiny = await makeOrganism({ ...plain, letters });

Deno.test("makeOrganism() with letters is measured by the letters' gate", async () => {
  const { world, model, card } = tiny;
  assert.deepEqual(card.pretraining.letters, letters);
  assert.deepEqual(Object.keys(card.gate.values).sort(), Object.keys(letterThresholds).sort());
  assert.deepEqual(await letterGateOf(world, model), card.gate.values);
  assert.equal(card.gate.passed, checkGate(card.gate.values).passed);
  for (const point of card.curve.gate) assert.ok("drill" in point && point.drill >= 0);
});

Deno.test("an organism with letters is written in 16 bits and read back as it was measured", async () => {
  const parent = await Deno.makeTempDir();
  try {
    const folder = join(parent, "tiny");
    const written = await writeOrganism(folder, tiny, { exams: false });
    const { tensors } = headerOf(await Deno.readFile(join(folder, "model.safetensors")));
    assert.ok([...tensors.values()].every(({ dtype }) => dtype === "BF16"));
    const config = JSON.parse(await Deno.readTextFile(join(folder, "config.json")));
    assert.equal(config.torch_dtype, "bfloat16");
    const { model, world, card } = await loadOrganism(folder, { warn: () => {} });
    assert.deepEqual(card, written);
    const prompt = [[0, 5, 9, 40, 7]];
    assert.deepEqual(await model.logits(prompt), await tiny.model.logits(prompt));

    // Probed and trained by letters, without being told to.
    const [question] = exam(world, { domain: "history", split: "homo" });
    const [answer] = await probe(model, [question], { demonstrations: [] });
    const [same] = await probe(model, [question], { demonstrations: [], formulation: "letters" });
    assert.deepEqual(answer.probabilities, same.probabilities);
    assert.equal(model.format.answerText(question, 1), `B. ${question.choices[1]}`);
    model.dispose();
  } finally {
    await Deno.remove(parent, { recursive: true });
  }
});

Deno.test("its card tells the letters' gate and the command that makes it again", async () => {
  const card = { ...tiny.card, files: { "model.safetensors": "0".repeat(64) } };
  const text = formatCard(card);
  assert.match(text, /Its answer is the option's letter, and then its value/);
  assert.match(text, /look-ups of random words answered right/);
  const command = remakeCommand(card);
  assert.ok(text.includes(`    ${command}\n`));
  const { plan } = await parsePretrainRequest(command.split(" ").slice(3), "/");
  assert.equal(await planKey(plan), await planKey({ ...plain, letters }));
  assert.equal(plan.name, plain.name);
  assert.deepEqual(parseCard(serializeCard(card)), JSON.parse(JSON.stringify(card)));
  // A passed gate of values that fail it is refused, as for the others.
  const gate = { ...card.gate, passed: !card.gate.passed };
  assert.throws(() => parseCard(serializeCard({ ...card, gate })), /as its values say/);
});

Deno.test("planKey() is another with letters", async () => {
  assert.notEqual(await planKey(plain), await planKey({ ...plain, letters }));
  assert.notEqual(
    await planKey({ ...plain, letters }),
    await planKey({ ...plain, letters: plainLetters }),
  );
});

Deno.test("parsePretrainRequest() reads letters, and puts them apart from the study's organisms", async () => {
  const { plan, output, log } = await parsePretrainRequest(
    ["--world=7", "--letters", "--drill-stage=0.2", "--copying=1", "--layers=5"],
    "/here",
  );
  assert.deepEqual(plan.letters, { ...plainLetters, drillStage: 0.2, copying: 1 });
  assert.equal(output, letterFolder(plan.name));
  assert.match(log!, /data.organisms.letters\.jsonl$/);
  assert.match(plan.name, /^small-7-[0-9a-f]{6}$/);
  const refuses = (args: string[], message: RegExp) =>
    assert.rejects(parsePretrainRequest(["--world=7", ...args], "/"), message);
  await refuses(["--drill-stage=0.2"], /--drill-stage: expected --letters, found none/);
  await refuses(["--letters", "--drill-stage=2"], /drillStage: expected a number from 0 to 1/);
  await refuses(["--letters=yes"], /'--letters' does not take an argument/);
});

Deno.test("letterTrials() lists trials whose gate is their values', and none is in the study", async () => {
  const trials = await allTrials();
  assert.ok(trials.length > 0);
  const studied = await organismNames();
  for (const trial of trials) {
    assert.equal(checkGate(trial.gate).passed, trial.passed, trial.name);
    assert.ok(!studied.includes(trial.name));
    assert.equal(trial.curve.at(-1)!.tokens, trial.tokens);
    const { plan } = await parsePretrainRequest(trial.command.split(" ").slice(3), "/");
    assert.deepEqual([plan.name, plan.letters], [trial.name, trial.letters]);
  }
});

for (const name of await letterNames()) {
  Deno.test(`${name} shows what its card says, by letters, and has its line among the trials`, async () => {
    const { name: backend } = await openBackend();
    const { model, world, card } = await loadOrganism(name);
    assert.equal(card.name, name);
    assert.ok(card.gate.passed && card.pretraining.letters);
    const { size, world: { seed, changed } } = card;
    assert.equal(
      serializeWorld(world),
      serializeWorld(createWorld({ seed, size, settings: changed })),
    );
    assert.equal(await Deno.readTextFile(join(letterFolder(name), "README.md")), formatCard(card));
    const values = await letterGateOf(world, model);
    model.dispose();
    const tolerance = backend === card.backend.name ? 1e-3 : 1e-2;
    for (const [key, wanted] of Object.entries(card.gate.values)) {
      const found = values[key as keyof typeof values];
      assert.ok(Math.abs(found - wanted) <= tolerance, `${key}: ${found}, the card says ${wanted}`);
    }
    const trial = (await allTrials()).find((one) => one.name === name)!;
    assert.deepEqual(trial.gate, card.gate.values);
    assert.equal(trial.model, card.files["model.safetensors"]);
    assert.deepEqual(
      Object.entries(trial.facts),
      Object.entries(card.knowledge).map(([status, { facts }]) => [status, facts]),
    );
  });
}
