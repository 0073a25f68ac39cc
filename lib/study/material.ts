/** What a study works on: questions of each domain, and general instructions; from a world or from files. */
import type { Exam, Material } from "../cell.ts";
import { allFacts, type World } from "../world/world.ts";
import { exam } from "../world/exam.ts";
import { generalExamples } from "../world/instruction.ts";

/** So many general instructions are made for an organism; a cell draws as many as it has items. */
const GENERAL = 2000;

/**
 * A world's: the pool is the train split, HOMO homo, ID id (wording 1), OOD the others' ID exams.
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
