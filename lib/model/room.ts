/** Whether a training has room, checked before it starts. */
import type { LanguageModel } from "./language_model.ts";
import { checkMemory, type Has, neededMemory, trainingMemory, type TrainingUse } from "./memory.ts";
import { formatBytes } from "../platform/runtime/memory.ts";

export type TrainingRoom = Omit<TrainingUse, "compiled" | "tokens"> & { tokens: number };

/** Of the adapters that are advised. */
const LORA_RANK = 8;

/** @throws if memory is too small, with the estimate and what of the settings would help */
export function checkTrainingRoom(
  model: LanguageModel,
  room: TrainingRoom,
  { action, has = ["process", "weights"] }: { action: string; has?: Has },
): void {
  const compiled = model.session !== undefined;
  const needed = (changed: Partial<TrainingRoom>) =>
    trainingMemory(model.config, { ...room, compiled, ...changed });
  const estimate = needed({});
  const bytes = (of: typeof estimate) => neededMemory(of, has).bytes;
  const now = Math.min(room.batchTokens, room.tokens);
  const ways: Record<string, Partial<TrainingRoom>> = {
    [`fewer tokens at once (--batch-tokens=${room.length}, here ${now}`]: {
      batchTokens: room.length,
    },
    '--gradient-checkpointing (gradientCheckpointing: "layer"': { gradientCheckpointing: "layer" },
    [`adapters (--lora=${LORA_RANK}`]: { lora: { rank: LORA_RANK } },
  };
  // What is on already changes nothing.
  const helpful = Object.entries(ways)
    .map(([text, change]) => ({ text, then: bytes(needed(change)) }))
    .filter(({ then }) => then < 0.95 * bytes(estimate))
    .map(({ text, then }) => `${text}: ${formatBytes(then)})`);
  checkMemory(estimate, {
    action,
    has,
    mend: `${helpful.length > 0 ? `try ${helpful.join(", ")}, or ` : ""}choose a smaller model`,
  });
}
