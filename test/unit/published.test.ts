import assert from "node:assert/strict";
import { table, toCsv } from "../../lib/figure/table.ts";
import { contents } from "../../lib/study/notebook.ts";
import { published, rowsOfCsv } from "../../lib/study/published.ts";
import { SETTINGS_VARIABLE } from "../../lib/study/settings.ts";

Deno.test("rowsOfCsv() reads back what toCsv() wrote", () => {
  const rows = [
    { model: "a, b", paper: "+11.27", ok: true, accuracy: { value: 5.5, interval: [1, 9], n: 4 } },
    { model: "=SUM(A1)", paper: "12", ok: false, accuracy: { value: -2 } },
    { model: "'quoted", paper: null, ok: null, accuracy: null },
  ] as const;
  assert.deepEqual(
    rowsOfCsv(toCsv(table(rows.map((row) => ({ ...row, r: 0.25 }))))),
    rows.map((row) => ({ ...row, r: 0.25 })),
  );
  assert.deepEqual(rowsOfCsv("n,n_low,n_high\n3,,\n"), [{ n: { value: 3 } }]);
  assert.deepEqual(rowsOfCsv("a\n"), []);
});

Deno.test("published() gives the shipped rows, but to the run that makes them and where there are none", async () => {
  const path = "05-evaluation/contrasts";
  const [first] = (await published(path))!;
  assert.deepEqual([first.finding, first.test], ["HAR - INC", "HOMO"]);
  assert.equal(await published("05-evaluation/never-made"), undefined);
  try {
    Deno.env.set(SETTINGS_VARIABLE, JSON.stringify({ output: "figures" }));
    assert.equal(await published(path), undefined);
    Deno.env.set(SETTINGS_VARIABLE, JSON.stringify({ output: "figures/full" }));
    assert.ok(await published(path));
  } finally {
    Deno.env.delete(SETTINGS_VARIABLE);
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
