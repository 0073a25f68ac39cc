/** Every question of the tests as a mark: right or wrong before, and after training. */
import type { Answer } from "../question.ts";
import type { Fact, Status } from "../world/world.ts";
import { hideTip, html, percent, render, showTip, showTipOf } from "./dom.ts";

/** One question's answers; `after` from the first epoch on. */
export interface Asked {
  fact: Fact;
  before: Answer;
  after?: Answer;
}

/** A row of the map: a test, and what it asks. */
export interface MapRow {
  name: string;
  text: string;
  asked: readonly Asked[];
}

/** What became of a question. Marks differ in shape, not in colour alone; each fits -5 to 5. */
const FATES = {
  right: ["right before and after", "M-3,0a3,3 0 1,0 6,0a3,3 0 1,0 -6,0Z"],
  wrong: ["wrong before and after", "M-1.2,0a1.2,1.2 0 1,0 2.4,0a1.2,1.2 0 1,0 -2.4,0Z"],
  lost: ["right before, wrong after", "M-4,-4L4,4M4,-4L-4,4"],
  gained: ["wrong before, right after", "M0,-4.5V4.5M-4.5,0H4.5"],
} as const;

type Fate = keyof typeof FATES;

const STATUSES: readonly (readonly [Status, string])[] = [
  ["known", "● was told the truth"],
  ["misconceived", "▲ was told a wrong value"],
  ["unknown", "○ was told nothing"],
];

function fateOf({ before, after = before }: Asked): Fate {
  if (before.correct) return after.correct ? "right" : "lost";
  return after.correct ? "gained" : "wrong";
}

/** What stands in the tip of a mark. */
function linesOf(asked: Asked): string[] {
  const { fact, before, after } = asked;
  const option = (value: string, i: number) =>
    `${i === before.answer ? "✓ " : value === fact.wrong ? "✗ " : ""}${value}: ` +
    percent(before.probabilities[i]) + (after ? ` → ${percent(after.probabilities[i])}` : "");
  return [before.question, FATES[fateOf(asked)][0], ...before.choices.map(option)];
}

/** The map; a click, or Enter, follows a fact. Arrow keys go from mark to mark. */
export class FactMap {
  #marks: Asked[] = [];
  /** The mark that the Tab key reaches. */
  #at = 0;

  constructor(readonly host: HTMLElement, readonly onChoose: (fact: Fact) => void) {}

  draw(rows: readonly MapRow[]): void {
    this.#marks = rows.flatMap(({ asked }) =>
      STATUSES.flatMap(([status]) => asked.filter(({ fact }) => fact.status === status))
    );
    const markAt = ({ target }: Event) => {
      const index = (target as Element).closest("[data-mark]")?.getAttribute("data-mark");
      return index == null ? undefined : this.#marks[Number(index)];
    };
    const onMove = (event: PointerEvent) => {
      const asked = markAt(event);
      if (asked) showTip(linesOf(asked), { x: event.clientX, y: event.clientY });
      else hideTip();
    };
    const onClick = (event: Event) => {
      const asked = markAt(event);
      if (asked) this.onChoose(asked.fact);
    };
    render(
      html`
        <ul class="legend">${Object.entries(FATES).map(([fate, [words, d]]) =>
          html`<li><svg width="14" height="14" viewBox="-6 -6 12 12" aria-hidden="true">
            <path class="fate ${fate}" d=${d} /></svg> ${words}</li>`
        )}</ul>
        <table class="map" @pointermove=${onMove} @pointerleave=${hideTip} @focusout=${hideTip}
          @click=${onClick} @keydown=${(event: KeyboardEvent) => this.#onKey(event)}>
                <tr><td></td>${STATUSES.map(([status, text]) =>
                  html`<th scope="col"><b>${status}</b> ${text}</th>`
                )}</tr>
                ${rows.map(({ name, text, asked }) =>
                  html`<tr><th scope="row"><b>${name}</b> ${text}</th>${
                    STATUSES.map(([status]) =>
                      this.#cell(asked.filter(({ fact }) => fact.status === status), name, status)
                    )
                  }</tr>`
                )}
              </table>
      `,
      this.host,
    );
  }

  #cell(asked: readonly Asked[], name: string, status: string) {
    const count = (fate: Fate) => asked.filter((one) => fateOf(one) === fate).length;
    const lost = count("lost"), gained = count("gained");
    const right = lost + count("right"), wrong = gained + count("wrong");
    const text = asked.some(({ after }) => after)
      ? `lost ${lost} of ${right}, gained ${gained} of ${wrong}`
      : `right ${right} of ${asked.length}`;
    const mark = (one: Asked) => {
      const [words, d] = FATES[fateOf(one)], index = this.#marks.indexOf(one);
      return html`
        <svg width="12" height="12" viewBox="-6 -6 12 12" role="img" data-mark=${index}
          tabindex=${index === this.#at ? 0 : -1} aria-label="${one.before.question}: ${words}">
          <rect x="-6" y="-6" width="12" height="12" fill="transparent" />
          <path class="fate ${fateOf(one)}" d=${d} />
        </svg>
      `;
    };
    return html`<td data-status=${status}><span class="count ${lost ? "hurt" : ""}">${text}</span>
      <div class="marks" role="group" aria-label="${name}, ${status}: ${text}">${
      asked.map(mark)
    }</div></td>`;
  }

  #onKey(event: KeyboardEvent): void {
    const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: 10, ArrowUp: -10 }[event.key];
    if (event.key === "Enter" || event.key === " ") this.onChoose(this.#marks[this.#at].fact);
    else if (step === undefined) return;
    event.preventDefault();
    const nodes = this.host.querySelectorAll<SVGElement>("[data-mark]");
    nodes[this.#at].setAttribute("tabindex", "-1");
    this.#at = Math.max(0, Math.min(nodes.length - 1, this.#at + (step ?? 0)));
    nodes[this.#at].setAttribute("tabindex", "0");
    nodes[this.#at].focus();
    showTipOf(nodes[this.#at], linesOf(this.#marks[this.#at]));
  }
}
