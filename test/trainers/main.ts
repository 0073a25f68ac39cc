/**
 * `deno task trl`: groups exported, tuned by PyPI's trl with the exported script, taken back by --tuned and
 * held to this project's own fine-tuning of the same groups. An organism takes a minute or two, SmolLM2
 * about ten; `deno task trl organism` does the first alone. Not part of `deno task test`.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import type { CellResult } from "../../lib/cell.ts";
import { examplesOf } from "../../lib/experiment.ts";
import { table, toMarkdown } from "../../lib/figure/table.ts";
import { finetune, openBackend, runStudy } from "../../lib/mod.ts";
import { cacheFolder } from "../../lib/platform/cache.ts";
import { installNative } from "../../lib/platform/native/native.ts";
import { pythonEnvironment } from "../../lib/platform/native/python.ts";
import { exportGroups } from "../../lib/study/export.ts";
import { planCells } from "../../lib/study/plan.ts";
import { studyPlan } from "../../lib/study/plans.ts";
import { parseSettings, type Settings } from "../../lib/study/settings.ts";
import { Store } from "../../lib/study/store.ts";
import { cellContexts, probeBase } from "../../lib/study/study.ts";
import { openSubject } from "../../lib/study/subjects.ts";
import { REFERENCE_PACKAGES } from "../numerics/_python.ts";

const PACKAGES = [...REFERENCE_PACKAGES, "trl==1.16.0", "datasets==5.2.0", "accelerate==1.15.0"];

/** Losses of the first steps, nats: the same rows and weights, and two libraries' rounding. */
const FIRST_STEPS = 3, FIRST_TOLERANCE = 1e-3;

interface Trial {
  settings: Partial<Settings>;
  domain: string;
  /** What is trained by both, and whether as an adapter. */
  tuned: { treatment: "har" | "inc" | "self"; lora: boolean }[];
}

const trials: Record<string, Trial> = {
  organism: {
    settings: { model: "organism:small-101", domains: ["history"], seeds: 3 },
    domain: "history",
    tuned: [
      { treatment: "inc", lora: false },
      { treatment: "self", lora: false },
      { treatment: "inc", lora: true },
    ],
  },
  smollm2: {
    settings: { model: "smollm2", domains: ["chemistry"], seeds: 3, limit: 60, batchSize: 8 },
    domain: "chemistry",
    tuned: [{ treatment: "inc", lora: false }, { treatment: "inc", lora: true }],
  },
};

type Row = Record<string, string | number>;

/** Exports, tunes, evaluates and compares; a row for each training and test. */
async function tryOut(name: string, python: string): Promise<Row[]> {
  const { settings: changes, domain, tuned } = trials[name];
  const output = cacheFolder("runs", `trl-${name}`);
  const settings = parseSettings(JSON.stringify({ ...changes, output }));
  const { folder } = await exportGroups(settings);
  await refusesOthers(python, folder, `${domain}/${tuned[0].treatment}@0`);
  const rows: Row[] = [];
  for (const { treatment, lora } of tuned) {
    const target = join(output, "tuned", `${treatment}${lora ? "-lora" : ""}`);
    const args = [`--group=${domain}/${treatment}@0`, `--output=${target}`];
    await runScript(python, join(folder, "train_trl.py"), lora ? [...args, "--lora"] : args);
    const own = { ...settings, ...(lora && { lora: 8 }), groups: [treatment] };
    const losses = await ownLosses(own, treatment);
    const theirs: number[] =
      JSON.parse(await Deno.readTextFile(join(target, "self-aligning.json"))).losses;
    assert.equal(theirs.length, losses.length, "as many steps");
    const apart = losses.map((loss, i) => Math.abs(loss - theirs[i]));
    const first = Math.max(...apart.slice(0, lora ? 1 : FIRST_STEPS));
    assert.ok(first <= FIRST_TOLERANCE, `losses of the first steps differ by ${first}`);

    const here = await ownCells(own, lora);
    const back = { ...settings, tuned: [target] };
    const there = await runStudy(await studyPlan(back), { settings: back });
    const [cell] = there.cells;
    assert.equal(there.cells.length, 1);
    for (const suite of ["homo", "id", "ood"] as const) {
      const by = (of: (cell: CellResult) => number) => here.map(of);
      const accuracies = by((one) => 100 * one.suites[suite]!.accuracy);
      const divergences = by((one) => one.suites[suite]!.kl);
      const record = cell.suites[suite]!;
      // All weights start where ours do, with seed 0's batches; an adapter is one start more on them.
      within(100 * record.accuracy, accuracies, lora);
      within(record.kl, divergences, lora);
      rows.push({
        ...{ model: changes.model!, group: treatment, trained: lora ? "LoRA" : "all weights" },
        ...{ test: suite, steps: losses.length, "loss apart, first": first },
        "loss apart, most": Math.max(...apart),
        ...{ "accuracy, trl": 100 * record.accuracy, "ours, by seed": texts(accuracies, 1) },
        ...{ "KL, trl": record.kl, "KL, ours, by seed": texts(divergences, 4) },
      });
    }
  }
  return rows;
}

