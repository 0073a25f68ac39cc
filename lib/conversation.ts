/**
 * What is trained on: turns of a user and an assistant, and the rows that other trainers read.
 * The types stand here, left of data sets and groups, because both make conversations.
 */
import type { Question } from "./question.ts";

/** One turn. */
export interface Message {
  role: "user" | "assistant";
  content: string;
}

/** One conversation to train on, and where it comes from. */
export interface Example {
  /** The question's id, or a name of its own for a general instruction. */
  id: string | number;
  /** The exam's domain, or `general`. */
  domain: string;
  messages: Message[];
  group: "har" | "inc" | "self" | "context" | "general";
  /** The question behind it; general instructions have none. */
  question?: Question;
  /** Index of the option that the assistant's turn gives. */
  target?: number;
}

/** Rows of chat messages, as transformers and TRL read them. */
export function toMessages(
  examples: readonly Example[],
): { id: string; messages: { role: "user" | "assistant"; content: string }[] }[] {
  return examples.map(({ id, messages }) => ({
    id: String(id),
    messages: messages.map(({ role, content }) => ({ role, content })),
  }));
}

/** Alpaca's rows; throws for a conversation of more than one exchange, which they can't hold. */
export function toAlpaca(
  examples: readonly Example[],
): { instruction: string; input: string; output: string }[] {
  return examples.map(({ id, messages }) => {
    if (messages.length !== 2) {
      throw new Error(
        `Cannot write example ${JSON.stringify(id)} for Alpaca: expected two turns; found ` +
          `${messages.length}; use toMessages or toShareGpt`,
      );
    }
    return { instruction: messages[0].content, input: "", output: messages[1].content };
  });
}

/** ShareGPT's rows, as FastChat (the authors' trainer) reads them. */
export function toShareGpt(
  examples: readonly Example[],
): { id: string; conversations: { from: "human" | "gpt"; value: string }[] }[] {
  return examples.map(({ id, messages }) => ({
    id: String(id),
    conversations: messages.map(({ role, content }) => ({
      from: role === "user" ? "human" : "gpt",
      value: content,
    })),
  }));
}
