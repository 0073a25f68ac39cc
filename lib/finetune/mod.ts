/** Fine-tuning: batches, schedules, AdamW, and the loop over examples. */
export { encodeConversation, type EncodedConversation } from "./encode.ts";
export {
  defaultFinetuning,
  finetune,
  type FinetuneOptions,
  type FinetuneResult,
  resolveFinetuning,
} from "./finetune.ts";
export { type Schedule, scheduleFactor, type ScheduleOptions } from "./schedule.ts";
export { type FinetuneSettings, organismFinetuning, paperFinetuning } from "./settings.ts";
export {
  lossAndGradients,
  type StepResult,
  Trainer,
  type TrainerOptions,
  type WeightedBatch,
} from "./trainer.ts";
