/** Files of questions and answers: the outermost layer, the only one of the data sets with files. */
import { resolve } from "node:path";
import { formatAnswers, parseAnswers, type StoredAnswer } from "./answers.ts";
import { type ParsedQuestions, type ParseOptions, parseQuestions } from "./questions.ts";
import { fileStem, isInSplit, placeName, type RejectedRow, subjectOf } from "./_rows.ts";
import { writeWhole } from "../platform/runtime/files.ts";
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
  [[0x50, 0x4B, 3, 4], "an Excel file or a zip archive", "save its table as CSV"],
  [[0x50, 0x41, 0x52, 0x31], "Parquet", "write it as JSONL, by pandas' to_json for one"],
];

/** The text of a file, and whether some of its bytes are not UTF-8. */
async function readUtf8(path: string, what: "questions" | "answers", flag: string = what) {
  const fail = (found: string, action: string): never => {
    throw new Error(`Cannot read ${what} from ${path}: expected a file; found ${found}; ${action}`);
  };
  let bytes: Uint8Array;
  try {
    bytes = await Deno.readFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) fail("none", `give --${flag}=FILE`);
    const { message } = error as Error;
    if (error instanceof Deno.errors.IsADirectory) {
      fail("a folder", `give --${flag}=FILE inside it`);
    }
    throw new Error(`Cannot read ${what} from ${path}: ${message}`, { cause: error });
  }
  const other = FORMATS.find(([start]) => start.every((byte, i) => bytes[i] === byte));
  if (other) fail(other[1], other[2]);
  try {
    return { text: new TextDecoder("utf-8", { fatal: true }).decode(bytes), clean: true };
  } catch {
    return { text: new TextDecoder().decode(bytes), clean: false };
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

/** `options` for a text read from `path`. */
function parseOptions(path: string, options: ReadOptions, clean: boolean): ParseOptions {
  const place = options.domain === undefined ? placeOf(path) : {};
  return { ...place, ...options, file: path, rejectReplacementCharacter: !clean };
}

/**
 * Questions of a JSONL, JSON or CSV file; malformed rows come back as `rejected`. The domain is the
 * row's own, else `domain`, else what the file's place says. A file that leaves open how its
 * answers are written is set aside as a whole: say it by `answers`.
 */
export async function readQuestions(
  path: string,
  options: ReadOptions = {},
): Promise<ParsedQuestions> {
  const { text, clean } = await readUtf8(path, "questions", options.flag);
  return parseQuestions(text, parseOptions(path, options, clean));
}

/** Answers of a JSONL file in the authors' field names; malformed rows come back as `rejected`. */
export async function readAnswers(
  path: string,
  options: ReadOptions = {},
): Promise<{ answers: StoredAnswer[]; rejected: RejectedRow[] }> {
  const { text, clean } = await readUtf8(path, "answers", options.flag);
  return parseAnswers(text, parseOptions(path, options, clean));
}

/** Writes answers as JSONL in the authors' field names; the file appears whole or not at all. */
export async function writeAnswers(path: string, answers: readonly StoredAnswer[]): Promise<void> {
  await writeWhole(path, formatAnswers(answers));
}
