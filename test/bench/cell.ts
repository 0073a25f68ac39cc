/**
 * Where a cell's time goes: `TF_NUM_INTRAOP_THREADS=1 deno run -A test/bench/cell.ts [CELLS] [ORGANISM]` prints,
 * for the first cells of the main plan in one process, the seconds of each part, and how many
 * graphs were made for it. Seconds are of the processor, which neighbours disturb less.
 */
import { cpuUsage } from "node:process";
import { cellName } from "../../lib/cell.ts";
import { compareAnswers, evaluate } from "../../lib/evaluate.ts";
import { type BaseAnswers, cellExamples, domainOf, targetFit } from "../../lib/experiment.ts";
import { finetune } from "../../lib/finetune.ts";
import { encodeConversation } from "../../lib/model/encode.ts";
import { openBackend } from "../../lib/platform/runtime/backend.ts";
import { loadOrganism } from "../../lib/organism/folder.ts";
import { keepBase } from "../../lib/study/study.ts";
import { worldMaterial } from "../../lib/study/material.ts";
import { planCells } from "../../lib/study/plan.ts";
import { mainPlans } from "../../lib/study/plans.ts";
import { parseSettings } from "../../lib/study/settings.ts";
import { Store } from "../../lib/study/store.ts";
import { probeBase } from "../../lib/study/study.ts";

const NAME = `organism:${Deno.args[1] ?? "small-101"}`;

const now = () => {
  const { user, system } = cpuUsage();
  return (user + system) / 1000;
};

/** Seconds by part, in the order of their first appearance. */
class Clock {
  readonly seconds = new Map<string, number>();

  async time<T>(part: string, run: () => T | Promise<T>): Promise<T> {
    const start = now();
    try {
      return await run();
    } finally {
      this.add(part, (now() - start) / 1000);
    }
  }

  add(part: string, seconds: number): void {
    this.seconds.set(part, (this.seconds.get(part) ?? 0) + seconds);
  }

  toString(): string {
    return [...this.seconds].map(([part, s]) => `${part} ${s.toFixed(3)}`).join(", ");
  }
}

const count = Number(Deno.args[0] ?? 20);
const start = new Clock(), store = await Deno.makeTempDir();
const backend = await start.time("backend", () => openBackend());
const { model, world } = await start.time("organism", () => loadOrganism(NAME));
const material = await start.time("material", () => worldMaterial(world));

/** Graphs made since the last look, and their seconds: of tracing, and of the first run. */
let made = { graphs: 0, tracing: 0, first: 0, calls: 0, running: 0 };
const shapes: string[] = [];
if (model.session !== undefined) {
  const { session } = model, add = session.add.bind(session), call = session.call.bind(session);
  const fresh = new Set<unknown>();
  session.add = (run, inputs, runs) => {
    const start = now(), graph = add(run, inputs, runs);
    made.graphs++;
    made.tracing += (now() - start) / 1000;
    shapes.push(inputs.map(({ shape }) => `[${shape}]`).slice(0, 5).join(" "));
    fresh.add(graph);
    return graph;
  };
  session.call = (graph, inputs) => {
    const start = now(), outputs = call(graph, inputs);
    const seconds = (now() - start) / 1000;
    if (fresh.delete(graph)) made.first += seconds;
    else [made.calls, made.running] = [made.calls + 1, made.running + seconds];
    return outputs;
  };
}
const look = () => {
  const { graphs, tracing, first, calls, running } = made;
  made = { graphs: 0, tracing: 0, first: 0, calls: 0, running: 0 };
  return { graphs, tracing, first, calls, running };
};

const base = await start.time(
  "base answers",
  () => probeBase(NAME, { model, material }, { store: new Store(store) }),
);
console.log(`${backend.name}, ${backend.device}, ${backend.threads} threads`);
console.log(`start: ${start}; graphs ${look().graphs}`);
const answers: BaseAnswers = new Map(Object.entries(base.answers));

const settings = parseSettings(JSON.stringify({ model: NAME }));
const [plan] = await mainPlans(settings);
const cells = planCells(plan, NAME, [...material.domains.keys()]).slice(0, count);
const kept = keepBase(model, undefined), whole = new Clock(), sums = { graphs: 0, graph: 0 };
for (const cell of cells) {
  const clock = new Clock(), started = now();
  await clock.time("restore", () => kept.restore());
  const domain = domainOf(cell, material);
  const { group, examples } = await clock.time("examples", () =>
    cellExamples(cell, {
      answers: answers.get(domain.pool.name)!,
      general: material.general,
      format: model.format,
      kinds: material.kinds,
    }));
  const how = {
    tokenizer: model.requireTokenizer(),
    format: model.format,
    maxTokens: 128,
  };
  await clock.time("(encode)", () => examples.map((e) => encodeConversation(e.messages, how)));
  look();
  const { steps } = await clock.time("train", () => finetune(model, examples, { seed: cell.seed }));
  const trained = look();
  await clock.time("fit", () => targetFit(model, group));
  const fitted = look();
  const suites = Object.fromEntries(
    Object.entries(domain.suites).map(([name, exams]) => [
      name,
      exams.flatMap((exam) => [...exam.questions]),
    ]),
  );
  const tuned = await clock.time("tests", () => evaluate(model, suites));
  const tested = look();
  await clock.time(
    "compare",
    () =>
      Object.entries(domain.suites).map(([name, exams]) =>
        compareAnswers(
          exams.flatMap((exam) => base.answers[exam.name]),
          tuned[name as keyof typeof tuned]!.answers,
        )
      ),
  );
  for (const [part, seconds] of clock.seconds) whole.add(part, seconds);
  const all = [trained, fitted, tested];
  const graphs = all.reduce((sum, one) => sum + one.graphs, 0);
  const making = all.reduce((sum, one) => sum + one.tracing + one.first, 0);
  sums.graphs += graphs;
  sums.graph += making;
  const seconds = (now() - started) / 1000;
  const runs = (one: typeof trained) =>
    `${one.calls} x ${(1000 * one.running / one.calls).toFixed(2)} ms`;
  console.log(
    `${cellName(cell)}: ${seconds.toFixed(3)} s, ${clock}; ${graphs} graphs ${
      making.toFixed(3)
    } s ` +
      `(tracing ${all.reduce((sum, one) => sum + one.tracing, 0).toFixed(3)}); runs: train ` +
      `${runs(trained)} of ${steps} steps, fit ${runs(fitted)}, tests ${runs(tested)}`,
  );
}
console.log(`all: ${whole}; graphs ${sums.graphs}, ${sums.graph.toFixed(2)} s`);
console.log(shapes.join("\n"));
kept.dispose();
model.dispose();
await Deno.remove(store, { recursive: true });
