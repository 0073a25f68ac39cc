/**
 * Kernels that training needs and a TensorFlow.js backend lacks or has slowly: `UnsortedSegmentSum`, the
 * gradient of gather, so of every embedding (tfjs issue 8082); and wasm's products of matrices.
 */
import * as tf from "@tensorflow/tfjs";
import { registerPlainProducts, type WasmHeap } from "./_wasm_product.ts";

/** Registers the kernels for `backend`, once. */
export function registerMissingKernels(backend: "webgpu" | "wasm"): void {
  if (tf.getKernel(tf.UnsortedSegmentSum, backend)) return;
  tf.registerKernel({
    kernelName: tf.UnsortedSegmentSum,
    backendName: backend,
    kernelFunc: backend === "wasm" ? sumByRows : sumByProduct,
  });
  if (backend === "wasm") registerPlainProducts();
}

/** Adds each row of x to the row of the output that its id names, in the wasm heap. */
const sumByRows: tf.KernelFunc = ({ inputs, attrs, backend }) => {
  const { x, segmentIds } = inputs as Record<string, tf.TensorInfo>;
  const { numSegments } = attrs as unknown as tf.UnsortedSegmentSumAttrs;
  const heap = backend as WasmHeap;
  // Made before any view is taken: it may grow the heap, which detaches views.
  const sum = heap.makeOutput([numSegments, ...x.shape.slice(1)], x.dtype);
  const [rows, ids, sums] = [x, segmentIds, sum].map((info) => heap.typedArrayFromHeap(info));
  const width = tf.util.sizeFromShape(x.shape.slice(1));
  sums.fill(0);
  for (let row = 0; row < ids.length; row++) {
    const id = ids[row];
    if (id < 0) continue;
    if (id >= numSegments) throw badId(id, numSegments);
    for (let i = 0; i < width; i++) sums[id * width + i] += rows[row * width + i];
  }
  return sum;
};

/** The same as a product with the ids' indicator matrix: WebGPU cannot read ids back in a kernel. */
const sumByProduct: tf.KernelFunc = ({ inputs, attrs }) => {
  const { x, segmentIds } = inputs as unknown as { x: tf.Tensor; segmentIds: tf.Tensor1D };
  const { numSegments } = attrs as unknown as tf.UnsortedSegmentSumAttrs;
  return tf.tidy(() => {
    const rows = tf.reshape(x.dtype === "float32" ? x : tf.cast(x, "float32"), [x.shape[0], -1]);
    const indicator = tf.cast(tf.oneHot(segmentIds, numSegments), "float32");
    const sum = tf.reshape(
      tf.matMul(indicator, rows as tf.Tensor2D, true),
      [numSegments, ...x.shape.slice(1)],
    );
    return x.dtype === "float32" ? sum : tf.cast(sum, x.dtype);
  });
};

function badId(id: number, numSegments: number): Error {
  return new Error(
    `Cannot sum by segment: expected ids under ${numSegments}, found ${id}; check the token ids`,
  );
}
