/**
 * General instructions in Alpaca's fields (instruction, input, output), which the paper mixes in
 * equal number into every group (there: alpaca-gpt4-en).
 */
import { collectRows, type RejectedRow, type RowOptions, sourceRows, textField } from "../_rows.ts";
import type { Example } from "../conversation.ts";

/**
 * Conversations of an Alpaca file (JSON array or JSONL). An input stands below its instruction,
 * after one line end.
 */
export function parseAlpaca(
  text: string,
  options: RowOptions,
): { examples: Example[]; rejected: RejectedRow[] } {
  const rows = sourceRows(text, options);
  const { values, rejected } = collectRows(rows, options.file, (row, position): Example => {
    const fields = (row ?? {}) as Record<string, unknown>;
    const instruction = textField("instruction", fields.instruction);
    const input = fields.input === undefined || fields.input === null || fields.input === ""
      ? undefined
      : textField("input", fields.input);
    return {
      id: typeof fields.id === "string" && fields.id ? fields.id : `alpaca:${position}`,
      domain: "general",
      messages: [
        { role: "user", content: input === undefined ? instruction : `${instruction}\n${input}` },
        { role: "assistant", content: textField("output", fields.output) },
      ],
      group: "general",
    };
  });
  return { examples: values, rejected };
}
