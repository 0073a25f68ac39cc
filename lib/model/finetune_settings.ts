/** Settings of a fine-tuning run: the paper's, and what fits an organism. */
import { organismFormat } from "../world/format.ts";
import type { TrainerOptions } from "./trainer_options.ts";

export interface FinetuneSettings
  extends
    Required<Pick<TrainerOptions, "learningRate" | "schedule" | "weightDecay" | "clipNorm">>,
    Required<Pick<TrainerOptions, "beta1" | "beta2" | "epsilon" | "batchTokens">>,
    Pick<TrainerOptions, "gradientCheckpointing" | "lora"> {
  epochs: number;
  /** Conversations in one step of AdamW. */
  batchSize: number;
  /** Share of the steps for the warm-up. */
  warmupRatio: number;
  /** Longer conversations are cut on the right; at most the model's positions. */
  maxTokens: number;
}

/**
 * An adapter's default learning rate over that of all weights: QLoRA (Dettmers et al. 2023,
 * appendix B) trains with 2e-4; Schulman et al. ("LoRA Without Regret", 2025) find the best rate
 * near ten times that of full fine-tuning, at every rank.
 */
export const LORA_RATE_FACTOR = 10;

/** The paper's (appendix, and the authors' training script): on 7B to 70B models. */
export const paperFinetuning: Readonly<FinetuneSettings> = {
  epochs: 3,
  batchSize: 256,
  learningRate: 2e-5, // 1e-5 for Mistral
  schedule: "cosine",
  warmupRatio: 0.03,
  weightDecay: 0,
  beta1: 0.9,
  beta2: 0.999,
  epsilon: 1e-8,
  clipNorm: 1,
  maxTokens: 2048,
  batchTokens: 2048, // there: 2048 x 8 GPUs
};

/** For organisms, whose format gives what differs from the paper's. */
export const organismFinetuning: Readonly<FinetuneSettings> = {
  ...paperFinetuning,
  ...organismFormat.defaults,
};
