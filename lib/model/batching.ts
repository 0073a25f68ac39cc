/**
 * Batches as the tensors of a step: cut into parts, and padded to few sizes, each a compiled graph.
 */
import * as tf from "@tensorflow/tfjs";
import { type Batch, IGNORED, padRows, roundSize, supervision } from "./batch.ts";
import { chooseLengths } from "./lengths.ts";

/** A batch whose supervised tokens may weigh differently. */
export interface WeightedBatch extends Batch {
  /** Weight of the loss on each label, of the labels' shape. Default: 1 for each. */
  weights?: number[][];
}

/** Token ids [B, T], flat positions [N] of supervised tokens, their labels [N] and weights [N]. */
export type BatchTensors = [tf.Tensor2D, tf.Tensor1D, tf.Tensor1D, tf.Tensor1D];

/** Lengths that parts of batches are padded to, each a graph; more leave less padding. */
const MOST_LENGTHS = 16;
/** A reserved number of supervised tokens is rounded up by no more than its 32nd. */
const RESERVED_STEPS = 32;

/** Padding costs as much as tokens, and a training has few lengths: rounded more finely than elsewhere. */
const roundLength = (length: number) => roundSize(length, 8);

/** The smallest of `lengths` that is at least `length`, or else that length rounded up. */
const fittingLength = (length: number, lengths?: readonly number[]) =>
  lengths?.find((candidate) => candidate >= length) ?? roundLength(length);

const longestOf = ({ inputIds }: Batch) =>
  inputIds.reduce((longest, { length }) => Math.max(longest, length), 0);

/** What a batch's tensors are padded to. */
interface BatchSizes {
  rows?: number;
  supervised?: number;
  /** How finely the number of supervised tokens is rounded up (see `roundSize`). Default: 4. */
  steps?: number;
  /** The smallest that fits is taken. */
  lengths?: readonly number[];
  /** The weights' sum that makes a mean. Default: the batch's own. */
  total?: number;
}

/** A batch as the tensors of `batchLoss`, of at least the sizes `least`; padding weighs nothing. */
export function batchTensors(batch: WeightedBatch, least: BatchSizes = {}): BatchTensors {
  const length = fittingLength(longestOf(batch), least.lengths);
  const rows = Math.max(batch.inputIds.length, least.rows ?? 0);
  const { positions, targets } = supervision(batch, length);
  if (positions.length === 0) {
    throw new Error(
      "Cannot train on the batch: expected a label other than -100 after the first token; found none",
    );
  }
  const weights = positions.map((flat) => {
    const row = Math.floor(flat / length);
    return batch.weights?.[row][flat - row * length + 1] ?? 1;
  });
  const total = least.total ?? weights.reduce((a, b) => a + b, 0);
  const size = roundSize(Math.max(positions.length, least.supervised ?? 0), least.steps);
  const padded = (values: number[], dtype: "int32" | "float32") => {
    const data = dtype === "int32" ? new Int32Array(size) : new Float32Array(size);
    data.set(values);
    return tf.tensor1d(data, dtype);
  };
  return [
    padRows(batch.inputIds, { batch: rows, length }),
    padded(positions, "int32"),
    padded(targets, "int32"),
    padded(weights.map((weight) => weight / total), "float32"),
  ];
}

/** The weights of a batch's supervised tokens, summed. */
export function weightOf({ labels, weights }: WeightedBatch): number {
  let total = 0;
  labels.forEach((row, b) =>
    row.forEach((label, t) => {
      if (t > 0 && label !== IGNORED) total += weights?.[b][t] ?? 1;
    })
  );
  return total;
}

/** How the batches of one training become tensors. */
export class Batching {
  /** Rows and supervised tokens that whole batches are padded to. */
  largest = { rows: 0, supervised: 0 };
  #lengths: number[] = [];
  /** The most supervised tokens of a part, by its rows and length. */
  readonly #supervised = new Map<string, number>();

  /** @param compiled whether sizes should repeat, since each is a graph */
  constructor(readonly batchTokens: number, readonly compiled: boolean) {}

