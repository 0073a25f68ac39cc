/** Gives models and trainers the code that reads and writes their folders; see storage.ts. */
import { join } from "node:path";
import { writeWhole } from "../../platform/runtime/files.ts";
import { toTransformersConfig } from "../configuration.ts";
import { attachStorage } from "../storage.ts";
import type { TensorModel } from "../readable_model.ts";
import { safetensorsPieces } from "./checkpoint_writer.ts";
import { readState, writeState } from "./trainer_state.ts";

async function saveModel(folder: string, model: TensorModel): Promise<void> {
  await writeWhole(join(folder, "model.safetensors"), safetensorsPieces(model.parameters));
  for (const [name, text] of model.tokenizer?.files ?? []) {
    await writeWhole(join(folder, name), text);
  }
  // Last: a folder without it is no model, so a disk that fills up leaves none behind.
  const config = JSON.stringify(toTransformersConfig(model.config), null, 2);
  await writeWhole(join(folder, "config.json"), `${config}\n`);
}

attachStorage({ saveModel, saveTrainer: writeState, readTrainer: readState });
