/** README's numbers, each beside the file that it comes from: neither may change alone. */

import { parseQuestions } from "./_row_texts.ts";
import { factDomains } from "../../lib/dataset/facts.ts";
import { suiteNames } from "../../lib/evaluate.ts";
import type { Measurement } from "../../lib/figure/number.ts";
import type { Row } from "../../lib/figure/rows.ts";
import { mean } from "../../lib/statistics/mean.ts";
import { normalCumulative } from "../../lib/statistics/_distribution.ts";
import {
  byModel,
  consistencyPoints,
  contrast,
  correlationsByModel,
  pooledCorrelation,
} from "../../lib/contrast.ts";
import { FACT_GROUP_SIZE } from "../../lib/study/facts.ts";
import { mixtureCurve } from "../../lib/study/mixture.ts";
import { paperGroupSizes } from "../../lib/dataset/paper.ts";
import type { Treatment } from "../../lib/cell.ts";
import { cellsOfCsv } from "./_csv_cells.ts";
import { rowsOfCsv } from "../../lib/study/published.ts";

import assert from "node:assert/strict";

const read = (path: string) =>
  Deno.readTextFileSync(new URL(`../../${path}`, import.meta.url)).replaceAll("\r\n", "\n");

const table = (path: string): readonly Row[] => rowsOfCsv(read(`figures/${path}.csv`));

const readme = read("README.md");

const prose = readme.replaceAll(/\s+/g, " ");

const full = cellsOfCsv(read("figures/full/05-evaluation/cells.csv"));

/** As README writes a number: no zero before the point, no sign on what rounds to 0. */
function short(value: number, digits: number, plus = ""): string {
  const text = value.toFixed(digits).replace(/^(-?)0\./, "$1.");
  return Number(text) === 0 ? text.replace("-", "") : value > 0 ? plus + text : text;
}

const measured = (
  { value, interval }: { value: number; interval?: readonly number[] },
  digits: number,
  plus = "",
) =>
  `${short(value, digits, plus)} [${interval!.map((one) => short(one, digits, plus)).join(", ")}]`;

/** What a sentence says where `pattern` has groups. */
function said(pattern: RegExp, text = prose): string[] {
  const found = [...text.matchAll(new RegExp(pattern, "g"))];
  assert.equal(found.length, 1, `${pattern} stands there ${found.length} times`);
  return found[0].slice(1);
}

/** The cells of README's table rows that start with `label`. */
function rowOf(label: string, after = ""): string[] {
  const lines = readme.slice(readme.indexOf(after)).split("\n");
  const line = lines.find((one) => one.startsWith(`| ${label} `));
  assert.ok(line, `no row ${label}`);
  return line.split("|").slice(2, -1).map((cell) => cell.trim());
}

