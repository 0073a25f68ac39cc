/** The base model that every fine-tuning starts from. */
import type { LanguageModel } from "../model/language_model.ts";
import { dropLora } from "../model/lora.ts";

/** Keeps what a model is now: `restore` puts it back, `dispose` lets the copy go. */
export function keepBase(model: LanguageModel, lora: unknown) {
  // An adapter leaves the weights as they are: no copy of them is needed then.
  const copy = lora ? undefined : model.snapshot();
  return {
    restore: () => copy ? model.restore(copy) : dropLora(model),
    dispose: () => copy?.values().forEach((tensor) => tensor.dispose()),
  };
}
