/** One training looked at closely: what it is given, what it costs, and what is known after it. */
import { treatmentLabels } from "../contrast.ts";
import type { Answer, Example } from "../question.ts";
import { cellExamples, targetFit } from "../experiment.ts";
import type { Column } from "../figure/column.ts";
import { progress } from "../figure/progress.ts";
import { shareOf } from "../audit.ts";
import { inPoints } from "../figure/number.ts";
import { probe } from "../probe.ts";
import { finetune, type FinetuneResult, resolveFinetuning } from "../finetune.ts";
import { constructGroups, withContext, withGeneral } from "../groups.ts";
import type { EncodedConversation } from "../model/encode.ts";
import type { FinetuneSettings } from "../model/finetune_settings.ts";
import { organismFinetuning, paperFinetuning } from "../model/finetune_settings.ts";
import type { LanguageModel } from "../model/language_model.ts";
import { scheduleFactor } from "../model/trainer_options.ts";
import type { Tokenizer } from "../model/tokenizer.ts";
import { mean } from "../statistics/mean.ts";
import type { ProbedBase } from "./bases.ts";
import { isOrganism } from "./labels.ts";
import { shareIn } from "./organism_rows.ts";
import { finetuningOf } from "./plans.ts";
import { emptyAdvice } from "./report.ts";
import type { Settings } from "./settings.ts";
import { keepBase } from "./study.ts";
import { openSubject } from "./subjects.ts";

/** A group, and the conversations that are trained on: as many general instructions are mixed in. */
export type TrainingSet = Pick<ReturnType<typeof cellExamples>, "group" | "examples">;

/**
 * What a run trains on in one domain, by the group's label. Where no answer is sure enough, `note`
 * says so, and every answer counts as belief, to show the way.
 */
export function trainingSets(
  { model, name, answers, format, material: { general } }: ProbedBase,
  { groups, minimumConfidence }: Settings,
  { domain, seed }: { domain: string; seed: number },
): { sets: Map<string, TrainingSet>; note?: string } {
  const own = answers.get(domain)!;
  const setOf = (treatment: "har" | "inc" | "self" | "context", belief = minimumConfidence) => {
    const material = { answers: own, general, format, minimumConfidence: belief };
    return cellExamples({ model: name, domain, treatment, seed }, material);
  };
  const { emptiedBy } = setOf("inc").sizes;
  const belief = emptiedBy?.filter === "confidence" ? 0 : minimumConfidence;
  const sets = (["har", "inc", "self", "context"] as const)
    .filter((treatment) => !groups || groups.includes(treatment))
    .map((treatment) => [treatmentLabels[treatment], setOf(treatment, belief)] as const)
    .filter(([, { empty }]) => empty === undefined);
  if (emptiedBy === undefined) return { sets: new Map(sets) };
  const lowered = belief === 0 ? " Only to show the way, every answer counts as belief below." : "";
  const note = `${model}, ${domain}: no groups. ${emptyAdvice(emptiedBy)}${lowered}`;
  return { sets: new Map(sets), note };
}

/** A conversation with the tokens that the loss falls on in brackets. */
export function maskText({ ids, labels }: EncodedConversation, tokenizer: Tokenizer): string {
  let text = "";
  for (let from = 0, to = 0; from < ids.length; from = to) {
    const trained = labels[from] >= 0;
    while (to < ids.length && labels[to] >= 0 === trained) to++;
    const part = tokenizer.decode(ids.slice(from, to));
    text += trained ? ` ⟦${part}⟧ ` : part;
  }
  return text.trim();
}

/** All that a run fine-tunes a model with. */
export const finetuningUsed = (model: LanguageModel, settings: Settings): FinetuneSettings =>
  resolveFinetuning(model, finetuningOf(settings));

/** The settings of this run beside the paper's and the organisms'. */
export function settingRows(used: FinetuneSettings) {
  return (Object.keys(paperFinetuning) as (keyof FinetuneSettings)[]).map((setting) => ({
    setting,
    paper: String(paperFinetuning[setting]),
    organisms: String(organismFinetuning[setting]),
    "this run": String(used[setting]),
  }));
}

/** The learning rate of each step by each schedule. */
export function scheduleRows({ learningRate, warmupRatio }: FinetuneSettings, totalSteps: number) {
  const warmupSteps = Math.ceil(warmupRatio * totalSteps);
  return (["cosine", "linear", "constant"] as const).flatMap((schedule) =>
    Array.from({ length: totalSteps + 1 }, (_, step) => ({
      ...{ schedule, step },
      learningRate: learningRate * scheduleFactor(step, { schedule, totalSteps, warmupSteps }),
    }))
  );
}

