/** Before a long study starts: how long it will take, and whether memory and disk have room for it. */
import { allExams, type Exam, type Material, questionCount } from "../cell.ts";
import { resolveFinetuning } from "../finetune.ts";
import { countTokens } from "../model/encode.ts";
import { LanguageModel } from "../model/language_model.ts";
import type { ReadableModel } from "../model/readable_model.ts";
import { checkTrainingRoom } from "../model/room.ts";
import { probe } from "../probe.ts";
import type { Question } from "../question.ts";
import { roomAt } from "../platform/runtime/files.ts";
import { formatBytes } from "../platform/runtime/memory.ts";
import { clock } from "../figure/progress.ts";
import { mean } from "../statistics/mean.ts";
import { finetuningOf, mainPlans } from "./plans.ts";
import { type Settings, storePath } from "./settings.ts";
import { cellsInAll } from "./study.ts";

/** Questions of an exam whose length stands for that of all. */
const SAMPLE = 4;
/** Tokens of a conversation beside its question, about: the template, and a short answer. */
const AROUND = 64;
/** Of a result file for each question: its id and probabilities, about. */
const RESULT_BYTES = 100;

/** Tokens of an exam's prompts: of what is shown before each question, and of a sample's questions. */
function sizesOf(
  { format, tokenizer }: ReadableModel,
  { questions, demonstrations }: Pick<Exam, "questions" | "demonstrations">,
  shots = 5,
) {
  const { formulation } = format, shown = demonstrations.slice(0, shots);
  const tokens = (question: Question, before: Question[]) => {
    const text = format.probePrompt(question, before, { formulation });
    return countTokens(text, tokenizer);
  };
  const step = Math.max(1, Math.floor(questions.length / SAMPLE));
  const some = questions.filter((_, i) => i % step === 0).slice(0, SAMPLE);
  const each = some.map((question) => tokens(question, []));
  return { shown: tokens(some[0], shown) - each[0], each };
}

/** What asking these exams sends to a server, answers that are kept not counted off. */
export function sendingText(
  model: ReadableModel,
  exams: readonly Pick<Exam, "questions" | "demonstrations">[],
  { shots, maxTokensSent }: Settings,
): string {
  let requests = 0, tokens = 0;
  for (const exam of exams.filter(({ questions }) => questions.length > 0)) {
    const { shown, each } = sizesOf(model, exam, shots), { questions } = exam;
    const asked = model.format.formulation === "letters"
      ? questions.length
      : questions.reduce((sum, { choices }) => sum + choices.length, 0);
    requests += asked;
    tokens += asked * (shown + mean(each));
  }
  const thousands = Math.round(tokens / 1000);
  return `About ${requests} requests and ${thousands} thousand tokens to send, less what was answered ` +
    "before" + (maxTokensSent === undefined ? "" : `; it stops at ${maxTokensSent} tokens`);
}

/**
 * Tokens to read and the time that they take, by one question that is asked now; bytes of the results;
 * what training or the disk would lack. Shared beginnings are read once, as when all are asked.
 */
export async function estimateText(
  model: ReadableModel,
  material: Material,
  settings: Settings,
): Promise<string> {
  if (model.byText) {
    const [{ tuned = [] }] = await mainPlans(settings);
    const tests = tuned.map(({ domain }) => material.domains.get(domain)?.suites ?? {})
      .flatMap((suites) =>
        Object.values(suites).flat().map((test) => ({ ...test, demonstrations: [] }))
      );
    return sendingText(model, [...allExams(material), ...tests], settings);
  }
  const { format, tokenizer } = model, { formulation } = format;
  let longest = 0;
  const sizeOf = (exam: Exam) => {
    const { shown, each } = sizesOf(model, exam);
    longest = Math.max(longest, ...each);
    return { shown, all: mean(each) * exam.questions.length };
  };
  const asked = allExams(material).filter(({ questions }) => questions.length > 0);
  const sizes = new Map(asked.map((exam) => [exam.name, sizeOf(exam)]));
  const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);
  const base = sum([...sizes.values()].map(({ shown, all }) => shown + all));
  const tests = [...material.domains.values()].map(({ suites }) => Object.values(suites).flat());
  const tested = mean(
    tests.map((exams) => sum(exams.map(({ name }) => sizes.get(name)?.all ?? 0))),
  );
  const [{ questions: [question], demonstrations }] = asked, shown = demonstrations.slice(0, 5);
  await probe(model, [question], { demonstrations: shown }); // the first time graphs are made
  const started = performance.now();
  // In another order: what was read before serves little of it.
  await probe(model, [question], { demonstrations: shown.toReversed() });
  const text = format.probePrompt(question, shown, { formulation });
  const rate = tokenizer!.encode(text).length / (performance.now() - started);
  const say = (count: number) =>
    `${Math.round(count / 1000)} thousand tokens, ${clock(count / rate)}`;
  const { epochs = 3 } = settings;
  const lines = [
    `About ${say(base)} to ask the base model, and ${say(tested)} to test each fine-tuned ` +
    `one; training reads ${epochs} times what a group holds, at about a third of that pace`,
  ];
  const cells = cellsInAll(await mainPlans(settings), { material });
  const bytes = RESULT_BYTES * (questionCount(asked) + cells * mean(tests.map(questionCount)));
  const folder = storePath(), room = roomAt(folder) ?? Infinity;
  lines.push(`Results of ${cells} fine-tuned models take about ${formatBytes(bytes)} in ${folder}`);
  if (room < bytes) {
    lines.push(
      `WARNING: ${formatBytes(room)} are free there; free some, or set SELF_ALIGNING_CACHE to a ` +
        "folder on another disk",
    );
  }
  if (model instanceof LanguageModel) {
    const how = resolveFinetuning(model, finetuningOf(settings)), length = longest + AROUND;
    try {
      const room = { ...how, length, tokens: length * how.batchSize };
      checkTrainingRoom(model, room, { action: `fine-tune ${model.name} later` });
    } catch (error) {
      lines.push(`WARNING: ${(error as Error).message}`);
    }
  }
  return lines.join("\n");
}
