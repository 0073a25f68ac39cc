/** A control of one's own beside INC and SELF: the same questions, with other targets. */
import { shareOf } from "../audit.ts";
import { inPoints } from "../figure/number.ts";
import { finetune } from "../finetune.ts";
import { constructGroups, withGeneral } from "../groups.ts";
import { probe } from "../probe.ts";
import type { Answer, Example } from "../question.ts";
import type { ProbedBase } from "./bases.ts";
import { keepBase } from "./keep_base.ts";
import { finetuningOf } from "./plans.ts";
import type { Settings } from "./settings.ts";
import { openSubject } from "./subjects.ts";

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
    const target = targetOf(byId.get(example.id)!);
    const content = format.answerText(example.question!, target);
    return { ...example, target, messages: [example.messages[0], { role: "assistant", content }] };
  });
  const sets = Object.entries({ INC: inc, SELF: self, "your control": control });
  const start = keepBase(model, settings.lora), rows = [];
  try {
    for (const [group, examples] of sets) {
      start.restore();
      const mixed = withGeneral(examples, general, 0);
      await finetune(model, mixed, { ...finetuningOf(settings), seed: 0 });
      const { questions } = domains.get(domain)!.suites.homo![0];
      const after = await probe(model, questions, { template: "vicuna" });
      rows.push({ group, accuracy: inPoints(shareOf(after, ({ correct }) => correct)) });
    }
  } finally {
    start.dispose();
    model.dispose();
  }
  return rows;
}
