/** A group as other trainers read it: the texts, and the tokens that this project trains on. */
import { type Example, toMessages } from "../groups.ts";
import { encodeConversation } from "../model/encode.ts";
import type { LanguageModel } from "../model/language_model.ts";

/**
 * JSON Lines, a conversation each: `messages`; `prompt` and `completion`, the exact texts, of which the
 * second is trained on (of several turns the last); `input_ids` and `labels`, the tokens as they are trained
 * on here, -100 where no loss falls (TRL's and transformers' names).
 * @throws as `encodeConversation`
 */
export function trainingRows(
  model: Pick<LanguageModel, "format" | "requireTokenizer">,
  examples: readonly Example[],
  maxTokens: number,
): string {
  const { format } = model, tokenizer = model.requireTokenizer();
  const start = tokenizer.decode(tokenizer.encode("", { addSpecialTokens: true }));
  return toMessages(examples).map(({ id, messages }, i) => {
    const texts = format.trainingTexts(messages);
    const trained = texts.findLastIndex(({ supervised }) => supervised);
    const { ids, labels } = encodeConversation(messages, { tokenizer, format, maxTokens });
    const before = texts.slice(0, trained).map(({ text }) => text).join("");
    const prompt = format.addBos(before) ? start + before : before;
    const row = { id, group: examples[i].group, messages, prompt };
    return `${
      JSON.stringify({ ...row, completion: texts[trained].text, input_ids: ids, labels })
    }\n`;
  }).join("");
}
