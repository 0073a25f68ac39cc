/**
 * Five-shot probing of a real model: questions a second of `probe`, of the authors' way on the same
 * backend (one question at a time, nothing shared, logits of all positions) and of
 * lm-evaluation-harness, on the same weights and tokens.
 */
import { join } from "node:path";
import { Peer } from "./_peer.ts";
import {
  attendedBy,
  type Comparison,
  forwardFlops,
  type ForwardWork,
  interleave,
  type Side,
} from "./_rounds.ts";
import type { Answers } from "./inference_peer.ts";

export interface InferenceOptions {
  /** What `loadModel` takes. */
  source: string;
  /** A Python with what the other side needs; without one that side is left out. */
  python?: string;
  rounds: number;
  /** Threads of each side. */
  threads: number;
  onProgress: (line: string) => void;
}

export interface ProbingOptions extends InferenceOptions {
  /** Questions of a round, as many as a small test set has. Default: 128. */
  count?: number;
  /** Of these, how many the authors' way and lm-eval do, evenly over the lengths. Defaults: 6, 16. */
  samples?: { oneByOne?: number; lmEval?: number };
  /** A file of questions, with dev.jsonl beside it. Default: see `benchQuestions`. */
  questions?: string;
}

/** The batch size of lm-eval: its documentation's usual one for small models. */
const LM_EVAL_BATCH = 16;

/** This project's process, TensorFlow's threads set. */
export function openOurs(threads: number): Peer {
  const command = [
    Deno.execPath(),
    "run",
    "-A",
    join(import.meta.dirname!, "inference_peer.ts"),
  ];
  return new Peer("self-aligning", command, {
    TF_NUM_INTRAOP_THREADS: String(threads),
    TF_NUM_INTEROP_THREADS: String(threads),
  });
}

export function openPython(python: string, name: string): Peer {
  const command = [python, join(import.meta.dirname!, "inference_peer.py")];
  return new Peer(name, command, { HF_HUB_OFFLINE: "1", TOKENIZERS_PARALLELISM: "false" });
}

/** `count` of the places, evenly over the lengths of what stands there. */
export function evenly(lengths: readonly number[], count: number): number[] {
  const order = lengths.map((_, i) => i).sort((a, b) => lengths[a] - lengths[b]);
  return Array.from(
    { length: Math.min(count, order.length) },
    (_, i) => order[Math.floor((i + 0.5) * order.length / Math.min(count, order.length))],
  );
}

