/** One followed fact: the question, what was read about it, and its options' probabilities by step. */
import type { Question } from "../question.ts";
import type { Fact } from "../world/world.ts";
import type { FollowedKind } from "./address.ts";
import { html, percent, render } from "./dom.ts";
import { type Line, LineChart } from "./line_chart.ts";

/** What the panel shows of one run. */
export interface FactCurve {
  label: string;
  /** The run's group: the lines' colour. */
  look: string;
  points: [step: number, probabilities: number[]][];
}

export interface FactContent {
  fact: Fact;
  question: Question;
  /** The facts that can be chosen, by the name of their list. */
  lists: readonly (readonly [label: string, facts: readonly Fact[]])[];
  /** The run that is looked at, or the untrained model. */
  current: FactCurve;
  others: readonly FactCurve[];
  steps: number;
  cursor?: number;
  /** The option that the group trains on, if it asks this question. */
  target?: number;
}

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

export class FactPanel {
  readonly #chart: LineChart;
  readonly #host = document.createElement("article");

  constructor(
    readonly kind: FollowedKind,
    parent: HTMLElement,
    readonly on: {
      choose: (id: string) => void;
      cursor: (step: number | undefined) => void;
    },
  ) {
    const chart = document.createElement("div");
    chart.className = "chart";
    this.#chart = new LineChart(chart, { height: 128, onCursor: on.cursor });
    this.#host.className = "fact";
    this.#host.dataset.kind = kind;
    parent.append(this.#host);
  }

  draw({ fact, question, lists, current, others, steps, cursor, target }: FactContent): void {
    const title = TITLES[this.kind];
    const { choices, answer } = question, { points } = current;
    const wrong = choices.indexOf(fact.wrong);
    const lookOf = (i: number) => i === answer ? "true" : i === wrong ? "wrong" : "other";
    const shown = points.findLast(([step]) => step <= (cursor ?? Infinity)) ?? points[0];
    const share = (i: number, digits: number) => shown ? percent(shown[1][i], digits) : "…";
    const option = (name: string, i: number) => {
      const tags = [
        i === answer && "✓ true",
        i === wrong && (fact.status === "misconceived" ? "✗ told" : "✗ wrong"),
        i === target && "← trained",
      ].filter((tag) => tag !== false);
      return html`<li class="${lookOf(i)} ${current.look}"><span class="swatch"></span>
        <span class="name">${name} ${tags.map((tag) => html`<i>${tag}</i>`)}</span>
        <output>${share(i, 1)}</output></li>`;
    };
    const choose = ({ target }: Event) => this.on.choose((target as HTMLSelectElement).value);
    render(
      html`<h3>${title} <small>${READ[fact.status]}${
        this.kind === "trained" ? "" : " · test question"
      }</small></h3>
      <select aria-label="${title}: choose the fact" @change=${choose}>${
        lists.map(([label, facts]) =>
          html`<optgroup label=${label}>${
            facts.map((one) =>
              html`<option value=${one.id} .selected=${
                one === fact
              }>${one.noun} of ${one.entity}</option>`
            )
          }</optgroup>`
        )
      }</select>
      <p class="question">${question.question}</p>
      ${this.#chart.host}
      <ul class="options">${choices.map(option)}</ul>`,
      this.#host,
    );
    const own = choices.map((_, i): Line => ({
      points: points.map(([step, p]) => [step, p[i]]),
      look: `${lookOf(i)} ${current.look}`,
      label: i === answer ? "✓" : i === wrong ? "✗" : undefined,
    }));
    const ghosts = others.filter(({ points }) => points.length > 1).map((other): Line => ({
      points: other.points.map(([step, p]) => [step, p[answer]]),
      look: `ghost ${other.look}`,
      label: other.label.split(",")[0],
    }));
    this.#chart.draw({
      ...{ steps, cursor, top: 1, format: (p) => percent(p, 0) },
      lines: [...ghosts, ...own.filter((_, i) => i !== answer), own[answer]],
      reference: [1 / choices.length, "guess"],
      description: `${question.question} Probabilities at step ${shown?.[0] ?? 0}: ` +
        choices.map((name, i) => `${name} ${share(i, 0)}`).join(", "),
    });
  }
}
