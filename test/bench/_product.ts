/** How fast a backend multiplies matrices: what its other figures are held against. */
import * as tf from "@tensorflow/tfjs";
import { median } from "./_rounds.ts";

/** GFLOP/s of products of square matrices [size, size]: the median of `times` after one unmeasured. */
export async function productRate(size = 1024, times = 5): Promise<number> {
  const [a, b] = [1, 2].map((seed) =>
    tf.randomUniform<tf.Rank.R2>([size, size], -1, 1, "float32", seed)
  );
  const rates: number[] = [];
  for (let i = 0; i <= times; i++) {
    const start = performance.now();
    const product = tf.matMul(a, b);
    // A row is read, so that the product is there, and little is copied.
    const row = tf.slice(product, [0, 0], [1, size]);
    await row.data();
    const seconds = (performance.now() - start) / 1000;
    tf.dispose([product, row]);
    if (i > 0) rates.push(2 * size ** 3 / seconds / 1e9);
  }
  tf.dispose([a, b]);
  return median(rates);
}
