/**
 * The parts of the exam of common facts (data/facts), of which a small pretrained model knows some.
 * Pool and HOMO ask for some of a domain's relations, ID for others, as another exam of the domain.
 */

/** `dev` is shown before `pool` and `homo`, `id-dev` before `id`. */
export const factSplits = ["dev", "pool", "homo", "id-dev", "id"] as const;
export type FactSplit = typeof factSplits[number];

export const factDomains = ["geography", "chemistry", "literature", "history"] as const;
export type FactDomain = typeof factDomains[number];
