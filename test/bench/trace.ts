/**
 * Where a training step's time goes, by TensorFlow's own trace:
 * `deno run -A test/bench/trace.ts [SHAPE...]`.
 *
 *   SHAPE          of test/bench/training.ts, or organism-17x18, a cell's; default: organism-16x36,
 *                  smollm2-4x128
 *   --threads=2,1  threads of one operation; a table for each
 *   --runs=20      steps that are timed; half of them traced after
 *   --keep=FOLDER  where the graph and its inputs are kept; default: a folder that is removed
 *
 * The step is this project's: the calls that it makes of the addon are kept and replayed by PyPI's
 * TensorFlow of the same version, whose runs take options and give metadata. Needs a Python with it:
 * SELF_ALIGNING_TENSORFLOW, or one that is made.
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import * as tf from "@tensorflow/tfjs";
import { nodeBackend } from "../../lib/platform/compile/backend.ts";
import { pythonEnvironment } from "../../lib/platform/native/python.ts";
import { TENSORFLOW_VERSION } from "../../lib/platform/native/pinned.ts";
import { openBackend } from "../../lib/platform/runtime/backend.ts";
import { parameterShapes } from "../../lib/model/architecture.ts";
import { parseConfiguration } from "../../lib/model/configuration.ts";
import { LanguageModel } from "../../lib/model/language_model.ts";
import { Trainer } from "../../lib/model/trainer.ts";
import { paperFormat } from "../../lib/prompt.ts";
import { makeBatch, SETTINGS, type Shape, SHAPES } from "./training.ts";

/** Keeps the calls of the addon's sessions in a folder, from now on; returns what ends it. */
function keepCalls(folder: string): () => Promise<void> {
  const calls: object[] = [];
  const backend = nodeBackend(), { binding } = backend;
  const keep = (bytes: Uint8Array) => {
    const file = `${calls.length}-${crypto.randomUUID()}`;
    Deno.writeFileSync(join(folder, file), bytes);
    return file;
  };
  const kept: Partial<typeof binding> = {
    newSession(config) {
      const session = binding.newSession(config);
      calls.push({ do: "new", session, file: keep(config) });
      return session;
    },
    extendSavedModel(session, graph, names) {
      calls.push({ do: "extend", session, file: keep(graph), names });
      binding.extendSavedModel(session, graph, names);
    },
    runSavedModel(session, ids, inputs, outputs) {
      const files = ids.map((id) => {
        const { buffer, byteOffset, byteLength } = binding.tensorDataSync(id);
        return keep(new Uint8Array(buffer, byteOffset, byteLength));
      });
      const names = (text: string) => text.split(",").filter((name) => name !== "");
      calls.push({
        ...{ do: "run", session, files },
        ...{ inputs: names(inputs), outputs: names(outputs) },
      });
      return binding.runSavedModel(session, ids, inputs, outputs);
    },
  };
  // Its own properties can be neither written nor listed.
  backend.binding = new Proxy({} as typeof binding, {
    get: (_, name) => Reflect.get(kept, name) ?? Reflect.get(binding, name),
  });
  return async () => {
    backend.binding = binding;
    await Deno.writeTextFile(join(folder, "calls.json"), JSON.stringify(calls));
  };
}

/** Keeps one step of a model of a shape, its weights random; nothing of it is timed. */
async function keepStep(shape: Shape, folder: string): Promise<void> {
  const config = parseConfiguration(shape.config);
  const done = keepCalls(folder);
  const model = new LanguageModel({
    ...{ name: shape.name, config, format: paperFormat },
    parameters: new Map(
      parameterShapes(config).map(([name, size], i) => [
        name,
        tf.tidy(() => tf.variable(tf.randomNormal(size, 0, 0.02, "float32", 1 + i))),
      ]),
    ),
  });
  const trainer = new Trainer(model, {
    ...SETTINGS,
    lora: shape.lora === undefined ? undefined : { rank: shape.lora },
  });
  const batch = makeBatch(shape);
  const { loss, gradientNorm } = await trainer.step(batch);
  await done();
  console.error(`${shape.name}: loss ${loss}, gradient norm ${gradientNorm}`);
  trainer.dispose();
  model.dispose();
}

interface Traced {
  /** Seconds of the first run, which prepares the graph, and of the median one. */
  first: number;
  seconds: number;
  range: [number, number];
  /** Seconds of processor time, of all threads. */
  used: number;
  productRate: number;
  /** Bytes a second, read and written, by the number of floats. */
  copyRate: Record<string, number>;
  operations: Row[];
  /** Microseconds in which at least one kernel ran, and from the first's start to the last's end. */
  busy: number;
  span: number;
  /** Bytes that the step's own tensors held at most. */
  peak: number;
}

type Row = [
  kind: string,
  operation: string,
  count: number,
  microseconds: number,
  bytes: number,
  flop: number,
];

