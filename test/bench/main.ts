/**
 * Benchmarks beside PyTorch, transformers and lm-evaluation-harness: `deno task bench [NAME...]`.
 *
 *   NAME          what to measure (names' beginnings): training's shapes, probing, generation, epoch,
 *                 wasm; default: all but *-all. --only=NAME,NAME says the same
 *   --rounds=5    interleaved rounds        --output=FILE   results as JSON as well
 *   --threads=N   each side's threads, e.g. 2, or 2,1 for a side of PyTorch's training each; default:
 *                 all cores, as this project's native backend takes
 *   --model=NAME  of probing, generation and epoch: what `loadModel` takes; default: smollm2
 *   --questions=FILE  of probing, with dev.jsonl beside it; default: reference rows, or made-up ones
 *   --device=cpu  PyTorch's device          --compile       also torch.compile
 *   --smoke       tiny training shapes, two rounds: shows that both sides run and agree, times nothing
 */
import { parseArgs } from "node:util";
import { writeWhole } from "../../lib/platform/runtime/files.ts";
import { pythonEnvironment } from "../../lib/platform/native/python.ts";
import { REFERENCE_PACKAGES } from "../numerics/_python.ts";
import { REASON_WITHOUT_PYTHON, referencePython } from "../numerics/_python.ts";
import { BUSY_CORES } from "./_load.ts";
import { type Comparison, comparisonsToMarkdown } from "./_rounds.ts";
import { benchmarkEpoch } from "./epoch.ts";
import { benchmarkGeneration } from "./generation.ts";
import { benchmarkProbing, LM_EVAL_PACKAGES } from "./probing.ts";
import {
  benchmarkTraining,
  FLOP_FORMULA,
  type Measurement,
  type Shape,
  SHAPES,
  SMOKE_SHAPE,
  type TrainingResult,
} from "./training.ts";
import { benchmarkWasm } from "./wasm.ts";

/** What is measured beside training's shapes. */
const OTHERS = ["probing", "generation", "epoch", "wasm"] as const;

function readArguments(args: string[]) {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      rounds: { type: "string", default: "5" },
      threads: { type: "string", default: String(navigator.hardwareConcurrency) },
      device: { type: "string", default: "cpu" },
      model: { type: "string", default: "smollm2" },
      questions: { type: "string" },
      only: { type: "string" },
      output: { type: "string" },
      compile: { type: "boolean", default: false },
      smoke: { type: "boolean", default: false },
    },
  });
  const count = (name: "rounds" | "threads", text: string) => {
    if (/^[1-9]\d*$/.test(text)) return Number(text);
    throw new Error(
      `Cannot run the benchmarks: expected a whole number from 1 in --${name}; found ${text}; ` +
        `give e.g. --${name}=5`,
    );
  };
  return {
    ...values,
    rounds: count("rounds", values.rounds),
    threads: values.threads.split(",").map((text) => count("threads", text)),
    names: [...positionals, ...values.only?.split(",") ?? []],
  };
}

/** The shapes and other measurements that names stand for. */
function choose(names: string[]): { shapes: Shape[]; others: Set<string> } {
  const shapes = SHAPES.filter(({ name }) => !name.endsWith("-all"));
  if (names.length === 0) return { shapes, others: new Set(OTHERS) };
  const known = [...SHAPES.map((shape) => shape.name), ...OTHERS];
  const chosen = new Set(names.flatMap((name) => {
    const found = known.includes(name) ? [name] : known.filter((one) => one.startsWith(name));
    if (found.length > 0) return found;
    throw new Error(
      `Cannot run the benchmark ${name}: expected one of ${known.join(", ")}; give one of these`,
    );
  }));
  return { shapes: SHAPES.filter(({ name }) => chosen.has(name)), others: chosen };
}

const describe = (versions: Record<string, string>) =>
  Object.entries(versions).map(([name, version]) => `${name} ${version}`).join(", ");

const isBusy = (m: Measurement) => m.othersCores !== null && m.othersCores > BUSY_CORES;

