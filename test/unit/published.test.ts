import { contents } from "../../lib/study/contents.ts";
import { parseTable, published } from "../../lib/study/published.ts";
import { SETTINGS_VARIABLE } from "../../lib/study/settings.ts";
import { table, toCsv } from "../../lib/figure/table.ts";

import assert from "node:assert/strict";

Deno.test("parseTable() gives back the rows that toCsv() wrote", () => {
  const rows = [
    { test: "HOMO", note: "+8.4", difference: { value: 8.5, interval: [5, 12], n: 7 }, ok: true },
    { test: "ID, OOD", note: "=x", difference: { value: -1 }, ok: false },
    { test: "'", note: null, difference: null, ok: null },
  ] as const;
  assert.deepEqual(parseTable(toCsv(table(rows))), rows);
});

Deno.test("published() reads a table of figures/, but not in the run that publishes it", async () => {
  const before = Deno.env.get(SETTINGS_VARIABLE);
  try {
    for (const json of [undefined, '{"output": "/elsewhere"}', '{"output": "figures"}']) {
      if (json) Deno.env.set(SETTINGS_VARIABLE, json);
      else Deno.env.delete(SETTINGS_VARIABLE);
      const rows = await published("01-world/gate");
      assert.equal(rows === undefined, json === '{"output": "figures"}');
      if (rows) assert.ok(rows.length > 1 && typeof rows[0].parameters === "number");
    }
    Deno.env.delete(SETTINGS_VARIABLE);
    await assert.rejects(published("01-world/none"), /Cannot show the published table/);
  } finally {
    if (before === undefined) Deno.env.delete(SETTINGS_VARIABLE);
    else Deno.env.set(SETTINGS_VARIABLE, before);
  }
});

Deno.test("contents() lists the notebooks by their titles", async () => {
  const links = await contents();
  assert.deepEqual(links[0], {
    text: "00 Start: does fine-tuning teach, or does it align?",
    address: "00-start.ipynb",
  });
  for (const { text, address } of links) assert.equal(text.slice(0, 2), address.slice(0, 2));
});
