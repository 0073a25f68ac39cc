/** The file code behind `save` and `resume`, put here by files/attach.ts: a page has none. */
import type { TensorModel } from "./readable_model.ts";
import type { TrainerState } from "./trainer_options.ts";

export interface Storage {
  saveModel(folder: string, model: TensorModel): Promise<void>;
  saveTrainer(folder: string, model: TensorModel, state: TrainerState): Promise<void>;
  /** The state that a folder keeps; `restore` brings its tensors into the model. */
  readTrainer(
    folder: string,
    model: TensorModel,
  ): Promise<TrainerState & { restore(): Promise<void> }>;
}

let storage: Storage | undefined;

export function attachStorage(attached: Storage): void {
  storage = attached;
}

/** @throws if no file code is attached, as in a page */
export function requireStorage(action: string): Storage {
  if (storage !== undefined) return storage;
  throw new Error(
    `Cannot ${action}: expected code that reads and writes folders; found none, as in a browser; ` +
      "import lib/model/files/attach.ts, or write the bytes of safetensorsPieces(model.parameters)",
  );
}
