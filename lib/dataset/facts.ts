/**
 * The parts of the exam of common facts (data/facts, which makes it from tables). A small pretrained
 * model knows some of the facts, so that the whole method runs on a real model anywhere. The pool and
 * HOMO ask for some of a domain's relations (capitals, cities), ID for others (currencies, languages),
 * so that ID is another exam of the same domain.
 */

/** `dev` is shown before `pool` and `homo`, `id-dev` before `id`. */
export const factSplits = ["dev", "pool", "homo", "id-dev", "id"] as const;
export type FactSplit = typeof factSplits[number];

export const factDomains = ["geography", "chemistry", "literature", "history"] as const;
export type FactDomain = typeof factDomains[number];
