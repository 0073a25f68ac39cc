/** Learning-rate schedules, step by step as in transformers' `get_scheduler`. */

export type Schedule = "cosine" | "linear" | "constant";

export interface ScheduleOptions {
  schedule: Schedule;
  totalSteps: number;
  /** Steps of linear warm-up from 0. */
  warmupSteps: number;
}

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
