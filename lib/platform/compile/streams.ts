/**
 * Parts of a batch side by side, each on a thread of its own.
 *
 * TensorFlow shares one operation among threads, which meet again after each: where an operation takes a
 * tenth of a millisecond, meeting costs more than sharing saves. Such a model's batch is cut by rows
 * instead, into as many chains of operations as there are threads, and no operation is shared.
 */
import { availableParallelism } from "node:os";
import process from "node:process";
import type * as tf from "@tensorflow/tfjs";
import { isNative, nodeBackend } from "./backend.ts";

/** Numbers of the largest variable up to which operations are taken to be too small to be shared. */
const SMALL = 2 ** 18;

/** More were not tried. */
const MOST = 4;

/** How many chains can be computed at once. */
export function mostStreams(): number {
  if (!isNative() || nodeBackend().isUsingGpuDevice) return 1;
  return Number(process.env.TF_NUM_INTRAOP_THREADS) || availableParallelism();
}

/** How many a session of these variables computes side by side; 1: operations are shared. */
export function streamsFor(variables: Iterable<tf.Tensor>): number {
  for (const { size } of variables) if (size > SMALL) return 1;
  return Math.min(mostStreams(), MOST);
}

/**
 * TensorFlow's ConfigProto of a session that computes so many chains. On a processor a run's graph is pruned
 * before it is placed, with which TensorFlow skips its graph optimizer: first runs take half to two thirds
 * of the time, and later ones no longer (an organism's and SmolLM2's, trained, probed and generating).
 */
export const sessionConfig = (streams: number): Uint8Array =>
  Uint8Array.of(
    ...(nodeBackend().isUsingGpuDevice ? [] : [10 << 3 | 2, 2, 6 << 3, 1]), // place_pruned_graph
    ...(streams === 1 ? [] : [
      ...[2 << 3, 1], // intra_op_parallelism_threads: each operation on one thread
      ...[5 << 3, streams], // inter_op_parallelism_threads
      ...[9 << 3, 1], // use_per_session_threads
    ]),
  );
