/** Files of questions and answers: the outermost layer, the only one of the data sets with files. */
import { resolve } from "node:path";
import { answerReader, answersOf, formatAnswers, type StoredAnswer } from "./answers.ts";
import { collectGeneral } from "./general.ts";
import type { ParsedQuestions, ParseOptions, QuestionReader } from "./questions.ts";
import { columnsFor, fileReader } from "./questions.ts";
import type { RejectedRow, SourceRow } from "./_rows.ts";
import {
  fileStem,
  isInSplit,
  isOneValue,
  isTable,
  lineRows,
  LONGEST_ROW,
  placeName,
  sourceRows,
  subjectOf,
} from "./_rows.ts";
import type { Question } from "../question.ts";
import { readText, requireFile, writeWhole } from "../platform/runtime/files.ts";
import { parquetRows } from "./_parquet.ts";
import { cevalSubjects, cmmluSubjects, mmluSubjects, subjectDomain } from "./subjects.ts";

/** How a file is read; see `ParseOptions`. */
export type ReadOptions = Omit<ParseOptions, "file" | "rejectReplacementCharacter"> & {
  /** The flag that gives the file, for errors. Default: `questions`, or `answers`. */
  flag?: string;
};

/** First bytes of files that are no text: what they are, and what to do. */
const FORMATS: [start: number[], found: string, action: string][] = [
  [[0xFF, 0xFE], "UTF-16 text", "save it as UTF-8"],
  [[0xFE, 0xFF], "UTF-16 text", "save it as UTF-8"],
  [[0x1F, 0x8B], "gzip data", "unpack it first"],
  [[0x50, 0x4B, 3, 4], "an Excel file or a zip archive", "save its table as CSV, or unpack it"],
];
const PARQUET = "PAR1";

/** Bytes of a file that are looked at together. */
const PIECE = 1 << 20;

/** How the rows of a file are found: see `sourceRows`. Tells of text that is no clean UTF-8. */
type FileOptions = Omit<Parameters<typeof sourceRows>[1], "file"> & {
  /** What is read, for errors, and the flag that gives it. */
  what?: string;
  flag?: string;
};

/** Rows of a file, as many at a time as are read at once, and whether its text is clean UTF-8. */
async function* fileRows(
  path: string,
  { what = "questions", flag = what, ...options }: FileOptions = {},
): AsyncGenerator<{ rows: SourceRow[]; clean: boolean }> {
  const action = `read ${what} from`;
  const fail = (found: string, mend: string): never => {
    throw new Error(`Cannot ${action} ${path}: expected a file; found ${found}; ${mend}`);
  };
  await requireFile(path, action, `give --${flag}=FILE`);
  using file = await Deno.open(path);
  const buffer = new Uint8Array(PIECE);
  const pieces = async function* () {
    await file.seek(0, Deno.SeekMode.Start);
    for (let n = await file.read(buffer); n !== null; n = await file.read(buffer)) {
      yield buffer.subarray(0, n);
    }
  };
  const { value: first = new Uint8Array() } = await pieces().next();
  const other = FORMATS.find(([start]) => start.every((byte, i) => first[i] === byte));
  if (other) fail(other[1], other[2]);
  if (new TextDecoder().decode(first.subarray(0, 4)) === PARQUET) {
    try {
      for await (const rows of parquetRows(path)) yield { rows, clean: true };
      return;
    } catch (error) {
      fail(
        `Parquet that can't be read (${(error as Error).message})`,
        "take it again from its source",
      );
    }
  }
  const isWhole = isTable(path) || isOneValue(new TextDecoder().decode(first));
  const clean = await isUtf8(pieces());
  if (isWhole) {
    const text = await readText(path, action, "save it as JSON lines or Parquet");
    return yield { rows: sourceRows(text, { ...options, file: path }), clean };
  }
  const decoder = new TextDecoder();
  let text = "", line = 1;
  for await (const piece of pieces()) {
    const lines = (text + decoder.decode(piece, { stream: true })).split("\n");
    // Of a line that is too long so much is held that this is seen.
    text = lines.pop()!.slice(0, LONGEST_ROW + 1);
    yield { rows: lineRows(lines, line), clean };
    line += lines.length;
  }
  yield { rows: lineRows([text + decoder.decode()], line), clean };
}

async function isUtf8(pieces: AsyncIterable<Uint8Array>): Promise<boolean> {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  try {
    for await (const piece of pieces) decoder.decode(piece, { stream: true });
    decoder.decode();
    return true;
  } catch {
    return false;
  }
}

/** Adds the rows of a file as they are read. */
export async function addFile(
  reader: QuestionReader<Question>,
  path: string,
  options: FileOptions = {},
): Promise<void> {
  const asked = { ...columnsFor(reader.options), ...options };
  for await (const { rows, clean } of fileRows(path, asked)) {
    reader.add(rows, path, { rejectReplacementCharacter: !clean });
  }
}

/** Benchmarks name their files after subjects, in folders of the splits: data/test/virology_test.csv. */
function placeOf(path: string): Pick<ParseOptions, "domain" | "subject"> {
  const full = resolve(path); // a bare file name still lies in some folder
  const subject = subjectOf(full);
  const domain = [mmluSubjects, cmmluSubjects, cevalSubjects]
    .map((subjects) => subjectDomain(subjects, subject)).find((one) => one !== undefined);
  const named = domain !== undefined && (isInSplit(full) || subject !== fileStem(full));
  return named ? { domain, subject } : { domain: placeName(full) };
}

/**
 * Questions of a JSONL, JSON, CSV or Parquet file; malformed rows come back as `rejected`. The domain is
 * the row's own, else `domain`, else what the file's place says. A file that leaves open how its
 * answers are written is set aside as a whole: say it by `answers`. Rows go as they are read: what is
 * held is the questions.
 */
export async function readQuestions(
  path: string,
  { flag, ...options }: ReadOptions = {},
): Promise<ParsedQuestions> {
  const place = options.domain === undefined ? placeOf(path) : {};
  const reader = fileReader({ ...place, ...options, file: path });
  await addFile(reader, path, { flag });
  return reader.finish();
}

/** Answers of a JSONL file in the authors' field names; malformed rows come back as `rejected`. */
export async function readAnswers(
  path: string,
  { flag, ...options }: ReadOptions = {},
): Promise<{ answers: StoredAnswer[]; rejected: RejectedRow[] }> {
  const place = options.domain === undefined ? placeOf(path) : {};
  const reader = answerReader({ ...place, ...options, file: path });
  await addFile(reader, path, { what: "answers", flag });
  return answersOf(reader);
}

/** General instructions of a file: JSONL, JSON, CSV or Parquet (see `collectGeneral`). */
export async function readInstructions(
  path: string,
): Promise<ReturnType<typeof collectGeneral> & { rows: number }> {
  const how = { what: "general instructions", flag: "general" };
  const rows = (await Array.fromAsync(fileRows(path, how))).flatMap((piece) => piece.rows);
  return { ...collectGeneral(rows, path), rows: rows.length };
}

/** Writes answers as JSONL in the authors' field names; the file appears whole or not at all. */
export async function writeAnswers(path: string, answers: readonly StoredAnswer[]): Promise<void> {
  await writeWhole(path, formatAnswers(answers));
}