/** The rows of a `findings.txt`, written as README does. */
function findingsOf(path: string) {
  return read(path).split("\n").flatMap((line) => {
    const [finding, test, ours, n, ...rest] = line.split(/ {2,}/);
    if (!["HOMO", "ID", "OOD"].includes(test)) return [];
    const reading = rest.find((cell) => /^(holds|does not hold|can't tell)$/.test(cell))!;
    const text = ours.replaceAll(/(?<!\d)0\./g, ".").replaceAll(/[+-](\.0+)(?!\d)/g, "$1");
    return [{ finding, test, ours: text, n, reading, paper: rest.at(-1)! }];
  });
}

Deno.test("README's table of findings is that of figures/full/findings.txt", () => {
  const found = findingsOf("figures/full/findings.txt");
  const rows = {
    "HAR - INC": "HAR - INC",
    "SELF - INC": "SELF - INC",
    "CON - INC": "CON - INC",
    "consistency ~ accuracy": "consistency ~ accuracy, partial r",
    "KL, INC - best mixture": "KL, INC - best mixture, nats",
    "middle ratio": "a middle ratio is best: best middle - better end",
  };
  assert.equal(found.length, 3 * Object.keys(rows).length);
  for (const [finding, label] of Object.entries(rows)) {
    const own = found.filter((one) => one.finding === finding);
    const [homo, id, ood, reading, paper] = rowOf(label, "| finding ");
    assert.deepEqual([homo, id, ood], own.map(({ ours }) => ours), label);
    const readings = own.map((one) => one.reading);
    const [first, last] = reading.replaceAll("**", "").split("; on OOD ");
    assert.deepEqual(readings, [first, first, last ?? first], label);
    const theirs = own.map((one) => one.paper);
    if (paper.includes(" / ")) assert.equal(paper, theirs.join(" / "));
    else if (finding !== "middle ratio") assert.deepEqual(theirs, [paper, paper, paper]);
    assert.ok(own.every(({ n }) => n === "7 models"));
  }
  const details = read("figures/full/findings.txt");
  assert.match(details, /KL, INC - best mixture: HOMO best r = 1; ID best r = 1; OOD best r = 1\n/);
  said(/here r = 1 on each test, so the KL row compares INC with SELF itself/);
});

Deno.test("README's number of the default run is that of figures/findings.txt", () => {
  const found = findingsOf("figures/findings.txt");
  const [models, ours] = said(
    /KL on OOD, which holds over the (\w+) small organisms alone \((.*? \[.*?\])\)/,
  );
  const kl = found.find(({ finding, test }) => finding.startsWith("KL") && test === "OOD")!;
  assert.deepEqual([models, ours, kl.reading], ["five", kl.ours, "holds"]);
  assert.equal(kl.n, "5 models");
  // "and read alike, but for KL on OOD"
  const readings = (list: ReturnType<typeof findingsOf>) =>
    list.filter((one) => one.finding !== kl.finding || one.test !== kl.test)
      .map(({ finding, test, reading }) => [finding, test, reading]);
  assert.deepEqual(readings(found), readings(findingsOf("figures/full/findings.txt")));
});

Deno.test("README's ranges are those of the bases and of the groups", () => {
  const bases = table("02-knowledge/base-accuracy").map((row) => ({
    model: String(row.model ?? row["model / domain"]).split(" / ")[0],
    tests: ["HOMO", "ID", "OOD"].map((test) => (row[test] as Measurement).value),
  }));
  const models = [...Map.groupBy(bases, ({ model }) => model).values()].flatMap((own) =>
    [0, 1, 2].map((test) => mean(own.map(({ tests }) => tests[test])))
  );
  const range = (values: number[]) =>
    [Math.min(...values), Math.max(...values)].map((one) => one.toFixed(1));
  assert.deepEqual(
    said(/before fine-tuning (\S+) to (\S+)% by organism, (\S+) to (\S+)% by domain/),
    [...range(models), ...range(bases.flatMap(({ tests }) => tests.slice(0, 2)))],
  );
  const sizes = table("03-groups/table1").filter(({ model }) => String(model).startsWith("small"))
    .flatMap(({ source: _, model: __, ...domains }) => Object.values(domains) as number[]);
  const [least, most] = [Math.min(...sizes), Math.max(...sizes)].map(String);
  assert.deepEqual(said(/(\d+) to (\d+) a domain for small organisms/), [least, most]);
  const paper = paperGroupSizes.flatMap(({ domains }) => Object.values(domains));
  assert.deepEqual(
    said(
      /items are few \((\d+); (\d+) to (\d+) in a small organism, (\d+) to ([\d,]+) in the paper/,
    ),
    [
      ...[String(FACT_GROUP_SIZE), least, most, String(Math.min(...paper))],
      Math.max(...paper).toLocaleString("en-US"),
    ],
  );
});

Deno.test("README's KL over r is that of the cells of figures/full", () => {
  const curves = suiteNames.map((suite) => mixtureCurve(full, suite, { value: ({ kl }) => kl }));
  const least = curves.map((curve) =>
    curve.reduce((a, b) => b.estimate.value < a.estimate.value ? b : a).ratio
  );
  assert.equal(new Set(least).size, 1);
  assert.deepEqual(said(/KL is least at r = (\S+), not at 1/), [short(least[0], 1)]);
  const [at, zero, low, lowAt, one] = said(
    /KL from the base is least at r = (\S+) on each test and rises again to r = 1 \(HOMO: (\S+) at r = 0, (\S+) at (\S+), (\S+) at 1\)/,
  );
  const homo = (ratio: number) =>
    short(curves[0].find((point) => point.ratio === ratio)!.estimate.value, 2);
  assert.deepEqual([at, lowAt], [short(least[0], 1), short(least[0], 1)]);
  assert.deepEqual([zero, low, one], [homo(0), homo(least[0]), homo(1)]);
  const ofMedium = full.filter(({ cell }) => cell.model.startsWith("medium"));
  const medium = suiteNames.map((suite) => {
    const { value } = contrast(ofMedium, { treatment: "inc" }, { treatment: "self" }, {
      suite,
      value: ({ kl }) => kl,
    })!;
    return short(value, 3);
  });
  assert.deepEqual(said(/than SELF does \(INC - SELF (\S+), (\S+), (\S+)\)/), medium);
});

Deno.test("README's correlations at one r, and of r alone, are those of the cells of figures/full", () => {
  const points = consistencyPoints(full);
  const of = (options: Parameters<typeof correlationsByModel>[1]) =>
    suiteNames.map((suite) =>
      pooledCorrelation(
        correlationsByModel(points.filter((one) => one.suite === suite), options),
      )!
    );
  const given = of({ kind: "partial Spearman, given r too" }).map((one) => measured(one, 2));
  assert.deepEqual(
    said(/with r held constant too it is (.*?\]), (.*?\]) and (.*?\]), and r alone/),
    given,
  );
  const alone = of({ kind: "partial Spearman", measure: "share of own answers" });
  assert.deepEqual(
    said(/as closely as consistency does \((\S+), (\S+), (\S+)\)/),
    alone.map(({ value }) => short(value, 2)),
  );
});

