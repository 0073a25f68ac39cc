/** Rows of token ids as tensors: padded on the right, sizes rounded so that few shapes occur. */
import * as tf from "@tensorflow/tfjs";
import type { ModelConfiguration } from "./configuration.ts";
import { chooseLengths, worthSharing } from "./lengths.ts";

/** A label that carries no loss, as in transformers. */
export const IGNORED = -100;

/** Numbers of one block of logits that is read (64 MiB). */
export const LOGITS_AT_ONCE = 2 ** 24;
/** Texts of the mean length per packed row: fewer leave padding, more cost masked scores. */
export const TEXTS_A_ROW = 2;

/** Token ids and labels of one step; `labels[i][t]` is what stands at position t (shifted inside). */
export type Batch = { inputIds: number[][]; labels: number[][] };

/** `n` rounded up by less than one in `parts`, a power of two, so that near sizes share a graph. */
export function roundSize(n: number, parts = 4): number {
  const step = Math.max(1, 2 ** Math.floor(Math.log2(Math.max(1, n) / parts)));
  return Math.ceil(n / step) * step;
}

/** @throws if there is no row, a row is empty or a token id lies outside the vocabulary */
export function checkRows(inputIds: number[][], vocabularySize: number): void {
  if (inputIds.length === 0) throw new Error("Cannot run the model: expected rows; found none");
  inputIds.forEach((row, i) => {
    if (row.length === 0) {
      throw new Error(`Cannot run the model: expected tokens in row ${i}; found none`);
    }
    const wrong = findOther(row, vocabularySize);
    if (wrong >= 0) {
      throw new Error(
        `Cannot run the model: expected token ids from 0 to ${vocabularySize - 1} in row ${i}; ` +
          `found ${row[wrong]} at ${wrong}; encode the text with the model's own tokenizer`,
      );
    }
  });
}

/**
 * A card does not check the ids that it is sent.
 * @throws as `checkRows`, where a row has more tokens than the model positions, and where labels don't fit
 * the rows' tokens, `IGNORED` or the vocabulary
 */
export function checkBatch(
  { inputIds, labels }: Batch,
  { vocabularySize, maxPositions }: Pick<ModelConfiguration, "vocabularySize" | "maxPositions">,
): void {
  checkRows(inputIds, vocabularySize);
  const long = inputIds.findIndex(({ length }) => length > maxPositions);
  if (long >= 0) {
    throw new Error(
      `Cannot train on row ${long}: expected at most ${maxPositions} tokens, the model's positions; ` +
        `found ${inputIds[long].length}; cut the row, or choose a model of more positions`,
    );
  }
  if (labels.length !== inputIds.length) {
    throw new Error(
      `Cannot train on the batch: expected labels for ${inputIds.length} rows; found ` +
        `${labels.length}; give each row of ids a row of labels`,
    );
  }
  labels.forEach((row, i) => {
    const { length } = inputIds[i];
    if (row?.length !== length) {
      throw new Error(
        `Cannot train on row ${i}: expected ${length} labels; found ${row?.length ?? 0}`,
      );
    }
    const wrong = findOther(row, vocabularySize, IGNORED);
    if (wrong >= 0) {
      throw new Error(
        `Cannot train on row ${i}: expected labels from 0 to ${vocabularySize - 1} or ` +
          `${IGNORED}; found ${row[wrong]} at ${wrong}`,
      );
    }
  });
}

function findOther(ids: readonly number[], vocabularySize: number, allowed = 0): number {
  return ids.findIndex((id) =>
    !(Number.isInteger(id) && id >= 0 && id < vocabularySize) && id !== allowed
  );
}

/** Rows as ids [B, T] (int32), padded with 0 on the right. Rows beyond the given ones are padding. */
export function padRows(rows: number[][], { batch = rows.length, length = 0 } = {}): tf.Tensor2D {
  const width = Math.max(length, ...rows.map((row) => row.length));
  const ids = new Int32Array(batch * width);
  rows.forEach((row, i) => ids.set(row, i * width));
  return tf.tensor2d(ids, [batch, width], "int32");
}

