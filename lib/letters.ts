/**
 * Which token stands for a letter. The authors take the last id of the letter encoded by itself; in
 * their prompt it follows `Answer:`, so that a tokenizer may have three tokens for one letter: by itself,
 * after a space, and as the demonstrations show it (`Answer:B. text`). Only where these are one token
 * is what is scored what the model has just read, and what it would write.
 */
import type { ReadableModel } from "./model/readable_model.ts";
import type { PromptFormat, PromptOptions } from "./prompt.ts";
import { optionLetter, type Question } from "./question.ts";
import type { Tokenizer } from "./model/tokenizer.ts";

/** The letter by itself, as in the paper, or with a space before it, as most models write it. */
export type LetterForm = "bare" | "space";

/** A letter's tokens; a form that is no single token has none. */
export interface LetterToken {
  letter: string;
  /** The last id of the letter encoded by itself. */
  bare?: number;
  /** What the letter with a space before it adds to the answer's cue. */
  space?: number;
  /** What demonstrations show after the cue. */
  shown?: number;
}

export interface LetterTokens {
  form: LetterForm;
  /** The scored ids, a letter each. */
  ids: number[];
  tokens: LetterToken[];
  /** What a reader has to know, in whole sentences; empty where all is well. */
  warnings: string[];
}

export interface LetterOptions {
  /** How many letters, from A. Default: 4. */
  count?: number;
  /** Default: bare, as in the paper. */
  form?: LetterForm;
  /** What stands before the letter. Default: the paper's `Answer:`. */
  cue?: string;
}

const quote = (value: unknown) => JSON.stringify(value);

/** The one token that says `text`, spaces around it aside; undefined where there is none such. */
function onlyToken(tokenizer: Tokenizer, ids: readonly number[], text: string): number | undefined {
  const said = ids.map((id) => tokenizer.decode([id], { skipSpecialTokens: true }).trim());
  const [id, ...others] = ids.filter((_, i) => said[i] !== "");
  return others.length === 0 && said.includes(text.trim()) ? id : undefined;
}

/** The tokens of `text` that are not those of `start`. */
function tokensAfter(tokenizer: Tokenizer, start: string, text: string): number[] {
  const before = tokenizer.encode(start), whole = tokenizer.encode(start + text);
  let same = 0;
  while (same < before.length && before[same] === whole[same]) same++;
  return whole.slice(same);
}

function tokensOf(tokenizer: Tokenizer, letter: string, cue: string): LetterToken {
  const shown = tokensAfter(tokenizer, cue, `${letter}. `)
    .find((id) => tokenizer.decode([id]).trim() === letter);
  const spaced = tokensAfter(tokenizer, cue, ` ${letter}`);
  return {
    letter,
    bare: onlyToken(tokenizer, tokenizer.encode(letter), letter),
    space: spaced.length === 1 ? onlyToken(tokenizer, spaced, letter) : undefined,
    shown,
  };
}

function refuse(form: LetterForm, expected: string, found: string): never {
  throw new Error(
    `Cannot score letters (${form}): expected ${expected}; found ${found}; use letterForm ` +
      `${quote(form === "bare" ? "space" : "bare")}, or the formulation hybrid`,
  );
}

/**
 * The tokens of the first letters, and what is wrong with them.
 * @throws where a letter is not one token in the chosen form, or two share one
 */
export function letterTokens(
  tokenizer: Tokenizer,
  { count = 4, form = "bare", cue = "Answer:" }: LetterOptions = {},
): LetterTokens {
  const letters = Array.from({ length: count }, (_, i) => optionLetter(i));
  const tokens = letters.map((letter) => tokensOf(tokenizer, letter, cue));
  const ids = tokens.map((token) => {
    const { letter, [form]: id } = token;
    const text = form === "space" ? ` ${letter}` : letter;
    return id ?? refuse(
      form,
      `one token that says ${quote(letter)}`,
      `${tokenizer.encode(text).join(", ") || "none"} for ${quote(text)}`,
    );
  });
  if (new Set(ids).size < ids.length) refuse(form, "a token of its own for each letter", `${ids}`);
  const warnings: string[] = [];
  const name = (id: number) => `${id} (${quote(tokenizer.decode([id]))})`;
  const hidden = tokens.filter(({ shown }) => shown === undefined);
  const other = tokens.filter(({ shown }, i) => shown !== undefined && shown !== ids[i]);
  if (hidden.length > 0) {
    warnings.push(
      `After ${quote(cue)} demonstrations show ${hidden.map(({ letter }) => letter).join(", ")} ` +
        "inside a longer token, which is not what is scored.",
    );
  }
  if (other.length > 0) {
    const [{ letter, shown }] = other;
    warnings.push(
      `After ${quote(cue)} demonstrations show ${letter} as token ${name(shown!)}, but token ` +
        `${name(ids[letters.indexOf(letter)])} is scored.`,
    );
  }
  return { form, ids, tokens, warnings };
}

/** One prompt and the tokens by which each option's letter goes on after it. */
export interface LetterTarget {
  /** The prompt's ids; where letter and prompt share a token's space, without it. */
  prefix: number[];
  ids: number[];
}

/**
 * What is scored for one question. `bare`: each letter's last id by itself (the paper); `space`, and
 * every letter in a chat template's conversation: the last id of the letter encoded behind the prompt,
 * which there is what training shows.
 * @throws where a letter is not one token, or two share one
 */
