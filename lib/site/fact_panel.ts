/** One followed fact: the question, what was read about it, and its options' probabilities by step. */
import type { Question } from "../question.ts";
import type { Fact } from "../world/world.ts";
import type { FollowedKind } from "./address.ts";
import { html, percent } from "./dom.ts";
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
  current?: FactCurve;
  others: readonly FactCurve[];
  steps: number;
  cursor?: number;
  /** Before any run: the untrained model. */
  start?: number[];
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

/** A fact in a list. */
export const factName = ({ noun, entity }: Fact) => `${noun} of ${entity}`;

export class FactPanel {
  readonly #chart: LineChart;
  readonly #select: HTMLSelectElement;
  readonly #question = html("p", { class: "question" });
  readonly #read = html("small");
  readonly #options = html("ul", { class: "options" });

  constructor(
    readonly kind: FollowedKind,
    host: HTMLElement,
    { onChoose, onCursor }: {
      onChoose: (id: string) => void;
      onCursor: (step: number | undefined) => void;
    },
  ) {
    const title = TITLES[kind];
    this.#select = html("select", { "aria-label": `${title}: choose the fact` });
    this.#select.addEventListener("change", () => onChoose(this.#select.value));
    const chart = html("div", { class: "chart" });
    this.#chart = new LineChart(chart, { height: 128, onCursor });
    host.append(html(
      "article",
      { class: "fact", "data-kind": kind },
      html("h3", {}, `${title} `, this.#read),
      ...[this.#select, this.#question, chart, this.#options],
    ));
  }

  /** The facts that can be chosen, by the name of their list. */
  offer(lists: ReadonlyMap<string, readonly Fact[]>): void {
    this.#select.replaceChildren(...[...lists].map(([label, facts]) =>
      html(
        "optgroup",
        { label },
        ...facts.map((fact) => html("option", { value: fact.id }, factName(fact))),
      )
    ));
  }

  draw({ fact, question, current, others, steps, cursor, start, target }: FactContent): void {
    this.#select.value = fact.id;
    this.#question.textContent = question.question;
    this.#read.textContent = READ[fact.status] +
      (this.kind === "trained" ? "" : " · test question");
    const { choices, answer } = question;
    const points = current?.points.length ? current.points : start ? [[0, start] as const] : [];
    const wrong = choices.indexOf(fact.wrong);
    const lookOf = (i: number) => i === answer ? "true" : i === wrong ? "wrong" : "other";
    const own: Line[] = choices.map((name, i): Line => ({
      name,
      points: points.map(([step, p]) => [step, p[i]]),
      look: `${lookOf(i)} ${current?.look ?? "base"}`,
      label: i === answer ? "✓" : i === wrong ? "✗" : undefined,
    })).toSorted((a, b) => Number(a.look.startsWith("true")) - Number(b.look.startsWith("true")));
    const ghosts = others.filter(({ points }) => points.length > 1).map((other): Line => ({
      name: other.label,
      points: other.points.map(([step, p]) => [step, p[answer]]),
      look: `ghost ${other.look}`,
      label: other.label.split(",")[0],
    }));
    const shown = points.findLast(([step]) => cursor === undefined || step <= cursor) ?? points[0];
    const text = shown
      ? choices.map((name, i) => `${name} ${percent(shown[1][i], 0)}`).join(", ")
      : "not asked yet";
    this.#chart.draw({
      ...{ steps, cursor, top: 1, format: (p) => percent(p, 0) },
      lines: [...ghosts, ...own],
      reference: { value: 1 / choices.length, label: "guess" },
      description: `${question.question} Probabilities at step ${shown?.[0] ?? 0}: ${text}`,
    });
    this.#options.replaceChildren(...choices.map((name, i) => {
      const tags = [
        i === answer && "✓ true",
        i === wrong && (fact.status === "misconceived" ? "✗ told" : "✗ wrong"),
        i === target && "← trained",
      ].filter((tag) => tag !== false);
      return html(
        "li",
        { class: `${lookOf(i)} ${current?.look ?? "base"}` },
        html("span", { class: "swatch", "aria-hidden": "true" }),
        html("span", { class: "name" }, name, ...tags.map((tag) => html("i", {}, tag))),
        html("output", {}, shown ? percent(shown[1][i]) : "…"),
      );
    }));
  }
}
