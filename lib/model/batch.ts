/** Rows of token ids as tensors: padded on the right, sizes rounded so that few shapes occur. */
import * as tf from "@tensorflow/tfjs";

/** A label that carries no loss, as in transformers. */
export const IGNORED = -100;

/** Numbers of one block of logits that is read (64 MiB). */
export const LOGITS_AT_ONCE = 2 ** 24;
/** Texts of the mean length per packed row: fewer leave padding, more cost masked scores. */
export const TEXTS_A_ROW = 2;

/** Token ids and labels of one step; `labels[i][t]` is what stands at position t (shifted inside). */
export interface Batch {
  inputIds: number[][];
  labels: number[][];
}

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
 * @throws as `checkRows`, and where labels don't fit the rows' tokens, `IGNORED` or the vocabulary
 */
export function checkBatch({ inputIds, labels }: Batch, vocabularySize: number): void {
  checkRows(inputIds, vocabularySize);
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
        `Cannot train on row ${i}: expected labels from 0 to ${
          vocabularySize - 1
        } or ${IGNORED}; ` +
          `found ${row[wrong]} at ${wrong}`,
      );
    }
  });
}

/** Index of the first id that is neither of the vocabulary nor `allowed`; -1 if there is none. */
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
 * Packs texts into rows of `width` tokens: each into the first row that has room, the longest
 * first.
 * @returns the rows' texts, by their place in `lengths` @throws if a text is longer than a row
 */
export function packTexts(lengths: readonly number[], width: number): number[][] {
  const order = lengths.map((_, i) => i).sort((a, b) => lengths[b] - lengths[a]);
  if (lengths[order[0]] > width) {
    throw new Error(
      `Cannot pack texts: expected at most ${width} tokens each; found ${lengths[order[0]]}`,
    );
  }
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

export interface Supervision {
  /** Flat positions b T + t whose next token carries loss. */
  positions: number[];
  /** The next token at each of these positions. */
  targets: number[];
}

/** The supervised positions of a batch in rows of `length`: position t predicts `labels[t + 1]`. */
export function supervision({ inputIds, labels }: Batch, length: number): Supervision {
  const positions: number[] = [], targets: number[] = [];
  inputIds.forEach((row, b) => {
    for (let t = 0; t + 1 < row.length; t++) {
      if (labels[b][t + 1] === IGNORED) continue;
      positions.push(b * length + t);
      targets.push(labels[b][t + 1]);
    }
  });
  return { positions, targets };
}