  /**
   * Fixes the sizes of the steps to come, so that compiled steps need few graphs. For whole
   * batches: the largest one's rows and supervised tokens, its length and halves of it. For parts:
   * few lengths that leave the least padding, and for each the most supervised tokens.
   */
  reserve(batches: readonly Batch[]): void {
    const longest = batches.map(longestOf);
    if (batches.some(({ inputIds }, i) => inputIds.length * longest[i] > this.batchTokens)) {
      const rows = batches.flatMap(({ inputIds }) => inputIds.map((row) => row.length));
      this.#lengths = chooseLengths(rows, MOST_LENGTHS);
      for (const part of batches.flatMap((batch) => this.split(batch))) {
        const { rows, length } = this.#partSize(part);
        const { positions } = supervision(part, length);
        const key = `${rows}x${length}`;
        this.#supervised.set(key, Math.max(this.#supervised.get(key) ?? 0, positions.length));
      }
      return;
    }
    for (const [i, batch] of batches.entries()) {
      const { positions } = supervision(batch, longest[i]);
      this.#enlarge(batch.inputIds.length, roundSize(positions.length));
    }
    const most = Math.max(1, ...longest);
    this.#lengths = [roundLength(most)];
    for (let half = roundLength(most / 2); half >= 32; half = roundLength(half / 2)) {
      this.#lengths.unshift(half);
    }
  }

  /** The batch in parts of like lengths, each of at most `batchTokens` padded tokens (or one row). */
  split(batch: WeightedBatch): WeightedBatch[] {
    const { inputIds, labels, weights } = batch;
    const padded = (row: number) => fittingLength(inputIds[row].length, this.#lengths);
    const order = inputIds.map((_, row) => row)
      .sort((a, b) => inputIds[b].length - inputIds[a].length);
    if (order.length * padded(order[0]) <= this.batchTokens) return [batch];
    const parts: number[][] = [];
    for (let start = 0; start < order.length;) {
      const count = Math.max(1, Math.floor(this.batchTokens / padded(order[start])));
      parts.push(order.slice(start, start += count));
    }
    return parts.map((rows) => ({
      inputIds: rows.map((row) => inputIds[row]),
      labels: rows.map((row) => labels[row]),
      weights: weights && rows.map((row) => weights[row]),
    }));
  }

  /** The tensors of a batch that is not cut, padded to the sizes of those before it. */
  wholeTensors(batch: WeightedBatch): BatchTensors {
    const tensors = batchTensors(batch, this.#least(batch));
    this.#enlarge(tensors[0].shape[0], tensors[1].shape[0]);
    return tensors;
  }

  /** @param total the weights' sum over all parts */
  partTensors(part: WeightedBatch, total: number): BatchTensors {
    const { rows, length } = this.#partSize(part);
    const supervised = this.#supervised.get(`${rows}x${length}`);
    const reserved = supervised === undefined
      ? { steps: this.compiled ? 1 : undefined }
      : { supervised, steps: RESERVED_STEPS };
    return batchTensors(part, { total, rows, lengths: this.#lengths, ...reserved });
  }

  /** Tokens that a step on this batch reads, padding counted. */
  paddedTokens(batch: Batch): number {
    const parts = this.split(batch);
    if (parts.length === 1) {
      return Math.max(this.#least(batch).rows ?? 0, batch.inputIds.length) *
        this.#partSize(batch).length;
    }
    return parts.map((part) => this.#partSize(part))
      .reduce((sum, { rows, length }) => sum + rows * length, 0);
  }

  #enlarge(rows: number, supervised: number): void {
    this.largest = {
      rows: Math.max(this.largest.rows, rows),
      supervised: Math.max(this.largest.supervised, supervised),
    };
  }

  /** Sizes that a whole batch is padded to, whose graph it then shares. */
  #least(batch: Batch): BatchSizes {
    if (!this.compiled) return {};
    const small = batch.inputIds.length * 2 <= this.largest.rows / 4;
    return { ...(small ? {} : this.largest), lengths: this.#lengths };
  }

  /** Rows and length that a part is padded to; compiled, such that parts share few graphs. */
  #partSize(part: Batch): { rows: number; length: number } {
    const length = fittingLength(longestOf(part), this.#lengths);
    let rows = part.inputIds.length;
    if (this.compiled) {
      rows = Math.max(1, Math.floor(this.batchTokens / length));
      while (rows >= 2 * part.inputIds.length) rows = Math.floor(rows / 2);
    }
    return { rows, length };
  }
}
