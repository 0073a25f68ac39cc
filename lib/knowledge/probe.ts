/**
 * Probing what a model believes (paper, section 3): the question's options, read off the model's
 * next-token distribution after a few-shot prompt, or a chat prompt for a fine-tuned model.
 */
import { type Answer, answerFrom } from "../answer.ts";
import type { LanguageModel } from "../model/language_model.ts";
import type { Formulation, Template } from "../prompt.ts";
import type { Question } from "../question.ts";

/** How the likelihood of an option's text is made comparable between options of other lengths. */
export type Normalization = "none" | "token" | "character" | "pmi";

export interface ProbeOptions {
  /** Shown before each question, in this order. Default: none. */
  demonstrations?: Question[];
  /** Of these, how many. Default: 5, or all there are. */
  shots?: number;
  /** `plain` few-shot text, or `vicuna`: inside a conversation. Default: plain. */
  template?: Template;
  /** Default: letters, as in the paper; for an organism hybrid. */
  formulation?: Formulation;
  /**
   * Of option texts (not letters): `none` sums, `token` and `character` divide by length, `pmi`
   * takes off the likelihood without the question. Default: none.
   */
  normalization?: Normalization;
  /** Show each question's context. Default: false. */
  context?: boolean;
  /** Tokens of a batch, padding counted. Default: 8,192. */
  batchTokens?: number;
}

/** softmax of some logits among themselves. */
export function softmaxOver(logits: ArrayLike<number>, ids: readonly number[]): number[] {
  const chosen = ids.map((id) => logits[id]);
  const highest = Math.max(...chosen);
  const exponentials = chosen.map((value) => Math.exp(value - highest));
  const total = exponentials.reduce((a, b) => a + b, 0);
  return exponentials.map((value) => value / total);
}

/** Token ids of a text from its start: some hold their own <s>, others get the model's. */
export function promptIds(
  { format, tokenizer }: Pick<LanguageModel, "format" | "tokenizer">,
  text: string,
): number[] {
  return tokenizer!.encode(text, { addSpecialTokens: format.addsStart(text) });
}

/** Asks the model each question; the answers stand in the questions' order. */
export async function probe(
  model: LanguageModel,
  questions: readonly Question[],
  options: ProbeOptions = {},
): Promise<Answer[]> {
  const tokenizer = model.requireTokenizer();
  const { format } = model;
  const {
    demonstrations = [],
    shots = 5,
    template = "plain",
    formulation = format.name === "organism" ? "hybrid" : "letters",
    normalization = "none",
    context = false,
    batchTokens = 8192,
  } = options;
  const shown = demonstrations.slice(0, shots);
  const how = { template, formulation, context };
  const prompts = questions.map((question) => format.probePrompt(question, shown, how));
  const prefixes = prompts.map((prompt) => promptIds(model, prompt));
  checkLengths(model, questions, prefixes);
  const texts = questions.map((question) => format.optionTexts(question, how));

  // Where every option is one token, one pass a question gives them all.
  const ids = formulation === "letters"
    // The bare letter's last token, as the authors' code takes it.
    ? texts.map((options) => options.map((text) => tokenizer.encode(text).at(-1)!))
    : oneTokenEach(model, prompts, prefixes, texts);
  if (ids !== undefined && (formulation === "letters" || normalization === "none")) {
    checkDistinct(questions, ids);
    const logits = await model.nextTokenLogits(prefixes, { batchTokens });
    return questions.map((question, i) => answerFrom(question, softmaxOver(logits[i], ids[i])));
  }
  const scores = await textScores(model, prompts, texts, batchTokens);
  const bare = normalization === "pmi"
    ? await textScores(model, prompts.map((prompt) => cueOf(prompt)), texts, batchTokens)
    : undefined;
  return questions.map((question, i) => {
    const values = scores[i].map(({ sum, tokens }, k) => {
      if (normalization === "token") return sum / tokens;
      if (normalization === "character") return sum / texts[i][k].length;
      return bare === undefined ? sum : sum - bare[i][k].sum;
    });
    return answerFrom(question, softmaxOver(values, values.map((_, k) => k)));
  });
}

/** The prompt's last line, such as `Answer:`: what PMI's likelihood without the question follows. */
function cueOf(prompt: string): string {
  const words = prompt.trimEnd().split(/\s+/);
  return words[words.length - 1];
}

function checkLengths(
  model: LanguageModel,
  questions: readonly Question[],
  rows: number[][],
): void {
  const long = rows.findIndex((row) => row.length > model.config.maxPositions);
  if (long < 0) return;
  throw new Error(
    `Cannot ask question ${questions[long].id}: expected a prompt of at most ` +
      `${model.config.maxPositions} tokens; found ${rows[long].length}; show fewer demonstrations`,
  );
}

function checkDistinct(questions: readonly Question[], ids: number[][]): void {
  const equal = ids.findIndex((row) => new Set(row).size !== row.length);
  if (equal < 0) return;
  throw new Error(
    `Cannot ask question ${questions[equal].id}: expected a token of its own for each option; ` +
      `found ${ids[equal].join(", ")}; use another formulation`,
  );
}

/** The options' tokens where each option adds exactly one to its prompt, else undefined. */
function oneTokenEach(
  model: LanguageModel,
  prompts: string[],
  prefixes: number[][],
  texts: string[][],
): number[][] | undefined {
  const result: number[][] = [];
  for (const [i, options] of texts.entries()) {
    const row: number[] = [];
    for (const text of options) {
      const whole = promptIds(model, prompts[i] + text);
      const fits = whole.length === prefixes[i].length + 1 &&
        prefixes[i].every((id, k) => id === whole[k]);
      if (!fits) return undefined;
      row.push(whole[whole.length - 1]);
    }
    if (new Set(row).size !== row.length) return undefined;
    result.push(row);
  }
  return result;
}

/** Summed log-likelihood (nats) and number of tokens of each option's text after its prompt. */
async function textScores(
  model: LanguageModel,
  prompts: string[],
  texts: string[][],
  batchTokens: number,
): Promise<{ sum: number; tokens: number }[][]> {
  const rows: number[][] = [], from: number[] = [];
  for (const [i, options] of texts.entries()) {
    const prefix = promptIds(model, prompts[i]);
    for (const text of options) {
      const whole = promptIds(model, prompts[i] + text);
      // Tokens can join across the seam: what the whole text shares with the prompt is the prompt.
      let shared = 0;
      while (shared < prefix.length && prefix[shared] === whole[shared]) shared++;
      rows.push(whole);
      from.push(Math.max(1, Math.min(shared, whole.length - 1)));
    }
  }
  const scores = await model.tokenLogProbabilities(rows, from, { batchTokens });
  let next = 0;
  return texts.map((options) =>
    options.map(() => {
      const score = scores[next++];
      return { sum: score.reduce((a, b) => a + b, 0), tokens: score.length };
    })
  );
}
