/** Conversations as token ids with labels: the loss falls on the assistant's tokens only. */
import type { Message } from "../question.ts";
import { IGNORED } from "./batch.ts";
import type { PromptFormat, TrainingText } from "../prompt.ts";
import type { Tokenizer } from "./tokenizer.ts";

/** Tokens of a text; where no tokenizer tells, about so many. */
export const countTokens = (text: string, tokenizer?: Tokenizer): number =>
  tokenizer?.encode(text).length ?? Math.ceil(text.length / 3);

export interface EncodedConversation {
  ids: number[];
  /** The ids where the loss falls, -100 elsewhere. */
  labels: number[];
}

/**
 * Encodes a conversation such that evaluation's prompts end where an answer starts: part by part, or one
 * of a chat template as a whole, a token being the assistant's where it holds a character of its words.
 * @throws if nothing of the assistant's turns is left within `maxTokens`
 */
export function encodeConversation(
  messages: Message[],
  { tokenizer, format, maxTokens }: {
    tokenizer: Tokenizer;
    format: PromptFormat;
    maxTokens: number;
  },
): EncodedConversation {
  const texts = format.trainingTexts(messages);
  const addSpecialTokens = format.addBos(texts[0].text);
  const { ids, labels } = format.tokenizeWhole
    ? encodeWhole(texts, { tokenizer, addSpecialTokens })
    : encodeParts(texts, { tokenizer, addSpecialTokens });
  const kept = { ids: ids.slice(0, maxTokens), labels: labels.slice(0, maxTokens) };
  if (kept.labels.every((label) => label === IGNORED)) {
    throw new Error(
      `Cannot train on a conversation of ${ids.length} tokens: expected some of the assistant's ` +
        `within the first ${maxTokens}; raise maxTokens or leave it out`,
    );
  }
  return kept;
}

interface Encoding {
  tokenizer: Tokenizer;
  /** The model's own start (<s>) before the first part, unless the text brings it along. */
  addSpecialTokens: boolean;
}

function encodeParts(texts: readonly TrainingText[], { tokenizer, addSpecialTokens }: Encoding) {
  const ids: number[] = [], labels: number[] = [];
  for (const [i, { text, supervised }] of texts.entries()) {
    const part = tokenizer.encode(text, { addSpecialTokens: i === 0 && addSpecialTokens });
    ids.push(...part);
    labels.push(...part.map((id) => supervised ? id : IGNORED));
  }
  return { ids, labels };
}

function encodeWhole(texts: readonly TrainingText[], { tokenizer, addSpecialTokens }: Encoding) {
  const whole = texts.map(({ text }) => text).join("");
  const ids = tokenizer.encode(whole, { addSpecialTokens });
  const labels = new Array<number>(ids.length).fill(IGNORED);
  let offset = 0, from = 0;
  for (const { text, supervised } of texts) {
    offset += text.length;
    const to = tokensWithin(whole.slice(0, offset), ids, { tokenizer, addSpecialTokens });
    // A token across the seam counts as the part's that it ends in, so that none before is lost.
    if (supervised) { for (let i = from; i < to; i++) labels[i] = ids[i]; }
    from = to;
  }
  return { ids, labels };
}

/** How many of a text's first tokens lie within its beginning `start`. */
function tokensWithin(
  start: string,
  ids: readonly number[],
  { tokenizer, addSpecialTokens }: Encoding,
): number {
  // The last k for which the first k tokens say no more than `start`.
  let low = 0, high = ids.length;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (tokenizer.decode(ids.slice(0, middle)).length <= start.length) low = middle;
    else high = middle - 1;
  }
  // Where tokens don't give the text back (a space before each word, composed letters), compare them.
  if (tokenizer.decode(ids.slice(0, low)) === start) return low;
  const own = tokenizer.encode(start, { addSpecialTokens });
  let same = 0;
  while (same < own.length && own[same] === ids[same]) same++;
  return same;
}
