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

/** A question with an answer and a text that explains it. */
export interface Explained {
  question: Pick<Question, "question" | "choices">;
  /** Index of the answer. */
  answer: number;
  explanation: string;
}

export interface ExplanationPromptOptions {
  /** Default: one about the colour of the sky at sunset. */
  demonstration?: Explained;
}

const sunset: Explained = {
  question: {
    question: "Why does the sky near the setting sun look red?",
    choices: [
      "The air glows with the heat of the day",
      "The long way through the air takes most of the blue light out",
      "The sea throws its own colour back",
      "The sun sends out red light alone in the evening",
    ],
  },
  answer: 1,
  explanation:
    "In the evening sunlight crosses the air at a low angle, so its way is many times longer than " +
    "at noon. Air scatters short waves much more than long ones: the blue light is sent off in all " +
    "directions, and what is left of the straight beam is mostly orange and red.",
};

const FENCE = "```";

/** What comes after an answer, should the model go on to ask itself a query. */
const NEXT = ["\n# Query", "\n# Instruction"];

/** A text with backticks of its own would close the query. */
const harmless = (text: string) => text.replaceAll(FENCE, "'''");

function query({ question, choices }: Explained["question"], answer: number): string {
  const letter = optionLetter(answer);
  const options = choices.map((choice, i) => `${optionLetter(i)}. ${choice}`).join("\n");
  return `# Query:\n${FENCE}\n${
    harmless(
      `${question}\n${options}\nThe answer is ${letter}. ${
        choices[answer]
      }\nWhy is ${letter} right?`,
    )
  }\n${FENCE}\n\n# Answer:\n`;
}

/** The text after which a base model explains why option `answer` is right. */
export function explanationPrompt(
  question: Explained["question"],
  answer: number,
  { demonstration = sunset }: ExplanationPromptOptions = {},
): string {
  if (!(Number.isInteger(answer) && answer >= 0 && answer < question.choices.length)) {
    throw new RangeError(
      `Cannot ask for an explanation: expected one of ${question.choices.length} options; found ` +
        `${answer}; give the index of the answer`,
    );
  }
  const shown = `${harmless(demonstration.explanation)}\n${FENCE}\n\n`;
  return "# Instruction\n" +
    "Each query holds a multiple-choice question and the answer to it. What follows it explains, in a " +
    `few clear sentences, why that answer is right. Queries and answers stand between ${FENCE}.\n\n` +
    `${query(demonstration.question, demonstration.answer)}${FENCE}\n${shown}` +
    query(question, answer);
}

/**
 * What is wrong with a written text. `cut`: no backticks close it, so its end is missing where the
 * length ran out; it still explains, as the authors' released rows have it. The others explain nothing:
 * `no fence`, the form was not kept; `text before`, something stands before the backticks; `empty`,
 * nothing between them; `too long`, the model has no room for the prompt and an answer.
 */
export type ExplanationReason = "cut" | "no fence" | "text before" | "empty" | "too long";

export interface ParsedExplanation {
  explanation?: string;
  reason?: ExplanationReason;
}

/** The explanation in what the model wrote: between the first backticks and the next, trimmed. */
export function parseExplanation(text: string): ParsedExplanation {
  const [before, inside, ...rest] = text.split(FENCE);
  if (inside === undefined) return { reason: text.trim() === "" ? "empty" : "no fence" };
  if (before.trim() !== "") return { reason: "text before" };
  const explanation = inside.trim();
  if (explanation === "") return { reason: "empty" };
  return rest.length === 0 ? { explanation, reason: "cut" } : { explanation };
}

export interface ExplainOptions extends Stoppable {
  /** Each answer draws from a stream of its own, named after its question. Default 0. */
  seed?: number | string;
  /** Default 256, the authors'. */
  maxNewTokens?: number;
  /** Default .7, the authors'. */
  temperature?: number;
  /** Default .8, the authors'. */
  topP?: number;
  /** Told after each answer. */
  onProgress?: (state: { done: number; total: number; explained: number }) => void;
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

/** What is used of a model. */
export type Explainer = Pick<
  ReadableModel,
  "name" | "config" | "format" | "tokenizer" | "requireTokenizer" | "generate"
>;

/** How an explanation is written, where nothing else is asked for. */
export const explanationSettings = { maxNewTokens: 256, temperature: 0.7, topP: 0.8 } as const;

/** @throws where a model can't explain anything */
export function checkExplainer({ name, format }: Pick<Explainer, "name" | "format">): void {
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
  model: Explainer,
  answers: readonly Answer[],
  options: ExplainOptions = {},
): Promise<Explanation[]> {
  checkExplainer(model);
  model.requireTokenizer();
  const { seed = 0, maxNewTokens, temperature, topP, onProgress, signal } = {
    ...explanationSettings,
    ...options,
  };
  const { maxPositions, slidingWindow = Infinity } = model.config;
  const room = Math.min(maxPositions, slidingWindow) - maxNewTokens;
  const written: Explanation[] = [];
  for (const answer of answers) {
    const { id, domain, predicted: option } = answer;
    const prompt = explanationPrompt(answer, option);
    if (promptIds(model, prompt).length > room) {
      written.push({ id, domain, option, raw: "", reason: "too long" });
    } else {
      const own = new Random(seed).fork(`explanation/${domain}/${id}`).integer(2 ** 31);
      const raw = await model.generate(prompt, {
        ...{ maxNewTokens, temperature, topP, stop: NEXT, signal },
        seed: own,
      });
      written.push({ id, domain, option, raw, ...parseExplanation(raw) });
    }
    onProgress?.({
      done: written.length,
      total: answers.length,
      explained: written.filter(({ explanation }) => explanation !== undefined).length,
    });
  }
  return written;
}

/** How many answers were asked about, how many explained, and how often each reason was found. */
export interface ExplanationCounts {
  asked: number;
  explained: number;
  /** `cut` ones are explained too. */
  reasons: Partial<Record<ExplanationReason, number>>;
}

/** Sums explanations up. */
export function countExplanations(
  explanations: readonly ParsedExplanation[],
): ExplanationCounts {
  const reasons: ExplanationCounts["reasons"] = {};
  for (const { reason } of explanations) {
    if (reason !== undefined) reasons[reason] = (reasons[reason] ?? 0) + 1;
  }
  const explained = explanations.filter(({ explanation }) => explanation !== undefined).length;
  return { asked: explanations.length, explained, reasons };
}
