/**
 * Small tensors as one: on a card each operation costs its launch, whatever the size. Elsewhere, and where
 * XLA fuses, a tensor stays alone.
 */
import * as tf from "@tensorflow/tfjs";
import { activeTrace } from "./active.ts";
import { nodeBackend } from "./backend.ts";

/** Numbers of a tensor that a card computes about as fast as it starts an operation. */
const LARGEST = 2 ** 20;
/** Numbers of a group, of which an update holds several copies for a moment. */
const LARGEST_GROUP = 2 ** 24;

/** Groups of the tensors' places: those that go together, in their order; else each alone. */
export function groups(tensors: readonly tf.Tensor[]): number[][] {
  const joins = activeTrace?.inPlace === true && nodeBackend().isUsingGpuDevice;
  const found: number[][] = [];
  let open: number[] | undefined, size = 0;
  tensors.forEach((tensor, i) => {
    if (!joins || tensor.size > LARGEST) return found.push([i]);
    if (open === undefined || size + tensor.size > LARGEST_GROUP) {
      found.push(open = []);
      size = 0;
    }
    open.push(i);
    size += tensor.size;
  });
  return found;
}

/** All numbers in a row; of one tensor, itself. */
export function join(tensors: readonly tf.Tensor[]): tf.Tensor {
  if (tensors.length === 1) return tensors[0];
  return tf.concat(tensors.map((tensor) => tf.reshape(tensor, [-1])));
}

/** The parts of what `join` gave, in the shapes of these tensors. */
export function part(joined: tf.Tensor, like: readonly tf.Tensor[]): tf.Tensor[] {
  return tf.split(joined, like.map(({ size }) => size))
    .map((piece, i) => tf.reshape(piece, like[i].shape));
}
