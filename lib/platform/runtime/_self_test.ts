/** A backend's test of itself before it is used, on values worked out by hand. */
import * as tf from "@tensorflow/tfjs";
import { globalNorm, onlyIf, updateAdam } from "../compile/adam.ts";
import { compile } from "../compile/compile.ts";
import { Session } from "../compile/session.ts";

/**
 * Compares a product, its gradient, gather's gradient, and a training step (gradients, their norm, clipping,
 * AdamW, and where it is compiled a step that isn't finite) with what they must be, on the open backend.
 * @throws naming the first that is further off than 1e-5
 */
export async function selfTest(): Promise<void> {
  const products = tf.tidy(() => {
    const a = tf.tensor2d([[1, 2, 3], [4, 5, 6]]);
    const b = tf.tensor2d([[.5, -1], [2, .25], [-3, 1.5]]);
    const ids = tf.tensor1d([2, 0, 2], "int32"), weights = tf.tensor2d([[1], [2], [3]]);
    const table = tf.tensor2d([[7], [8], [9]]);
    return {
      product: tf.matMul(a, b),
      slope: tf.grad((x) => tf.sum(tf.square(tf.matMul(a, x as tf.Tensor2D))))(b),
      rows: tf.grad((x) => tf.sum(tf.mul(tf.gather(x, ids), weights)))(table),
    };
  });
  const slope = [-57, 58, -78, 78.5, -99, 99];
  try {
    await compare(products, { product: [-4.5, 4, -6, 6.25], slope, rows: [2, 0, 4] });
  } finally {
    tf.dispose(products);
  }
  await testStep();
}

/** More gradients than a WebGPU device binds buffers. */
const SCALARS = 12;

/** loss = |x w|^2 + the sum of 12 scalars: gradients [-4, -6] and twelve times 1, so the norm is 8. */
async function testStep(): Promise<void> {
  const session = tf.getBackend() === "tensorflow" ? new Session() : undefined;
  const made: tf.Tensor[] = [];
  const variable = (name: string, values: number[]) =>
    tf.tidy(() => {
      const one = tf.variable(tf.tensor2d(values, [values.length, 1]));
      session?.bind(name, one);
      made.push(one);
      return one;
    });
  const [weight, first, second] = [[.5, -.5], [0, 0], [0, 0]]
    .map((values, i) => variable(`weight${i}`, values));
  const scalars = Array.from({ length: SCALARS }, (_, i) => variable(`scalar${i}`, [0]));
  const step = compile((x) => {
    const { grads } = tf.variableGrads(
      () =>
        tf.sum(tf.stack([
          tf.sum(tf.square(tf.matMul(x as tf.Tensor2D, weight as tf.Tensor2D))),
          ...scalars.map((one) => tf.sum(one)),
        ])) as tf.Scalar,
      [weight, ...scalars],
    );
    const norm = globalNorm(Object.values(grads));
    const scale = tf.minimum(1, tf.div(2, norm)); // clipped to a norm of 2: a quarter
    const update = () =>
      updateAdam({ variable: weight, first, second }, tf.mul(grads[weight.name], scale), {
        ...{ learningRate: tf.scalar(.1), epsilon: tf.scalar(0), decay: tf.scalar(.05) },
        ...{ beta1: tf.scalar(.5), beta2: tf.scalar(.75) },
        ...{ correction1: tf.scalar(.5), correction2: tf.scalar(.25) },
      });
    if (session === undefined) update();
    else onlyIf(tf.isFinite(norm) as tf.Scalar, update);
    return [norm];
  }, session);
  const after = { weight: [.575, -.375], first: [-.5, -.75], second: [.25, .5625] };
  try {
    // Uncompiled, a step is only taken once its norm was read.
    for (const x of [[1, 2, 3, 4], ...(session === undefined ? [] : [[NaN, 2, 3, 4]])]) {
      const input = tf.tensor2d(x, [2, 2]);
      made.push(input);
      const [norm] = step(input);
      made.push(norm);
      const isFinite = x.every(Number.isFinite);
      await compare({ norm, weight, first, second }, { norm: [isFinite ? 8 : NaN], ...after });
    }
  } finally {
    tf.dispose(made);
    session?.dispose();
  }
}

async function compare(
  results: Record<string, tf.Tensor>,
  expected: Record<string, number[]>,
): Promise<void> {
  for (const [name, values] of Object.entries(expected)) {
    const found = await results[name].data();
    const isOff = (value: number, i: number) =>
      Number.isNaN(value) ? Number.isFinite(found[i]) : !(Math.abs(value - found[i]) <= 1e-5);
    if (values.some(isOff) || found.length !== values.length) {
      throw new Error(`its self-test failed: ${name} is ${found}, not ${values}`);
    }
  }
}
