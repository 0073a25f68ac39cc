/** Data sets to questions and general instructions. */
import { type ExamName, type ExamOptions, examReader } from "../dataset/exams.ts";
import { addFile, readInstructions } from "../dataset/read.ts";
import { checkRejected } from "../dataset/rejected.ts";
import type { ParsedQuestions, RejectedRow } from "../dataset/questions.ts";
import type { Example } from "../question.ts";
import { getData, type GetOptions, type LocalData } from "./get.ts";

export interface ReadDataOptions extends GetOptions {
  /** Share of a part's rows that may be set aside. Default .1. */
  maxRejected?: number;
}

/** A data set as questions, by its parts. */
export type ReadData = { data: LocalData; parts: Readonly<Record<string, ParsedQuestions>> };

/**
 * The questions of an exam's data set, part by part.
 * @throws as `getData`, and where too many rows of a part can't be read
 */
export async function readParts(
  exam: ExamName,
  { maxRejected, ...options }: ReadDataOptions = {},
  reading: ExamOptions = {},
): Promise<ReadData> {
  const data = await getData(exam, options);
  const parts: Record<string, ParsedQuestions> = {};
  for (const [part, paths] of Object.entries(data.parts)) {
    const reader = examReader(exam, reading);
    for (const path of paths) await addFile(reader, path, { what: exam });
    parts[part] = reader.finish();
    // C-Eval's test files had no labels until 2025: who reads on has its val files.
    if (parts[part].unlabelled && "val" in data.parts) continue;
    checkRejected(parts[part], { from: `${exam}'s ${part}`, most: maxRejected });
  }
  return { data, parts };
}

/** The general instructions of a data set, in its order. @throws as `readParts` */
export async function readGeneralData(
  name: string,
  { maxRejected, ...options }: ReadDataOptions = {},
): Promise<{ general: Example[]; rejected: RejectedRow[] }> {
  const { parts } = await getData(name, options);
  const general: Example[] = [], all: RejectedRow[] = [];
  for (const path of Object.values(parts).flat()) {
    const { examples, rejected, rows } = await readInstructions(path);
    checkRejected({ questions: examples, rejected, rows }, { from: name, most: maxRejected });
    all.push(...rejected);
    for (const example of examples) {
      general.push({ ...example, id: `general:${general.length + 1}` });
    }
  }
  return { general, rejected: all };
}
