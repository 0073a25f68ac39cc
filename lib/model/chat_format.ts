/** The prompt format that is made from a model's own chat template. */
import {
  checkTurns,
  createPaperFormat,
  type PaperFormatOptions,
  type PromptFormat,
} from "../prompt.ts";
import type { ChatTemplate } from "./chat_template.ts";

/**
 * The paper's few-shot texts; in a conversation (the template `vicuna` of `PromptOptions`) the same
 * text is the user's turn in the model's own chat template.
 */
export function createChatFormat(
  template: ChatTemplate,
  options: Omit<PaperFormatOptions, "stop"> = {},
): PromptFormat {
  const paper = createPaperFormat({ ...options, stop: template.stop });
  return {
    ...paper,
    name: "chat",
    usesChatTemplate: true,
    tokenizeWhole: true,
    identity: [template.identity, ...(paper.identity ? [paper.identity] : [])].join("\n"),
    addBos: (text) => !text.startsWith(template.opening),
    probePrompt(question, demonstrations, options = {}) {
      const plain = paper.probePrompt(question, demonstrations, { ...options, template: "plain" });
      return options.template === "vicuna" ? template.prompt(plain) : plain;
    },
    optionTexts(question, options = {}) {
      const texts = paper.optionTexts(question, options);
      if (options.template !== "vicuna") return texts;
      return texts.map((text) => template.space + template.escapeSpecialTokens(text.trimStart()));
    },
    trainingTexts(messages) {
      checkTurns(messages);
      return template.trainingTexts(messages);
    },
  };
}
