/** Models: the forward pass and its parts, tokenizers and chat templates, adapters, memory, files. */
export { type Adapter, type LoraOptions, type LoraTarget, loraTargets } from "./adapter.ts";
export { type ChatTemplate, chatTemplateFromFiles } from "./chat_template.ts";
export { createChatFormat } from "./chat_format.ts";
export type { ModelConfiguration } from "./configuration.ts";
export { loadLora, saveLora } from "./files/adapter_folder.ts";
export { type LoadOptions } from "./files/load.ts";
export { type FinetuneSettings, organismFinetuning, paperFinetuning } from "./finetune_settings.ts";
export { addLora, dropLora, mergeLora } from "./lora.ts";
export {
  loadingMemory,
  type MemoryEstimate,
  probingMemory,
  trainingMemory,
  type TrainingUse,
} from "./memory.ts";
export type { GenerateOptions, ReadableModel } from "./readable_model.ts";
export { type Schedule, scheduleFactor, type ScheduleOptions } from "./schedule.ts";
export { type Tokenizer, tokenizerFromFiles } from "./tokenizer.ts";
