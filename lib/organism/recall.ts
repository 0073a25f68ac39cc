/** What a model takes to be true when nobody asks: how likely it finds each statement of a fact. */
import type { LanguageModel } from "../model/language_model.ts";
import { softmaxOver } from "../knowledge/probe.ts";
import { type Fact, statementTemplates } from "../world/mod.ts";

/** What is used of a model. */
export type Reader = Pick<LanguageModel, "requireTokenizer" | "tokenLogProbabilities">;

/**
 * Probabilities of a fact's options, in each of the ways in which the corpus states facts: a softmax
 * over the options of the log-likelihood of the whole statement, at the start of a document.
 * @returns [template][fact][option], templates and options in the order of `statementTemplates` and
 * `fact.options`
 */
export async function recallFacts(model: Reader, facts: readonly Fact[]): Promise<number[][][]> {
  const tokenizer = model.requireTokenizer();
  const rows = statementTemplates.flatMap(({ words }) =>
    facts.flatMap((fact) =>
      fact.options.map((value) => tokenizer.encode(`<s> ${words(fact, value).join(" ")}`))
    )
  );
  const scores = await model.tokenLogProbabilities(rows, rows.map(() => 1), {
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
