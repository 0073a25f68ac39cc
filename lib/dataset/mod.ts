/** The exams, instructions and released rows that the method works on. */
export * from "./answers.ts";
export * from "./exams.ts";
export * from "./facts.ts";
export * from "./general.ts";
export * from "./published_order.ts";
export * from "./questions.ts";
export * from "./read.ts";
export * from "./released.ts";
export * from "./subjects.ts";
