/**
 * What is trained on: turns of a user and an assistant.
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
