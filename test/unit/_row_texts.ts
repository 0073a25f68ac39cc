/** Rows of a text as the readers of files take them, without a file. */
import { answerReader, answersOf } from "../../lib/dataset/answers.ts";
import { type ExamName, examReader } from "../../lib/dataset/exams.ts";
import { collectGeneral } from "../../lib/dataset/general.ts";
import { fileReader, type ParseOptions } from "../../lib/dataset/questions.ts";
import { sourceRows } from "../../lib/dataset/_rows.ts";

export function parseQuestions(text: string, options: ParseOptions) {
  const reader = fileReader(options);
  reader.addText(text, options.file);
  return reader.finish();
}

export function parseAnswers(text: string, options: ParseOptions) {
  const reader = answerReader(options);
  reader.addText(text, options.file);
  return answersOf(reader);
}

/** Questions of an exam's files, one after the other. */
export function parseExam(
  exam: ExamName,
  files: readonly { file: string; text: string }[],
  options: Parameters<typeof examReader>[1] = {},
) {
  const reader = examReader(exam, options);
  for (const { file, text } of files) reader.addText(text, file);
  return reader.finish();
}

export const parseGeneral = (text: string, { file }: { file: string }) =>
  collectGeneral(sourceRows(text, { file }), file);
