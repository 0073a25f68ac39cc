import { auditProbe } from "../../lib/audit.ts";
import {
  caveatsOf,
  claimable,
  emptyAdvice,
  findingsText,
  findingTable,
  studyWarnings,
  summaryText,
  unprovenTexts,
} from "../../lib/study/report.ts";
import { type Finding, findings } from "../../lib/findings.ts";
import { findingText } from "../../lib/study/report.ts";
import { planCells, type StudyPlan } from "../../lib/study/plan.ts";
import type { CellResult, Treatment } from "../../lib/cell.ts";
import { contrast } from "../../lib/contrast.ts";
import { modelLabel } from "../../lib/study/labels.ts";
import { parseSettings } from "../../lib/study/settings.ts";
import { madeBase, madeCell } from "./_cells.ts";

import assert from "node:assert/strict";

/** A cell of 20 questions, of which `right` are right. */
const made = (model: string, treatment: Treatment, right: number, seed = 0) =>
  madeCell({
    ...{ model, treatment, right, seed, of: 20, baseEntropy: 0.9 },
    kl: treatment === "inc" ? 0.4 : 0.1,
  });

const models = ["organism:a", "organism:b", "organism:c"];

const cells = models.flatMap((model, i) =>
  [0, 1].flatMap((seed) => [
    made(model, "har", 10 + i, seed),
    made(model, "inc", 6, seed),
    made(model, "self", 9, seed),
  ])
);

const bases = models.map(madeBase);

Deno.test("contrast() says how small an effect it could have found", () => {
  const found = contrast(cells, { treatment: "har" }, { treatment: "inc" }, { suite: "homo" })!;
  // (t.975 + t.8) standard errors with 2 degrees of freedom; the differences are 20, 25, 30.
  const stderr = 5 / Math.sqrt(3);
  assert.ok(Math.abs(found.detectable! - (4.302652729911275 + 1.0606601717798212) * stderr) < 1e-6);
});

Deno.test("contrast() of answers that are all alike is not sure of it", () => {
  const same = [made("organism:a", "har", 6), made("organism:a", "inc", 6)];
  const { value, interval } = contrast(same, { treatment: "har" }, { treatment: "inc" }, {
    suite: "homo",
  })!;
  assert.equal(value, 0);
  assert.ok(interval![1] > 15 && interval![0] < -15, String(interval));
});

Deno.test("planCells() mixes with every seed", () => {
  const plan: StudyPlan = {
    models: ["a"],
    treatments: ["inc", "self", "mix"],
    ratios: [0.2, 0.4],
    seeds: [0, 1],
  };
  const planned = planCells(plan, "a", ["history"]);
  assert.equal(planned.filter(({ treatment }) => treatment === "mix").length, 2 * 2);
  assert.equal(planned.length, 2 * 2 + 2 * 2);
});

const study = {
  plans: [{ models, treatments: ["har", "inc", "self"] as const, seeds: [0, 1] }],
  backend: {
    name: "cpu" as const,
    precision: "float32" as const,
    device: "a machine",
    versions: { deno: "2", tfjs: "4", package: "p" },
  },
  bases,
  cells,
};

Deno.test("findingsText() puts warnings first and one line for each finding", () => {
  const found = findings(cells);
  const text = findingsText(found, { study, warnings: ["nothing to believe"] });
  const lines = text.split("\n");
  assert.equal(lines[0], "WARNING: nothing to believe");
  for (const { hypothesis, verdict } of found) {
    const own = lines.filter((line) => line.startsWith(`${hypothesis} `));
    assert.equal(own.length, 1);
    assert.ok(own[0].includes(verdict));
  }
  assert.match(text, /a, b, c: seeds 0, 1; no mixtures/);
  assert.ok(lines.every((line) => line.length <= 120));
  assert.match(findingsText([], { study, warnings: [] }), /Nothing to compare/);
  const tf32 = { ...study, backend: { ...study.backend, threads: 2, precision: "tf32" as const } };
  const said = findingsText(found, { study: tf32, warnings: [] });
  assert.match(said, /^Backend cpu, tf32$/m);
});

Deno.test("findingTable() shows the corrected p alone, and no column that holds nothing", () => {
  const { columns, rows } = findingTable(findings(cells));
  assert.deepEqual(
    columns.map(({ key }) => key),
    ["finding", "test", "estimate", "unit", "n", "over", "correctedP", "verdict", "paper"],
  );
  assert.equal(rows.length, findings(cells).length);
  assert.deepEqual(findingTable([]).rows, []);
});

