/**
 * Kernels that training needs and a TensorFlow.js backend lacks or has badly: `UnsortedSegmentSum`, the
 * gradient of gather, so of every embedding (tfjs issue 8082); wasm's products of matrices; WebGPU's sums
 * of many tensors; native TensorFlow's gather.
 */
import * as tf from "@tensorflow/tfjs";
import type { BackendWasm } from "@tensorflow/tfjs-backend-wasm";
import type { WebGPUBackend } from "@tensorflow/tfjs-backend-webgpu";
import { attribute, type NodeBackend, typed } from "../compile/backend.ts";
import { plainProducts } from "./_wasm_product.ts";
import { sumBySegment, sumInParts } from "./_webgpu.ts";

const registered = new Set<string>();

/** Puts them in place; call it once the backend's package is loaded, before the backend starts. */
export function registerMissingKernels(backend: "tensorflow" | "webgpu" | "wasm" | "cpu"): void {
  if (registered.has(backend)) return;
  registered.add(backend);
  if (backend === "tensorflow") return replaceKernel(tf.GatherV2, backend, () => gather);
  replaceKernel(tf.UnsortedSegmentSum, backend, () => segmentSums[backend]);
  if (backend === "wasm") replaceKernel(tf.BatchMatMul, backend, plainProducts);
  if (backend === "webgpu") replaceKernel(tf.AddN, backend, sumInParts);
}

/** Puts a kernel in the place of the backend's own, if it has one. */
function replaceKernel(
  kernelName: string,
  backendName: string,
  make: (own: tf.KernelFunc) => tf.KernelFunc,
): void {
  const own = tf.getKernel(kernelName, backendName);
  if (own !== undefined) tf.unregisterKernel(kernelName, backendName);
  // What sets its own kernel up stays: it is used.
  tf.registerKernel({ ...own, kernelName, backendName, kernelFunc: make(own?.kernelFunc) });
}

/**
 * tfjs-node's own reads every index in JavaScript to check it, which can't be traced; TensorFlow checks them
 * itself.
 */
const gather: tf.KernelFunc = ({ inputs, attrs, backend }) => {
  const { x, indices } = inputs as Record<string, tf.TensorInfo>;
  const { axis, batchDims } = attrs as unknown as tf.GatherV2Attrs;
  const native = backend as NodeBackend;
  const axisTensor = tf.scalar(axis, "int32");
  const rows = native.executeSingleOutput(tf.GatherV2, [
    attribute("batch_dims", "INT", batchDims),
    typed("Tparams", x.dtype),
    typed("Tindices", indices.dtype),
    typed("Taxis", "int32"),
  ], [x, indices, axisTensor]);
  axisTensor.dispose();
  return rows;
};

/** Each adds the rows of x [N, ...] to the row of the output [segments, ...] that their id names. */
const segmentSums: Record<"webgpu" | "wasm" | "cpu", tf.KernelFunc> = {
  webgpu({ inputs, attrs, backend }) {
    const { x, segmentIds } = inputs as Record<string, tf.TensorInfo>;
    return sumBySegment(backend as WebGPUBackend, [x, segmentIds], segmentsOf(attrs));
  },

  wasm({ inputs, attrs, backend }) {
    const { x, segmentIds } = inputs as Record<string, tf.TensorInfo>;
    const heap = backend as BackendWasm;
    // Made before any view is taken: it may grow the heap, which detaches views.
    const sum = heap.makeOutput([segmentsOf(attrs), ...x.shape.slice(1)], x.dtype);
    const [rows, ids, sums] = [x, segmentIds, sum].map((info) => heap.typedArrayFromHeap(info));
    addRows(sums.fill(0), rows, { ids, segments: segmentsOf(attrs) });
    return sum;
  },

  /** The backend's own makes a matrix of all rows for every segment. */
  cpu({ inputs, attrs, backend }) {
    const { x, segmentIds } = inputs as Record<string, tf.TensorInfo>;
    const arrays = backend as tf.KernelBackend & {
      makeTensorInfo(shape: number[], dtype: tf.DataType, values: tf.TypedArray): tf.TensorInfo;
    };
    const [rows, ids] = [x, segmentIds]
      .map(({ dataId }) => arrays.readSync(dataId) as tf.TypedArray);
    const segments = segmentsOf(attrs), shape = [segments, ...x.shape.slice(1)];
    const sums = tf.util.getTypedArrayFromDType(x.dtype as "float32", tf.util.sizeFromShape(shape));
    addRows(sums, rows, { ids, segments });
    return arrays.makeTensorInfo(shape, x.dtype, sums);
  },
};

const segmentsOf = (attrs: unknown) => (attrs as tf.UnsortedSegmentSumAttrs).numSegments;

/** Rows of a negative id count for none. */
function addRows(
  sums: tf.TypedArray,
  rows: tf.TypedArray,
  { ids, segments }: { ids: tf.TypedArray; segments: number },
): void {
  const width = sums.length / segments;
  for (let row = 0; row < ids.length; row++) {
    const id = ids[row];
    if (id < 0) continue;
    if (id >= segments) {
      throw new Error(
        `Cannot sum by segment: expected ids under ${segments}, found ${id}; check the token ids`,
      );
    }
    for (let i = 0; i < width; i++) sums[id * width + i] += rows[row * width + i];
  }
}
