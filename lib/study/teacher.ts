/**
 * Explanations by a teacher for pools that come without: another model, behind OPENAI_BASE_URL (the paper's
 * was GPT-3.5). It is asked as a base model is for its own reasons (see explanation.ts), about the gold
 * answer. Answers are kept; a question whose answer explains nothing is left out of the pool, since context is
 * for all of INC or for none.
 */
import * as v from "valibot";
import { explanationPrompt, explanationSettings } from "../explanation.ts";
import { counted, type ExplanationOrigin } from "../exam/card.ts";
import { countTokens } from "../model/encode.ts";
import { Server, type ServerOptions, some } from "../model/files/server.ts";
import { stoppable } from "../platform/interrupt.ts";
import type { Question } from "../question.ts";

const text = v.nullish(v.string());
const answerSchema = v.object({
  choices: some(
    v.object({ message: v.object({ content: text, refusal: text }), finish_reason: text }),
  ),
});
type Choice = v.InferOutput<typeof answerSchema>["choices"][number];

const FENCE = "```";
const REFUSAL = /^(i['’]?m sorry|i am sorry|sorry|i can(['’]t|not)|i['’]?m unable|as an ai)\b/i;

/** The explanation in a teacher's answer, or why there is none. Chat models may leave the backticks out. */
export function readTeacher(
  { message: { content, refusal }, finish_reason: end }: Choice,
): { explanation: string } | { reason: "refused" | "cut" | "empty" } {
  const [before, inside] = (content ?? "").split(FENCE);
  const explanation = (inside ?? before).trim();
  if (refusal || end === "content_filter" || REFUSAL.test(explanation)) {
    return { reason: "refused" };
  }
  if (end === "length") return { reason: "cut" };
  return explanation === "" ? { reason: "empty" } : { explanation };
}

/**
 * The questions, each that has neither explanation nor context with one of the teacher's.
 * @throws where no address is set, or as `Server` does
 */
export async function explainPool(
  questions: readonly Question[],
  { teacher, domain, serving, most = 0.1 }: {
    teacher: string;
    /** The share of its answers that may explain nothing before this stops. Default .1. */
    most?: number;
    domain: string;
    serving: ServerOptions;
  },
): Promise<{ questions: Question[]; origin: ExplanationOrigin }> {
  const address = Deno.env.get("OPENAI_BASE_URL");
  if (!address) {
    throw new Error(
      `Cannot ask the teacher ${teacher}: expected its server's address in OPENAI_BASE_URL, such as ` +
        "https://api.openai.com/v1; found none; set it, and OPENAI_API_KEY, or leave --teacher out",
    );
  }
  const server = new Server(address, teacher, serving);
  const bare = questions.filter((one) => !one.explanation && !one.context);
  const prompts = bare.map((one) => explanationPrompt(one, one.answer));
  const tokens = prompts.reduce((sum, prompt) => sum + countTokens(prompt), 0);
  console.error(
    `${domain}: ${server.what} is asked for ${bare.length} explanations, less those that it gave before: ` +
      `about ${Math.round(tokens / 1000)} thousand tokens to send`,
  );
  const work = { what: () => `asking ${teacher}`, then: "what it answered is kept: run it again" };
  const max_tokens = explanationSettings.maxNewTokens;
  const given = await stoppable(work, (signal) =>
    server.all(prompts, async (content) => {
      const body = { messages: [{ role: "user", content }], temperature: 0, max_tokens };
      const how = { schema: answerSchema, tokens: countTokens(content), signal };
      return readTeacher((await server.ask("/chat/completions", body, how)).choices[0]);
    }));
  const found = new Map(bare.map((one, i) => [one, given[i]]));
  const reasons = given.flatMap((one) => "reason" in one ? [one.reason] : []);
  const setAside = counted(reasons);
  if (reasons.length > most * bare.length) {
    const found = `${reasons.length} of ${bare.length} (${Object.keys(setAside).join(", ")})`;
    throw new Error(
      `Cannot use the explanations of ${server.what}: expected at most ${100 * most}% that ` +
        `explain nothing; found ${found}; take another teacher, or a larger --max-rejected`,
    );
  }
  const explained = questions.flatMap((one) => {
    const text = found.get(one);
    return text === undefined ? [one] : "reason" in text ? [] : [{ ...one, ...text }];
  });
  const from = `${teacher} at ${new URL(server.address).host}`;
  const counts = { questions: bare.length, explained: bare.length - reasons.length, setAside };
  return { questions: explained, origin: { domain, from, ...counts } };
}
