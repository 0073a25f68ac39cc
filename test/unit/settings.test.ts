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
  refuses(`{"quick": true, "full": true}`, /setting full with quick: .*give one of them/);
  refuses(`{"domains": []}`, /setting domains/);
  refuses(`{"domains": ["history", "history"]}`, /each once/);
  refuses(`{"answers": "number"}`, /setting answers: expected one of letter, index0, index1, text/);
  refuses(`{"general": "g.json"}`, /setting general with organism: .*give another --model/);
  refuses(`[1]`, /expected a JSON object/);
  refuses(`{`, /expected JSON/);
});

Deno.test("parseSettings() refuses one's own questions with an organism, which would not read them", () => {
  for (const name of ["questions", "demonstrations", "pool", "id", "ood", "answers", "columns"]) {
    const value = { answers: "letter", columns: "question:q" }[name] ?? "q.jsonl";
    const refusal =
      `Cannot use the setting ${name} with organism: an organism reads the words of ` +
      `its world alone; give another --model, or leave --${name} out`;
    assert.throws(() => parseSettings(JSON.stringify({ [name]: value })), { message: refusal });
    const own = { model: "smollm2", questions: "q.jsonl", [name]: value };
    assert.equal(parseSettings(JSON.stringify(own)).model, "smollm2");
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
  refused({ server, model: "x", template: "model" }, /setting template with server: .*vicuna/);
  refused({ model: "x", topLogprobs: 5 }, /setting topLogprobs alone: .*give --server/);
  refused({ model: "x", maxTokensSent: 5 }, /setting maxTokensSent alone: .*give --server/);
  refused({ model: "x", teacher: "y" }, /setting teacher alone: .*give --exam=paper/);
  parseSettings(
    JSON.stringify({ model: "x", exam: "paper", maxTokensSent: 5, teacher: "y" }),
  );
});

/** One value of each setting that asks for something. */
const given: Record<string, unknown> = {
  ...{ domains: ["history"], seeds: 2, limit: 9, quick: true, full: true, resume: true },
  ...{ exam: "paper", shots: 3, language: "zh", keepLeaks: true, maxRejected: 0.2 },
  ...{ columns: "question:q", questions: "q.jsonl", demonstrations: "d.jsonl", pool: "p.jsonl" },
  ...{ id: "i.jsonl", ood: "o.jsonl", groups: ["inc"], tuned: ["x"], explanations: true },
  ...{ formulation: "hybrid", normalization: "token", template: "model", general: "g.json" },
  ...{ answers: "letter", minimumConfidence: 0, lora: 8, learningRate: 1e-4, epochs: 1 },
  ...{ batchSize: 8, batchTokens: 256, gradientCheckpointing: true, precision: "tf32" },
  ...{ server: "http://127.0.0.1:8000", tokenizer: "none", topLogprobs: 5, concurrency: 2 },
  ...{ maxTokensSent: 100, teacher: "t", output: "/out" },
};
const served = "tokenizer topLogprobs concurrency maxTokensSent";

/** What each kind of run has no use for. */
const useless: [name: string, run: object, names: string][] = [
  [
    "organism",
    {},
    `exam shots language keepLeaks maxRejected columns questions demonstrations pool id
    ood explanations formulation normalization template general answers server teacher ${served}`,
  ],
  ["facts", { model: "a/b" }, `shots keepLeaks maxRejected columns answers teacher ${served}`],
  [
    "own files",
    { model: "a/b", questions: "q.jsonl", pool: "p.jsonl", formulation: "cloze" },
    `domains exam shots teacher ${served}`,
  ],
  [
    "the paper's exams",
    { model: "a/b", exam: "paper", formulation: "cloze" },
    `shots columns answers questions demonstrations pool id ood tokenizer topLogprobs concurrency
    maxTokensSent`,
  ],
  [
    "an evaluation",
    { model: "a/b", exam: "mmlu", formulation: "cloze" },
    `domains seeds quick full
    keepLeaks columns answers questions demonstrations pool id ood groups tuned explanations template
    general minimumConfidence lora learningRate epochs batchSize gradientCheckpointing teacher ${served}`,
  ],
  [
    "server",
    { model: "a/b", server: "http://127.0.0.1:8000" },
    `shots keepLeaks maxRejected columns
    answers teacher template precision batchTokens gradientCheckpointing`,
  ],
  [
    "onnx",
    { model: "onnx:a/b" },
    `shots keepLeaks maxRejected columns answers teacher precision
    gradientCheckpointing ${served}`,
  ],
];

for (const [kind, run, names] of useless) {
  Deno.test(`settings without an effect are refused by name: ${kind}`, () => {
    const known = Object.keys(given), lost = names.split(/\s+/);
    assert.deepEqual(lost.filter((name) => !known.includes(name)), []);
    parseSettings(JSON.stringify(run));
    // A notebook hands filled-in settings on.
    parseSettings(JSON.stringify(parseSettings(JSON.stringify(run))));
    for (const name of known) {
      if (name in run) continue;
      const others = lost.includes(name) || name !== "normalization"
        ? {}
        : { formulation: "cloze" };
      const json = JSON.stringify({ ...others, ...run, [name]: given[name] });
      if (!lost.includes(name)) parseSettings(json);
      else {
        const flag = name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
        assert.throws(() => parseSettings(json), {
          message: new RegExp(
            `^Cannot use the setting (${name}|exam) .*; give .*, or leave --(${flag}|exam) out$`,
          ),
        }, name);
      }
    }
  });
}

Deno.test("a setting's use may hang on another", () => {
  const parse = (json: object) => parseSettings(JSON.stringify({ model: "x", ...json }));
  assert.equal(parse({ exam: "mmlu", shots: 0, template: "model" }).shots, 0);
  assert.throws(
    () => parse({ exam: "mmlu", template: "model" }),
    /template with exam=mmlu.*--shots=0/,
  );
  assert.throws(
    () => parse({ formulation: "letters", normalization: "pmi" }),
    /with letters.*cloze/,
  );
  assert.throws(() => parse({ quick: true, full: true }), /full with quick/);
  assert.throws(() => parse({ domains: ["chess"] }), /geography/);
  // What a switch says by default asks for nothing.
  assert.equal(parse({ exam: "mmlu", keepLeaks: false, quick: false, seeds: 3 }).quick, false);
});