/** Our own cells: of all weights with three seeds; of an adapter from five starts with the rows of seed 0. */
async function ownCells(settings: Settings, lora: boolean): Promise<CellResult[]> {
  const plan = await studyPlan(settings);
  const plans = lora
    ? [0, 1, 2, 3, 4].map((seed) => (
      { ...plan, seeds: [0], finetuning: { ...plan.finetuning, lora: { rank: 8, seed } } }
    ))
    : [plan];
  const studies = [];
  for (const one of plans) studies.push(await runStudy(one, { settings, workers: 1 }));
  return studies.flatMap(({ cells }) => cells);
}

const texts = (values: readonly number[], digits: number) =>
  values.map((value) => value.toFixed(digits)).join(", ");

/** Holds one value to our own seeds: no further from seed 0, or (another start) from all, than these spread. */
function within(value: number, seeds: readonly number[], isAnotherStart: boolean): void {
  const [least, most] = [Math.min(...seeds), Math.max(...seeds)], spread = most - least;
  const [low, high] = isAnotherStart ? [least, most] : [seeds[0], seeds[0]];
  const said = `${value} beside our seeds' ${seeds.join(", ")}`;
  assert.ok(value >= low - spread - 1e-9 && value <= high + spread + 1e-9, said);
}

async function ownLosses(settings: Settings, treatment: string): Promise<number[]> {
  const plan = await studyPlan(settings);
  const subject = await openSubject(settings.model, settings), { model, material } = subject;
  try {
    const store = new Store(cacheFolder("study"));
    const base = await probeBase(settings.model, subject, { store });
    const cell = planCells(plan, settings.model, [...material.domains.keys()])
      .find((one) => one.treatment === treatment && one.seed === 0)!;
    const context = await cellContexts(plan, subject, { store, base })(cell);
    const { losses } = await finetune(model, examplesOf(cell, context).examples, plan.finetuning);
    return losses;
  } finally {
    model.dispose();
  }
}

async function runScript(python: string, script: string, args: string[]): Promise<void> {
  const { code, said } = await tell(python, [script, ...args]);
  assert.equal(code, 0, `${script} ${args.join(" ")} failed:\n${said}`);
}

async function tell(python: string, args: string[]): Promise<{ code: number; said: string }> {
  const { code, stderr } = await new Deno.Command(python, {
    args,
    // Other work may run here: threads that wait must not spin.
    env: { HF_HUB_OFFLINE: "1", OMP_WAIT_POLICY: "PASSIVE" },
    stdout: "null",
    stderr: "piped",
  }).output();
  return { code, said: new TextDecoder().decode(stderr).trim().split("\n").slice(-15).join("\n") };
}

/** The script trains neither on rows that were cut nor from a base of other weights. */
async function refusesOthers(python: string, folder: string, group: string): Promise<void> {
  const copy = await Deno.makeTempDir();
  try {
    await Deno.mkdir(join(copy, group, ".."), { recursive: true });
    await Deno.copyFile(join(folder, "train_trl.py"), join(copy, "train_trl.py"));
    await Deno.copyFile(join(folder, `${group}.json`), join(copy, `${group}.json`));
    const rows = await Deno.readTextFile(join(folder, `${group}.jsonl`));
    const args = [join(copy, "train_trl.py"), `--group=${group}`, `--output=${join(copy, "out")}`];
    await Deno.writeTextFile(join(copy, `${group}.jsonl`), rows.slice(0, -9));
    const cut = await tell(python, args);
    assert.match(cut.said, /Cannot train on .*: expected rows of SHA-256 .*copy the export again/);
    await Deno.writeTextFile(join(copy, `${group}.jsonl`), rows);
    await Deno.writeTextFile(join(copy, "model.safetensors"), "other weights");
    const other = await tell(python, [...args, `--base=${copy}`]);
    assert.match(other.said, /expected weights of SHA-256 .*give the base by --base=FOLDER/);
    assert.deepEqual([cut.code, other.code], [1, 1]);
  } finally {
    await Deno.remove(copy, { recursive: true });
  }
}

if (import.meta.main) {
  await installNative();
  await openBackend();
  const python = Deno.env.get("SELF_ALIGNING_PYTHON") ||
    await pythonEnvironment({ packages: PACKAGES });
  const asked = Deno.args.length > 0 ? Deno.args : Object.keys(trials);
  const unknown = asked.find((name) => !(name in trials));
  if (unknown !== undefined) {
    console.error(`Cannot try ${unknown}: expected some of ${Object.keys(trials).join(", ")}`);
    Deno.exit(1);
  }
  for (const name of asked) {
    const rows = await tryOut(name, python);
    console.log(toMarkdown(table(rows, { caption: `${name}: trl beside our own fine-tuning` })));
  }
  Deno.exit(0);
}
