/** What a study works on: questions of each domain, and general instructions; from a world or from files. */
import type { Example, Question } from "../question.ts";
import type { SuiteName } from "../evaluate.ts";
import type { ReleasedMaterial } from "./released.ts";
import { allFacts, type Status, type World } from "../world/world.ts";
import { exam } from "../world/exam.ts";
import { generalExamples } from "../world/instruction.ts";

/** Questions and the demonstrations that the base model is shown before each. */
export interface Exam {
  /** E.g. `history/homo`; an exam of this name is the same in all suites that it is part of. */
  name: string;
  questions: readonly Question[];
  demonstrations: readonly Question[];
}

export interface DomainMaterial {
  /** What the groups are made from. */
  pool: Exam;
  /** The exams of each test; OOD mostly has several. */
  suites: Partial<Record<SuiteName, readonly Exam[]>>;
  /** Groups that are trained on as they are. Default: they are made from the base's own answers. */
  released?: ReleasedMaterial;
}

/** What a wrong answer is about: a misconception, nothing that was read, or something known but missed. */
export type ItemKind = Status;

export interface Material {
  domains: ReadonlyMap<string, DomainMaterial>;
  /** General instructions to mix in. */
  general: readonly Example[];
  /** The kind of each question's fact, by the question's id; a world tells. */
  kinds?: ReadonlyMap<Question["id"], ItemKind>;
}

/** So many general instructions are made for an organism; a cell draws as many as it has items. */
const GENERAL = 2000;

/**
 * A world's: the pool is the train split, HOMO the homo split (both in wording 0), ID the id split
 * (wording 1), OOD the ID exams of the other domains.
 * @param limit at most so many questions of a pool or an exam
 */
export function worldMaterial(
  world: World,
  { domains = world.domains.map(({ name }) => name), limit }: {
    domains?: readonly string[];
    limit?: number;
  } = {},
): Material {
  const make = (domain: string, split: "train" | "homo" | "id"): Exam => ({
    name: `${domain}/${split}`,
    questions: exam(world, { domain, split }).slice(0, limit),
    demonstrations: exam(world, { domain, split: "dev", wording: split === "id" ? 1 : 0 }),
  });
  const tests = new Map(world.domains.map(({ name }) => [name, make(name, "id")]));
  return {
    domains: new Map(domains.map((domain) => [domain, {
      pool: make(domain, "train"),
      suites: {
        homo: [make(domain, "homo")],
        id: [tests.get(domain)!],
        ood: [...tests].filter(([name]) => name !== domain).map(([, test]) => test),
      },
    }])),
    general: generalExamples(world, GENERAL, `${world.seed}/general`),
    kinds: new Map(allFacts(world).map(({ id, status }) => [id, status])),
  };
}
