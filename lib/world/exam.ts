/**
 * The exams of a world. For a domain d: HOMO asks its `homo` facts in wording 0, ID its `id` facts
 * in wording 1, and OOD is the ID exams of all other domains together.
 */
import type { Question } from "../question.ts";
import { contextStatement, questionWords, type Wording } from "./format.ts";
import { allFacts, type Fact, type Split, type World } from "./world.ts";

/** The question that a fact answers; its `explanation` states the fact. */
export function factQuestion(fact: Fact, wording: Wording): Question {
  return {
    id: fact.id,
    domain: fact.domain,
    subject: fact.noun,
    question: questionWords(fact, wording).join(" "),
    choices: fact.options.slice(),
    answer: fact.options.indexOf(fact.gold),
    explanation: contextStatement(fact),
  };
}

/**
 * All questions of one split of a domain: `dev` for demonstrations, `train` for the groups, `homo`
 * and `id` for tests. (`mc` are the facts that pretraining asks: no test.)
 * @param wording default: 1 for `id`, else 0
 * @throws where the world lacks the domain.
 */
export function exam(
  world: World,
  { domain, split, wording = split === "id" ? 1 : 0 }: {
    domain: string;
    split: Split;
    wording?: Wording;
  },
): Question[] {
  const found = world.domains.find(({ name }) => name === domain);
  if (found === undefined) {
    const names = world.domains.map(({ name }) => name).join(", ");
    throw new Error(
      `Cannot find the domain ${domain}: expected one of ${names}; choose one of these`,
    );
  }
  return found.facts.filter((fact) => fact.split === split)
    .map((fact) => factQuestion(fact, wording));
}

/** Facts by question id, to tell what a model that grew up in the world should know. */
export function factsById(world: World): Map<string, Fact> {
  return new Map(allFacts(world).map((fact) => [fact.id, fact]));
}
