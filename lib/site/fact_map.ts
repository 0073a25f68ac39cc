/** Every question of the tests as a mark: right or wrong before, and after training. */
import { suiteLabels } from "../contrast.ts";
import { type SuiteName, suiteNames } from "../evaluate.ts";
import { percent } from "../figure/number.ts";
import type { Answer } from "../question.ts";
import type { Fact, Status } from "../world/world.ts";
import { hideTip, html, render, showTip, showTipOf } from "./dom.ts";
import { type Run, testTexts } from "./record.ts";
import type { Visit } from "./visit.ts";

/** One question's answers; `after` from the first epoch on. */
type Asked = { fact: Fact; before: Answer; after?: Answer };

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

/** How far a key goes, in marks. */
const KEYS: Record<string, number> = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: 10, ArrowUp: -10 };

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

/** The mark that the Tab key reaches. */
let reached = 0;

/** The map; a click, or Enter, follows a fact. Arrow keys go from mark to mark. */
export function drawMap(host: HTMLElement, visit: Visit, run?: Run): void {
  const choose = ({ status, id }: Fact) => visit.follow(status, id);
  let marks = 0;
  const mark = (one: Asked) => {
    const fate = fateOf(one), [words, d] = FATES[fate], index = marks++;
    const onKey = (event: KeyboardEvent) => {
      if (event.key === "Enter" || event.key === " ") choose(one.fact);
      else if (!(event.key in KEYS)) return;
      event.preventDefault();
      const nodes = [...host.querySelectorAll<SVGElement>("[data-mark]")];
      nodes[reached].setAttribute("tabindex", "-1");
      reached = Math.max(0, Math.min(nodes.length - 1, index + (KEYS[event.key] ?? 0)));
      nodes[reached].setAttribute("tabindex", "0");
      nodes[reached].focus();
    };
    return html`
      <svg width="12" height="12" viewBox="-6 -6 12 12" role="img" data-mark=${index}
        tabindex=${index === reached ? 0 : -1} aria-label="${one.before.question}: ${words}"
        @pointermove=${({ clientX: x, clientY: y }: PointerEvent) =>
          showTip(linesOf(one), { x, y })}
        @focus=${({ target }: Event) => showTipOf(target as Element, linesOf(one))}
        @click=${() => choose(one.fact)} @keydown=${onKey}
        @pointerleave=${hideTip} @blur=${hideTip}>
        <rect x="-6" y="-6" width="12" height="12" fill="transparent" />
        <path class="fate ${fate}" d=${d} />
      </svg>
    `;
  };
  const cell = (asked: readonly Asked[], name: string, status: string) => {
    const count = (fate: Fate) => asked.filter((one) => fateOf(one) === fate).length;
    const lost = count("lost"), gained = count("gained");
    const right = lost + count("right"), wrong = gained + count("wrong");
    const text = asked.some(({ after }) => after)
      ? `lost ${lost} of ${right}, gained ${gained} of ${wrong}`
      : `right ${right} of ${asked.length}`;
    const marks = asked.map(mark);
    return html`<td data-status=${status}><span class="count ${lost ? "hurt" : ""}">${text}</span>
      <div class="marks" role="group" aria-label="${name}, ${status}: ${text}">${marks}</div></td>`;
  };
  const row = (test: SuiteName) => {
    const { before, after } = visit.answers(test, run), name = suiteLabels[test];
    const asked = before.map((answer, i): Asked => (
      { fact: visit.facts.get(String(answer.id))!, before: answer, after: after?.[i] }
    ));
    return html`<tr><th scope="row"><b>${name}</b> ${testTexts[test]}</th>${
      STATUSES.map(([status]) =>
        cell(asked.filter(({ fact }) => fact.status === status), name, status)
      )
    }</tr>`;
  };
  render(
    html`
      <ul class="legend">${Object.entries(FATES).map(([fate, [words, d]]) =>
        html`<li><svg width="14" height="14" viewBox="-6 -6 12 12" aria-hidden="true">
          <path class="fate ${fate}" d=${d} /></svg> ${words}</li>`
      )}</ul>
      <table class="map">
        <tr><td></td>${STATUSES.map(([status, text]) =>
          html`<th scope="col"><b>${status}</b> ${text}</th>`
        )}</tr>
        ${suiteNames.map(row)}
      </table>
    `,
    host,
  );
}
