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

/**
 * Groups of the tensors' places: those that go together, in their order; else each alone. They are alike but
 * in their first dimension, along which they are joined as they are.
 */
export function groups(tensors: readonly tf.Tensor[]): number[][] {
  const joins = activeTrace?.inPlace === true && nodeBackend().isUsingGpuDevice;
  const found: number[][] = [];
  const open = new Map<string, { group: number[]; size: number }>();
  tensors.forEach(({ size, shape }, i) => {
    if (!joins || size > LARGEST || shape.length === 0) return found.push([i]);
    const alike = shape.slice(1).join();
    let one = open.get(alike);
    if (one === undefined || one.size + size > LARGEST_GROUP) {
      open.set(alike, one = { group: [], size: 0 });
      found.push(one.group);
    }
    one.group.push(i);
    one.size += size;
  });
  return found;
}

/** The tensors of a group as one. */
export const join = (tensors: readonly tf.Tensor[]): tf.Tensor =>
  tensors.length === 1 ? tensors[0] : tf.concat([...tensors]);

/** The parts of what `join` gave, in the shapes of these tensors, which are several. */
export const part = (joined: tf.Tensor, like: readonly tf.Tensor[]): tf.Tensor[] =>
  tf.split(joined, like.map(({ shape }) => shape[0]));
