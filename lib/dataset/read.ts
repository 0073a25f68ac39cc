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
    if (error instanceof Deno.errors.IsADirectory) {
      fail("a folder", `give --${flag}=FILE inside it`);
    }
    throw new Error(`Cannot read ${what} from ${path}: ${(error as Error).message}`, {
      cause: error,
    });
  }
  const first = bytes[0] << 8 | bytes[1];
  if (first === 0xFFFE || first === 0xFEFF) fail("UTF-16 text", "save it as UTF-8");
  if (first === 0x1F8B) fail("gzip data", "unpack it first");
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
function parseOptions(
  path: string,
  { flag: _, ...options }: ReadOptions,
  clean: boolean,
): ParseOptions {
  const place = options.domain === undefined ? placeOf(path) : {};
  return { ...place, ...options, file: path, rejectReplacementCharacter: !clean };
}

/**
 * Questions of a JSONL, JSON or CSV file; malformed rows come back as `rejected`, with their line
 * and the reason. The domain is the row's own, else `domain`, else what the file's place says. A file
 * that leaves open how its answers are written is set aside as a whole: say it by `answers`.
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
export async function writeAnswers(
  path: string,
  answers: readonly StoredAnswer[],
): Promise<void> {
  await writeWhole(path, formatAnswers(answers));
}
