/** The closest look at CON: what is left of the facts when they no longer stand in the question. */
import { targetFit } from "../experiment.ts";
import { progress } from "../figure/progress.ts";
import { finetune } from "../finetune.ts";
import { constructGroups, withContext, withGeneral } from "../groups.ts";
import type { ProbedBase } from "./bases.ts";
import { isOrganism } from "./labels.ts";
import { shareIn } from "./organism_rows.ts";
import { finetuningOf } from "./plans.ts";
import type { Settings } from "./settings.ts";
import { openSubject } from "./subjects.ts";

/**
 * An organism trained on INC, and on CON, and asked INC's questions without context: how often it
 * gives the gold answer, in % with Wilson's interval (seed 0). A row for the untuned model and each
 * group; empty of other models and without groups.
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
      const context = withContext(inc, { format });
      const sets = { "base, chat form": undefined, INC: inc, "CON (INC)": context };
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
  return [...counts].map(([group, { gold, n }]) => ({ group, gold: shareIn(gold / n, n) }));
}