/** @throws when a peer fails, or when the sides do not give the same answers */
export async function benchmarkProbing(options: ProbingOptions): Promise<Comparison> {
  const { source, python, rounds, threads, count = 128, onProgress } = options;
  const { oneByOne = 6, lmEval = LM_EVAL_BATCH } = options.samples ?? {};
  const folder = await Deno.makeTempDir({ prefix: "self-aligning-bench-" });
  const peers: Peer[] = [];
  try {
    const ours = openOurs(threads);
    peers.push(ours);
    onProgress(`probing: ${source} opens`);
    const opened = await ours.ask<Answers["open"]>({ do: "open", source });
    const { config } = opened;
    const { prompts, letters, shared, from } = await ours.ask<Answers["questions"]>({
      do: "questions",
      count,
      file: options.questions,
    });
    const lengths = prompts.map((row) => row.length);
    const probed = await ours.ask<Answers["probe"]>({ do: "probe", count });

    const places = evenly(lengths, oneByOne);
    const whole = (at: number[]): ForwardWork => ({
      tokens: at.reduce((sum, i) => sum + lengths[i], 0),
      attended: at.reduce((sum, i) => sum + attendedBy(0, lengths[i]), 0),
      heads: at.reduce((sum, i) => sum + lengths[i], 0),
    });
    const sides: Side[] = [
      {
        name: "self-aligning",
        pid: ours.pid,
        about: opened.about,
        units: count,
        flops: forwardFlops(config, {
          tokens: shared + lengths.reduce((sum, length) => sum + length - shared, 0),
          attended: attendedBy(0, shared) +
            lengths.reduce((sum, length) => sum + attendedBy(shared, length), 0),
          heads: count,
        }),
        run: async () => (await ours.ask<Answers["probe"]>({ do: "probe", count })).seconds,
      },
      {
        name: "the authors' way, same backend",
        pid: ours.pid,
        about: "one question at a time, unpadded, logits of all positions; compiled as well",
        units: places.length,
        flops: forwardFlops(config, whole(places)),
        run: async () => (await ours.ask<Answers["oneByOne"]>({ do: "oneByOne", places })).seconds,
      },
    ];
    const notes = [
      `${source}, ${opened.parameters.toLocaleString("en-US")} parameters, float32; ${from}; ` +
      `5 shots, ${Math.round(lengths.reduce((a, b) => a + b, 0) / count)} tokens a question, ` +
      `${shared} of them the same in all; ours does ${count} questions a round, the authors' way ` +
      `${places.length} and lm-eval ${lmEval} of them, evenly over the lengths`,
      "GFLOP/s: of the matrix products that each side's way asks for, padding not counted",
    ];

    const naive = await ours.ask<Answers["oneByOne"]>({ do: "oneByOne", places });
    notes.push(
      "the authors' way gives " +
        agreement(places.map((i) => probed.probabilities[i]), naive.probabilities, 1e-5),
    );

    if (python === undefined) {
      notes.push(`lm-eval is missing: ${HOW_TO_INSTALL}`);
    } else {
      await ours.ask({ do: "save", folder });
      const peer = openPython(python, "lm-eval");
      peers.push(peer);
      onProgress("probing: lm-eval opens");
      const { about } = await peer.ask<{ about: string }>({
        do: "open",
        tool: "lm-eval",
        folder,
        threads,
        batch: LM_EVAL_BATCH,
      });
      const places = evenly(lengths, lmEval);
      const order = {
        do: "score",
        prompts: places.map((i) => prompts[i]),
        letters: places.map((i) => letters[i]),
      };
      const { scores } = await peer.ask<{ scores: number[][] }>(order);
      const theirs = scores.map((row) => {
        const weights = row.map((score) => Math.exp(score - Math.max(...row)));
        const total = weights.reduce((a, b) => a + b, 0);
        return weights.map((weight) => weight / total);
      });
      notes.push(
        "lm-eval gives " + agreement(places.map((i) => probed.probabilities[i]), theirs, 1e-4),
      );
      sides.push({
        name: `lm-eval, batch ${LM_EVAL_BATCH}`,
        pid: peer.pid,
        about,
        units: places.length,
        flops: forwardFlops(config, whole(places)),
        run: async () => (await peer.ask<{ seconds: number }>(order)).seconds,
      });
    }
    const measured = await interleave(sides, {
      rounds,
      unit: "questions/s",
      onProgress: (line) => onProgress(`probing: ${line}`),
    });
    return { name: "probing", unit: "questions/s", rounds, sides: measured, notes };
  } finally {
    for (const peer of peers) await peer.close();
    await Deno.remove(folder, { recursive: true });
  }
}

/** What lm-eval needs, as pip names it. */
export const LM_EVAL_PACKAGES = ["lm_eval==0.4.13", "accelerate==1.15.0"];

const HOW_TO_INSTALL = `pip install ${LM_EVAL_PACKAGES.join(" ")} in the Python that ` +
  "SELF_ALIGNING_PYTHON names, beside torch and transformers";

/** @throws where two sides choose other options, or differ by more than `tolerance` */
function agreement(ours: number[][], theirs: number[][], tolerance: number): string {
  const best = (row: number[]) => row.indexOf(Math.max(...row));
  let largest = 0;
  ours.forEach((row, i) => {
    row.forEach((p, k) => largest = Math.max(largest, Math.abs(p - theirs[i][k])));
    if (best(row) === best(theirs[i]) && largest <= tolerance) return;
    throw new Error(
      `Cannot compare probing: expected the same probabilities within ${tolerance}; found ` +
        `${row} and ${theirs[i]} of question ${i}; see test/numerics/prefix.test.ts`,
    );
  });
  return `the same option on ${ours.length} of ${ours.length} questions, probabilities within ` +
    largest.toExponential(1);
}
