/**
 * Which of several ways to compute is fastest on this machine, measured once and kept by machine. Of a
 * graphics card and the processor beside it, a training step of the model's shape decides, taken on each in a
 * process of its own.
 */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { lastLines, run } from "../native/_command.ts";
import { sha256OfText } from "./digest.ts";
import { writeWhole } from "./files.ts";
import { PRECISION_VARIABLE } from "./precision.ts";

/** `cuda` and `processor` are TensorFlow's two, from one library. */
export type Candidate = "cuda" | "processor" | "webgpu" | "wasm";

/** A model's dimensions, and the tokens of a step. A `ModelConfiguration` has the first. */
export interface StepShape {
  vocabularySize: number;
  hiddenSize: number;
  layers: number;
  heads: number;
  keyValueHeads: number;
  headDimension: number;
  intermediateSize: number;
  /** Default: 16. */
  rows?: number;
  /** Tokens a row. Default: 36. */
  length?: number;
  /** Many such models are trained: on a processor one a core at once. */
  sideBySide?: boolean;
  /** Such models that a card trains in one step, and then tests one by one. Default: 1. */
  together?: number;
}

/** Names the variable that says which of `STEP_SHAPES` is measured where no model is known. */
export const SHAPE_VARIABLE = "SELF_ALIGNING_SHAPE";

/** A small organism, on a batch of its fine-tuning; the smallest of the real models, SmolLM2-135M. */
export const STEP_SHAPES = {
  organism: {
    ...{ vocabularySize: 942, hiddenSize: 64, intermediateSize: 192 },
    ...{ layers: 4, heads: 2, keyValueHeads: 2, headDimension: 32 },
    ...{ sideBySide: true, together: 16 },
  },
  real: {
    ...{ vocabularySize: 49152, hiddenSize: 576, intermediateSize: 1536 },
    ...{ layers: 30, heads: 9, keyValueHeads: 3, headDimension: 64 },
    ...{ rows: 4, length: 128 },
  },
} satisfies Record<string, StepShape>;

function defaultShape(): StepShape {
  return Deno.env.get(SHAPE_VARIABLE) === "real" ? STEP_SHAPES.real : STEP_SHAPES.organism;
}

/**
 * How long a model's step takes, as one of `together` and in each of `processes` at once (default: one), or
 * why there is none, or what it takes at least, where that is too long already.
 */
export type Outcome =
  | { milliseconds: number; processes?: number; together?: number }
  | { reason: string }
  | { atLeast: number };

export type Measured = { candidate: Candidate } & Outcome;

/** `at`: milliseconds since 1970. */
export interface Choice<C = Candidate> {
  candidate: C;
  measured: ({ candidate: C } & Outcome)[];
  at: number;
}

/** What makes a process compute with a candidate, and a worker with what its parent chose. */
export function environmentOf(candidate: Candidate): Record<string, string> {
  return {
    SELF_ALIGNING_BACKEND: candidate === "cuda" || candidate === "processor"
      ? "tensorflow"
      : candidate,
    ...(candidate === "processor" && { CUDA_VISIBLE_DEVICES: "-1" }),
  };
}

/** More layers and a larger vocabulary take longer on both sides alike. */
const MOST_LAYERS = 4;
const MOST_WORDS = 8192;
const SECONDS = 120;
/** What a compiled step launches on a card for each layer; more before and after all of them. */
const LAUNCHES = 130;
/** A launch takes no less, ms; TensorFlow's took three times as long (test/bench/card.md). */
const LAUNCH_TIME = 0.005;

/** The shape reduced to what decides between the candidates, so that no large model is built. */
function reduced(
  { rows = 16, length = 36, sideBySide = false, together = 1, ...shape }: StepShape,
): Required<StepShape> {
  const { hiddenSize, heads, keyValueHeads, headDimension, intermediateSize } = shape;
  return {
    vocabularySize: Math.min(shape.vocabularySize, MOST_WORDS),
    layers: Math.min(shape.layers, MOST_LAYERS),
    ...{ hiddenSize, heads, keyValueHeads, headDimension, intermediateSize, rows, length },
    ...{ sideBySide, together },
  };
}

