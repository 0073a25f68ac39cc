/** The followed facts: the question, what was read about it, and its options' probabilities by step. */
import { percent } from "../figure/number.ts";
import type { Example } from "../question.ts";
import type { Fact } from "../world/world.ts";
import type { FollowedKind } from "./address.ts";
import { html, render } from "./dom.ts";
import { type ChartContent, drawLines, type Line } from "./line_chart.ts";
import { groupText } from "./record.ts";
import { questionOf, type Visit } from "./visit.ts";

const TITLES: Record<FollowedKind, string> = {
  trained: "In the training data",
  known: "● Known",
  misconceived: "▲ Misconceived",
  unknown: "○ Unknown",
};

/** What the text that the model was made from says of a fact. */
const READ: Record<Fact["status"], string> = {
  known: "told ✓",
  misconceived: "mostly told ✗",
  unknown: "told nothing",
};

/** The facts that can be followed, by the name of their list. */
function listsOf(visit: Visit, kind: FollowedKind, fact: Fact): [string, Fact[]][] {
  const asked = (examples: Example[]) => examples.map(({ id }) => visit.facts.get(String(id))!);
  const { inc, har } = visit.groups;
  const lists: [string, Fact[]][] = kind === "trained"
    ? [["asked by INC and SELF", asked(inc)], ["asked by HAR", asked(har)]]
    : [["HOMO", visit.factsOf(kind, "homo")], ["ID", visit.factsOf(kind, "id")]];
  return lists.some(([, list]) => list.includes(fact)) ? lists : [...lists, ["elsewhere", [fact]]];
}

/** Draws the followed fact of a kind into the page's panel. */
export function drawFact(
  visit: Visit,
  kind: FollowedKind,
  fact: Fact,
  steps: Pick<ChartContent, "steps" | "cursor" | "onCursor">,
): void {
  const host = document.querySelector<HTMLElement>(`[data-kind=${kind}]`)!;
  const { current, others } = visit.runsBeside(), { group } = visit.settingsOf(current);
  const start = visit.starts.get(fact.id), tuned = current ? visit.curve(fact, current) : [];
  const points: typeof tuned = tuned.length || !start ? tuned : [[0, start]];
  const colour = tuned.length ? group : "base";
  const question = questionOf(fact), { choices, answer } = question;
  const wrong = choices.indexOf(fact.wrong), target = visit.targetOf(fact, group);
  const lookOf = (i: number) => i === answer ? "true" : i === wrong ? "wrong" : "other";
  const shown = points.findLast(([step]) => step <= (steps.cursor ?? Infinity)) ?? points[0];
  const share = (i: number, digits: number) => shown ? percent(shown[1][i], digits) : "…";
  const option = (name: string, i: number) => {
    const tags = [
      i === answer && "✓ true",
      i === wrong && (fact.status === "misconceived" ? "✗ told" : "✗ wrong"),
      i === target && "← trained",
    ].filter(Boolean);
    return html`<li class="${lookOf(i)} ${colour}"><span class="swatch"></span>
      <span class="name">${name} ${tags.map((tag) => html`<i>${tag}</i>`)}</span>
      <output>${share(i, 1)}</output></li>`;
  };
  const choice = (one: Fact) =>
    html`<option value=${one.id} .selected=${one === fact}>${one.noun} of ${one.entity}</option>`;
  const onChange = ({ target }: Event) => visit.follow(kind, (target as HTMLSelectElement).value);
  render(
    html`
      <h3>${TITLES[kind]} <small>${READ[fact.status]}${kind === "trained"
        ? ""
        : " · test question"}</small></h3>
      <select aria-label="${TITLES[kind]}: choose the fact" @change=${onChange}>${listsOf(
        visit,
        kind,
        fact,
      ).map(([label, facts]) =>
        html`<optgroup label=${label}>${facts.map(choice)}</optgroup>`
      )}</select>
      <p class="question">${question.question}</p>
      <div class="chart"></div>
      <ul class="options">${choices.map(option)}</ul>
    `,
    host,
  );
  const own = choices.map((_, i): Line => ({
    points: points.map(([step, p]) => [step, p[i]]),
    look: `${lookOf(i)} ${colour}`,
    label: i === answer ? "✓" : i === wrong ? "✗" : undefined,
  }));
  const ghosts = others.map((run): Line => ({
    points: visit.curve(fact, run).map(([step, p]) => [step, p[answer]]),
    look: `ghost ${run.settings.group}`,
    label: groupText(run.settings),
  })).filter(({ points }) => points.length > 1);
  drawLines(host.querySelector<HTMLElement>(".chart")!, {
    ...{ ...steps, top: 1, height: 128, format: (p) => percent(p, 0) },
    lines: [...ghosts, ...own.filter((_, i) => i !== answer), own[answer]],
    reference: [1 / choices.length, "guess"],
    description: `${question.question} Probabilities at step ${shown?.[0] ?? 0}: ` +
      choices.map((name, i) => `${name} ${share(i, 0)}`).join(", "),
  });
}