/** A model fine-tuned on one group; the share of the group's targets that it gave before and after. */
export interface Tuned {
  group: string;
  result: FinetuneResult;
  before?: { n: number; share: number };
  after?: { n: number; share: number };
}

export const tunedColumns: readonly (string | Column)[] = [
  "group",
  { key: "firstLoss", label: "loss, first step", unit: "nats", digits: 3 },
  { key: "lastLoss", label: "loss, last epoch", unit: "nats", digits: 3 },
  { key: "before", label: "gives its targets before", unit: "%" },
  { key: "after", label: "and after", unit: "%" },
];

/** What each group cost to learn: losses in nats, the targets given before and after in percent. */
export function tunedRows(tuned: readonly Tuned[]) {
  const percentOf = (fit: Tuned["before"]) => fit ? shareIn(fit.share, fit.n) : null;
  return tuned.map(({ group, result: { losses, settings: { epochs } }, before, after }) => ({
    group,
    firstLoss: losses[0],
    lastLoss: mean(losses.slice(-Math.round(losses.length / epochs))), // of the last epoch
    before: percentOf(before),
    after: percentOf(after),
  }));
}

/**
 * A run's base model, opened anew. `train` gives it back its own weights, and fine-tunes it on a group, if
 * any, as a run does, with seed 0.
 */
async function openTrainable(name: string, settings: Settings) {
  const { model, material } = await openSubject(name, settings);
  const start = keepBase(model, settings.lora);
  return {
    ...{ model, material },
    async train(examples?: readonly Example[]) {
      start.restore();
      if (examples === undefined) return;
      const mixed = withGeneral(examples, material.general, 0);
      await finetune(model, mixed, { ...finetuningOf(settings), seed: 0 });
    },
    [Symbol.dispose]() {
      start.dispose();
      model.dispose();
    },
  };
}

/**
 * An organism trained on INC, and on CON, and asked INC's questions without context: how often it
 * gives the gold answer, in % with Wilson's interval (seed 0). A row for the untuned model and each
 * group; empty of other models and without groups.
 */
export async function recallRows(settings: Settings, base: ProbedBase) {
  if (!isOrganism(base.name)) return [];
  const { name, answers, format } = base, { minimumConfidence } = settings;
  using trainable = await openTrainable(name, settings);
  const bar = progress("recall without the context", answers.size);
  const counts = new Map<string, { gold: number; n: number }>();
  for (const [done, [domain, own]] of [...answers].entries()) {
    const { inc } = constructGroups(own, { seed: 0, format, minimumConfidence });
    const context = withContext(inc, { format });
    const sets = { "base, chat form": undefined, INC: inc, "CON (INC)": context };
    for (const [group, examples] of inc.length > 0 ? Object.entries(sets) : []) {
      bar.update(done, `${domain}: ${group}`);
      await trainable.train(examples);
      const { n, share } = (await targetFit(trainable.model, inc))!;
      const before = counts.get(group) ?? { gold: 0, n: 0 };
      counts.set(group, { gold: before.gold + Math.round(share * n), n: before.n + n });
    }
  }
  bar.update(answers.size, "");
  await bar.finish();
  return [...counts].map(([group, { gold, n }]) => ({ group, gold: shareIn(gold / n, n) }));
}

/**
 * A model trained on INC, on SELF and on INC's questions with targets of one's own, in one domain with
 * seed 0: its right answers on HOMO, in % with Wilson's interval.
 * @param targetOf gives the index of the option that the control trains on
 */
export async function controlRows(
  settings: Settings,
  { name, answers, format }: ProbedBase,
  targetOf: (answer: Answer) => number,
) {
  using trainable = await openTrainable(name, settings);
  const { model, material: { domains } } = trainable;
  const [[domain, own]] = answers, byId = new Map(own.map((answer) => [answer.id, answer]));
  const { minimumConfidence } = settings;
  const { inc, self } = constructGroups(own, { seed: 0, format, minimumConfidence });
  const control = inc.map((example): Example => {
    const target = targetOf(byId.get(example.id)!);
    const content = format.answerText(example.question!, target);
    return { ...example, target, messages: [example.messages[0], { role: "assistant", content }] };
  });
  const sets = Object.entries({ INC: inc, SELF: self, "your control": control });
  const { questions } = domains.get(domain)!.suites.homo![0], rows = [];
  for (const [group, examples] of sets) {
    await trainable.train(examples);
    const after = await probe(model, questions, { template: "vicuna" });
    rows.push({ group, accuracy: inPoints(shareOf(after, ({ correct }) => correct)) });
  }
  return rows;
}
