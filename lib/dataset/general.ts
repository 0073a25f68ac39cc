/**
 * General instructions, mixed in equal number into every group: rows of Alpaca (instruction, input,
 * output), of ShareGPT (conversations of from and value) or of chat messages (role and content).
 */
import { fault, type RejectedRow, RowFault, show, type SourceRow, textField } from "./_rows.ts";
import type { Example, Message } from "../question.ts";

type Fields = Record<string, unknown>;

/** An input stands below its instruction, after one line end. */
function alpacaMessages(fields: Fields): Message[] {
  const instruction = textField("instruction", fields.instruction);
  const input = fields.input ?? "";
  const below = input === "" ? "" : `\n${textField("input", input)}`;
  return [
    { role: "user", content: instruction + below },
    { role: "assistant", content: textField("output", fields.output) },
  ];
}

const SPEAKERS = { user: ["user", "human"], assistant: ["assistant", "gpt"] };

/** Turns of a user and an assistant, who has the last word; a system's turn is none of them. */
function chatMessages(fields: Fields, list: string, [speaker, words]: [string, string]): Message[] {
  const turns = fields[list];
  if (!Array.isArray(turns) || turns.length === 0) fault(list, "a list of turns", turns);
  const messages = turns.map((turn, i): Message => {
    const { [speaker]: said, [words]: content } = (turn ?? {}) as Fields;
    const role = i % 2 === 0 ? "user" : "assistant";
    if (typeof said !== "string" || !SPEAKERS[role].includes(said)) {
      fault(`${list}[${i}].${speaker}`, `the ${role}`, said);
    }
    return { role, content: textField(`${list}[${i}].${words}`, content) };
  });
  if (turns.length % 2 === 1) {
    fault(list, "turns of user and assistant, the assistant's last", turns.length);
  }
  return messages;
}

function messagesOf(row: unknown): Message[] {
  const fields = (typeof row === "object" && row !== null ? row : {}) as Fields;
  if ("instruction" in fields) return alpacaMessages(fields);
  if ("conversations" in fields) return chatMessages(fields, "conversations", ["from", "value"]);
  if ("messages" in fields) return chatMessages(fields, "messages", ["role", "content"]);
  throw new RowFault(
    "row: expected instruction and output, conversations, or messages; found " +
      (Object.keys(fields).length > 0 ? show(Object.keys(fields).join(", ")) : show(row)),
  );
}

/**
 * Conversations of rows in any of the three forms; rows that are none, or a second one of an id, come back
 * with their line.
 */
export function collectGeneral(
  rows: readonly SourceRow[],
  file: string,
): { examples: Example[]; rejected: RejectedRow[] } {
  const examples: Example[] = [], rejected: RejectedRow[] = [], lines = new Map<string, number>();
  for (const [i, { line, value: row, fault: unreadable }] of rows.entries()) {
    try {
      if (unreadable) throw new RowFault(unreadable);
      const messages = messagesOf(row), { id: own } = row as Fields;
      const id = typeof own === "string" && own ? own : `general:${i + 1}`, first = lines.get(id);
      if (first !== undefined) {
        throw new RowFault(`id: ${show(id)} stands on line ${first} already`);
      }
      lines.set(id, line);
      examples.push({ id, domain: "general", messages, group: "general" });
    } catch (error) {
      if (!(error instanceof RowFault)) throw error;
      rejected.push({ file, line, reason: error.message });
    }
  }
  return { examples, rejected };
}
