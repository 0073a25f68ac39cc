/**
 * An epoch of real group rows: this project's batches (like lengths together, padded to a few lengths)
 * against the authors' (every row padded to 2,048 tokens), both by this project's trainer on the same
 * backend. The share of padding is counted over the whole epoch; the speed is measured on a part of it.
 */
import * as tf from "@tensorflow/tfjs";
import { openBackend } from "../../lib/platform/runtime/backend.ts";
import { encodeConversation } from "../../lib/model/encode.ts";
import { paperFinetuning } from "../../lib/model/finetune_settings.ts";
import { Trainer } from "../../lib/model/trainer.ts";
import { type Batch, Batching } from "../../lib/model/batch.ts";
import { loadModel } from "../../lib/model/files/load.ts";
import { Random } from "../../lib/statistics/random.ts";
import { readReleasedGroups } from "../../lib/study/released.ts";
import { benchQuestions } from "./_questions.ts";
import { attendedBy, type Comparison, forwardFlops, interleave, type Side } from "./_rounds.ts";
import { evenly } from "./probing.ts";

export interface EpochOptions {
  /** What `loadModel` takes. */
  source: string;
  rounds: number;
  /** Padded rows measured in a round of the authors' way. Default: 2, each a part of a step. */
  paddedCount?: number;
  /** Tokens that every row is padded to there. Default: 2,048, the authors'. */
  paddedTo?: number;
  onProgress: (line: string) => void;
}

const cell = new URL("../../../shared/reference-data/group/llama-2-7b/history/", import.meta.url);

/** Conversations of a group, as text. */
async function conversations(): Promise<{ rows: Conversation[]; from: string }> {
  const there = await Deno.stat(cell).then(({ isDirectory }) => isDirectory, () => false);
  if (there) {
    const { groups: { inc } } = await readReleasedGroups(cell.pathname);
    return {
      rows: inc.map((answer) => ({ ...answer, answer: answer.output ?? answer.answer })),
      from: `the ${inc.length} INC rows of the released group llama-2-7b/history`,
    };
  }
  const { questions } = await benchQuestions(768);
  return {
    rows: questions.map((question) => ({ ...question, explanation: question.question.repeat(4) })),
    from: "768 made-up conversations as long as real ones",
  };
}

type Conversation = Awaited<ReturnType<typeof benchQuestions>>["questions"][number];

