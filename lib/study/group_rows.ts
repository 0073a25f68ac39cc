/** Rows of the groups: what filters leave, sizes, kinds of facts, examples. Shares in percent. */
import { shareOf } from "../audit.ts";
import { treatmentLabels } from "../contrast.ts";
import type { Example } from "../question.ts";
import { paperGroupSizes } from "../dataset/paper.ts";
import { countExplanations } from "../explanation.ts";
import { inPoints } from "../figure/number.ts";
import { progress } from "../figure/progress.ts";
import { pivot } from "../figure/rows.ts";
import { constructGroups, type Groups, toAlpaca, toMessages, toShareGpt } from "../groups.ts";
import type { PromptFormat } from "../prompt.ts";
import { factsById } from "../world/exam.ts";
import type { ProbedBase } from "./bases.ts";
import { answersToExplain, storedExplanations } from "./answers.ts";
import { emptyAdvice } from "./report.ts";
import { type Settings, storePath } from "./settings.ts";
import { Store } from "./store.ts";
import { openProbed } from "./subjects.ts";

type ModelGroups = ReadonlyMap<string, Groups>;

/** What each filter left of the answers, and the items of each group: a row for each model and domain. */
export function filterRows(groups: ModelGroups) {
  return [...groups].flatMap(([model, { sizes: { domains } }]) =>
    Object.entries(domains).map(([domain, size]) => ({
      ...{ model, domain, answers: size.answers, confident: size.confident },
      ...{ "confident, right": size.right, "confident, wrong": size.wrong, items: size.inc },
      "limited by": size.limitedBy?.toUpperCase() ?? null,
    }))
  );
}

/** Items of each group here and in the paper (table 1): a row for each model, a column a domain. */
export function sizeRows(groups: ModelGroups) {
  const ours = filterRows(groups).map(({ model, domain, items }) => (
    { source: "this run", model, domain, items: items || null }
  ));
  const theirs = paperGroupSizes.flatMap(({ model, domains }) =>
    Object.entries(domains).map(([domain, items]) => ({ source: "paper", model, domain, items }))
  );
  const wide = { index: ["source", "model"], columns: "domain", values: "items" };
  return pivot([...ours, ...theirs], wide);
}

/** A sentence for each model and domain without groups: which filter left none, and what to do. */
export function emptyTexts(groups: ModelGroups): string[] {
  return [...groups].flatMap(([model, { sizes: { domains } }]) =>
    Object.entries(domains).flatMap(([domain, { emptiedBy }]) =>
      emptiedBy ? [`${model}, ${domain}: no groups. ${emptyAdvice(emptiedBy)}`] : []
    )
  );
}

/** Items of each group where an answer counts as belief above each of `thresholds`. */
export function thresholdRows(
  { answers, format }: Pick<ProbedBase, "answers" | "format">,
  thresholds: readonly number[],
) {
  return [...answers].flatMap(([domain, list]) =>
    thresholds.map((minimumConfidence) => {
      const { inc } = constructGroups(list, { seed: 0, format, minimumConfidence });
      return { domain, minimumConfidence, items: inc.length };
    })
  );
}

/** Which kinds of facts the groups ask about; organisms only, whose worlds tell. Models pooled. */
export function kindRows(
  bases: readonly Pick<ProbedBase, "model" | "answers" | "world">[],
  groups: ModelGroups,
) {
  const asked = bases.flatMap(({ model, answers, world }) => {
    const { har, inc } = groups.get(model)!;
    if (world === undefined || inc.length === 0) return [];
    const facts = factsById(world);
    const lists = { "all questions": [...answers.values()].flat(), HAR: har, "INC and SELF": inc };
    return Object.entries(lists).flatMap(([group, list]) =>
      list.map(({ id }) => ({ group, kind: facts.get(`${id}`)!.status }))
    );
  });
  return [...Map.groupBy(asked, ({ group }) => group)].flatMap(([group, list]) =>
    (["known", "misconceived", "unknown"] as const).map((kind) => (
      { group, kind, share: inPoints(shareOf(list, (one) => one.kind === kind)) }
    ))
  );
}

/** What a trainer sees of examples: the text that is only read, and the text that is trained on. */
export function exampleRows(examples: readonly Example[], format: PromptFormat) {
  return examples.map(({ group, messages }) => {
    const parts = format.trainingTexts(messages);
    const textOf = (supervised: boolean) =>
      parts.filter((part) => part.supervised === supervised).map(({ text }) => text).join(" … ");
    const label = group === undefined ? "general" : treatmentLabels[group as "inc"];
    return { group: label, read: textOf(false), written: textOf(true) };
  });
}

/** The first of some examples in the formats of other trainers. */
export function exportRows(examples: readonly Example[]) {
  const first = examples.slice(0, 1);
  const formats = [
    ["Alpaca", toAlpaca, "LLaMA-Factory, axolotl"],
    ["ShareGPT", toShareGpt, "FastChat (the authors')"],
    ["messages", toMessages, "transformers, TRL"],
  ] as const;
  return formats.map(([format, write, user]) => (
    { format, by: write.name, for: user, first: JSON.stringify(write(first)[0] ?? null, null, 1) }
  ));
}

/** The base model's reasons for its wrong answers, counted; none where targets have no reasons. */
export async function reasonRows({ name, model: label, answers }: ProbedBase, settings: Settings) {
  if (!settings.explanations) return [];
  const wrong = answersToExplain([...answers.values()].flat(), settings.minimumConfidence);
  using model = (await openProbed(name, settings)).model;
  const bar = progress("asking for reasons", wrong.length);
  const written = await storedExplanations({ model, answers: wrong }, {
    store: new Store(storePath()),
    onProgress: ({ done }) => bar.update(done),
  });
  await bar.finish();
  const { asked, explained, reasons } = countExplanations(written);
  return [{ model: label, asked, explained, ...reasons }];
}