/**
 * Packs texts into rows of `width` tokens, the longest text's at least: each into the first row that has
 * room, the longest first.
 * @returns the rows' texts, by their place in `lengths`
 */
export function packTexts(lengths: readonly number[], width: number): number[][] {
  const order = lengths.map((_, i) => i).sort((a, b) => lengths[b] - lengths[a]);
  const rows: number[][] = [], room: number[] = [];
  let first = 0; // rows before it have no room for the shortest text
  const shortest = lengths[order.at(-1)!];
  for (const text of order) {
    let row = first;
    while (row < rows.length && room[row] < lengths[text]) row++;
    if (row === rows.length) {
      rows.push([]);
      room.push(width);
    }
    rows[row].push(text);
    room[row] -= lengths[text];
    while (first < rows.length && room[first] < shortest) first++;
  }
  return rows;
}

export interface WeightedBatch extends Batch {
  /** Weight of the loss on each label, of the labels' shape. Default: 1 for each. */
  weights?: number[][];
}

/**
 * In rows of `length`: flat positions b T + t whose next token carries loss, that token and its weight. The
 * first `shared` tokens of all rows stand in a row before them.
 */
export function supervision(
  { inputIds, labels, weights }: WeightedBatch,
  length: number,
  shared = 0,
) {
  const positions: number[] = [], targets: number[] = [], ofTargets: number[] = [];
  const first = shared > 0 ? 1 : 0;
  inputIds.forEach((row, b) => {
    for (let t = 0; t + 1 < row.length; t++) {
      if (labels[b][t + 1] === IGNORED) continue;
      positions.push(t < shared ? t : (first + b) * length + t - shared);
      targets.push(labels[b][t + 1]);
      ofTargets.push(weights?.[b][t + 1] ?? 1);
    }
  });
  return { positions, targets, weights: ofTargets };
}

/** Token ids [B, T], flat positions [N] of supervised tokens, their labels [N] and weights [N]. */
export type BatchTensors = [tf.Tensor2D, tf.Tensor1D, tf.Tensor1D, tf.Tensor1D];

/** Lengths that parts of batches are padded to, each a graph; more leave less padding. */
const MOST_LENGTHS = 16;
/** A reserved number of supervised tokens is rounded up by no more than its 32nd. */
const RESERVED_STEPS = 32;
/** Short answers have fewer supervised tokens a row; so many cost next to nothing, and need one graph. */
const FEWEST_SUPERVISED = 4;

/** Padding costs as much as tokens, and a training has few lengths: rounded more finely than elsewhere. */
export const roundLength = (length: number): number => roundSize(length, 8);

/** The smallest of `lengths` that is at least `length`, or else that length rounded up. */
const fittingLength = (length: number, lengths?: readonly number[]) =>
  lengths?.find((candidate) => candidate >= length) ?? roundLength(length);

/** Tokens of a batch's longest row. */
export const longestOf = ({ inputIds }: Batch): number =>
  inputIds.reduce((longest, { length }) => Math.max(longest, length), 0);

interface BatchSizes {
  rows?: number;
  supervised?: number;
  /** How finely the number of supervised tokens is rounded up (see `roundSize`). Default: 4. */
  steps?: number;
  /** The smallest that fits is taken. */
  lengths?: readonly number[];
  /** The weights' sum that makes a mean. Default: the batch's own. */
  total?: number;
  /** Tokens that all rows start with: they stand once, in a row before the others. Default: 0. */
  shared?: number;
}

