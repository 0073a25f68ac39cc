/**
 * Every shipped organism against its card: the gate's values are measured again, and must be those
 * that the card tells. The finished models were measured twice, on all facts and on a few hundred
 * (the last point of the learning curve): the former is repeated for small models, where it takes
 * seconds, the latter for others.
 */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { readQuestions } from "../../lib/dataset/read.ts";
import { probe } from "../../lib/probe.ts";
import { formatCard } from "../../lib/organism/card_text.ts";
import { hasExams, RECIPE } from "../../lib/organism/card.ts";
import { heldOutScores } from "../../lib/organism/pretrain.ts";
import { loadOrganism, type Organism, readCard } from "../../lib/organism/folder.ts";
import { organismNames } from "../../lib/model/files/source.ts";
import { openBackend } from "../../lib/platform/runtime/backend.ts";
import { allFacts, createWorld } from "../../lib/world/world.ts";
import { checkGate, type GateValues, gateValues } from "../../lib/world/gate.ts";
import { exam } from "../../lib/world/exam.ts";
import { serializeWorld } from "../../lib/world/serialization.ts";

import assert from "node:assert/strict";

const shelf = fileURLToPath(new URL("../../data/organisms/", import.meta.url));

const names = await organismNames();
if (names.length === 0) console.log("organisms: skipped, none is shipped in data/organisms");

/** Largest difference allowed: same backend as on the card; another one rounds in another way. */
const TOLERANCE = { same: 1e-3, other: 1e-2 };

/** Models up to this many parameters are measured on all facts. */
const SMALL = 500_000;

async function withOrganism(name: string, body: (organism: Organism) => Promise<void>) {
  const warnings: string[] = [];
  const organism = await loadOrganism(name, { warn: (line) => warnings.push(line) });
  try {
    await body(organism);
  } finally {
    organism.model.dispose();
  }
  assert.equal(warnings.length, organism.card.gate.passed ? 0 : 1);
}

function compare(found: GateValues, wanted: GateValues, tolerance: number) {
  for (const name of Object.keys(wanted) as (keyof GateValues)[]) {
    const difference = Math.abs(found[name] - wanted[name]);
    assert.ok(
      difference <= tolerance,
      `${name}: ${found[name]}, the card says ${wanted[name]} (${tolerance} allowed)`,
    );
  }
}

for (const name of names) {
  Deno.test(`${name} shows what its card says`, async () => {
    const { name: backend } = await openBackend();
    await withOrganism(name, async ({ model, world, card }) => {
      const same = backend === card.backend.name;
      const tolerance = same ? TOLERANCE.same : TOLERANCE.other;
      if (!same) {
        console.log(
          `${name}: measured on ${backend}, made on ${card.backend.name}: ${tolerance} allowed`,
        );
      }
      assert.equal(card.name, name);
      assert.ok(card.gate.passed && checkGate(card.gate.values).passed);
      assert.equal(model.parameterCount, card.parameters);
      assert.equal(card.gate.facts, allFacts(world).filter((f) => !/dev|mc/.test(f.split)).length);
      const { step, tokens: _, ...last } = card.curve.gate.at(-1)!;
      assert.equal(step, card.pretraining.steps);
      if (card.parameters <= SMALL) {
        compare(gateValues(await heldOutScores(world, model)), card.gate.values, tolerance);
      } else {
        compare(
          gateValues(await heldOutScores(world, model, { limit: card.curve.limit })),
          last,
          tolerance,
        );
      }
    });
  });

  Deno.test(`${name} answers its exams as its card says, by the study's own probe`, async () => {
    await openBackend();
    await withOrganism(name, async ({ model, world, card }) => {
      // One domain's test: all of them together are what the gate measures above.
      const domain = world.domains[0].name;
      const asked = exam(world, { domain, split: "homo" }).slice(0, 200);
      const known = new Set(
        allFacts(world).filter(({ status }) => status === "known").map(({ id }) => id),
      );
      const demonstrations = exam(world, { domain, split: "dev" });
      const answers = (await probe(model, asked, { demonstrations }))
        .filter(({ id }) => known.has(String(id)));
      const share = answers.filter(({ correct }) => correct).length / answers.length;
      // A sample of all: 4 standard errors.
      const wanted = card.gate.values.fewShotKnown;
      const error = Math.sqrt(wanted * (1 - wanted) / answers.length);
      assert.ok(Math.abs(share - wanted) < 4 * error, `${share} of ${answers.length}`);
    });
  });

  Deno.test(`${name} has the world of its seed, its exams and its README`, async () => {
    const folder = join(shelf, name);
    const card = await readCard(folder);
    assert.equal(card.recipe, RECIPE, "made by another recipe: make it again");
    const { size, world: { seed, changed } } = card;
    const world = createWorld({ seed, size, settings: changed });
    assert.ok(
      await Deno.readTextFile(join(folder, "world.json")) === serializeWorld(world),
      "world.json is not the world of its seed",
    );
    for (const domain of hasExams(card) ? world.settings.domains : []) {
      for (const split of ["dev", "train", "homo", "id"] as const) {
        const path = join(folder, "exams", `${domain}-${split}.jsonl`);
        const { questions, rejected } = await readQuestions(path);
        assert.deepEqual(rejected, []);
        assert.deepEqual(questions, exam(world, { domain, split }));
      }
    }
    assert.ok(
      await Deno.readTextFile(join(folder, "README.md")) === formatCard(card),
      "README.md is not what formatCard() gives; writeReadme() of organism/folder.ts writes it",
    );
  });
}

if (names.length > 0) {
  Deno.test("seeds.jsonl has a line on every shipped organism, with its model's digest", async () => {
    const text = await Deno.readTextFile(join(shelf, "seeds.jsonl"));
    const lines = text.trimEnd().split("\n").map((line) => JSON.parse(line));
    for (const name of names) {
      const card = await readCard(join(shelf, name));
      const line = lines.findLast((line) => line.name === name);
      assert.equal(line?.model, card.files["model.safetensors"], name);
      assert.deepEqual(line.gate, card.gate.values);
      assert.equal(line.world, card.world.seed);
    }
    for (const { gate, passed } of lines) assert.equal(checkGate(gate).passed, passed);
  });
}
