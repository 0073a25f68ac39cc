/** Reads the files that a run's settings name: exams, demonstrations, the pool, general instructions. */
import { dirname, extname, join } from "node:path";
import type { Example, Question } from "../question.ts";
import { parseReleased } from "../dataset/released.ts";
import { readInstructions, readQuestions } from "../dataset/read.ts";
import { checkRejected } from "../dataset/rejected.ts";
import type { AnswerForm, ParsedQuestions, RejectedRow } from "../dataset/questions.ts";
import { partCards } from "../exam/card.ts";
import { ROOT } from "../platform/cache.ts";
import { defined } from "../platform/defined.ts";
import { readText } from "../platform/runtime/files.ts";
import { columnsOf, type Settings } from "./settings.ts";

function refuse(model: string, problem: string): never {
  throw new Error(`Cannot study ${model}: expected ${problem}`);
}

const asideText = ([bad, ...more]: readonly RejectedRow[]) =>
  bad ? `, ${more.length + 1} rows set aside, line ${bad.line}: ${bad.reason}` : "";

/**
 * What the files hold; `id` and `ood` are empty where the settings name none.
 * @throws naming the file or setting that is missing, or what a file holds instead of questions
 */
export async function readFiles(settings: Settings) {
  const needed = (setting: "questions" | "pool", what: string): string =>
    settings[setting] ??
      refuse(settings.model, `questions ${what}; found none; give --${setting}=FILE`);
  const questions = needed("questions", "to test with");
  const pool = needed("pool", "to make the groups from");
  const folder = (await Deno.stat(pool).catch(() => undefined))?.isDirectory;
  const paths = {
    questions,
    demonstrations: settings.demonstrations ?? join(dirname(questions), "dev.jsonl"),
    id: settings.id,
    ood: settings.ood,
    pool: folder ? undefined : pool,
  };
  const exams = await readExams(paths, settings);
  if (folder) exams.pool = await readFolder(pool);
  const { general, rejected } = await readGeneral(settings.general);
  const questionsOf = (flag: keyof typeof paths) => exams[flag]?.questions ?? [];
  return {
    questions: questionsOf("questions"),
    demonstrations: questionsOf("demonstrations"),
    id: questionsOf("id"),
    ood: questionsOf("ood"),
    pool: questionsOf("pool"),
    general,
    /** What a card says of each file. */
    parts: partCards(exams),
    rejected: [...Object.values(exams).flatMap(({ rejected }) => rejected), ...rejected],
  };
}

/**
 * Questions by flag. Files of one kind in one folder are one exam, which tells how answers are written.
 */
async function readExams(
  paths: Readonly<Record<string, string | undefined>>,
  { model, answers, maxRejected, ...settings }: Settings,
): Promise<Record<string, ParsedQuestions>> {
  // Published exams hold some questions with repeated options.
  const read = async (flag: string, path: string, answers?: AnswerForm) =>
    await readQuestions(path, { allowRepeatedChoices: true, flag, answers, columns });
  const columns = columnsOf(settings);
  const exams: Record<string, ParsedQuestions> = {};
  const given = Object.entries(paths).filter((one): one is [string, string] => Boolean(one[1]));
  for (const [flag, path] of given) exams[flag] = await read(flag, path, answers);
  const kinds = Map.groupBy(given, ([, path]) => `${dirname(path)} ${extname(path)}`);
  for (const files of kinds.values()) {
    const forms = new Map(
      files.flatMap(([flag, path]) => {
        const { answers } = exams[flag];
        return answers ? [[answers, path] as const] : [];
      }),
    );
    const from1 = forms.get("index1"), [form, ...others] = forms.keys();
    for (const [flag, path] of files) {
      // Read so by its layout, not by a 0.
      const withoutZero = exams[flag].answers === "index0" &&
        exams[flag].questions.every(({ answer }) => answer > 0);
      if (withoutZero && from1) {
        const found = `found no 0, and ${from1} beside it, which counts from 1`;
        const mend = "say which by --answers=index0 or --answers=index1";
        refuse(model, `a sign of whether the answers of ${path} count from 0; ${found}; ${mend}`);
      }
      if (exams[flag].questions.length === 0 && form && others.length === 0) {
        exams[flag] = await read(flag, path, form);
        const reading = `read as ${form}, as the files beside it`;
        const isOpen = `${path} leaves open how answers are written`;
        if (exams[flag].answers) console.error(`${isOpen}; ${reading}`);
      }
      const { questions, rejected } = exams[flag];
      if (questions.length === 0) {
        const mend = `give --${flag}=FILE with a question in each line`;
        refuse(model, `questions in ${path}; found none${asideText(rejected)}; ${mend}`);
      }
      checkRejected(exams[flag], { from: path, most: maxRejected });
    }
  }
  return exams;
}

/** The questions that the released groups of one model ask, in an order that the listing does not change. */
async function readFolder(path: string): Promise<ParsedQuestions> {
  const found = new Map<string, Question>();
  const rejected: RejectedRow[] = [];
  for await (const { name } of Deno.readDir(path)) {
    if (!name.endsWith(".jsonl")) continue;
    const file = join(path, name);
    const released = parseReleased(await readText(file), { file });
    rejected.push(...released.rejected);
    for (const row of released.answers) {
      const { id, domain, question, choices, answer } = row, key = JSON.stringify(id);
      // SELF's rows repeat INC's without the gold explanation.
      const explanation = row.explanation ?? found.get(key)?.explanation;
      found.set(key, { id, domain, question, choices, answer, ...defined({ explanation }) });
    }
  }
  if (found.size === 0) {
    throw new Error(
      `Cannot make groups from ${path}: expected .jsonl files of released rows; found none; ` +
        "give a file of questions or the folder of one model and domain",
    );
  }
  const questions = [...found].sort(([a], [b]) => a < b ? -1 : 1).map(([, question]) => question);
  return { questions, rejected, rows: questions.length + rejected.length };
}

/** Simple tasks, made by code, which could tell their right answers; they need no exam's knowledge. */
const GENERAL = join(ROOT, "data", "instructions.jsonl");

/** The instructions of a file. Default: those shipped. @throws where the file holds none */
export async function readGeneral(
  path = GENERAL,
): Promise<{ general: readonly Example[]; rejected: RejectedRow[] }> {
  const mend = "give --general=FILE with rows of instruction and output (Alpaca), conversations " +
    "(ShareGPT) or messages";
  const { examples, rejected } = await readInstructions(path);
  if (examples.length > 0) return { general: examples, rejected };
  const found = `none${asideText(rejected)}`;
  throw new Error(
    `Cannot read general instructions from ${path}: expected some; found ${found}; ${mend}`,
  );
}
