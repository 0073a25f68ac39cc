/**
 * Writes the exam of common facts from its tables: the same tables give the same bytes.
 *
 *   deno run -A data/facts/make.ts
 */
import { factTables, formatQuestions, makeFactExam } from "./exam.ts";
import { writeWhole } from "../../lib/platform/runtime/files.ts";

const here = new URL(".", import.meta.url).pathname;
const tables = new Map(
  factTables.map((name) => [name, Deno.readTextFileSync(`${here}/tables/${name}.csv`)]),
);
for (const [domain, exam] of makeFactExam(tables)) {
  for (const [split, questions] of Object.entries(exam)) {
    await writeWhole(`${here}/exam/${domain}/${split}.jsonl`, formatQuestions(questions));
    console.log(`${domain} ${split}: ${questions.length}`);
  }
}
