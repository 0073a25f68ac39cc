import { loadOrganism } from "../../lib/organism/folder.ts";
import { constructGroups } from "../../lib/groups.ts";
import { probe } from "../../lib/probe.ts";
import { probeBases } from "../../lib/study/bases.ts";
import { controlRows, recallRows } from "../../lib/study/training.ts";
import { parseSettings } from "../../lib/study/settings.ts";

import assert from "node:assert/strict";

Deno.test("recallRows() asks INC's own questions without context, before and after training", async () => {
  const settings = parseSettings(
    JSON.stringify({ model: "organism:small-101", domains: ["history"], limit: 40, seeds: 1 }),
  );
  const [base] = await probeBases(settings);
  const rows = await recallRows(settings, base);
  assert.deepEqual(rows.map(({ group }) => group), ["base, chat form", "INC", "CON (INC)"]);
  const { inc } = constructGroups(base.answers.get("history")!, { seed: 0, format: base.format });
  assert.deepEqual(rows.map(({ gold }) => gold.n), [inc.length, inc.length, inc.length]);
  // The untuned model's, counted by hand.
  const { model } = await loadOrganism("small-101");
  const questions = inc.map(({ question }) => question!);
  const answers = await probe(model, questions, { template: "vicuna" });
  model.dispose();
  const right = answers.filter(({ correct }) => correct).length;
  assert.ok(Math.abs(rows[0].gold.value - 100 * right / inc.length) < 1e-9);
  assert.ok(rows[1].gold.value > rows[0].gold.value + 10, JSON.stringify(rows));
  assert.deepEqual(await recallRows(settings, { ...base, name: "a/model" }), []);
});

Deno.test("controlRows() trains on INC, on SELF and on targets of one's own", async () => {
  const settings = parseSettings(
    JSON.stringify({ model: "organism:small-101", domains: ["history"], limit: 40, seeds: 1 }),
  );
  const [base] = await probeBases(settings);
  const rows = await controlRows(settings, base, ({ answer }) => answer);
  assert.deepEqual(rows.map(({ group }) => group), ["INC", "SELF", "your control"]);
  // A control that trains on the truth is INC; one that trains on the belief is SELF.
  assert.deepEqual(rows[2].accuracy, rows[0].accuracy);
  const self = await controlRows(settings, base, ({ predicted }) => predicted);
  assert.deepEqual(self.map(({ accuracy }) => accuracy), [
    rows[0].accuracy,
    rows[1].accuracy,
    rows[1].accuracy,
  ]);
  assert.notDeepEqual(rows[0].accuracy, rows[1].accuracy);
});
