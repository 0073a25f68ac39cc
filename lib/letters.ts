/**
 * Which token stands for a letter. The authors take the last id of the letter encoded by itself; in
 * their prompt it follows `Answer:`, so that a tokenizer may have three tokens for one letter: by itself,
 * after a space, and as the demonstrations show it (`Answer:B. text`). Only where these are one token
 * is what is scored what the model has just read, and what it would write.
 */
import type { PromptFormat, PromptOptions } from "./prompt.ts";
import type { Tokenizer } from "./model/tokenizer.ts";

/** The letter by itself, as in the paper, or with a space before it, as most models write it. */
export type LetterForm = "bare" | "space";

const quote = (value: unknown) => JSON.stringify(value);

/** The one token that says `text`, spaces around it aside; undefined where there is none such. */
function onlyToken(tokenizer: Tokenizer, ids: readonly number[], text: string): number | undefined {
  const said = ids.map((id) => tokenizer.decode([id], { skipSpecialTokens: true }).trim());
  const [id, ...others] = ids.filter((_, i) => said[i] !== "");
  return others.length === 0 && said.includes(text.trim()) ? id : undefined;
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
