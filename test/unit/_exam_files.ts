/** Files of questions and of released rows, for tests of what opens them. */
import { toAnswerRow } from "../../lib/dataset/answers.ts";
import type { Question } from "../../lib/question.ts";
import { releasedFiles } from "../../lib/study/released.ts";

/** `count` questions `name 0?`, `name 1?`, ... with other options each. */
export function questionsOf(name: string, count: number, domain = "history"): Question[] {
  return Array.from({ length: count }, (_, id) => ({
    id,
    domain,
    question: `${name} ${id}?`,
    choices: ["ant", "bee", "cat", "dog"].map((animal) => `${animal} ${id}`),
    answer: id % 4,
    explanation: `Gold ${name} ${id}.`,
  }));
}

export async function writeRows(path: string, rows: readonly unknown[]): Promise<string> {
  await Deno.writeTextFile(path, rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
  return path;
}

/** One row of a released group, in the authors' field names. */
export type Row = Record<string, unknown>;

/** Three groups of `size` rows: HAR asks `right 0?`, ..., INC and SELF `wrong 0?`, ... */
export function releasedRows(size: number): { har: Row[]; inc: Row[]; self: Row[] } {
  const rows = (name: string, right: boolean) =>
    questionsOf(name, size).map(({ domain: _, ...question }, i) => {
      const predicted = right ? question.answer : (question.answer + 1) % 4;
      const probabilities = [0.1, 0.1, 0.1, 0.1];
      probabilities[predicted] = 0.7;
      const { domain: __, ...row } = toAnswerRow({
        ...question,
        domain: "history",
        id: right ? 100 + i : i,
        probabilities,
        predicted,
        correct: right,
        goldProbability: probabilities[question.answer],
        predictedProbability: 0.7,
        output: question.answer,
      });
      return row;
    });
  const inc = rows("wrong", false);
  const self = inc.map(({ explanation: _, ...row }, i): Row => ({
    ...row,
    output: row.pred,
    model_exp_gen: `\`\`\`\nOwn ${i}.\n\`\`\`\n\n# Query:`,
    model_exp: `Own ${i}.`,
  }));
  return { har: rows("right", true), inc, self };
}

/** Writes the groups that are given into `folder`. */
export async function writeReleased(
  folder: string,
  groups: Partial<ReturnType<typeof releasedRows>>,
): Promise<string> {
  await Deno.mkdir(folder, { recursive: true });
  for (const [group, rows] of Object.entries(groups)) {
    await writeRows(`${folder}/${releasedFiles[group as keyof typeof releasedFiles]}`, rows);
  }
  return folder;
}
