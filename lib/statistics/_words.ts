/**
 * Random 32-bit words by the array: the generator of lib/random.ts (sfc32) with its state in
 * locals, because resampling draws 50 million indices and a method call for each would take most of
 * the time.
 */
import { Random } from "./random.ts";

/** A function that fills an array with the next words of the stream that (seed, purpose) names. */
export function wordStream(seed: number | string, purpose: string): (target: Uint32Array) => void {
  const start = new Random(seed).fork(purpose);
  const state = Int32Array.from({ length: 4 }, () => start.integer(2 ** 32) | 0);
  return (target) => {
    let [a, b, c, d] = state;
    for (let i = 0; i < target.length; i++) {
      const t = (((a + b) | 0) + d) | 0;
      d = (d + 1) | 0;
      a = b ^ (b >>> 9);
      b = (c + (c << 3)) | 0;
      c = (((c << 21) | (c >>> 11)) + t) | 0;
      target[i] = t;
    }
    state[0] = a;
    state[1] = b;
    state[2] = c;
    state[3] = d;
  };
}
