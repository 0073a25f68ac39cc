/** What a model takes to be true when nobody asks: how likely it finds each statement of a fact. */
import type { LanguageModel } from "../model/language_model.ts";
import { softmaxOver } from "../probe.ts";
import type { HeldOutOptions } from "../world/gate.ts";
import { statementTemplates } from "../world/format.ts";
import type { Fact, World } from "../world/world.ts";
import { heldOutScores } from "./pretrain.ts";

/**
 * Probabilities of a fact's options, in each of the ways in which the corpus states facts: a softmax
 * over the options of the log-likelihood of the whole statement, at the start of a document.
 * @returns [template][fact][option], templates and options in the order of `statementTemplates` and
 * `fact.options`
 */
export async function recallFacts(
  model: LanguageModel,
  facts: readonly Fact[],
): Promise<number[][][]> {
  const tokenizer = model.requireTokenizer();
  const statements = statementTemplates.flatMap(({ words }) =>
    facts.map((fact) =>
      fact.options.map((value) => tokenizer.encode(`<s> ${words(fact, value).join(" ")}`))
    )
  );
  // What the options' statements start with alike makes no difference between them.
  const from = statements.flatMap((rows) => rows.map(() => sharedLength(rows)));
  const scores = await model.tokenLogProbabilities(statements.flat(), from, {
    batchTokens: 16_384,
  });
  const sums = scores.map((list) => list.reduce((a, b) => a + b, 0));
  let next = 0;
  return statementTemplates.map(() =>
    facts.map(({ options }) => {
      const own = sums.slice(next, next += options.length);
      return softmaxOver(own, own.map((_, i) => i));
    })
  );
}

function sharedLength(rows: readonly number[][]): number {
  let shared = 0;
  while (rows.every((row) => row[shared] === rows[0][shared])) shared++;
  return shared;
}

/** The statements' templates, as people write them. */
const statementWays = [
  "the N of E is V",
  "E does V",
  "for E, its N is V",
  "say that E does V",
  "V is the N of E",
];

/** Looks at the facts of pool and tests in every statement of the corpus, in an exam and in a chat. */
export async function askEveryWay(
  world: World,
  model: LanguageModel,
  options: HeldOutOptions = {},
) {
  const { facts, exam, chat } = await heldOutScores(world, model, options);
  const recalled = await recallFacts(model, facts);
  const stated = statementWays.map((way, i): [string, number[][]] => [way, recalled[i]]);
  return { facts, ways: new Map([...stated, ["in an exam", exam], ["in a chat", chat]]) };
}

/** What a model takes to be true of facts, by way to look: [fact][option]. */
export type FactAnswers = Awaited<ReturnType<typeof askEveryWay>>;
