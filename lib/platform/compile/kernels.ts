/** Kernels of the native backend that can be traced, in place of tfjs-node's own. */
import * as tf from "@tensorflow/tfjs";
import { type NodeBackend, typed } from "./backend.ts";

/** Gather: tfjs-node reads every index in JavaScript to check it; TensorFlow checks them itself. */
const gather: tf.KernelFunc = ({ inputs, attrs, backend }) => {
  const { x, indices } = inputs as Record<string, tf.TensorInfo>;
  const { axis, batchDims } = attrs as unknown as tf.GatherV2Attrs;
  const native = backend as NodeBackend;
  const axisTensor = tf.scalar(axis, "int32");
  const rows = native.executeSingleOutput(tf.GatherV2, [
    { name: "batch_dims", type: native.binding.TF_ATTR_INT, value: batchDims },
    typed("Tparams", x.dtype),
    typed("Tindices", indices.dtype),
    typed("Taxis", "int32"),
  ], [x, indices, axisTensor]);
  axisTensor.dispose();
  return rows;
};

/** Puts them in place; call it once the native backend is loaded. */
export function registerTraceableKernels(): void {
  const place = { kernelName: tf.GatherV2, backendName: "tensorflow" };
  tf.unregisterKernel(place.kernelName, place.backendName);
  tf.registerKernel({ ...place, kernelFunc: gather });
}