Deno.test("README's distances from the base are those of the cells of figures/full", () => {
  const from = (treatment: Treatment, suite: typeof suiteNames[number]) =>
    byModel(
      full,
      { treatment, suite },
      ({ accuracy, baseAccuracy }) => 100 * (accuracy - baseAccuracy),
    );
  const kinds: Treatment[] = ["har", "self", "context", "context-har", "general"];
  const means = kinds.flatMap((treatment) =>
    suiteNames.map((suite) => mean([...from(treatment, suite).values()]))
  );
  assert.ok(means.every((value) => Math.abs(value) < 1));
  assert.deepEqual(
    said(/within a point of the base's 5-shot accuracy \((\S+) to (\S+)\), so/),
    [short(Math.min(...means), 1), short(Math.max(...means), 1, "+")],
  );
  const large = (suite: typeof suiteNames[number]) =>
    short(-from("self", suite).get("large-301")!, 1);
  assert.deepEqual(
    said(/in the large one SELF ends (\S+) points below the base on HOMO and (\S+) on ID/),
    [large("homo"), large("id")],
  );
  assert.equal(full.filter(({ cell }) => cell.model === "large-301").length, 144);
});

Deno.test("README's numbers by letters are those of notebook 02", () => {
  const homo = table("02-knowledge/bound-har-inc").find(({ test }) => test === "HOMO")!;
  const letters = homo["HAR - INC"] as Measurement;
  assert.deepEqual(
    said(/HAR - INC by letters (.*?\]) on HOMO, one model, (\d+) questions/),
    [measured(letters, 1, "+"), String(letters.n)],
  );
});

