/**
 * Probing what a model believes (paper, section 3): the question's options, read off the model's
 * next-token distribution after a few-shot prompt, or a chat prompt for a fine-tuned model.
 */
import { type Answer, answerFrom, type Question } from "./question.ts";
import { stoppable } from "./platform/interrupt.ts";
import type { ReadableModel, ReadOptions, TextEnd } from "./model/readable_model.ts";
import type { Tokenizer } from "./model/tokenizer.ts";
import type { Formulation, Normalization, Template } from "./prompt.ts";
import { type LetterForm, letterTarget } from "./letters.ts";

export interface ProbeOptions extends ReadOptions {
  /** Shown before each question, in this order. Default: none. */
  demonstrations?: Question[];
  /** Of these, how many. Default: 5, or all there are. */
  shots?: number;
  /** `plain` few-shot text, or `vicuna`: inside a conversation. Default: plain. */
  template?: Template;
  /** Default: the format's own; letters, as in the paper, and for an organism hybrid. */
  formulation?: Formulation;
  /**
   * Which token of a letter is scored: `bare`, its last one by itself, as in the paper; `space`, the one
   * that it has after a space. Default: bare.
   */
  letterForm?: LetterForm;
  /** Of option texts (not letters). Default: the format's own; none. */
  normalization?: Normalization;
  /** Show each question's context. Default: false. */
  context?: boolean;
}

/** softmax of some logits among themselves. */
export const softmaxOver = (logits: ArrayLike<number>, ids: readonly number[]): number[] =>
  softmax(ids.map((id) => logits[id]));

function softmax(logits: readonly number[]): number[] {
  const highest = Math.max(...logits);
  const exponentials = logits.map((value) => Math.exp(value - highest));
  const total = exponentials.reduce((a, b) => a + b, 0);
  return exponentials.map((value) => value / total);
}

/** Token ids of texts; many cells ask the same questions. */
const encoded = new WeakMap<Tokenizer, { characters: number; ids: Map<string, number[]> }>();
const MOST_CHARACTERS = 2 ** 22;

/** Token ids of a text from its start: some hold their own <s>, others get the model's. */
export function promptIds(
  { format, tokenizer }: Pick<ReadableModel, "format" | "tokenizer">,
  text: string,
): number[] {
  const addSpecialTokens = format.addBos(text);
  const key = addSpecialTokens ? `+${text}` : text;
  const known = encoded.get(tokenizer!);
  const found = known?.ids.get(key);
  if (found !== undefined) return found;
  const ids = tokenizer!.encode(text, { addSpecialTokens });
  const characters = (known?.characters ?? 0) + key.length;
  const kept = known === undefined || characters > MOST_CHARACTERS
    ? { characters: key.length, ids: new Map() }
    : Object.assign(known, { characters });
  kept.ids.set(key, ids);
  encoded.set(tokenizer!, kept);
  return ids;
}

/** Asks the model each question; the answers stand in the questions' order. */
export async function probe(
  model: ReadableModel,
  questions: readonly Question[],
  options: ProbeOptions = {},
): Promise<Answer[]> {
  const { format, byText } = model;
  const { letterForm = "bare", normalization = format.normalization } = options;
  const { prompts, texts, template, formulation } = askedTexts(model, questions, options);
  const isByLetters = formulation === "letters";
  // A server's letters can be told by their texts.
  const tokenizer = byText && isByLetters ? model.tokenizer : model.requireTokenizer();
  const targets = !isByLetters || tokenizer === undefined
    ? undefined
    : prompts.map((prompt, i) =>
      letterTarget({ tokenizer, format }, { prompt, texts: texts[i], form: letterForm, template })
    );
  if (byText && isByLetters) {
    checkLengths(model, questions, targets?.map(({ prefix }) => prefix) ?? []);
    const isSpaced = letterForm === "space";
    const asked = prompts.map((prompt, i) => ({
      prompt: isSpaced ? prompt.trimEnd() : prompt,
      letters: texts[i].map((letter) => isSpaced ? ` ${letter}` : letter),
      ids: targets?.[i].ids,
    }));
    const found = await reading(model, questions, options, (how) => byText.letters(asked, how));
    return questions.map((question, i) => {
      const { logProbabilities, bounded } = found[i];
      const answer = answerFrom(question, softmax(logProbabilities));
      return bounded.length > 0 ? { ...answer, bounded } : answer;
    });
  }
  const prefixes = targets?.map(({ prefix }) => prefix) ??
    prompts.map((prompt) => promptIds(model, prompt));
  checkLengths(model, questions, prefixes);

  // Where every option is one token, one pass a question gives them all.
  const ids = targets?.map(({ ids }) => ids) ??
    (byText ? undefined : oneTokenEach(model, prompts, prefixes, texts));
  if (ids !== undefined && (isByLetters || normalization === "none")) {
    const logits = await reading(
      model,
      questions,
      options,
      (how) => model.nextTokenLogits(prefixes, { ...how, tokens: ids }),
    );
    return questions.map((question, i) => answerFrom(question, softmax([...logits[i]])));
  }
  const [scores, bare] = await reading(model, questions, options, async (how) => [
    await textScores(model, prompts, texts, how),
    normalization === "pmi" ? await bareScores(model, prompts, texts, how) : [],
  ]);
  return questions.map((question, i) =>
    answerFrom(
      question,
      optionProbabilities(
        scores[i].map((score, k) => ({ ...score, bare: bare[i]?.[k] })),
        normalization,
      ),
    )
  );
}

