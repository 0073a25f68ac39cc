/**
 * A model's logits at some positions of many texts. What all texts start with is computed once; the rest
 * stands packed in rows of one width, so that little is padding and few graphs serve all texts.
 */
import * as tf from "@tensorflow/tfjs";
import { look } from "../platform/interrupt.ts";
import { headWeight } from "./architecture.ts";
import { LOGITS_AT_ONCE, packTexts, padRows, roundSize, TEXTS_A_ROW } from "./batch.ts";
import type { Position, Reading } from "./engine_model.ts";
import { commonStart } from "./lengths.ts";
import { gatherRows, prefixKeys } from "./layers.ts";
import { HIDDEN_FROM } from "./positions.ts";
import type { TensorModel } from "./readable_model.ts";

/** More at once is no faster on a processor and takes more memory; with less to do for each, more is. */
const [FEWEST_TOKENS, MOST_TOKENS, NUMBERS] = [2 ** 11, 2 ** 13, 2 ** 19];

/** Tokens that go through a model at once by default: a power of two from 2,048 (wide) to 8,192 (narrow). */
export function defaultBatchTokens({ hiddenSize }: { hiddenSize: number }): number {
  const tokens = 2 ** Math.floor(Math.log2(NUMBERS / hiddenSize));
  return Math.min(MOST_TOKENS, Math.max(FEWEST_TOKENS, tokens));
}
/** Fewer texts than this share no prefix: it takes a pass and a graph of its own. */
const FEWEST_SHARING = 4;
/** Texts that go on alike are read apart from others where they are so many, and spare so much of all tokens. */
const MANY_ALIKE = 64;
const WORTH_A_PART = 0.1;
/** A last batch of more rows is cut in two rather than padded by a third; behind others it has at least four. */
const FEW_ROWS = 32, FEWEST_ROWS = 4, FEWEST_PLACES = 8;
/** Narrower rows and shorter prefixes would be many graphs for short texts. */
const NARROWEST = 16;
const SHORTEST_PREFIX = 16;

/** Calls `onLogits` with the logits [V] at each of the positions; they are overwritten afterwards. */
export async function readLogits(
  model: TensorModel,
  texts: readonly number[][],
  { positions, onLogits, ...options }: Reading,
): Promise<void> {
  const before = sharedLength(model, texts, positions);
  let done = 0;
  for (const part of alikeTexts(texts, before)) {
    const places = new Map(part.map((text, place) => [text, place]));
    const own = positions.filter(({ text }) => places.has(text));
    if (own.length === 0) continue;
    await readPart(model, part.map((text) => texts[text]), {
      ...options,
      positions: own.map((at) => ({ ...at, text: places.get(at.text)! })),
      onLogits: ({ text, position }, logits) => onLogits({ text: part[text], position }, logits),
      onProgress: (share) => options.onProgress?.((done + share * own.length) / positions.length),
    });
    done += own.length;
  }
}

/**
 * Texts by what follows the `before` tokens that all start with, where many go on alike and reading that once
 * spares clearly more tokens; else all together.
 */
function alikeTexts(texts: readonly number[][], before: number): number[][] {
  const all = texts.map((_, i) => i);
  const parts = [...Map.groupBy(all, (i) => texts[i][before]).values()];
  if (parts.length === 1 || parts.some(({ length }) => length < MANY_ALIKE)) return [all];
  const total = texts.reduce((sum, { length }) => sum + length - before, 0);
  const spared = parts.reduce(
    (sum, part) => sum + (commonStart(part.map((i) => texts[i])) - before) * part.length,
    0,
  );
  return spared >= WORTH_A_PART * total ? parts : [all];
}

