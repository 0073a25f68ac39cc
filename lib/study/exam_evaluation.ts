/** An exam alone, as an evaluation: each subject, its subcategory and categories, and all of it. */
import { join } from "node:path";
import type { Answer } from "../question.ts";
import { paperSplits } from "../dataset/exams.ts";
import { publishedDemonstrations } from "../dataset/published_order.ts";
import { writeAnswers } from "../dataset/read.ts";
import { subjectGroups } from "../dataset/subjects.ts";
import { boundedText } from "../audit.ts";
import { scoreAnswers } from "../evaluate.ts";
import { dataCard, writeDataCard } from "../exam/card.ts";
import { readParts } from "../exam/read.ts";
import { saveTable } from "../figure/export.ts";
import { inPoints, type Measurement } from "../figure/number.ts";
import { progress } from "../figure/progress.ts";
import { table, toMarkdown } from "../figure/table.ts";
import { valuesOf } from "../platform/runtime/settled.ts";
import { openModel } from "../model/files/load.ts";
import type { Exam as ExamPart } from "../cell.ts";
import { storedAnswers } from "./answers.ts";
import { modelDigest } from "./digest.ts";
import { sendingText } from "./estimate.ts";
import { limited } from "./file_material.ts";
import { modelLabel } from "./labels.ts";
import { loadingOf, outputPath, type Settings, storePath } from "./settings.ts";
import { Store } from "./store.ts";

type Exam = Exclude<NonNullable<Settings["exam"]>, "paper">;

/** One mean, over questions; in percent, with Wilson's 95% interval. */
export type EvaluationRow = {
  level: "subject" | "subcategory" | "category" | "all";
  name: string;
  questions: number;
  accuracy: Measurement;
};

/** The parts that an exam is asked in: one of each subject (of Xiezhi and MedMCQA: of each domain). */
async function examParts(exam: Exam, settings: Settings): Promise<ExamPart[]> {
  const { maxRejected } = settings;
  const read = await readParts(exam, { maxRejected }, { published: true });
  await writeDataCard(outputPath(settings), { cards: [dataCard(read)] });
  const { parts } = read;
  if (exam === "xiezhi" || exam === "medmcqa") {
    return paperSplits(exam, parts).map(([name, { test, dev }]) => (
      { name, questions: test, demonstrations: publishedDemonstrations(dev) }
    ));
  }
  const { dev, val, test } = parts, tested = test.unlabelled ? val : test;
  if (test.unlabelled) {
    console.error(
      `${exam}: the test files have no labels; the questions of the val files are asked instead`,
    );
  }
  const shown = Map.groupBy(dev.questions, ({ subject }) => subject);
  return [...Map.groupBy(tested.questions, ({ subject }) => subject!)].sort(([a], [b]) =>
    a < b ? -1 : 1
  ).map(([name, questions]) => (
    { name, questions, demonstrations: publishedDemonstrations(shown.get(name) ?? []) }
  ));
}

/** Means over questions, the finest first. */
export function evaluationRows(exam: Exam, answers: readonly Answer[]): EvaluationRow[] {
  const ofSubject = ({ subject = "", domain }: Answer) =>
    exam === "xiezhi" || exam === "medmcqa"
      ? { subcategory: undefined, categories: [domain] }
      : subjectGroups(exam, subject);
  const levels: Record<
    EvaluationRow["level"],
    (answer: Answer) => readonly (string | undefined)[]
  > = {
    subject: ({ subject }) => [subject],
    subcategory: (answer) => [ofSubject(answer).subcategory],
    category: (answer) => ofSubject(answer).categories,
    all: () => [exam],
  };
  return Object.entries(levels).flatMap(([level, namesOf]) => {
    const groups = new Map<string, Answer[]>();
    for (const answer of answers) {
      for (const name of namesOf(answer)) if (name) groups.getOrInsert(name, []).push(answer);
    }
    return [...groups].sort(([a], [b]) => a < b ? -1 : 1).map(([name, some]) => {
      const { n, accuracy: value, interval } = scoreAnswers(some);
      const accuracy = inPoints({ value, interval });
      return { level: level as EvaluationRow["level"], name, questions: n, accuracy };
    });
  });
}

/**
 * Asks a run's model its exam: `shots` examples shown in plain text, or none inside a conversation. The
 * answers (by subject, in the authors' field names) and the table go to the run's folder; what was asked
 * once is not asked again.
 * @returns the table above the subjects, as Markdown, and the folder
 * @throws naming the model, source or setting that can't be used
 */
export async function evaluateExam(settings: Settings): Promise<{ text: string; folder: string }> {
  const exam = settings.exam as Exam, { shots = 5 } = settings;
  const parts = await examParts(exam, settings);
  const kept = new Set(limited(parts.flatMap(({ questions }) => questions), settings.limit));
  using model = await openModel(settings.model, loadingOf(settings));
  const folder = outputPath(settings, exam);
  const asked = parts.map(({ name, questions, demonstrations }): ExamPart => ({
    ...{ name, demonstrations },
    questions: questions.filter((question) => kept.has(question)),
  })).filter(({ questions }) => questions.length > 0);
  if (model.byText) console.error(sendingText(model, asked, settings));
  const bar = progress(`questions of ${exam}`, kept.size), shares = asked.map(() => 0);
  const store = new Store(storePath()), digest = await modelDigest(model);
  const ask = async ({ name, questions, demonstrations }: ExamPart, place: number) => {
    const onProgress = (share: number) => {
      shares[place] = share * questions.length;
      bar.update(shares.reduce((a, b) => a + b, 0));
    };
    const template = shots > 0 ? "plain" : "vicuna", exam = { questions, demonstrations };
    const given = await storedAnswers({ model, digest, exam, template, shots }, {
      ...{ store, onProgress },
    });
    await writeAnswers(join(folder, "answers", `${name}.jsonl`), given);
    onProgress(1);
    return given;
  };
  // A server has requests of all parts under way, and what comes is kept where one fails.
  const given = model.byText
    ? valuesOf(await Promise.allSettled(asked.map(ask)))
    : await Array.fromAsync(asked, ask);
  const answers = given.flat(), bounds = boundedText(answers);
  await bar.finish();
  const rows = evaluationRows(exam, answers);
  // A benchmark has five for each subject, whatever was asked for.
  const shown = Math.min(shots, Math.max(...parts.map((part) => part.demonstrations.length)));
  const how = shown > 0 ? `${shown} examples shown` : "no example, in a conversation";
  const caption = `${exam}: ${modelLabel(settings.model)}, ${how}; means over questions`;
  const options = {
    ...{ caption, notes: bounds ? [bounds] : [] },
    columns: ["level", "name", "questions", { key: "accuracy", unit: "%", digits: 1 }],
  };
  await saveTable(folder, "accuracy", table(rows, options));
  const wide = rows.filter(({ level }) => level !== "subject");
  return { folder, text: toMarkdown(table(wide, options)) };
}
