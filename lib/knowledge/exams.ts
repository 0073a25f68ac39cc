/** Probing exams as a whole: each with its own demonstrations, each once. */
import type { Answer } from "../answer.ts";
import type { LanguageModel } from "../model/language_model.ts";
import type { Question } from "../question.ts";
import { probe, type ProbeOptions } from "./probe.ts";

/** What is asked under one name. */
export interface AskedExam {
  name: string;
  questions: readonly Question[];
  demonstrations: readonly Question[];
}

export interface ProbeExamsOptions extends Omit<ProbeOptions, "demonstrations"> {
  /** Told before each exam. */
  onExam?: (name: string, done: number, total: number) => void;
}

/**
 * The answers to exams, by name. An exam that is part of several tests is asked once.
 * @throws where one name stands for two exams
 */
export async function probeExams(
  model: LanguageModel,
  exams: Iterable<AskedExam>,
  { onExam, ...options }: ProbeExamsOptions = {},
): Promise<Map<string, Answer[]>> {
  const byName = new Map<string, AskedExam>();
  for (const exam of exams) {
    const same = byName.get(exam.name);
    if (same !== undefined && same.questions.length !== exam.questions.length) {
      throw new Error(
        `Cannot ask the exam ${exam.name}: expected one exam of that name; found one of ` +
          `${same.questions.length} and one of ${exam.questions.length} questions; rename one`,
      );
    }
    byName.set(exam.name, exam);
  }
  const answers = new Map<string, Answer[]>();
  for (const { name, questions, demonstrations } of byName.values()) {
    onExam?.(name, answers.size, byName.size);
    answers.set(
      name,
      await probe(model, questions, { ...options, demonstrations: [...demonstrations] }),
    );
  }
  return answers;
}
