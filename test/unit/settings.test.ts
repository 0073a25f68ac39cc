import { openProbed, openSubject } from "../../lib/study/subjects.ts";
import {
  contextPlans,
  finetuningOf,
  mainPlans,
  mixturePlans,
  studiedModels,
  studyPlan,
} from "../../lib/study/plans.ts";
import { runStudy } from "../../lib/study/run.ts";
import {
  askingOf,
  outputPath,
  parseSettings,
  realSettings,
  type Settings,
} from "../../lib/study/settings.ts";
import type { LanguageModel } from "../../lib/model/language_model.ts";
import { parseRequest } from "../../lib/tasks/reproduce.ts";

import assert from "node:assert/strict";

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
  refuses(`{"answers": "number"}`, /setting answers: expected one of letter, index0, index1, text/);
  refuses(`{"general": "g.json"}`, /setting general with organism: .*give another --model/);
  refuses(`[1]`, /expected a JSON object/);
  refuses(`{`, /expected JSON/);
});

Deno.test("parseSettings() takes any domain with one's own questions", () => {
  assert.throws(() => parseSettings(`{"domains": ["chess"]}`), /history/);
  const own = { model: "smollm2", domains: ["chess"], questions: "q.jsonl" };
  assert.deepEqual(parseSettings(JSON.stringify(own)).domains, ["chess"]);
});

Deno.test("parseSettings() refuses one's own questions with an organism, which would not read them", () => {
  for (const name of ["questions", "demonstrations", "pool", "id", "ood", "answers", "columns"]) {
    const value = { answers: "letter", columns: "question:q" }[name] ?? "q.jsonl";
    const refusal =
      `Cannot use the setting ${name} with organism: an organism reads the words of ` +
      `its world alone; give another --model, or leave --${name} out`;
    assert.throws(() => parseSettings(JSON.stringify({ [name]: value })), { message: refusal });
    assert.equal(
      parseSettings(JSON.stringify({ model: "smollm2", [name]: value })).model,
      "smollm2",
    );
  }
});

Deno.test("outputPath() takes a relative folder from the project's root", () => {
  assert.match(outputPath({ output: "figures" }, "a.csv"), /^\/.*figures\/a\.csv$/);
  assert.equal(outputPath({ output: "/out" }, "a.csv"), "/out/a.csv");
});

Deno.test("settings written by hand are checked by what takes them, as those of a command line", async () => {
  const by = (changes: object) => ({ ...parseSettings(), ...changes });
  const takers = [studiedModels, studyPlan, mainPlans, mixturePlans, contextPlans] as ((
    settings: Settings,
  ) => Promise<unknown>)[];
  takers.push((settings) => openSubject("organism:small-101", settings));
  takers.push((settings) => openProbed("organism:small-101", settings));
  takers.push((settings) => runStudy([], { settings }));
  for (const take of takers) {
    await assert.rejects(
      take(by({ learning_rate: 5 })),
      /Cannot use the setting learning_rate: expected one of .*did you mean learningRate/,
    );
    await assert.rejects(
      take(by({ learningRate: "5" })),
      /setting learningRate: expected a number/,
    );
  }
  assert.throws(() => finetuningOf(by({ lr: 3 })), /setting lr: expected one of/);
  assert.throws(() => realSettings(by({ lr: 3 })), /setting lr: expected one of/);
  assert.deepEqual(finetuningOf(by({ learningRate: undefined, epochs: 2 })), { epochs: 2 });
});

Deno.test("a real model that is named by hand is asked as one that the command line names", () => {
  const { formulation, normalization } = parseSettings(`{"model": "smollm2"}`);
  assert.deepEqual(askingOf({ ...parseSettings(), model: "smollm2" }), {
    formulation,
    normalization,
  });
  assert.deepEqual(askingOf(parseSettings()), {});
});

Deno.test("realSettings() keeps how to train and how much to ask", () => {
  const real = realSettings(parseSettings(`{"learningRate": 1e-5, "limit": 9, "epochs": 1}`));
  assert.deepEqual(
    [real.model, real.learningRate, real.limit, real.epochs, real.seeds, real.formulation],
    ["smollm2", 1e-5, 9, 1, 1, "cloze"],
  );
  const named = parseSettings(`{"model": "a/model", "seeds": 3}`);
  assert.equal(realSettings(named), named);
});

Deno.test("--batch-tokens, --gradient-checkpointing and --precision reach what they are for", async () => {
  const { settings } = parseRequest(
    ["--batch-tokens=96", "--gradient-checkpointing", "--precision=tf32", "--limit=4"],
    "/home/user",
  );
  assert.deepEqual(finetuningOf(settings), { batchTokens: 96, gradientCheckpointing: "layer" });
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
  refused("--gradient-checkpointing=yes", /'--gradient-checkpointing' does not take an argument/);
  refused("--precision=bf16", /setting precision: expected one of float32, tf32, found "bf16"/);
});

Deno.test("a served model keeps the name that its server has for it; its tokenizer is taken from here", () => {
  const settingsOf = (...args: string[]) =>
    parseRequest([...args, "--server=http://127.0.0.1:8000"], Deno.cwd()).settings;
  const { model, tokenizer, topLogprobs, concurrency } = settingsOf(
    ...["--model=lib", "--top-logprobs=5", "--concurrency=4"],
  );
  assert.deepEqual([model, topLogprobs, concurrency], ["lib", 5, 4]);
  // What lies here under the served name has its tokenizer.
  assert.equal(tokenizer, `${Deno.cwd()}/lib`);
  assert.equal(settingsOf("--model=owner/name").tokenizer, undefined);
  assert.equal(settingsOf("--model=x", "--tokenizer=none").tokenizer, "none");
  assert.equal(settingsOf("--model=x", "--tokenizer=./y").tokenizer, `${Deno.cwd()}/y`);
  const refused = (json: object, message: RegExp) =>
    assert.throws(() => parseSettings(JSON.stringify(json)), message);
  const server = "http://127.0.0.1:8000";
  refused({ server }, /setting server with organism: an organism is computed here/);
  refused({ server, model: "x", template: "model" }, /server and template together: .*vicuna/);
  refused({ model: "x", topLogprobs: 5 }, /setting topLogprobs alone: expected --server/);
  refused({ model: "x", maxTokensSent: 5 }, /setting maxTokensSent alone: expected --server/);
  refused({ model: "x", teacher: "y" }, /setting teacher alone: expected --exam=paper/);
  parseSettings(
    JSON.stringify({ model: "x", exam: "paper", maxTokensSent: 5, teacher: "y" }),
  );
});

Deno.test("settings that would have no effect are refused", () => {
  const refused = (json: object, message: RegExp) =>
    assert.throws(() => parseSettings(JSON.stringify(json)), message);
  refused({ language: "zh" }, /setting language with organism/);
  refused({ keepLeaks: true }, /setting keepLeaks with organism/);
  refused({ shots: 0 }, /setting shots alone: expected --exam=mmlu/);
  refused({ model: "x", exam: "paper", shots: 3 }, /setting shots alone/);
  assert.equal(parseSettings('{"model": "x", "exam": "mmlu", "shots": 0}').shots, 0);
});
