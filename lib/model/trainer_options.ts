/** What a trainer is made with and what it keeps between runs. */
import type { LoraOptions } from "./adapter.ts";
import type { ForwardOptions, GradientCheckpointing } from "./architecture.ts";

export interface TrainerOptions extends Pick<ForwardOptions, "embeddingScale"> {
  /** What is recomputed for the gradient, to need less memory if rows are long. Default: nothing. */
  gradientCheckpointing?: GradientCheckpointing;
  /** Trains an adapter: `{}` for the defaults, or the model's own. Default: all parameters. */
  lora?: LoraOptions;
  learningRate: number;
  totalSteps: number;
  /** Default 0. */
  warmupSteps?: number;
  /** Default "cosine". */
  schedule?: Schedule;
  /** Largest norm of all gradients together; longer ones are scaled down to it. Default: no clipping. */
  clipNorm?: number;
  /** Decoupled; default 0. */
  weightDecay?: number;
  /** Tensors that decay. Default: all that are trained, as torch.optim.AdamW over all of them. */
  decays?: (name: string) => boolean;
  /** AdamW's; default .9, .999 and 1e-8. */
  beta1?: number;
  beta2?: number;
  epsilon?: number;
  /** Most tokens at once, padding counted; larger batches are summed in parts. Default: 8,192. */
  batchTokens?: number;
  /** The factor on the learning rate at a step (from 0), in place of `schedule`. */
  factor?: (step: number) => number;
}

type Optional = "clipNorm" | "factor" | "decays" | "lora";

export type ResolvedOptions =
  & Required<Omit<TrainerOptions, Optional>>
  & Pick<TrainerOptions, Optional>;

/** Options with the defaults. @throws if a number does not fit */
export function resolveOptions(options: TrainerOptions): ResolvedOptions {
  const resolved: ResolvedOptions = {
    warmupSteps: 0,
    schedule: "cosine",
    weightDecay: 0,
    beta1: 0.9,
    beta2: 0.999,
    epsilon: 1e-8,
    embeddingScale: 1,
    batchTokens: 8192,
    gradientCheckpointing: "nothing",
    ...options,
  };
  for (const name of ["learningRate", "totalSteps", "warmupSteps", "weightDecay"] as const) {
    if (!(resolved[name] >= 0)) {
      throw new Error(`Cannot train: expected ${name} >= 0; found ${resolved[name]}`);
    }
  }
  return resolved;
}

/** The learning rate of a step, counted from 0. */
export const learningRateAt = (step: number, options: ResolvedOptions): number =>
  options.learningRate * (options.factor?.(step) ?? scheduleFactor(step, options));

/** Which of the tensors decay. */
export const decayedOf = (
  names: Iterable<string>,
  { weightDecay, decays }: ResolvedOptions,
): boolean[] => [...names].map((name) => weightDecay > 0 && (decays?.(name) ?? true));

export interface StepResult {
  /** Mean cross-entropy over the supervised tokens, in nats, before the step. */
  loss: number;
  /** L2 norm of all gradients together, before clipping. */
  gradientNorm: number;
  /** The rate that this step used. */
  learningRate: number;
}

export interface TrainerState {
  steps: number;
  /** Sizes that batches are padded to. */
  largest: { rows: number; supervised: number };
  options: Omit<TrainerOptions, "factor" | "decays">;
  /** Tensors that decay, if not all do. */
  decayed?: string[];
  /** The factor on the learning rate of the next step, if it comes from a function. */
  factor?: number;
  /** Digest of the model below an adapter, which the file does not hold. */
  base?: string;
}

/** Names of a tensor's moments among the model's state. */
export const firstMoment = (name: string): string => `adam/first/${name}`;
export const secondMoment = (name: string): string => `adam/second/${name}`;

export type Schedule = "cosine" | "linear" | "constant";

export type ScheduleOptions = Required<
  Pick<TrainerOptions, "schedule" | "totalSteps" | "warmupSteps">
>;

/** The factor on the learning rate at `step` (counted from 0): warm-up, then decay to 0. */
export function scheduleFactor(
  step: number,
  { schedule, totalSteps, warmupSteps }: ScheduleOptions,
): number {
  if (step < warmupSteps) return step / Math.max(1, warmupSteps);
  if (schedule === "constant") return 1;
  const progress = (step - warmupSteps) / Math.max(1, totalSteps - warmupSteps);
  if (schedule === "linear") return Math.max(0, 1 - progress);
  return Math.max(0, 0.5 * (1 + Math.cos(Math.PI * progress)));
}
