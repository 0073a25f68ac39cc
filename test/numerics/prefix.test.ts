import assert from "node:assert/strict";
import { loadModel } from "../../lib/model/load.ts";
import { fixtureFolder } from "./_fixtures.ts";

for (const family of ["llama", "llama3-rope", "qwen2", "qwen3", "mistral"]) {
  Deno.test(`a shared prefix changes no logit of ${family} by more than 1e-5`, async () => {
    const model = await loadModel(fixtureFolder(family), { tokenizer: false });
    const head = Array.from({ length: 37 }, (_, i) => (i * 7) % 90);
    const rows = Array.from({ length: 9 }, (_, i) => [
      ...head,
      ...Array.from({ length: 3 + i }, (_, k) => (k * 11 + i) % 90),
    ]);
    const shared = await model.nextTokenLogits(rows);
    const plain = await model.nextTokenLogits(rows, { sharePrefix: false });
    const from = rows.map((_, i) => 37 + i % 3);
    const sharedScores = await model.tokenLogProbabilities(rows, from);
    const plainScores = await model.tokenLogProbabilities(rows, from, { sharePrefix: false });
    let worst = 0;
    rows.forEach((row, i) => {
      assert.equal(sharedScores[i].length, row.length - from[i]);
      shared[i].forEach((value, k) => worst = Math.max(worst, Math.abs(value - plain[i][k])));
      sharedScores[i].forEach((value, k) =>
        worst = Math.max(worst, Math.abs(value - plainScores[i][k]))
      );
    });
    assert.ok(worst <= 1e-5, `worst difference ${worst}`);
    assert.ok(new Set(shared.map((logits) => logits[0])).size === rows.length, "rows differ");
    model.dispose();
  });
}

for (const family of ["llama", "llama3-rope", "qwen3", "mistral"]) {
  Deno.test(`texts packed into rows of ${family} have the logits that each has alone`, async () => {
    const model = await loadModel(fixtureFolder(family), { tokenizer: false });
    // Of all lengths, so that rows hold several and gaps.
    const rows = Array.from(
      { length: 11 },
      (_, i) => Array.from({ length: 1 + (i * 5) % 19 }, (_, k) => (k * 13 + i * 7) % 90),
    );
    const together = await model.nextTokenLogits(rows, { sharePrefix: false });
    let worst = 0;
    for (const [i, row] of rows.entries()) {
      const [alone] = await model.nextTokenLogits([row]);
      alone.forEach((value, k) => worst = Math.max(worst, Math.abs(value - together[i][k])));
    }
    assert.ok(worst <= 1e-5, `worst difference ${worst}`);
    assert.ok(new Set(together.map((logits) => logits[0])).size === rows.length, "rows differ");
    model.dispose();
  });
}
