/**
 * TensorFlow.js's WebGPU backend, mended. A device refuses work that it can't do without an exception, and
 * what is read afterwards is anything: here its reports become errors of the calls that read. And two of
 * its kernels: a sum of more tensors than the device binds, and the gradient of gather.
 */
import * as tf from "@tensorflow/tfjs";
import type { WebGPUBackend, WebGPUProgram } from "@tensorflow/tfjs-backend-webgpu";

let watched = false;

/** Has the backend watch its device from the start. Call it when the package is loaded, before the backend starts. */
export function watchWebGpu(): void {
  if (watched) return;
  watched = true;
  const make = tf.findBackendFactory("webgpu") as () => Promise<WebGPUBackend>;
  tf.removeBackend("webgpu");
  tf.registerBackend("webgpu", async () => watchDevice(await make()), 3);
}

/**
 * Makes the device's errors, and its loss, errors of every computation and read that follows: a variable
 * may have been assigned from work that was refused, so no later number can be trusted either.
 */
function watchDevice(backend: WebGPUBackend): WebGPUBackend {
  const { device } = backend;
  const run = backend.runWebGPUProgram.bind(backend);
  const read = backend.read.bind(backend);
  const readSync = backend.readSync.bind(backend);
  let failure: Error | undefined;
  const explain = (found: string, cause?: unknown) => {
    const short = found.replace(/\s+/g, " ").slice(0, 400);
    return new Error(
      `Cannot compute on WebGPU: expected the device to do what it was asked; found ${short}; start ` +
        "again in a new process, since numbers computed meanwhile may be wrong, with smaller batches " +
        "(batchTokens), a smaller model or SELF_ALIGNING_BACKEND=wasm",
      { cause },
    );
  };
  // The first says most: what follows comes of it.
  const fail = (error: Error) =>
    failure ??= explain(`${error.constructor.name}: ${error.message}`, error);
  const refuse = () => {
    if (failure !== undefined) throw failure;
  };
  device.addEventListener("uncapturederror", (event) => {
    event.preventDefault(); // a browser would print it
    fail(event.error as unknown as Error);
  });
  device.lost.then(({ reason, message }) => {
    failure = explain(`that it is lost (${reason || "no reason given"}): ${message}`);
  });
  return Object.assign(backend, {
    runWebGPUProgram(...given: Parameters<typeof run>) {
      refuse();
      try {
        return run(...given);
      } catch (error) {
        // What TensorFlow.js checks itself it says well.
        throw error instanceof DOMException ? fail(error) : error;
      }
    },
    async read(dataId: object) {
      let values: tf.backend_util.BackendValues;
      try {
        values = await read(dataId);
      } catch (error) {
        if (!(error instanceof DOMException)) throw error;
        await new Promise((done) => setTimeout(done)); // the device says why after its promises
        throw fail(error);
      }
      refuse();
      return values;
    },
    readSync(dataId: object) {
      const data = backend.tensorMap.get(dataId);
      if (data?.values == null && data?.dtype !== "string") {
        throw new Error(
          "Cannot read a tensor's numbers at once: expected a backend that can be waited for; found " +
            "webgpu; use await tensor.data() in place of dataSync(), arraySync() or print()",
        );
      }
      return readSync(dataId);
    },
  });
}

/** The backend's AddN by parts: one shader binds all of a part's tensors, and the device has few bindings. */
export function sumInParts(addN: tf.KernelFunc): tf.KernelFunc {
  return ({ inputs, attrs, backend }) => {
    const { device, disposeData } = backend as WebGPUBackend;
    const most = device.limits.maxStorageBuffersPerShaderStage - 1; // one is the sum's
    const sum = (terms: tf.TensorInfo[]): tf.TensorInfo => {
      if (terms.length <= most) {
        const inputs = terms as unknown as tf.NamedTensorInfoMap;
        return addN({ inputs, attrs, backend }) as tf.TensorInfo;
      }
      const parts: tf.TensorInfo[] = [];
      for (let i = 0; i < terms.length; i += most) parts.push(sum(terms.slice(i, i + most)));
      const whole = sum(parts);
      for (const { dataId } of parts) disposeData.call(backend, dataId);
      return whole;
    };
    return sum(inputs as unknown as tf.TensorInfo[]);
  };
}

/**
 * Adds the rows of x [N, ...] to the row of the output [segments, ...] that their id names; rows of other
 * ids count for none. The backend's own kernel adds by atomics, in another order each time, and needs the
 * output twice. Here the first row of each id adds up all rows of that id, in their order.
 */
export function sumBySegment(
  backend: WebGPUBackend,
  [x, ids]: [tf.TensorInfo, tf.TensorInfo],
  segments: number,
): tf.TensorInfo {
  const shape = [segments, ...x.shape.slice(1)];
  const { dtype } = x;
  const zeros = tf.getKernel(tf.Fill, "webgpu").kernelFunc({
    inputs: {},
    attrs: { shape, value: 0, dtype },
    backend,
  }) as tf.TensorInfo;
  const size = tf.util.sizeFromShape(x.shape);
  const rows = x.shape[0];
  if (size === 0 || segments === 0) return zeros;
  const flat = (info: tf.TensorInfo) => ({ ...info, shape: [tf.util.sizeFromShape(info.shape)] });
  const output = flat(zeros);
  const program: WebGPUProgram = {
    variableNames: ["x", "ids"],
    outputShape: output.shape,
    workgroupSize: [64, 1, 1],
    dispatchLayout: { x: [0] },
    dispatch: [Math.ceil(size / 64), 1, 1],
    shaderKey: "sumBySegment",
    uniforms: "rows : i32, width : i32, segments : i32,",
    getUserCode: () => `
      fn main(index : i32) {
        let width = uniforms.width;
        let row = index / width;
        if (row >= uniforms.rows) { return; }
        let id = ids[row];
        if (id < 0 || id >= uniforms.segments) { return; }
        for (var before = 0; before < row; before++) {
          if (ids[before] == id) { return; }
        }
        let column = index % width;
        var sum = x[index];
        for (var next = row + 1; next < uniforms.rows; next++) {
          if (ids[next] == id) { sum += x[next * width + column]; }
        }
        result[id * width + column] = sum;
      }`,
  };
  const uniforms = [rows, size / rows, segments]
    .map((value) => ({ type: "int32", data: [value] }));
  backend.runWebGPUProgram(program, [flat(x), flat(ids)], dtype, uniforms, output);
  return zeros;
}
