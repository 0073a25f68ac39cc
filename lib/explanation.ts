/**
 * A base model's reasons for its own answers: what SELF's targets say after the answer (paper,
 * section 3.2). A base model follows no instructions, so it is shown one query with its answer, both
 * between backticks, and goes on in the same form (the way of URIAL).
 *
 * Choices: the query has the question, its options and the answer, and asks for nothing else, so that
 * a wrong answer is explained as a right one is; the text is asked for without the demonstrations of
 * the exam, which explain nothing.
 */
import { type Answer, optionLetter, type Question } from "./question.ts";
import type { Stoppable } from "./platform/interrupt.ts";
import type { ReadableModel } from "./model/readable_model.ts";
import { Random } from "./statistics/random.ts";
import { promptIds } from "./probe.ts";

/** What is shown before: a question about the colour of the sky, its answer and why it is right. */
const sunset = {
  question: "Why does the sky near the setting sun look red?",
  choices: [
    "The air glows with the heat of the day",
    "The long way through the air takes most of the blue light out",
    "The sea throws its own colour back",
    "The sun sends out red light alone in the evening",
  ],
};
const whyRed =
  "In the evening sunlight crosses the air at a low angle, so its way is many times longer than " +
  "at noon. Air scatters short waves much more than long ones: the blue light is sent off in all " +
  "directions, and what is left of the straight beam is mostly orange and red.";

const FENCE = "```";

/** What comes after an answer, should the model go on to ask itself a query. */
const NEXT = ["\n# Query", "\n# Instruction"];

/** A text with backticks of its own would close the query. */
const harmless = (text: string) => text.replaceAll(FENCE, "'''");

type Asked = Pick<Question, "question" | "choices">;

function query({ question, choices }: Asked, answer: number): string {
  const letter = optionLetter(answer);
  const options = choices.map((choice, i) => `${optionLetter(i)}. ${choice}`).join("\n");
  const right = `The answer is ${letter}. ${choices[answer]}\nWhy is ${letter} right?`;
  const text = harmless(`${question}\n${options}\n${right}`);
  return `# Query:\n${FENCE}\n${text}\n${FENCE}\n\n# Answer:\n`;
}

/** The text after which a base model explains why option `answer` is right. */
export function explanationPrompt(question: Asked, answer: number): string {
  if (!(Number.isInteger(answer) && answer >= 0 && answer < question.choices.length)) {
    throw new RangeError(
      `Cannot ask for an explanation: expected one of ${question.choices.length} options; found ` +
        `${answer}; give the index of the answer`,
    );
  }
  return "# Instruction\n" +
    "Each query holds a multiple-choice question and the answer to it. What follows it explains, in a " +
    `few clear sentences, why that answer is right. Queries and answers stand between ${FENCE}.\n\n` +
    `${query(sunset, 1)}${FENCE}\n${whyRed}\n${FENCE}\n\n` +
    query(question, answer);
}

/**
 * What is wrong with a written text. `cut`: no backticks close it, so its end is missing where the
 * length ran out; it still explains, as the authors' released rows have it. The others explain nothing:
 * `no fence`, the form was not kept; `text before`, something stands before the backticks; `empty`,
 * nothing between them; `too long`, the model has no room for the prompt and an answer.
 */
export const explanationReasons = ["cut", "no fence", "text before", "empty", "too long"] as const;

type ExplanationReason = typeof explanationReasons[number];

export type ParsedExplanation = { explanation?: string; reason?: ExplanationReason };

/** The explanation in what the model wrote: between the first backticks and the next, trimmed. */
export function parseExplanation(text: string): ParsedExplanation {
  const [before, inside, ...rest] = text.split(FENCE);
  if (inside === undefined) return { reason: text.trim() === "" ? "empty" : "no fence" };
  if (before.trim() !== "") return { reason: "text before" };
  const explanation = inside.trim();
  if (explanation === "") return { reason: "empty" };
  return rest.length === 0 ? { explanation, reason: "cut" } : { explanation };
}

/** What a model wrote about one of its answers. */
export interface Explanation extends ParsedExplanation {
  id: Answer["id"];
  domain: string;
  /** The option that is explained: the model's own. */
  option: number;
  /** All that was written. */
  raw: string;
}

/** How an explanation is written: as the authors had it. */
export const explanationSettings = { maxNewTokens: 256, temperature: 0.7, topP: 0.8 } as const;

/** @throws where a model can't explain anything */
export function checkExplainer({ name, format }: Pick<ReadableModel, "name" | "format">): void {
  if (format.writesProse) return;
  throw new Error(
    `Cannot explain answers with ${name}: expected a model that writes prose; an organism has no ` +
      "words for reasons; run it without --explanations",
  );
}

/**
 * The model's reasons for what it predicted, in the answers' order; texts that can't be used are kept,
 * with the reason. An answer's text depends on the seed and its own question alone.
 */
export async function explainAnswers(
  model: ReadableModel,
  answers: readonly Answer[],
  { seed = 0, signal }: Stoppable & { seed?: number | string } = {},
): Promise<Explanation[]> {
  checkExplainer(model);
  // What a server can't take it refuses, by name.
  if (!("byText" in model)) model.requireTokenizer();
  const { maxPositions, slidingWindow = Infinity } = model.config;
  const room = Math.min(maxPositions, slidingWindow) - explanationSettings.maxNewTokens;
  const written: Explanation[] = [];
  for (const answer of answers) {
    const { id, domain, predicted: option } = answer;
    const prompt = explanationPrompt(answer, option);
    if (model.tokenizer && promptIds(model, prompt).length > room) {
      written.push({ id, domain, option, raw: "", reason: "too long" });
      continue;
    }
    const own = new Random(seed).fork(`explanation/${domain}/${id}`).integer(2 ** 31);
    const how = { ...explanationSettings, stop: NEXT, seed: own, signal };
    const raw = await model.generate(prompt, how);
    written.push({ id, domain, option, raw, ...parseExplanation(raw) });
  }
  return written;
}

/** How many answers were asked about, how many explained (`cut` ones too), and how often each reason was found. */
export function countExplanations(explanations: readonly ParsedExplanation[]) {
  const reasons: Partial<Record<ExplanationReason, number>> = {};
  for (const { reason } of explanations) {
    if (reason !== undefined) reasons[reason] = (reasons[reason] ?? 0) + 1;
  }
  const explained = explanations.filter(({ explanation }) => explanation !== undefined).length;
  return { asked: explanations.length, explained, reasons };
}