/** Of a cell's launches, a test's to a training step's: 14 forward passes to 27 steps of thrice as many. */
export const TESTS = 14 / 27 / 3;

export const STEP_LINE = "measured step: ";

/** One training step by a candidate, in a process of its own, where it may crash. */
export async function measureStep(
  candidate: Candidate,
  shape: StepShape = defaultShape(),
): Promise<Outcome> {
  const script = fileURLToPath(new URL("../../tasks/measure_step.ts", import.meta.url));
  const onProcessor = candidate === "processor" || candidate === "wasm";
  const processes = shape.sideBySide && onProcessor ? navigator.hardwareConcurrency : 1;
  // Only CUDA trains several in one step.
  const asked = { ...reduced(shape), ...(candidate !== "cuda" && { together: 1 }) };
  const { output } = await run(
    [Deno.execPath(), "run", "-A", "--quiet", script, JSON.stringify([candidate, asked])],
    {
      // TensorFlow says only at that level why it leaves a card alone.
      env: {
        ...environmentOf(candidate),
        ...{ TF_CPP_MIN_LOG_LEVEL: "0", [PRECISION_VARIABLE]: "" },
        ...(processes > 1 && { TF_NUM_INTRAOP_THREADS: "1" }),
      },
      signal: AbortSignal.timeout(1000 * SECONDS),
    },
  );
  const line = output.split("\n").find((line) => line.startsWith(STEP_LINE));
  if (line === undefined) {
    return { reason: lastLines(output) || `it said nothing in ${SECONDS} seconds` };
  }
  const outcome: { milliseconds: number } | { unused: true } | { error: string } = JSON.parse(
    line.slice(STEP_LINE.length),
  );
  if ("milliseconds" in outcome) {
    const { together } = asked;
    return {
      ...outcome,
      ...(processes > 1 && { processes }),
      ...(together > 1 && { together }),
    };
  }
  return { reason: "error" in outcome ? outcome.error : cardReason(output) };
}

/** Of TensorFlow's log what it says about the card: errors first, without their stamps. */
export function cardReason(log: string): string {
  const lines = [...log.matchAll(/^(?:\S+ \S+ )?([IWEF])(?:\d{4} | )?.*?\.cc:\d+\] (.*)$/gm)]
    .filter(([line]) =>
      /cuda|cudnn|cublas|cuinit|\bgpus?\b|dlopen|dynamic library|nvidia/i.test(line)
    )
    .map(([, level, text]) => ({ rank: "FEWI".indexOf(level), text: text.trim() }))
    .sort((a, b) => a.rank - b.rank);
  const texts = [...new Set(lines.map(({ text }) => text))];
  return texts.slice(0, 2).join(" / ") || "TensorFlow gives no reason";
}

/** A failure can pass, as when another process has filled the card. */
const FAILURE_MINUTES = 10;

/**
 * The faster of two candidates; the first where neither works, so that its failure is seen. The processor
 * beside a card is measured first: opening a card takes long, and launching a small model's step alone can
 * take it longer than the processor's whole step.
 * @param about what else the times depend on: card, driver, processor, versions
 * @param folder where outcomes are kept
 * @param measure another way to measure, for tests
 */
export async function fasterOf(
  candidates: readonly [Candidate, Candidate],
  { about, folder, shape = defaultShape(), measure = measureStep }: {
    about: readonly (string | number | undefined)[];
    folder: string;
    shape?: StepShape;
    measure?: (candidate: Candidate, shape: StepShape) => Promise<Outcome>;
  },
): Promise<Choice> {
  const key = [candidates, about, reduced(shape)];
  return (await keptChoice(key, folder, () => measureTwo(candidates, shape, measure)))!;
}

async function measureTwo(
  [first, second]: readonly [Candidate, Candidate],
  shape: StepShape,
  measure: (candidate: Candidate, shape: StepShape) => Promise<Outcome>,
): Promise<Omit<Choice, "at">> {
  const { layers, together } = reduced(shape);
  const atLeast = LAUNCH_TIME * LAUNCHES * layers * (together === 1 ? 1 : 1 / together + TESTS);
  const timeOf = (one: Outcome) =>
    "milliseconds" in one ? one.milliseconds / (one.processes ?? 1) : Infinity;
  const other: Measured = { candidate: second, ...await measure(second, shape) };
  const isShorter = first === "cuda" && timeOf(other) < atLeast;
  const one = { candidate: first, ...isShorter ? { atLeast } : await measure(first, shape) };
  const measured: Measured[] = [one, other];
  const working = measured.filter((one) => "milliseconds" in one)
    .sort((a, b) => timeOf(a) - timeOf(b));
  return { candidate: working[0]?.candidate ?? first, measured };
}

