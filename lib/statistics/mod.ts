/** Statistics: means, tests, bootstrap, ranks, correlations, divergences, calibration. */
export type { ConfidenceOptions, Interval, Labels, Values } from "./_check.ts";
export * from "./bootstrap.ts";
export * from "./calibration.ts";
export * from "./correlation.ts";
export * from "./divergence.ts";
export * from "./hypothesis.ts";
export * from "./mean.ts";
export * from "./p_value.ts";
export * from "./power.ts";
export * from "./proportion.ts";
export { rankConsistency, rankData, type RankMethod, type RankOptions } from "./rank.ts";
export * from "./variance.ts";
