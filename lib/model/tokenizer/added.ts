/** Tokens that are found in a text as they are, before it is cut into words: <s>, <|im_end|>, ... */
import { quote } from "../../platform/runtime/quote.ts";
import type { Fields } from "./parts.ts";
import type { Stages } from "./stages.ts";

export interface AddedToken {
  id: number;
  content: string;
  special: boolean;
  /** Takes the spaces before it along, and those behind it. */
  lstrip: boolean;
  rstrip: boolean;
  /** Looked for in the normalized text. */
  normalized: boolean;
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

/** Looking back keeps the search from starting anew within a long run of spaces. */
const SPACES_AT_END = /(?<!\p{White_Space})\p{White_Space}+$/u;

/** Cuts a text at tokens' texts: the leftmost, of several there the longest. Every second part is one. */
function finder(tokens: ReadonlyMap<string, AddedToken>): (text: string) => string[] {
  const texts = [...tokens.keys()].sort((a, b) => b.length - a.length);
  const regex = new RegExp(texts.map((text) => RegExp.escape(text)).join("|") || "(?!)", "gu");
  return (text) => {
    const parts: string[] = [];
    let end = 0;
    for (const { 0: found, index } of text.matchAll(regex)) {
      const { lstrip, rstrip } = tokens.get(found)!, before = text.slice(end, index);
      parts.push(lstrip ? before.replace(SPACES_AT_END, "") : before, found);
      end = index + found.length;
      if (rstrip) end += /^\p{White_Space}*/u.exec(text.slice(end))![0].length;
    }
    return [...parts, text.slice(end)];
  };
}

/** Finds added tokens in texts and gives ids of all; `stages` does the rest of a text. */
export function createEncoder(tokens: readonly AddedToken[], stages: Stages) {
  const byText = (isNormalized: boolean, textOf: (content: string) => string) =>
    new Map(
      tokens.filter(({ normalized }) => normalized === isNormalized)
        .map((token) => [textOf(token.content), token]),
    );
  const plain = byText(false, (content) => content), normal = byText(true, stages.normalize);
  const cutPlain = finder(plain), cutNormal = finder(normal);
  return (text: string): number[] =>
    cutPlain(text).flatMap((part, i) =>
      i % 2 === 1
        ? [plain.get(part)!.id]
        : cutNormal(stages.normalize(part)).flatMap((piece, k) =>
          k % 2 === 1 ? [normal.get(piece)!.id] : stages.encode(piece, i + k === 0)
        )
    );
}
