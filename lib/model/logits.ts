/** What is asked of a model's logits, whichever engine computes them. */

/** A position of one text. */
export interface Position {
  /** The text, by its place among those given. */
  text: number;
  position: number;
}

/** Called with the logits [V] at a position; they may be overwritten afterwards. */
export type OnLogits = (at: Position, logits: Float32Array) => void;

/** Computes the logits at some positions of the texts. */
export type ReadLogits = (positions: Position[], onLogits: OnLogits) => Promise<void>;

/** Logits of every token: text i is [tokens_i, V], row-major. */
export async function allLogits(
  texts: readonly number[][],
  read: ReadLogits,
): Promise<Float32Array[]> {
  const result: Float32Array[] = [];
  const positions = texts.flatMap((ids, text) => ids.map((_, position) => ({ text, position })));
  await read(positions, ({ text, position }, logits) => {
    result[text] ??= new Float32Array(texts[text].length * logits.length);
    result[text].set(logits, position * logits.length);
  });
  return result;
}

/** Logits of the token after each text: [V] each. */
export async function lastLogits(
  texts: readonly number[][],
  read: ReadLogits,
): Promise<Float32Array[]> {
  const result: Float32Array[] = new Array(texts.length);
  const positions = texts.map(({ length }, text) => ({ text, position: length - 1 }));
  await read(positions, ({ text }, logits) => result[text] = logits.slice());
  return result;
}

/**
 * Log-probabilities (nats) of each text's tokens from `from[i]` on.
 * @throws if a text has no token before its first one to be read
 */
export async function logProbabilities(
  texts: readonly number[][],
  from: readonly number[],
  read: ReadLogits,
): Promise<number[][]> {
  texts.forEach(({ length }, i) => {
    if (Number.isInteger(from[i]) && from[i] >= 1 && from[i] <= length) return;
    throw new Error(
      `Cannot read the tokens of row ${i}: expected a first one from 1 to ${length}, for the row's ` +
        `start has none before it; found ${from[i]}`,
    );
  });
  const result = texts.map((): number[] => []);
  const positions = texts.flatMap((ids, text) =>
    ids.slice(from[text]).map((_, k) => ({ text, position: from[text] + k - 1 }))
  );
  await read(positions, ({ text, position }, logits) => {
    const token = texts[text][position + 1];
    result[text][position + 1 - from[text]] = logProbability(logits, token);
  });
  return result;
}

/** Log-probability (nats) of a token by the logits of all tokens. */
function logProbability(logits: Float32Array, token: number): number {
  let highest = -Infinity;
  for (const value of logits) if (value > highest) highest = value;
  let sum = 0;
  for (const value of logits) sum += Math.exp(value - highest);
  return logits[token] - highest - Math.log(sum);
}