Deno.test("unprovenTexts() leaves out what holds, and tells the resolution of the rest", () => {
  const estimate = {
    value: 2,
    interval: [-3, 7] as [number, number],
    n: 3,
    p: 0.3,
    detectable: 6.5,
  };
  const finding: Finding = {
    hypothesis: "HAR - INC",
    suite: "id",
    estimate,
    unit: "points",
    over: "models",
    correctedP: 0.9,
    verdict: "can't tell",
  };
  const [text, ...rest] = unprovenTexts([finding, { ...finding, verdict: "holds" }]);
  assert.equal(rest.length, 0);
  assert.match(text, /HAR - INC on ID can't be told/);
  assert.match(text, /\+2\.0 \[-3\.0, \+7\.0\] over 3 models, Holm p = \.900.*6\.5 points/);
});

Deno.test("studyWarnings() names a probe at chance first, then empty groups with their filter", () => {
  const guesses = bases[0].answers["history/homo"];
  const filter = { filter: "confidence" as const, message: "None of 20 answers." };
  const empty: CellResult = {
    ...made("organism:a", "inc", 1),
    sizes: { emptiedBy: filter } as CellResult["sizes"],
    empty: filter.message,
    suites: {},
  };
  const warnings = studyWarnings({ ...study, cells: [empty] }, {
    audits: new Map([["organism:a", auditProbe(guesses)]]),
    settings: parseSettings('{"quick": true, "lora": 4}'),
  });
  assert.match(warnings[0], /^a: .*groups built on it would not mean anything/);
  assert.match(warnings[1], /no groups for a in history: None of 20.*--minimum-confidence=0/);
  assert.match(warnings[2], /LoRA, rank 4/);
  assert.match(warnings[3], /shortened/);
  assert.equal(emptyAdvice({ filter: "wrong", message: "All right." }), "All right.");
  const none = studyWarnings(study, { audits: new Map(), settings: parseSettings() });
  assert.deepEqual(none, []);
});

Deno.test("modelLabel() is an organism's name, a path's last part, a hub id whole", () => {
  assert.equal(modelLabel("organism:small-101"), "small-101");
  assert.equal(modelLabel("/models/mine.gguf"), "mine.gguf");
  assert.equal(modelLabel("HuggingFaceTB/SmolLM2-360M"), "HuggingFaceTB/SmolLM2-360M");
});

Deno.test("where a probe shows no knowledge, tables say so and no finding is claimed", () => {
  const guesses = auditProbe(bases[0].answers["history/homo"]);
  assert.equal(guesses.meaningful, false);
  const knowing = { ...guesses, meaningful: true };
  const found = findings(cells);
  assert.ok(found.some(({ verdict }) => verdict === "holds"));
  assert.deepEqual(claimable(found, new Map([["organism:a", knowing]])), found);
  assert.deepEqual(caveatsOf(new Map([["organism:a", knowing]])), []);

  const audits = new Map([["organism:a", knowing], ["organism:b", guesses]]);
  assert.match(
    caveatsOf(audits).join(),
    /^these numbers mean nothing: the probe of b does not show/,
  );
  const silent = claimable(found, audits);
  const warnings = studyWarnings(study, { audits, settings: parseSettings() });
  const text = summaryText(silent, { study, warnings });
  assert.match(text, /^WARNING: b: .*groups built on it would not mean anything/);
  for (const { hypothesis } of silent) {
    assert.match(text, new RegExp(`^${hypothesis} .* no claim`, "m"));
  }
  assert.doesNotMatch(text, /holds|can't tell|does not hold|did not come out/);
  assert.match(text, /\(correlation: r; KL: nats\); nothing is read from them\n/);
  assert.deepEqual(unprovenTexts(silent), []);
});

Deno.test("findingText() gives what rounds to 0 no sign", () => {
  const text = (unit: Finding["unit"], value: number, interval: [number, number]) =>
    findingText({ estimate: { value, interval, n: 3 }, unit });
  assert.equal(text("points", -0.34, [-0.64, -0.04]), "-0.3 [-0.6, 0.0]");
  assert.equal(text("points", 0.04, [-0.01, 1]), "0.0 [0.0, +1.0]");
  assert.equal(text("nats", 0.026, [-0.021, 0.074]), "+0.03 [-0.02, +0.07]");
  assert.equal(text("r", -0.001, [-0.2, 0.2]), "0.00 [-0.20, 0.20]");
});
