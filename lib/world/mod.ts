/**
 * The synthetic world that the organisms grow up in: what is true in it, the corpus that states it, its
 * exams, its words, and how a model is pretrained on it.
 */
export * from "./documents.ts";
export * from "./exam.ts";
export * from "./format.ts";
export * from "./gate.ts";
export * from "./instruction.ts";
export * from "./letters.ts";
export * from "./mentions.ts";
export * from "./pretraining.ts";
export * from "./serialization.ts";
export * from "./settings.ts";
export * from "./vocabulary.ts";
export * from "./world.ts";