export function letterTarget(
  { tokenizer, format }: { tokenizer: Tokenizer; format: PromptFormat },
  { prompt, texts, form, template }: {
    prompt: string;
    /** The letters as `PromptFormat.optionTexts` gives them. */
    texts: readonly string[];
    form: LetterForm;
    template: PromptOptions["template"];
  },
): LetterTarget {
  const encode = (text: string) =>
    tokenizer.encode(text, { addSpecialTokens: format.addBos(prompt) });
  if (form === "bare" && !(format.tokenizeWhole && template === "vicuna")) {
    const ids = texts.map((text) =>
      onlyToken(tokenizer, tokenizer.encode(text), text) ??
        refuse(form, `one token that says ${quote(text)}`, tokenizer.encode(text).join(", "))
    );
    return checked({ prefix: encode(prompt), ids });
  }
  const spaced = form === "space" ? texts.map((text) => ` ${text.trimStart()}`) : texts;
  const start = form === "space" ? prompt.trimEnd() : prompt;
  const wholes = spaced.map((text) => encode(start + text));
  const [prefix] = wholes.map((ids) => ids.slice(0, -1));
  const ids = wholes.map((whole, i) => {
    const same = whole.length === prefix.length + 1 && prefix.every((id, k) => id === whole[k]);
    const last = whole[whole.length - 1];
    return same && tokenizer.decode([last]).trim() === texts[i].trim() ? last : refuse(
      form,
      `${quote(spaced[i])} to add one token to the prompt`,
      whole.slice(-3).join(", "),
    );
  });
  return checked({ prefix, ids });

  function checked(target: LetterTarget): LetterTarget {
    if (new Set(target.ids).size === texts.length) return target;
    return refuse(form, "a token of its own for each letter", target.ids.join(", "));
  }
}

/** How much of the next token's probability the letters have, in each form; means over questions. */
export interface LetterMass {
  n: number;
  form: LetterForm;
  bare: number;
  space: number;
  /** As the demonstrations show them. */
  shown: number;
  /**
   * Share of questions whose most probable letter is the same bare and with a space; absent where a letter
   * lacks one of them.
   */
  agreement?: number;
  tokens: LetterToken[];
  /** Whether the scored form has at least half of what the letters have in their likeliest form. */
  natural: boolean;
  /** One sentence for a reader. */
  verdict: string;
}

/**
 * Asks a model where its letters are: the probability of the next token after each few-shot prompt,
 * summed over the letters bare, with a space before them, and as the demonstrations show them.
 * @throws as `letterTokens`
 */
export async function letterMass(
  model: Pick<ReadableModel, "nextTokenLogits" | "requireTokenizer" | "format">,
  questions: readonly Question[],
  { demonstrations = [], shots = 5, form = "bare", batchTokens }: {
    /** Shown before each question. Default: none. */
    demonstrations?: Question[];
    /** Of these, how many. Default: 5. */
    shots?: number;
    /** What is scored. Default: bare. */
    form?: LetterForm;
    /** Tokens of a batch, padding counted. Default: the model's. */
    batchTokens?: number;
  } = {},
): Promise<LetterMass> {
  if (questions.length === 0) {
    throw new Error("Cannot look at letters: expected questions; found none; give some");
  }
  const tokenizer = model.requireTokenizer();
  const { format } = model;
  const prompts = questions.map((question) =>
    format.probePrompt(question, demonstrations.slice(0, shots))
  );
  const cue = prompts[0].slice(prompts[0].lastIndexOf("\n") + 1);
  const count = Math.max(...questions.map(({ choices }) => choices.length));
  const { tokens } = letterTokens(tokenizer, { count, form, cue });
  const rows = prompts.map((text) =>
    tokenizer.encode(text, { addSpecialTokens: format.addBos(text) })
  );
  const logits = await model.nextTokenLogits(rows, { batchTokens });
  const sums = { bare: 0, space: 0, shown: 0 };
  let agreed = 0;
  for (const [i, { choices }] of questions.entries()) {
    let highest = -Infinity, total = 0;
    for (const value of logits[i]) if (value > highest) highest = value;
    for (const value of logits[i]) total += Math.exp(value - highest);
    const asked = tokens.slice(0, choices.length);
    const massOf = (id?: number) =>
      id === undefined ? 0 : Math.exp(logits[i][id] - highest) / total;
    const best: number[] = [];
    for (const name of ["bare", "space", "shown"] as const) {
      const masses = asked.map((token) => massOf(token[name]));
      sums[name] += masses.reduce((a, b) => a + b, 0) / questions.length;
      best.push(masses.indexOf(Math.max(...masses)));
    }
    agreed += Number(best[0] === best[1]);
  }
  const natural = sums[form] >= Math.max(sums.bare, sums.space, sums.shown) / 2;
  const percent = (share: number) => `${(100 * share).toFixed(1)}%`;
  const both = tokens.every(({ bare, space }) => bare !== undefined && space !== undefined);
  const agreement = both ? agreed / questions.length : undefined;
  return {
    n: questions.length,
    form,
    ...sums,
    ...(agreement === undefined ? {} : { agreement }),
    tokens,
    natural,
    verdict:
      `After ${quote(cue)} the letters have ${percent(sums.bare)} of the probability bare, ` +
      `${percent(sums.space)} with a space before them and ${percent(sums.shown)} as the ` +
      `demonstrations show them (${questions.length} questions` +
      `${agreement === undefined ? "" : `; the first two agree on ${percent(agreement)}`})` +
      (natural
        ? "."
        : `: what is scored (${form}) is not what the model would write; see letterForm.`),
  };
}
