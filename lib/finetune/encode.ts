/** Conversations as token ids with labels: the loss falls on the assistant's tokens only. */
import type { Message } from "../conversation.ts";
import { IGNORED } from "../model/batch.ts";
import type { PromptFormat } from "../prompt.ts";
import type { Tokenizer } from "../tokenizer.ts";

export interface EncodedConversation {
  ids: number[];
  /** The ids where the loss falls, -100 elsewhere. */
  labels: number[];
}

/**
 * Encodes a conversation segment by segment, as evaluation's prompts end where a segment does; so the
 * mask is right for every tokenizer, without counting tokens back from the end.
 * @throws where nothing of the assistant's turns is left within `maxTokens`
 */
export function encodeConversation(
  messages: Message[],
  { tokenizer, format, maxTokens }: {
    tokenizer: Tokenizer;
    format: PromptFormat;
    maxTokens: number;
  },
): EncodedConversation {
  const ids: number[] = [], labels: number[] = [];
  for (const [i, { text, supervised }] of format.trainingTexts(messages).entries()) {
    // The model's own start (<s>) where it has one; an organism's text brings it along.
    const segment = tokenizer.encode(text, {
      addSpecialTokens: i === 0 && format.name === "paper",
    });
    ids.push(...segment);
    labels.push(...segment.map((id) => supervised ? id : IGNORED));
  }
  const kept = { ids: ids.slice(0, maxTokens), labels: labels.slice(0, maxTokens) };
  if (kept.labels.every((label) => label === IGNORED)) {
    throw new Error(
      `Cannot train on a conversation of ${ids.length} tokens: expected some of the assistant's ` +
        `within the first ${maxTokens}; raise maxTokens or leave it out`,
    );
  }
  return kept;
}
