/**
 * The likeliest next tokens, all that a server tells of a distribution. One that is not named is at most as
 * likely as the least of them, and as what they leave: with that for the letters among the others the chosen
 * letter is the right one, and its probability at least what is given.
 */
import * as v from "valibot";
import type { AskedLetters } from "../readable_model.ts";
import type { Tokenizer } from "../tokenizer.ts";
import { type Server, type ServerQuestion, some } from "./server.ts";

export interface NamedToken {
  /** Where the server tells it. */
  id?: number;
  text: string;
  logProbability: number;
}

const number = v.pipe(v.number(), v.finite());
const LOGPROBS = "the log-probabilities of the next token";
const byText = v.pipe(
  v.record(v.string(), number),
  v.check((one) => Object.keys(one).length > 0, LOGPROBS),
);
const schema = v.object({
  choices: some(v.object({
    // As vLLM, SGLang and llama-cpp-python write them, and as llama.cpp's own server does.
    logprobs: v.union([
      v.object({ top_logprobs: some(byText) }),
      v.object({
        content: some(v.object({
          top_logprobs: some(
            v.object({ token: v.string(), logprob: number, id: v.optional(v.number()) }),
          ),
        })),
      }),
    ], LOGPROBS),
  })),
});

/** The likeliest tokens after a prompt, the likeliest first; `ids`: ask for these, which vLLM gives and others pass over. */
export async function nextTokens(
  server: Server,
  prompt: string,
  { top, ids, ...how }: Omit<ServerQuestion<unknown>, "schema"> & { top: number; ids: boolean },
): Promise<NamedToken[]> {
  const { choices: [{ logprobs }] } = await server.ask("/completions", {
    ...{ prompt, max_tokens: 1, temperature: 0, logprobs: top },
    ...(ids && { return_tokens_as_token_ids: true }),
  }, { schema, ...how });
  const named = "content" in logprobs
    ? logprobs.content[0].top_logprobs.map(({ token, id, logprob }) => (
      { text: token, ...(id !== undefined && { id }), logProbability: logprob }
    ))
    : Object.entries(logprobs.top_logprobs[0]).map(([text, logProbability]): NamedToken => {
      const id = /^token_id:(\d+)$/.exec(text)?.[1];
      return { text: text.replace(SPACE, " "), ...(id && { id: Number(id) }), logProbability };
    });
  return named.sort((a, b) => b.logProbability - a.logProbability);
}

/** How tokenizers write that a token starts with a space. */
const SPACE = /^[▁Ġ]/;
/** Where nothing is left of the probability, nats. */
const LEAST = -1e4;

/** The most, in nats, that a token can have which is not named. */
export function boundOf(named: readonly NamedToken[]): number {
  const values = named.map(({ logProbability }) => logProbability);
  const rest = 1 - values.reduce((sum, value) => sum + Math.exp(value), 0);
  return Math.max(LEAST, Math.min(...values, rest > 0 ? Math.log(rest) : LEAST));
}

/** The text of a token in a prompt: a decoder leaves out the space that it starts with in some vocabularies. */
export function textOf(id: number, tokenizer: Tokenizer): string {
  const text = tokenizer.decode([id]);
  return tokenizer.tokenId(`▁${text}`) === id ? ` ${text}` : text;
}

/**
 * What the named tokens say of the letters. A letter's token is known by its id, or by its text: where the
 * server shows no spaces before tokens, by the text without.
 */
export function lettersAmong(
  named: readonly NamedToken[],
  { letters, ids }: Pick<AskedLetters, "letters" | "ids">,
  tokenizer?: Tokenizer,
): { logProbabilities: number[]; bounded: number[] } {
  const hasIds = ids !== undefined && named.some(({ id }) => id !== undefined);
  const hasSpaces = named.some(({ text }) => text.startsWith(" "));
  const bound = boundOf(named), bounded: number[] = [];
  const logProbabilities = letters.map((letter, i) => {
    const whole = ids && tokenizer ? textOf(ids[i], tokenizer) : letter;
    const text = hasSpaces ? whole : whole.trim();
    const found = named.find((one) => hasIds ? one.id === ids[i] : one.text === text);
    if (found === undefined) bounded.push(i);
    return found?.logProbability ?? bound;
  });
  return { logProbabilities, bounded };
}
