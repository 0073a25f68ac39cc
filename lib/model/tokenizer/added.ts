/** Tokens that are found in a text as they are, before it is cut into words: <s>, <|im_end|>, ... */
import { quote } from "../../platform/runtime/quote.ts";
import type { Fields } from "./words.ts";

export interface AddedToken {
  id: number;
  content: string;
  special: boolean;
  /** Takes the spaces before it along. */
  lstrip: boolean;
  /** Takes the spaces behind it along. */
  rstrip: boolean;
  /** Looked for in the normalized text. */
  normalized: boolean;
}

/** A token that was found, or a text that holds none. */
export interface Section {
  text: string;
  /** Nothing of the whole text stands before it. */
  first: boolean;
  token?: AddedToken;
}

/** Names of special tokens in tokenizer_config.json. */
export const specialNames = ["bos", "eos", "unk", "sep", "pad", "cls", "mask"]
  .map((name) => `${name}_token`);

/** The text of a special token, given as a text or as an object with it. */
export const contentOf = (token: unknown): unknown =>
  typeof token === "string" ? token : (token as Fields | null | undefined)?.content;

/**
 * The added tokens of tokenizer.json, then those that tokenizer_config.json describes or names;
 * what it says of a token goes first, as in transformers.
 * @throws if a token has another id than the tokenizers library gives it, or one of another token
 */
export function addedTokens(
  json: Fields,
  config: Fields,
  ids: ReadonlyMap<string, number>,
): AddedToken[] {
  const found = new Map<string, AddedToken>();
  const taken = new Set(ids.values());
  let next = ids.size;
  const add = (fields: Fields, given?: unknown) => {
    const content = fields.content;
    if (typeof content !== "string" || content === "" || fields.single_word === true) {
      throw new Error(`the added token ${quote(fields)}`);
    }
    const known = found.get(content)?.id ?? ids.get(content);
    const id = known ?? next;
    if (given !== undefined && given !== id || known === undefined && taken.has(id)) {
      throw new Error(
        `the id ${quote(given ?? id)} of the added token ${quote(content)}, where the ` +
          `tokenizers library gives ${id}`,
      );
    }
    if (id >= next) next = id + 1;
    taken.add(id);
    const special = fields.special === true;
    found.set(content, {
      id,
      content,
      special,
      lstrip: fields.lstrip === true,
      rstrip: fields.rstrip === true,
      normalized: typeof fields.normalized === "boolean" ? fields.normalized : !special,
    });
  };
  const own = json.added_tokens ?? [];
  if (!Array.isArray(own)) throw new Error(`added_tokens ${quote(own)}`);
  for (const fields of own as Fields[]) {
    if (found.has(fields.content as string)) {
      throw new Error(`the added token ${quote(fields.content)} twice`);
    }
    add(fields, fields.id);
  }
  for (const [id, fields] of Object.entries((config.added_tokens_decoder ?? {}) as Fields)) {
    add(fields as Fields, Number(id));
  }
  const more = [config.additional_special_tokens, config.extra_special_tokens];
  const named = [
    ...specialNames.map((name) => config[name]),
    ...more.flatMap((list) => Object.values(list ?? {})),
  ];
  for (const token of named) {
    const fields: Fields = typeof token === "string" ? { content: token } : token ?? {};
    if (typeof fields.content !== "string" || found.has(fields.content)) continue;
    if (fields.content !== "") add({ normalized: false, ...fields, special: true });
  }
  return [...found.values()];
}

/** Cuts a text at added tokens: the leftmost, of several there the longest. */
function finder(tokens: readonly (AddedToken & { text: string })[]) {
  const byText = new Map(tokens.map((token) => [token.text, token]));
  if (byText.has("")) {
    throw new Error(
      `the added token ${quote(byText.get("")!.content)}, of which normalizing leaves nothing`,
    );
  }
  const texts = [...byText.keys()].sort((a, b) => b.length - a.length);
  const pattern = new RegExp(texts.map((text) => RegExp.escape(text)).join("|") || "(?!)", "gu");
  return ({ text, first }: Section): Section[] => {
    const sections: Section[] = [];
    let from = 0;
    const add = (start: number, end: number, token?: AddedToken) =>
      void sections.push({ token, text: text.slice(start, end), first: first && start === 0 });
    for (const match of text.matchAll(pattern)) {
      const token = byText.get(match[0])!;
      let start = match.index, end = start + match[0].length;
      const [before, behind] = [text.slice(0, start), text.slice(end)];
      if (token.lstrip) start = before.replace(/\p{White_Space}+$/u, "").length;
      if (token.rstrip) end = text.length - behind.replace(/^\p{White_Space}+/u, "").length;
      start = Math.max(start, from);
      if (from < start) add(from, start);
      add(start, end, token);
      from = Math.max(from, end);
    }
    if (from < text.length) add(from, text.length);
    return sections;
  };
}

export function createSections(
  tokens: readonly AddedToken[],
  normalize: (text: string) => string,
): (text: string) => Section[] {
  const find = (isNormalized: boolean, textOf: (content: string) => string) =>
    finder(
      tokens.filter(({ normalized }) => normalized === isNormalized)
        .map((token) => ({ ...token, text: textOf(token.content) })),
    );
  const plain = find(false, (content) => content);
  const normal = find(true, normalize);
  return (text) =>
    plain({ text, first: true }).flatMap((section) =>
      section.token === undefined
        ? normal({ ...section, text: normalize(section.text) })
        : [section]
    );
}
