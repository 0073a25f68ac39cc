import assert from "node:assert/strict";
import type { LanguageModel } from "../../lib/model/language_model.ts";
import { parseRequest } from "../../lib/runtime/tasks/reproduce.ts";
import { finetuningOf } from "../../lib/study/open.ts";
import { openSubject } from "../../lib/study/mod.ts";
import { outputPath, parseSettings, realSettings } from "../../lib/study/settings.ts";

Deno.test("parseSettings() fills in the defaults", () => {
  assert.deepEqual(parseSettings(), {
    model: "organism",
    seeds: 3,
    quick: false,
    full: false,
    resume: false,
    output: "figures",
  });
  assert.equal(parseSettings(`{"quick": true}`).seeds, 1);
  assert.equal(parseSettings(`{"full": true}`).seeds, 3);
  assert.equal(parseSettings(`{"full": true, "seeds": 2}`).seeds, 2);
});

Deno.test("parseSettings() refuses unknown settings and values by name", () => {
  const refuses = (json: string, message: RegExp) =>
    assert.throws(() => parseSettings(json), message);
  refuses(`{"seed": 3}`, /setting seed: expected one of model, domains, seeds/);
  refuses(`{"__proto__": 3}`, /setting __proto__/);
  refuses(`{"seeds": 1.5}`, /setting seeds: expected a whole number from 1 up, found 1.5/);
  refuses(`{"seeds": "3"}`, /found "3"/);
  refuses(`{"limit": 0}`, /setting limit/);
  refuses(`{"learningRate": 0}`, /setting learningRate: expected a number above 0/);
  refuses(`{"model": ""}`, /setting model/);
  refuses(`{"quick": 1}`, /setting quick: expected true or false/);
  refuses(`{"quick": true, "full": true}`, /together/);
  refuses(`{"domains": []}`, /setting domains/);
  refuses(`{"domains": ["history", "history"]}`, /each once/);
  refuses(`[1]`, /expected a JSON object/);
  refuses(`{`, /expected JSON/);
});

Deno.test("parseSettings() takes any domain with one's own questions", () => {
  assert.throws(() => parseSettings(`{"domains": ["chess"]}`), /history/);
  const { domains } = parseSettings(`{"domains": ["chess"], "questions": "q.jsonl"}`);
  assert.deepEqual(domains, ["chess"]);
});

Deno.test("outputPath() takes a relative folder from the project's root", () => {
  assert.match(outputPath({ output: "figures" }, "a.csv"), /^\/.*figures\/a\.csv$/);
  assert.equal(outputPath({ output: "/out" }, "a.csv"), "/out/a.csv");
});

Deno.test("--batch-tokens, --gradient-checkpointing and --precision reach what they are for", async () => {
  const { settings } = parseRequest(
    ["--batch-tokens=96", "--gradient-checkpointing", "--precision=tf32", "--limit=4"],
    "/home/user",
  );
  assert.deepEqual(finetuningOf(settings), { batchTokens: 96, recompute: "layer" });
  assert.equal(settings.precision, "tf32");
  assert.deepEqual(finetuningOf(realSettings(settings)), finetuningOf(settings));
  const { model } = await openSubject("organism:small-101", settings);
  try {
    assert.equal((model as LanguageModel).batchTokens, 96);
  } finally {
    model.dispose();
  }
  const refused = (flag: string, message: RegExp) =>
    assert.throws(() => parseRequest([flag], "/"), message);
  refused("--batch-tokens=0", /setting batchTokens: expected a whole number from 1 up, found 0/);
  refused("--gradient-checkpointing=yes", /--gradient-checkpointing=yes: expected no value/);
  refused("--precision=bf16", /setting precision: expected one of float32, tf32, found "bf16"/);
});