/** Rows of one name as one. */
function summed(rows: Row[], name: (row: Row) => string): [string, number[]][] {
  const groups = Map.groupBy(rows, name);
  const sums = [...groups].map(([name, rows]): [string, number[]] => [
    name,
    [2, 3, 4, 5].map((i) => rows.reduce((sum, row) => sum + Number(row[i]), 0)),
  ]);
  return sums.sort(([, a], [, b]) => b[1] - a[1]);
}

/** What a trace shows, as Markdown. */
function toMarkdown({ name }: Shape, threads: number, runs: number, traced: Traced): string {
  const milliseconds = (seconds: number) => (1e3 * seconds).toFixed(2);
  const line = (cells: string[]) => `| ${cells.join(" | ")} |`;
  const [small, large] = Object.entries(traced.copyRate);
  const working = traced.operations.filter(([kind]) => kind !== "nothing to compute");
  const count = traced.operations.reduce((sum, row) => sum + row[2], 0);
  const [, [, , bytes, flop]] = summed(working, () => "all")[0];
  const table = (head: string, rows: [string, number[]][]) => [
    line([head, "operations", "kernels' ms", "MB read and written", "GFLOP"]),
    line(["---", "---:", "---:", "---:", "---:"]),
    ...rows.map(([name, [count, time, bytes, flop]]) =>
      line([
        name,
        ...[count, (time / 1e3).toFixed(2), (bytes / 1e6).toFixed(1)].map(String),
        (flop / 1e9).toFixed(2),
      ])
    ),
    "",
  ];
  return [
    `## ${name}, ${threads} thread${threads === 1 ? "" : "s"}`,
    "",
    `- a step ${milliseconds(traced.seconds)} ms (${
      traced.range.map(milliseconds).join(" to ")
    }, n = ${runs}); ` +
    `the first ${milliseconds(traced.first)} ms; ${milliseconds(traced.used)} of processor time`,
    `- traced: ${count} operations in ${(traced.span / 1e3).toFixed(2)} ms, a kernel running in ` +
    `${(traced.busy / 1e3).toFixed(2)} of them, the rest scheduling`,
    `- limit: ${(flop / 1e9).toFixed(2)} GFLOP at a plain product's ${
      (traced.productRate / 1e9).toFixed(0)
    } GFLOP/s: ` +
    `${milliseconds(flop / traced.productRate)} ms; ${
      (bytes / 1e6).toFixed(0)
    } MB read and written at ` +
    `${(large[1] / 1e9).toFixed(1)} GB/s (tensors of ${large[0]} floats): ${
      milliseconds(bytes / large[1])
    } ms, at ` +
    `${(small[1] / 1e9).toFixed(1)} (of ${small[0]}): ${milliseconds(bytes / small[1])} ms`,
    `- most bytes held by the step's own tensors: ${(traced.peak / 1e6).toFixed(0)} MB`,
    "",
    ...table("kind", summed(traced.operations, ([kind]) => kind)),
    ...table("operation", summed(working, ([, operation]) => operation)),
  ].join("\n");
}

async function replay(folder: string, threads: number, runs: number): Promise<Traced> {
  const python = Deno.env.get("SELF_ALIGNING_TENSORFLOW") ||
    await pythonEnvironment({ packages: [`tensorflow-cpu==${TENSORFLOW_VERSION}`] });
  const { success, stdout } = await new Deno.Command(python, {
    args: [join(import.meta.dirname!, "trace_peer.py"), folder, String(runs)],
    env: { TF_NUM_INTRAOP_THREADS: String(threads), TF_NUM_INTEROP_THREADS: String(threads) },
    stderr: "inherit",
  }).output();
  if (!success) throw new Error(`Cannot trace: ${python} failed; its last lines are above`);
  return JSON.parse(new TextDecoder().decode(stdout).trim().split("\n").at(-1)!);
}

/** A step of a cell of the study: sixteen conversations behind what they all start with, in a row of its own. */
const CELL: Shape = {
  ...{ ...SHAPES[0], name: "organism-17x18" },
  ...{ rows: 17, length: 18, supervised: 4 },
};

async function main() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      threads: { type: "string", default: "2,1" },
      runs: { type: "string", default: "20" },
      keep: { type: "string" },
    },
  });
  const names = positionals.length > 0 ? positionals : ["organism-16x36", "smollm2-4x128"];
  const runs = Number(values.runs);
  await openBackend("tensorflow");
  for (const name of names) {
    const shapes = [...SHAPES, CELL], shape = shapes.find((one) => one.name === name);
    if (shape === undefined) {
      const known = shapes.map(({ name }) => name).join(", ");
      throw new Error(`Cannot trace ${name}: expected one of ${known}`);
    }
    const folder = values.keep === undefined
      ? await Deno.makeTempDir({ prefix: "self-aligning-trace-" })
      : join(values.keep, name);
    try {
      await Deno.mkdir(folder, { recursive: true });
      await keepStep(shape, folder);
      for (const threads of values.threads.split(",").map(Number)) {
        const traced = await replay(folder, threads, runs);
        console.log(toMarkdown(shape, threads, runs, traced));
      }
    } finally {
      if (values.keep === undefined) await Deno.remove(folder, { recursive: true });
    }
  }
}

try {
  await main();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  Deno.exit(1);
}