/** Turns of each candidate, and milliseconds after which no more are taken. */
const TURNS = 5, MILLISECONDS = 400;

/**
 * The candidate whose turn takes the least time; undefined where it was not measured before and other work on
 * the machine would decide now.
 * @param key what the times depend on, with the candidates
 * @param begin makes a candidate ready; its first turns do not count
 */
export async function fastestTurn<C>(
  candidates: readonly C[],
  { key, folder, begin }: {
    key: unknown;
    folder: string;
    begin: (candidate: C) => { turn: () => Promise<unknown>; end: () => void };
  },
): Promise<C | undefined> {
  const choice = await keptChoice(key, folder, async () => {
    if (Deno.loadavg()[0] > navigator.hardwareConcurrency / 2) return undefined;
    const sides: (ReturnType<typeof begin> & { candidate: C; milliseconds: number })[] = [];
    try {
      for (const candidate of candidates) {
        sides.push({ ...begin(candidate), candidate, milliseconds: Infinity });
        for (let i = 0; i < 2; i++) await sides.at(-1)!.turn();
      }
      const until = performance.now() + MILLISECONDS;
      for (let i = 0; i === 0 || i < TURNS && performance.now() < until; i++) {
        for (const side of sides) {
          const start = performance.now();
          await side.turn();
          side.milliseconds = Math.min(side.milliseconds, performance.now() - start);
        }
      }
    } finally {
      for (const { end } of sides) end();
    }
    const measured = sides.map(({ candidate, milliseconds }) => ({ candidate, milliseconds }));
    const [{ candidate }] = measured.toSorted((a, b) => a.milliseconds - b.milliseconds);
    return { candidate, measured };
  });
  return choice?.candidate;
}

/** What was chosen before, or else what `choose` chooses now, if anything; what can't be kept is chosen again. */
async function keptChoice<C>(
  key: unknown,
  folder: string,
  choose: () => Promise<Omit<Choice<C>, "at"> | undefined>,
): Promise<Choice<C> | undefined> {
  const path = join(folder, `${sha256OfText(JSON.stringify(key)).slice(0, 16)}.json`);
  const kept = await readChoice<C>(path);
  if (kept !== undefined) return kept;
  const chosen = await choose();
  if (chosen === undefined) return undefined;
  const choice = { ...chosen, at: Date.now() };
  await writeWhole(path, JSON.stringify(choice) + "\n").catch(() => {});
  return choice;
}

async function readChoice<C>(path: string): Promise<Choice<C> | undefined> {
  try {
    const choice: Choice<C> = JSON.parse(await Deno.readTextFile(path));
    const minutes = (Date.now() - choice.at) / 60_000;
    const failed = choice.measured.some((one) => "reason" in one);
    return failed && !(minutes >= 0 && minutes < FAILURE_MINUTES) ? undefined : choice;
  } catch {
    return undefined;
  }
}

/** Three of them, never with an exponent: 1240, 17, 9.4. */
const digits = (value: number) => Number(value.toPrecision(3));

/** The outcomes, in a line: `cuda 9.4 ms, processor 17 ms in each of 16 processes`. */
export function measuredText(measured: readonly Measured[]): string {
  return measured.map((one) => {
    if ("reason" in one) return `${one.candidate} can't be used (${one.reason})`;
    if ("atLeast" in one) {
      return `${one.candidate} at least ${digits(one.atLeast)} ms for launches alone (not opened)`;
    }
    const { candidate, milliseconds, processes, together } = one;
    return `${candidate} ${digits(milliseconds)} ms` +
      (together ? ` a model, ${together} at once and their tests` : "") +
      (processes ? ` in each of ${processes} processes` : "");
  }).join(", ");
}