export async function benchmarkEpoch(options: EpochOptions): Promise<Comparison> {
  const { source, rounds, paddedCount = 2, onProgress } = options;
  const { batchSize, batchTokens, maxTokens, ...settings } = paperFinetuning;
  const { paddedTo = maxTokens } = options;
  const backend = await openBackend();
  const model = await loadModel(source);
  try {
    const { format, config } = model;
    const { rows, from } = await conversations();
    const encoded = rows.map((row) =>
      encodeConversation([
        { role: "user", content: format.questionText(row) },
        { role: "assistant", content: format.answerText(row, row.answer, row) },
      ], { tokenizer: model.requireTokenizer(), format, maxTokens })
    );
    const toBatch = (rows: typeof encoded): Batch => ({
      inputIds: rows.map(({ ids }) => ids),
      labels: rows.map(({ labels }) => labels),
    });
    const order = new Random(0).fork("order/0").shuffle(encoded);
    const epoch = Array.from(
      { length: Math.ceil(order.length / batchSize) },
      (_, i) => toBatch(order.slice(i * batchSize, (i + 1) * batchSize)),
    );
    // A padded row's attention would take more memory than most machines have, so both compute again.
    const trainer = new Trainer(model, {
      ...settings,
      batchTokens,
      totalSteps: 1000,
      gradientCheckpointing: "layer",
    });
    trainer.reserve(epoch);
    const sum = (values: number[]) => values.reduce((a, b) => a + b, 0);
    const tokens = sum(encoded.map(({ ids }) => ids.length));
    const batching = new Batching(batchTokens, true);
    batching.reserve(epoch);
    const padded = sum(epoch.map((batch) => {
      const parts = batching.split(batch);
      const inputs = parts.length === 1
        ? [batching.wholeTensors(batch)]
        : parts.map((part) => batching.partTensors(part, 1));
      const sizes = inputs.map(([{ size }]) => size);
      tf.dispose(inputs);
      return sum(sizes);
    }));
    const padding = 1 - tokens / padded;
    onProgress(`epoch: ${(100 * padding).toFixed(1)}% of the tokens of our batches are padding`);

    // Rows of neighbouring lengths, as many as two parts of a large batch have of them.
    const sorted = encoded.toSorted((a, b) => a.ids.length - b.ids.length);
    const lengths = sorted.map(({ ids }) => ids.length);
    const count = 2 * Math.max(1, Math.floor(0.97 * batchTokens / lengths[lengths.length >> 1]));
    const middle = Math.floor((sorted.length - count) / 2);
    const part = sorted.slice(middle, middle + count);
    const ours = toBatch(part);
    const theirs = toBatch(
      evenly(lengths, paddedCount).map((i) => ({
        ids: [...sorted[i].ids, ...new Array(paddedTo - sorted[i].ids.length).fill(0)],
        labels: [...sorted[i].labels, ...new Array(paddedTo - sorted[i].ids.length).fill(-100)],
      })),
    );
    // Forward, and twice that backward, of the tokens that are no padding.
    const flops = (rows: typeof encoded) =>
      3 * forwardFlops(config, {
        tokens: sum(rows.map(({ ids }) => ids.length)),
        attended: sum(rows.map(({ ids }) => attendedBy(0, ids.length))),
        heads: sum(rows.map(({ labels }) => labels.filter((label) => label >= 0).length)),
      });
    const about = `Deno ${Deno.version.deno}, ${backend.name} ${
      backend.versions.tensorflow ?? ""
    }, ${backend.device}, ${backend.threads ?? "unknown"} threads`;
    const oursTokens = sum(ours.inputIds.map((row) => row.length));
    const side = (name: string, batch: Batch, units: number, done: typeof encoded): Side => ({
      name,
      pid: Deno.pid,
      about,
      units,
      flops: flops(done),
      run: async () => void await trainer.step(batch),
    });
    // In rows of the mean length, so that rates are of the same rows.
    const mean = tokens / encoded.length;
    const sides = [
      side("our batches", ours, oursTokens / mean, part),
      side(
        `every row padded to ${paddedTo}`,
        theirs,
        paddedCount,
        evenly(lengths, paddedCount).map((i) => sorted[i]),
      ),
    ];
    const measured = await interleave(sides, {
      rounds,
      unit: "rows/s",
      onProgress: (line) => onProgress(`epoch: ${line}`),
    });
    const hours = (rate: number) => (encoded.length / rate / 3600).toFixed(2);
    const notes = [
      `${source}; ${from}, ${mean.toFixed(0)} tokens each on average; steps of ${batchSize} ` +
      `conversations in parts of ${batchTokens} tokens`,
      `counted over the whole epoch: ${(100 * padding).toFixed(1)}% of our batches' tokens are ` +
      `padding (${padded} tokens read for ${tokens}); padded to ${paddedTo} it is ${
        (100 * (1 - tokens / encoded.length / paddedTo)).toFixed(1)
      }%, ${(encoded.length * paddedTo / padded).toFixed(1)} times the tokens`,
      `measured, not the whole epoch: steps on ${count} conversations of the middle lengths ` +
      `(${oursTokens} tokens, given as rows of the mean length) and on ${paddedCount} padded ` +
      `row(s), layers computed again for the gradient, update included; at these rates an epoch takes ${
        hours(measured[0].rate)
      } and ${hours(measured[1].rate)} hours`,
      "GFLOP/s: of tokens that are no padding, the output layer where the loss looks",
    ];
    return { name: "epoch", unit: "rows/s", rounds, sides: measured, notes };
  } finally {
    model.dispose();
  }
}