async function readPart(
  model: TensorModel,
  texts: readonly number[][],
  { positions: wanted, onLogits, batchTokens = model.batchTokens, ...options }: Reading,
): Promise<void> {
  const { vocabularySize } = model.config;
  const before = sharedLength(model, texts, wanted);
  const prefix = before > 0 ? readPrefix(model, texts[0].slice(0, before)) : [];
  const atOnce = Math.max(1, Math.floor(LOGITS_AT_ONCE / vocabularySize));
  const byText = Map.groupBy(wanted, ({ text }) => text);
  const logitsOf = (hidden: tf.Tensor) =>
    tf.matMul(hidden, headWeight(model.parameters, model.config), false, true);
  /** The logits at some positions; their hidden states if the logits are too many at once. */
  const read = model.compiled("read", (ids, texts, positions, flat, mask, ...keys) => {
    const hidden = model.forward(ids as tf.Tensor2D, {
      packing: { texts: texts as tf.Tensor2D, positions: positions as tf.Tensor2D },
      prefix: mask && [{ layers: prefixKeys(keys), mask: mask as tf.Tensor1D }],
      at: flat as tf.Tensor1D,
    });
    return [hidden.shape[0] <= atOnce ? logitsOf(hidden) : hidden];
  });
  const head = model.compiled("head", (hidden, rows) => [
    logitsOf(gatherRows(hidden as tf.Tensor2D, rows as tf.Tensor1D)),
  ]);
  let done = 0;
  try {
    for (const batch of batches(texts.map((text) => text.slice(before)), batchTokens)) {
      await look(options.signal);
      const places: Position[] = [], flat: number[] = [];
      const { rows, width } = batch;
      const ids = rows.map((row) => row.flatMap((text) => texts[text].slice(before)));
      const number = rows.map((row) =>
        row.flatMap((text, i) => new Array(texts[text].length - before).fill(i + 1))
      );
      const positions = rows.map((row, b) => {
        const list: number[] = [];
        for (const text of row) {
          const start = b * width + list.length;
          for (const at of byText.get(text) ?? []) {
            places.push(at);
            flat.push(start + at.position - before);
          }
          for (let t = before; t < texts[text].length; t++) list.push(t);
        }
        return list;
      });
      if (places.length === 0) continue;
      const size = { batch: batch.size, length: width };
      const isWhole = places.length <= atOnce;
      const inputs = [
        ...[ids, number, positions].map((rows) => padRows(rows, size)),
        indices(flat, isWhole ? atOnce : Infinity),
      ];
      const [result] = read(...inputs, ...prefix);
      tf.dispose(inputs);
      for (let start = 0; start < places.length; start += atOnce) {
        const part = places.slice(start, start + atOnce);
        const rows = indices(part.map((_, i) => start + i), atOnce);
        const [logits] = isWhole ? [result] : head(result, rows);
        const values = await logits.data() as Float32Array;
        part.forEach((at, i) =>
          onLogits(at, values.subarray(i * vocabularySize, (i + 1) * vocabularySize))
        );
        tf.dispose([rows, logits]);
      }
      result.dispose();
      done += places.length;
      options.onProgress?.(done / wanted.length);
    }
  } finally {
    tf.dispose(prefix);
  }
}

/** Places, padded with 0 to a power of two or to `most`, for few sizes to occur. */
function indices(places: readonly number[], most: number): tf.Tensor1D {
  const padded = new Int32Array(
    Math.min(most, Math.max(FEWEST_PLACES, roundSize(places.length, 1))),
  );
  padded.set(places);
  return tf.tensor1d(padded, "int32");
}

/** How many tokens all texts start with, before any of the positions; 0 if that is not worth a pass. */
function sharedLength(
  { config }: TensorModel,
  texts: readonly number[][],
  positions: readonly Position[],
): number {
  const longest = texts.reduce((most, text) => Math.max(most, text.length), 0);
  if (texts.length < FEWEST_SHARING || (config.slidingWindow ?? Infinity) < longest) return 0;
  return commonStart(
    texts,
    positions.reduce((least, { position }) => Math.min(least, position), Infinity),
  );
}

/** The prefix: a mask [P] (P rounded up), then keys and values [K, P, D] by layer. */
function readPrefix(model: TensorModel, ids: number[]): tf.Tensor[] {
  const { keyValueHeads, headDimension } = model.config;
  const run = model.compiled("prefix", (ids) => {
    const keys: tf.Tensor[] = [];
    const shape = [keyValueHeads, ids.shape[1]!, headDimension];
    model.forward(ids as tf.Tensor2D, {
      onKeyValues: (...both) => keys.push(...both.map((x) => tf.reshape(x, shape))),
    });
    return keys;
  });
  const length = Math.max(SHORTEST_PREFIX, roundSize(ids.length));
  const row = padRows([ids], { length });
  const keys = run(row);
  row.dispose();
  const free = new Float32Array(length).fill(HIDDEN_FROM, ids.length);
  return [tf.tensor1d(free), ...keys];
}

/** Texts packed into rows of one width, and rows into batches of one size but for the last. */
function batches(texts: readonly number[][], batchTokens: number) {
  const lengths = texts.map((text) => text.length);
  const longest = lengths.reduce((a, b) => Math.max(a, b), NARROWEST);
  const total = lengths.reduce((a, b) => a + b, 0);
  const usual = Math.min(total, batchTokens, TEXTS_A_ROW * total / texts.length);
  const width = roundSize(Math.max(longest, Math.ceil(usual)), 8);
  const packed = packTexts(lengths, width);
  const most = 2 ** Math.max(0, Math.floor(Math.log2(batchTokens / width)));
  const result: { rows: number[][]; size: number; width: number }[] = [];
  for (let start = 0; start < packed.length;) {
    const left = packed.length - start;
    const padded = Math.max(start > 0 ? FEWEST_ROWS : 1, roundSize(left, 1));
    const size = Math.min(most, padded <= FEW_ROWS || left > 0.75 * padded ? padded : padded / 2);
    result.push({ rows: packed.slice(start, start + size), size, width });
    start += size;
  }
  return result;
}