/** A batch as the tensors of `batchLoss`, of at least the sizes `least`; padding weighs nothing. */
export function batchTensors(batch: WeightedBatch, least: BatchSizes = {}): BatchTensors {
  const { shared = 0 } = least;
  const length = fittingLength(longestOf(batch) - shared, least.lengths);
  const rows = Math.max(batch.inputIds.length, least.rows ?? 0);
  const { positions, targets, weights } = supervision(batch, length, shared);
  if (positions.length === 0) {
    throw new Error(
      "Cannot train on the batch: expected a label other than -100 after the first token; found none",
    );
  }
  const total = least.total ?? weights.reduce((a, b) => a + b, 0);
  const size = roundSize(Math.max(positions.length, least.supervised ?? 0), least.steps);
  const padded = (values: number[], dtype: "int32" | "float32") => {
    const data = tf.util.getTypedArrayFromDType(dtype, size);
    data.set(values);
    return tf.tensor1d(data, dtype);
  };
  const ids = shared === 0
    ? padRows(batch.inputIds, { batch: rows, length })
    : padRows([batch.inputIds[0].slice(0, shared), ...batch.inputIds.map((r) => r.slice(shared))], {
      ...{ batch: 1 + rows, length },
    });
  return [
    ids,
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

/**
 * The sizes that batches are padded to: each is a graph, and padding is work. Whole batches take those of the
 * largest so far, or of all to come where they are reserved; parts of cut ones those of their kind.
 */
export class Batching {
  /** Rows and supervised tokens that whole batches are padded to. */
  largest = { rows: 0, supervised: 0 };
  #lengths: number[] = [];
  /** What all rows of the batches to come start with, where it is worth a row of its own. */
  #start: readonly number[] = [];
  /** The most supervised tokens of a part, by its rows and length. */
  readonly #supervised = new Map<string, number>();

  /**
   * @param compiled whether sizes should repeat, since each is a graph
   * @param window tokens that a token sees at most; longer rows share no start
   */
  constructor(
    readonly batchTokens: number,
    readonly compiled: boolean,
    readonly window = Infinity,
  ) {}

  /**
   * Fixes the sizes of the steps to come. For whole batches: the largest one's rows and supervised tokens,
   * its length and halves of it, behind what all rows start with. For parts: few lengths that leave the least
   * padding, and for each the most supervised tokens.
   * @param batchSize rows of a batch where there are enough: fewer are padded to a power of two
   */
  reserve(batches: readonly Batch[], batchSize = 0): void {
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
      const rows = Math.min(roundSize(batch.inputIds.length, 1), batchSize);
      const supervised = Math.max(roundSize(positions.length), FEWEST_SUPERVISED * rows);
      this.#enlarge(Math.max(rows, batch.inputIds.length), supervised);
    }
    const rows = batches.flatMap(({ inputIds }) => inputIds);
    const { window, largest: { rows: count } } = this;
    this.#start = worthSharing(rows, { count, least: Math.min(...longest), window });
    const most = Math.max(1, ...longest) - this.#start.length;
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

  /** How many first tokens of the rows stand once, in a row before them. */
  sharedBy(batch: Batch): number {
    const start = this.#start, longest = longestOf(batch);
    // It stands in a row of the others' length.
    const fits = longest >= 2 * start.length && longest <= this.window;
    const isShared = fits &&
      batch.inputIds.every((row) =>
        row.length > start.length && start.every((id, t) => row[t] === id)
      );
    return isShared ? start.length : 0;
  }

  /** The tensors of a batch that is not cut, padded to the sizes of those before it. */
  wholeTensors(batch: WeightedBatch): BatchTensors {
    const shared = this.sharedBy(batch);
    const tensors = batchTensors(batch, { ...this.#least(batch), shared });
    this.#enlarge(tensors[0].shape[0] - (shared > 0 ? 1 : 0), tensors[1].shape[0]);
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

  #enlarge(rows: number, supervised: number): void {
    this.largest = {
      rows: Math.max(this.largest.rows, rows),
      supervised: Math.max(this.largest.supervised, supervised),
    };
  }

  /** Sizes that a whole batch is padded to, whose graph it then shares. */
  #least(batch: Batch): BatchSizes {
    if (!this.compiled) return {};
    // Of those to come the last may have few rows: a graph for it costs more than their padding.
    const small = this.#lengths.length === 0 && batch.inputIds.length * 2 <= this.largest.rows / 4;
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
