/** The tiny checkpoints made by make_checkpoints.py, and what PyTorch gave on them. */
import { join } from "node:path";
import {} from "../unit/_safetensors.ts";

export interface Batch {
  inputIds: number[][];
  labels: number[][];
}

export interface ReferenceRun {
  schedule: "cosine" | "linear" | "constant";
  weightDecay: number;
  learningRate: number;
  warmupSteps: number;
  steps: number;
  clipNorm: number;
  beta1: number;
  beta2: number;
  epsilon: number;
  losses: number[];
  gradientNorms: number[];
  learningRates: number[];
}

export interface Reference {
  versions: { torch: string; transformers: string };
  /** The steps of a run take these in turn; logits, loss and gradients are of the first. */
  batches: Batch[];
  loss: number;
  accumulation: { losses: number[]; supervised: number[] };
  runs: Record<string, ReferenceRun>;
  tensors: Tensors;
}

export type Tensors = Map<string, { shape: number[]; data: Float32Array }>;

const modelsFolder = join(import.meta.dirname!, "fixtures", "models");

export const fixtureNames = Array.from(Deno.readDirSync(modelsFolder), (entry) => entry.name)
  .sort();
if (fixtureNames.length === 0) {
  throw new Error(`Cannot test the models: expected checkpoints in ${modelsFolder}, found none`);
}

export function fixtureFolder(name: string): string {
  return join(modelsFolder, name);
}

export async function readReference(name: string): Promise<Reference> {
  const folder = fixtureFolder(name);
  const reference = JSON.parse(await Deno.readTextFile(join(folder, "reference.json")));
  return { ...reference, tensors: await readTensors(join(folder, "reference.safetensors")) };
}

/** A reader of its own, for float32 only, so that the project's reader is tested and not trusted. */
export async function readTensors(path: string): Promise<Tensors> {
  const bytes = await Deno.readFile(path);
  const start = 8 + Number(new DataView(bytes.buffer).getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, start)));
  const tensors: Tensors = new Map();
  for (const [name, entry] of Object.entries<Record<string, unknown>>(header)) {
    if (name === "__metadata__") continue;
    if (entry.dtype !== "F32") throw new Error(`${path}: ${name} is ${entry.dtype}, expected F32`);
    const [begin, end] = entry.data_offsets as [number, number];
    const data = new Float32Array(bytes.slice(start + begin, start + end).buffer);
    tensors.set(name, { shape: entry.shape as number[], data });
  }
  return tensors;
}

/** The tensors whose names start with `prefix.`, without it. */
export function withPrefix(tensors: Tensors, prefix: string): Tensors {
  const result: Tensors = new Map();
  for (const [name, tensor] of tensors) {
    if (name.startsWith(`${prefix}.`)) result.set(name.slice(prefix.length + 1), tensor);
  }
  return result;
}

/** Largest absolute difference; infinite for a number that is not finite or another length. */
export function largestDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) return Infinity;
  let largest = 0;
  for (let i = 0; i < a.length; i++) {
    const difference = Math.abs(a[i] - b[i]);
    if (!(difference <= largest)) largest = Number.isFinite(difference) ? difference : Infinity;
  }
  return largest;
}

/** The same, relative to the largest absolute value of `b`. */
export function relativeDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let largest = 0;
  for (let i = 0; i < b.length; i++) largest = Math.max(largest, Math.abs(b[i]));
  const difference = largestDifference(a, b);
  return difference === 0 ? 0 : difference / largest;
}
