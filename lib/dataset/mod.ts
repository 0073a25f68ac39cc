/** The exams, instructions and released rows that the method works on. */
export type { BenchmarkOptions } from "./_benchmark.ts";
export * from "./ceval.ts";
export * from "./cmmlu.ts";
export * from "./facts.ts";
export * from "./general.ts";
export * from "./instructions.ts";
export * from "./medmcqa.ts";
export * from "./mmlu.ts";
export * from "./published_order.ts";
export * from "./read.ts";
export * from "./released.ts";
export * from "./xiezhi.ts";
