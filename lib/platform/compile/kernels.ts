/** Kernels of the native backend that can be traced, in place of tfjs-node's own. */
import * as tf from "@tensorflow/tfjs";
import { dataTypes, type NodeBackend } from "./backend.ts";

// tfjs-node reads every index in JavaScript to check it; TensorFlow checks them itself.
const name = "GatherV2";
const register = () =>
  tf.registerKernel({
    kernelName: name,
    backendName: "tensorflow",
    kernelFunc: ({ inputs, attrs, backend }) => {
      const { x, indices } = inputs as Record<string, tf.TensorInfo>;
      const { axis, batchDims } = attrs as unknown as { axis: number; batchDims: number };
      const native = backend as NodeBackend;
      const { TF_ATTR_INT, TF_ATTR_TYPE } = native.binding;
      const type = (name: string, dtype: string) => ({
        name,
        type: TF_ATTR_TYPE,
        value: dataTypes[dtype],
      });
      const axisTensor = tf.scalar(axis, "int32");
      const rows = native.executeSingleOutput(name, [
        { name: "batch_dims", type: TF_ATTR_INT, value: batchDims },
        type("Tparams", x.dtype),
        type("Tindices", indices.dtype),
        type("Taxis", "int32"),
      ], [x, indices, axisTensor]);
      axisTensor.dispose();
      return rows;
    },
  });

/** Puts them in place; call it once the native backend is loaded. */
export function registerTraceableKernels(): void {
  if (tf.getKernel(name, "tensorflow") === undefined) return;
  tf.unregisterKernel(name, "tensorflow");
  register();
}
