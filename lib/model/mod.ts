/** Models: the forward pass and its parts, tokenizers and chat templates, adapters, memory, files. */
export * from "./adapter.ts";
export * from "./chat_template.ts";
export type { ModelConfiguration } from "./configuration.ts";
export { loadLora, saveLora } from "./files/adapter_folder.ts";
export type { LoadOptions } from "./files/load.ts";
export * from "./finetune_settings.ts";
export { addLora, dropLora, mergeLora } from "./lora.ts";
export * from "./memory.ts";
export type { GenerateOptions, ReadableModel } from "./readable_model.ts";
export { type Schedule, scheduleFactor, type ScheduleOptions } from "./trainer_options.ts";
export { type Tokenizer, tokenizerFromFiles } from "./tokenizer.ts";
