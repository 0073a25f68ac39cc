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
import { percent } from "./figure/number.ts";
import { mean } from "./statistics/mean.ts";

/** The letter by itself, as in the paper, or with a space before it, as most models write it. */
export type LetterForm = "bare" | "space";

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

function refuse(form: LetterForm, expected: string, found: string): never {
  throw new Error(
    `Cannot score letters (${form}): expected ${expected}; found ${found}; use letterForm ` +
      `${quote(form === "bare" ? "space" : "bare")}, or the formulation hybrid`,
  );
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

/**
 * Asks a model where its letters are: the probability of the next token after each few-shot prompt,
 * summed over the letters bare, with a space before them, and as the demonstrations show them. A letter
 * that is no single token in a form has nothing there. Means over questions; `natural`: whether the scored
 * form has at least half of what the letters have in their likeliest form.
 * @throws where there is no question
 */
export async function letterMass(
  model: Pick<ReadableModel, "nextTokenLogits" | "requireTokenizer" | "format">,
  questions: readonly Question[],
  { demonstrations = [], form = "bare" }: {
    /** Shown before each question. Default: none. */
    demonstrations?: Question[];
    /** What is scored. Default: bare, as in the paper. */
    form?: LetterForm;
  } = {},
) {
  if (questions.length === 0) {
    throw new Error("Cannot look at letters: expected questions; found none; give some");
  }
  const tokenizer = model.requireTokenizer(), { format } = model;
  const prompts = questions.map((question) => format.probePrompt(question, demonstrations));
  const cue = prompts[0].slice(prompts[0].lastIndexOf("\n") + 1);
  const forms = {
    bare: (letter: string) => onlyToken(tokenizer, tokenizer.encode(letter), letter),
    space: (letter: string) =>
      onlyToken(tokenizer, tokensAfter(tokenizer, cue, ` ${letter}`), letter),
    shown: (letter: string) =>
      tokensAfter(tokenizer, cue, `${letter}. `)
        .find((id) => tokenizer.decode([id]).trim() === letter),
  };
  const rows = prompts.map((text) =>
    tokenizer.encode(text, { addSpecialTokens: format.addBos(text) })
  );
  const logits = await model.nextTokenLogits(rows);
  const massOf = (idOf: (letter: string) => number | undefined) =>
    mean(questions.map(({ choices }, i) => {
      const probabilities = softmax(logits[i]);
      const ids = choices.map((_, option) => idOf(optionLetter(option)));
      return ids.reduce((sum: number, id) => sum + (id === undefined ? 0 : probabilities[id]), 0);
    }));
  const [bare, space, shown] = [forms.bare, forms.space, forms.shown].map(massOf);
  const natural = { bare, space }[form] >= Math.max(bare, space, shown) / 2;
  const verdict =
    `After ${quote(cue)} the letters have ${percent(bare)} of the probability bare, ` +
    `${percent(space)} with a space before them and ${percent(shown)} as the demonstrations show ` +
    `them (${questions.length} questions)` +
    (natural
      ? "."
      : `: what is scored (${form}) is not what the model would write; see letterForm.`);
  return { bare, space, shown, natural, verdict };
}

function softmax(logits: Float32Array): Float64Array {
  const highest = logits.reduce((most, value) => Math.max(most, value));
  const powers = Float64Array.from(logits, (value) => Math.exp(value - highest));
  const sum = powers.reduce((total, power) => total + power);
  return powers.map((power) => power / sum);
}