/** The results as a table of Markdown with what one needs to read it. */
function toMarkdown(results: TrainingResult[]): string {
  const head = [
    "shape",
    "side",
    "step, ms (range)",
    "tokens/s",
    "GFLOP/s",
    "share of its product's",
    "peak memory, GB",
    "ours / this (rounds)",
  ];
  const rows = results.flatMap(({ shape, measurements }) =>
    measurements.map((m, i) => [
      shape.name,
      isBusy(m) ? `${m.side} (machine busy)` : m.side,
      `${(1000 * m.seconds).toFixed(1)} (${(1000 * m.fastest).toFixed(1)} to ` +
      `${(1000 * m.slowest).toFixed(1)})`,
      m.tokensPerSecond.toFixed(0),
      m.gigaflopsPerSecond.toFixed(1),
      `${(100 * m.productShare).toFixed(0)}% of ${m.productRate.toFixed(0)}`,
      m.peakBytes === null ? "unknown" : (m.peakBytes / 1e9).toFixed(2),
      i === 0
        ? ""
        : `${m.ratio.toFixed(2)} (${m.ratioRange.map((r) => r.toFixed(2)).join(" to ")})`,
    ])
  );
  const line = (cells: string[]) => `| ${cells.join(" | ")} |`;
  const notes = results.map(({ shape, parameters, rounds, measurements }) =>
    `- ${shape.name}: ${parameters.toLocaleString("en-US")} parameters, ${shape.rows} rows x ` +
    `${shape.length} tokens, loss on ${shape.supervised} a row, ${rounds} rounds of ` +
    `${shape.steps} steps, loss of step 1 ` +
    measurements.map((m) => m.firstLoss.toFixed(4)).join(" / ") +
    `, of step ${1 + shape.steps} ` + measurements.map((m) => m.warmLoss.toFixed(4)).join(" / ")
  );
  const sides = (results[0]?.measurements ?? []).map((m) =>
    `- ${m.side}: ${describe(m.versions)}; ${m.device}; ${m.threads ?? "unknown"} threads`
  );
  const busy = results.flatMap(({ measurements }) => measurements).filter(isBusy);
  const warning = busy.length === 0 ? [] : [
    `Other processes took up to ${Math.max(...busy.map((m) => m.othersCores!)).toFixed(1)} cores ` +
    "while the rows marked busy ran: these are no measurements; run again on a quiet machine.",
    "",
  ];
  return [
    line(head),
    line(head.map(() => "---")),
    ...rows.map(line),
    "",
    ...warning,
    "A step is forward, loss, backward, clipping and AdamW, its loss and gradient norm read back. " +
    `Steps and ratios are medians. FLOP: ${FLOP_FORMULA}. This project computes the output layer ` +
    "only where the loss looks, transformers everywhere. The share is that of the work which a side " +
    "does itself in what a plain product of [1024, 1024] reaches there (GFLOP/s). Peak memory is the process's VmHWM, " +
    "loading included.",
    ...notes,
    ...sides,
  ].join("\n");
}

/** A Python with `packages`; made where none is named, but for a smoke run. */
async function choosePython(packages: string[], smoke: boolean): Promise<string | undefined> {
  const python = await referencePython();
  if (python !== undefined || smoke) return python;
  return await pythonEnvironment({ packages });
}

/** The Python, or undefined where it lacks the module. */
async function withModule(python: string, module: string): Promise<string | undefined> {
  const args = ["-c", `import importlib.util as u, sys; sys.exit(not u.find_spec("${module}"))`];
  const { success } = await new Deno.Command(python, { args, stderr: "null" }).output();
  return success ? python : undefined;
}

/** lm-eval's Python: the one that is named if it has it, else an environment of its own. */
async function lmEvalPython(named: string | undefined): Promise<string | undefined> {
  if (Deno.env.get("SELF_ALIGNING_PYTHON") && named) return await withModule(named, "lm_eval");
  return await pythonEnvironment({ packages: [...REFERENCE_PACKAGES, ...LM_EVAL_PACKAGES] });
}

async function main() {
  const { names, smoke, output, rounds, threads, device, compile, model, questions } =
    readArguments(Deno.args);
  const { shapes, others } = smoke
    ? { shapes: [SMOKE_SHAPE], others: new Set<string>() }
    : choose(names);
  const onProgress = (line: string) => console.error(line);
  const needsPython = shapes.length > 0 || others.has("generation");
  const python = needsPython ? await choosePython(REFERENCE_PACKAGES, smoke) : undefined;
  if (smoke && python === undefined) {
    console.log(`Smoke run skipped: ${REASON_WITHOUT_PYTHON}`);
    return;
  }
  const results: TrainingResult[] = [], comparisons: Comparison[] = [];
  // After every one, so that a run cut short keeps what it measured.
  const keep = async () => {
    if (output === undefined) return;
    const time = new Date().toISOString();
    const record = { time, flopFormula: FLOP_FORMULA, results, comparisons };
    await writeWhole(output, JSON.stringify(record, null, 2) + "\n");
  };
  for (const shape of shapes) {
    results.push(
      await benchmarkTraining(shape, {
        python: python!,
        rounds: smoke ? 2 : rounds,
        threads,
        device,
        compile,
        onProgress,
      }),
    );
    await keep();
  }
  const real = { source: model, rounds, threads: threads[0], onProgress };
  const measure: Record<typeof OTHERS[number], () => Promise<Comparison>> = {
    probing: async () =>
      await benchmarkProbing({
        ...real,
        python: await lmEvalPython(await referencePython()),
        questions,
      }),
    generation: () => benchmarkGeneration({ ...real, python }),
    epoch: () => benchmarkEpoch(real),
    wasm: () => benchmarkWasm(real),
  };
  for (const name of OTHERS) {
    if (!others.has(name)) continue;
    comparisons.push(await measure[name]());
    await keep();
  }
  if (results.length > 0) console.log(toMarkdown(results));
  if (comparisons.length > 0) console.log(comparisonsToMarkdown(comparisons));
}

try {
  await main();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  Deno.exit(1);
}
