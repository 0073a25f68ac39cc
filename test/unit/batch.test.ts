import assert from "node:assert/strict";
import { packTexts } from "../../lib/model/batch.ts";
import { Random } from "../../lib/random.ts";

Deno.test("packTexts() puts each text once into a row that has room, and leaves few gaps", () => {
  const random = new Random(3);
  const lengths = Array.from({ length: 300 }, () => 20 + random.integer(120));
  const rows = packTexts(lengths, 256);
  assert.deepEqual(rows.flat().sort((a, b) => a - b), lengths.map((_, i) => i));
  for (const row of rows) {
    assert.ok(row.reduce((sum, text) => sum + lengths[text], 0) <= 256);
  }
  const total = lengths.reduce((a, b) => a + b, 0);
  assert.ok(rows.length * 256 < 1.05 * total, `${rows.length} rows of 256 for ${total} tokens`);
});

Deno.test("packTexts() keeps one text a row where none fit together, and refuses what is too long", () => {
  assert.deepEqual(packTexts([9, 10, 8], 10), [[1], [0], [2]]);
  assert.deepEqual(packTexts([4], 4), [[0]]);
  assert.throws(() => packTexts([3, 5], 4), /expected at most 4 tokens each; found 5/);
});
