/**
 * The orders in which the authors' Python put exams and demonstrations. Own code, because it must
 * be Python's very algorithm (MT19937, seeded by an array; the shuffle's rejection sampling).
 */

const N = 624;

/** Python's `random.Random(seed)` for an integer seed from 0 to 2^32 - 1, as far as shuffling needs. */
export class PythonRandom {
  #state = new Uint32Array(N);
  #index = N;

  constructor(seed: number) {
    const s = this.#state;
    s[0] = 19650218;
    for (let i = 1; i < N; i++) s[i] = Math.imul(1812433253, s[i - 1] ^ (s[i - 1] >>> 30)) + i;
    const wrap = (i: number) => {
      if (i < N) return i;
      s[0] = s[N - 1];
      return 1;
    };
    let i = 1;
    for (let k = 0; k < N; k++) {
      s[i] = (s[i] ^ Math.imul(s[i - 1] ^ (s[i - 1] >>> 30), 1664525)) + seed;
      i = wrap(i + 1);
    }
    for (let k = 0; k < N - 1; k++) {
      s[i] = (s[i] ^ Math.imul(s[i - 1] ^ (s[i - 1] >>> 30), 1566083941)) - i;
      i = wrap(i + 1);
    }
    s[0] = 0x80000000;
  }

  #uint32(): number {
    const s = this.#state;
    if (this.#index === N) {
      for (let k = 0; k < N; k++) {
        const y = (s[k] & 0x80000000) | (s[(k + 1) % N] & 0x7FFFFFFF);
        s[k] = s[(k + 397) % N] ^ (y >>> 1) ^ (y & 1 ? 0x9908B0DF : 0);
      }
      this.#index = 0;
    }
    let y = s[this.#index++];
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9D2C5680;
    y ^= (y << 15) & 0xEFC60000;
    return (y ^ (y >>> 18)) >>> 0;
  }

  /** A new array in the order that `random.shuffle` gives; up to 2^32 - 1 items. */
  shuffle<T>(items: readonly T[]): T[] {
    const result = items.slice();
    for (let i = result.length - 1; i > 0; i--) {
      const bits = Math.clz32(i + 1); // 32 - bits of i + 1
      let j: number;
      do j = this.#uint32() >>> bits; while (j > i);
      [result[i], result[j]] = [result[j], result[i]];
    }
    return result;
  }
}

/** Demonstrations in the authors' order (paper, section 3.1, and its code): first k are shown. */
export function publishedDemonstrations<T>(dev: readonly T[]): T[] {
  return new PythonRandom(42).shuffle(dev);
}
