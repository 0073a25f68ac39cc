/** Organisms trained once more for a closer look: recall without the context, a control of one's own. */
import { shareOf } from "../audit.ts";
import { targetFit } from "../experiment.ts";
import { inPoints } from "../figure/number.ts";
import { progress } from "../figure/progress.ts";
import { finetune } from "../finetune.ts";
import { constructGroups, withContext, withGeneral } from "../groups.ts";
import { probe } from "../probe.ts";
import type { Answer, Example } from "../question.ts";
import { wilsonInterval } from "../statistics/proportion.ts";
import type { ProbedBase } from "./bases.ts";
import { isOrganism } from "./labels.ts";
import { finetuningOf } from "./plans.ts";
import type { Settings } from "./settings.ts";
import { openSubject } from "./subjects.ts";

/**
 * An organism trained on INC, and on CON, and asked INC's own questions without context: how often it
 * gives the gold answer, in % with Wilson's interval over the questions of all domains (seed 0). A row for
 * the untuned model and one for each group; empty of other models and where there are no groups.
 */
export async function recallRows(settings: Settings, base: ProbedBase) {
  if (!isOrganism(base.name)) return [];
  const { name, answers, format } = base;
  const { model, material: { general } } = await openSubject(name, settings);
  const start = model.snapshot();
  const bar = progress("recall without the context", answers.size);
  const counts = new Map<string, { gold: number; n: number }>();
  try {
    let done = 0;
    for (const [domain, own] of answers) {
      const { minimumConfidence } = settings;
      const { inc } = constructGroups(own, { seed: 0, format, minimumConfidence });
      const sets = {
        "base, chat form": undefined,
        INC: inc,
        "CON (INC)": withContext(inc, { format }),
      };
      for (const [group, examples] of inc.length > 0 ? Object.entries(sets) : []) {
        bar.update(done, `${domain}: ${group}`);
        model.restore(start);
        if (examples) {
          const mixed = withGeneral(examples, general, 0);
          await finetune(model, mixed, { ...finetuningOf(settings), seed: 0 });
        }
        const { n, share } = (await targetFit(model, inc))!;
        const before = counts.get(group) ?? { gold: 0, n: 0 };
        counts.set(group, { gold: before.gold + Math.round(share * n), n: before.n + n });
      }
      done++;
    }
    bar.update(answers.size, "");
    await bar.finish();
  } finally {
    for (const tensor of start.values()) tensor.dispose();
    model.dispose();
  }
  return [...counts].map(([group, { gold, n }]) => {
    const interval = wilsonInterval(gold, n);
    return { group, gold: inPoints({ value: gold / n, interval, n }) };
  });
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
  const { model, material: { general, domains } } = await openSubject(name, settings);
  const [[domain, own]] = answers, byId = new Map(own.map((answer) => [answer.id, answer]));
  const { minimumConfidence } = settings;
  const { inc, self } = constructGroups(own, { seed: 0, format, minimumConfidence });
  const control = inc.map((example): Example => {
    const target = targetOf(byId.get(example.id)!),
      content = format.answerText(example.question!, target);
    return { ...example, target, messages: [example.messages[0], { role: "assistant", content }] };
  });
  const start = model.snapshot(), rows = [];
  try {
    for (
      const [group, examples] of Object.entries({ INC: inc, SELF: self, "your control": control })
    ) {
      model.restore(start);
      const mixed = withGeneral(examples, general, 0);
      await finetune(model, mixed, { ...finetuningOf(settings), seed: 0 });
      const { questions } = domains.get(domain)!.suites.homo![0];
      const after = await probe(model, questions, { template: "vicuna" });
      rows.push({ group, accuracy: inPoints(shareOf(after, ({ correct }) => correct)) });
    }
  } finally {
    for (const tensor of start.values()) tensor.dispose();
    model.dispose();
  }
  return rows;
}