Deno.test("README's real model is that of figures/09-real-models", () => {
  const differences = table("09-real-models/differences").map((row) => ({
    finding: String(row.finding),
    test: String(row.test),
    points: { ...row.estimate as Measurement, n: Number(row.n) },
    smallest: Number(row.detectable),
    p: Number(row.correctedP),
  }));
  assert.equal(differences.length, 9);
  for (const finding of new Set(differences.map((one) => one.finding))) {
    const own = differences.filter((one) => one.finding === finding);
    assert.deepEqual(
      rowOf(finding, "| difference "),
      own.map(({ points }) => measured(points, 1, "+")),
    );
  }
  assert.deepEqual(
    said(/95% intervals over (\d+), (\d+) and (\d+) questions; points/),
    differences.slice(0, 3).map(({ points }) => String(points.n)),
  );
  assert.deepEqual(
    differences.filter(({ p }) => p < 0.05).map(({ finding, test }) => [finding, test]),
    [["CON - INC", "ID"]],
  );
  const fits = cellsOfCsv(read("figures/09-real-models/cells.csv"))
    .flatMap(({ cell, fit }) => cell.treatment === "inc" ? [100 * fit!.share] : []);
  assert.deepEqual(said(/INC's targets were learnt \((\d+)%\)/), [mean(fits).toFixed(0)]);
  // 80% power is what `smallest` has: 1.96 + .84 standard errors.
  const power = differences.map(({ smallest }) =>
    normalCumulative(5 * (1.96 + 0.8416) / smallest - 1.96)
  );
  const [low, high] = said(
    /difference of 5 points would have shown with a chance of (\S+) to (\S+),/,
  );
  assert.ok(Math.abs(Number(low) - Math.min(...power)) < 0.015, `${low}, ${Math.min(...power)}`);
  assert.ok(Math.abs(Number(high) - Math.max(...power)) < 0.015, `${high}, ${Math.max(...power)}`);
});

Deno.test("what README says the real model's intervals exclude, they exclude", () => {
  const intervals = table("09-real-models/differences").slice(0, 3)
    .map(({ estimate }) => (estimate as Measurement).interval!);
  const found = findingsOf("figures/full/findings.txt").slice(0, 3);
  const [homo, id, ood] = said(
    /the organisms' \((\S+), (\S+)\); on OOD the organisms' (\S+) lies inside/,
  );
  assert.deepEqual([homo, id, ood], found.map(({ ours }) => ours.split(" ")[0]));
  const inside = (value: string, i: number) =>
    Number(value) > intervals[i][0] && Number(value) < intervals[i][1];
  assert.deepEqual([homo, id, ood].map(inside), [false, false, true]);
  assert.deepEqual(found.map(({ paper }, i) => inside(paper, i)), [false, false, false]);
});

Deno.test("the facts' ID answers with nothing that answers in the pool, HOMO as notebook 09 says", () => {
  const { cells } = JSON.parse(read("notebooks/09-real-models.ipynb"));
  const limits = cells.find(({ id }: { id: string }) => id === "09-limits").source.join("");
  const shares = said(
    /of HOMO (\d+)% in geography, (\d+)% in chemistry, (\d+)% in literature, (\d+)% in history/,
    limits.replaceAll(/\s+/g, " "),
  );
  for (const [i, domain] of factDomains.entries()) {
    const answers = (split: string) => {
      const file = `data/facts/exam/${domain}/${split}.jsonl`;
      const { questions } = parseQuestions(read(file), { file });
      return questions.map(({ choices, answer }) => choices[answer]);
    };
    const pool = new Set(answers("pool")), id = answers("id");
    assert.ok(pool.size > 0 && id.length > 0);
    assert.deepEqual(id.filter((answer) => pool.has(answer)), []);
    const homo = answers("homo");
    const shared = homo.filter((answer) => pool.has(answer)).length / homo.length;
    assert.equal(shares[i], (100 * shared).toFixed(0), domain);
  }
});

Deno.test("README's pretrainings are those of seeds.jsonl", () => {
  const runs = read("data/organisms/seeds.jsonl").trim().split("\n").map((line) =>
    JSON.parse(line) as { name: string; tokens: number; passed: boolean }
  );
  const twice = [...Map.groupBy(runs, ({ name }) => name)].filter(([, own]) => own.length > 1);
  const [first, second] = said(/(small-\d+) and (small-\d+) were pretrained twice/);
  assert.deepEqual(twice.map(([name]) => name), [first, second]);
  assert.ok(twice.every(([, own]) => own.every(({ passed }) => passed)));
  const [failed, few, passed, more] = said(
    /(medium-\d+) failed its gate after (\S+) million tokens, (medium-\d+) passed after (\S+) million/,
  );
  const tokensOf = (name: string, is: boolean) => {
    const run = runs.find((one) => one.name === name)!;
    assert.equal(run.passed, is);
    return (run.tokens / 1e6).toFixed(1);
  };
  assert.deepEqual([few, more], [tokensOf(failed, false), tokensOf(passed, true)]);
});
