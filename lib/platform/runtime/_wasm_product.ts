/**
 * Products of matrices in WebAssembly. Its kernel multiplies two plain matrices with SIMD, and transposed
 * or batched ones an element at a time, ten times as slowly: so these are made plain here.
 */
import * as tf from "@tensorflow/tfjs";
import type { BackendWasm } from "@tensorflow/tfjs-backend-wasm";

/** A product in the place of wasm's own, which it uses. */
export const plainProducts =
  (own: tf.KernelFunc): tf.KernelFunc => ({ inputs, attrs, backend }) => {
    const { a, b } = inputs as Record<string, tf.TensorInfo>;
    const { transposeA, transposeB } = attrs as unknown as tf.BatchMatMulAttrs;
    const heap = backend as BackendWasm;
    const transpose = tf.getKernel(tf.Transpose, "wasm").kernelFunc;
    const made: tf.TensorInfo[] = [];
    const keep = (info: tf.TensorInfo) => (made.push(info), info);
    const upright = (x: tf.TensorInfo, turned: boolean) => {
      if (!turned) return x;
      const perm = x.shape.map((_, axis) => axis);
      perm.push(...perm.splice(-2).reverse());
      return keep(transpose({ inputs: { x }, attrs: { perm }, backend }) as tf.TensorInfo);
    };
    const product = (a: tf.TensorInfo, b: tf.TensorInfo) => {
      const attrs = { transposeA: false, transposeB: false };
      return own({ inputs: { a, b }, attrs, backend }) as tf.TensorInfo;
    };
    try {
      const [left, right] = [upright(a, transposeA), upright(b, transposeB)];
      const [leftBatch, rightBatch] = [left, right].map(({ shape }) => shape.slice(0, -2));
      const batch = tf.backend_util.assertAndGetBroadcastShape(leftBatch, rightBatch);
      const count = tf.util.sizeFromShape(batch);
      if (count === 1) return product(left, right);
      const result = heap.makeOutput(
        [...batch, left.shape.at(-2)!, right.shape.at(-1)!],
        "float32",
      );
      const [leftAt, rightAt] = [leftBatch, rightBatch].map((own) => placesIn(own, batch));
      const matrices = [left, right].map(({ shape }) =>
        keep(heap.makeOutput(shape.slice(-2), "float32"))
      );
      let held = [-1, -1];
      for (let i = 0; i < count; i++) {
        const places = [leftAt[i], rightAt[i]];
        [left, right].forEach((source, side) => {
          if (places[side] === held[side]) return;
          // The kernel remembers a right-hand matrix by its id: another one needs another.
          if (side === 1 && held[1] >= 0) {
            heap.disposeData(made.pop()!.dataId);
            matrices[1] = keep(heap.makeOutput(source.shape.slice(-2), "float32"));
          }
          const to = heap.typedArrayFromHeap(matrices[side]);
          const from = places[side] * to.length;
          to.set(heap.typedArrayFromHeap(source).subarray(from, from + to.length));
        });
        held = places;
        const one = product(matrices[0], matrices[1]);
        const values = heap.typedArrayFromHeap(one);
        heap.typedArrayFromHeap(result).set(values, i * values.length);
        heap.disposeData(one.dataId);
      }
      return result;
    } finally {
      for (const { dataId } of made) heap.disposeData(dataId);
    }
  };

/** For each place of the batch, the matrix of `own` (sizes of 1 are shared) that stands there. */
function placesIn(own: number[], batch: number[]): number[] {
  const shape = [...new Array(batch.length - own.length).fill(1), ...own];
  let places = [0];
  for (const [axis, size] of batch.entries()) {
    places = places.flatMap((place) =>
      Array.from({ length: size }, (_, i) => place * shape[axis] + (shape[axis] === 1 ? 0 : i))
    );
  }
  return places;
}
