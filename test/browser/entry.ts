/** What a page does with a model: it is read from bytes, probed and trained, without files or a server. */
import * as tf from "@tensorflow/tfjs";
import { encodeConversation } from "../../lib/model/encode.ts";
import type { LanguageModel } from "../../lib/model/language_model.ts";
import { Trainer } from "../../lib/model/trainer.ts";
import { registerMissingKernels } from "../../lib/platform/runtime/_kernels.ts";
import { probe } from "../../lib/probe.ts";
import { paperFormat } from "../../lib/prompt.ts";
import type { Question } from "../../lib/question.ts";
import { type ModelFiles, readModel } from "../../lib/site/subject.ts";

// The rest of the method, which must bring no file code into the bundle either.
export { runCell } from "../../lib/experiment.ts";
export { createChatFormat } from "../../lib/model/chat_template.ts";
export { chatTemplateFromFiles } from "../../lib/model/chat_template.ts";
export * as statistics from "../../lib/statistics/mod.ts";
export * as world from "../../lib/world/mod.ts";

export type { ModelFiles };

/** Probes the questions, then trains on their answers: three steps of AdamW. */
export async function probeAndTrain(
  model: LanguageModel,
  questions: Question[],
): Promise<{ probabilities: number[][]; losses: number[] }> {
  const answers = await probe(model, questions, { shots: 0 });
  const conversations = questions.map((question) =>
    encodeConversation([
      { role: "user", content: model.format.questionText(question) },
      { role: "assistant", content: model.format.answerText(question, question.answer) },
    ], { tokenizer: model.requireTokenizer(), format: model.format, maxTokens: 512 })
  );
  const batch = {
    inputIds: conversations.map(({ ids }) => ids),
    labels: conversations.map(({ labels }) => labels),
  };
  const trainer = new Trainer(model, { learningRate: 1e-3, totalSteps: 3, clipNorm: 1 });
  const losses: number[] = [];
  for (let i = 0; i < 3; i++) losses.push((await trainer.step(batch)).loss);
  trainer.dispose();
  return { probabilities: answers.map(({ probabilities }) => probabilities), losses };
}

/** The same on the processor by JavaScript alone, of a model from bytes. */
export async function visit(files: ModelFiles, questions: Question[]) {
  await tf.setBackend("cpu");
  registerMissingKernels("cpu");
  return await probeAndTrain(
    await readModel(files, { name: "bytes", format: paperFormat }),
    questions,
  );
}