/** Each question's prompt, and the texts of its options. */
function askedTexts(
  { format }: ReadableModel,
  questions: readonly Question[],
  options: ProbeOptions,
) {
  const { demonstrations = [], shots = 5, template = "plain", context = false } = options;
  const { formulation = format.formulation } = options, how = { template, formulation, context };
  const shown = demonstrations.slice(0, shots);
  const prompts = questions.map((question) => format.probePrompt(question, shown, how));
  const texts = questions.map((question) => format.optionTexts(question, how));
  return { prompts, texts, template, formulation };
}

/** Reads what the model must read of questions, until it is stopped. */
async function reading<T>(
  { name }: ReadableModel,
  { length }: readonly Question[],
  { batchTokens, onProgress, signal }: ReadOptions,
  read: (how: ReadOptions) => Promise<T>,
): Promise<T> {
  const work = {
    what: () => `asking ${name} ${length} questions`,
    then: "nothing has changed: run it again",
    signal,
  };
  return await stoppable(work, (signal) => read({ batchTokens, onProgress, signal }));
}

/** The likelihood of one option's text after its question. */
export interface OptionScore {
  /** Log-likelihood, nats, summed over the text's tokens. */
  sum: number;
  tokens: number;
  characters: number;
  /** The same sum without the question, which PMI takes off. */
  bare?: number;
}

/** softmax over a question's options, made comparable. @throws where PMI lacks the bare likelihoods */
export function optionProbabilities(
  scores: readonly OptionScore[],
  normalization: Normalization,
): number[] {
  const values = scores.map(({ sum, tokens, characters, bare }) => {
    if (normalization === "token") return sum / tokens;
    if (normalization === "character") return sum / characters;
    if (normalization === "none") return sum;
    if (bare === undefined) {
      throw new Error(
        "Cannot compare options by PMI: expected each text's likelihood without the question; found " +
          "none; ask scoreOptions for it",
      );
    }
    return sum - bare;
  });
  return softmax(values);
}

/** The scores of every option's text, with those without the question: for all normalizations at once. */
export async function scoreOptions(
  model: ReadableModel,
  questions: readonly Question[],
  options: Omit<ProbeOptions, "normalization"> = {},
): Promise<OptionScore[][]> {
  const { prompts, texts } = askedTexts(model, questions, options);
  checkLengths(model, questions, prompts.map((prompt) => promptIds(model, prompt)));
  const [scores, bare] = await reading(model, questions, options, async (how) => [
    await textScores(model, prompts, texts, how),
    await bareScores(model, prompts, texts, how),
  ]);
  return scores.map((row, i) => row.map((score, k) => ({ ...score, bare: bare[i][k] })));
}

/** Log-likelihood of each option's text after the prompt's last word alone; each text is read once. */
async function bareScores(
  model: ReadableModel,
  prompts: readonly string[],
  texts: readonly string[][],
  { onProgress: _, ...how }: ReadOptions,
): Promise<number[][]> {
  const cues = [...new Set(prompts.map(cueOf))];
  const read = cues.map((cue) => [
    ...new Set(texts.flatMap((options, i) => cueOf(prompts[i]) === cue ? options : [])),
  ]);
  const scores = await textScores(model, cues, read, how);
  const found = new Map(
    cues.map((cue, c) => [cue, new Map(read[c].map((text, k) => [text, scores[c][k].sum]))]),
  );
  return texts.map((options, i) => options.map((text) => found.get(cueOf(prompts[i]))!.get(text)!));
}

/**
 * The prompt's last word, such as `Answer:`, with the line breaks that a chat template puts behind it: what
 * PMI's likelihood without the question follows.
 */
function cueOf(prompt: string): string {
  const words = prompt.trimEnd();
  return words.split(/\s+/).at(-1) + prompt.slice(words.length);
}

function checkLengths(
  model: ReadableModel,
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

/** The options' tokens where each option adds exactly one to its prompt, else undefined. */
function oneTokenEach(
  model: ReadableModel,
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
  model: ReadableModel,
  prompts: string[],
  texts: string[][],
  how: ReadOptions,
): Promise<OptionScore[][]> {
  const ends: TextEnd[] = [];
  for (const [i, options] of texts.entries()) {
    const prefix = promptIds(model, prompts[i]);
    for (const option of options) {
      const text = prompts[i] + option, ids = promptIds(model, text);
      // Tokens can join across the seam: what the whole text shares with the prompt is the prompt.
      let shared = 0;
      while (shared < prefix.length && prefix[shared] === ids[shared]) shared++;
      ends.push({ text, ids, from: Math.max(1, Math.min(shared, ids.length - 1)) });
    }
  }
  const [rows, from] = [ends.map(({ ids }) => ids), ends.map(({ from }) => from)];
  const scores = await (model.byText?.ends(ends, how) ??
    model.tokenLogProbabilities(rows, from, how));
  let next = 0;
  return texts.map((options) =>
    options.map((text) => {
      const score = scores[next++];
      return {
        sum: score.reduce((a, b) => a + b, 0),
        tokens: score.length,
        characters: text.length,
      };
    })
  );
}
