/** Every question of the tests as a mark: right or wrong before, and after training. */
import type { Answer } from "../question.ts";
import type { Fact, Status } from "../world/world.ts";
import { hideTip, html, percent, showTip, svg } from "./dom.ts";

/** One question's answers; `after` from the first epoch on. */
export interface Asked {
  fact: Fact;
  before: Answer;
  after?: Answer;
}

/** A group of marks, such as the known facts of HOMO. */
export interface MapCell {
  row: string;
  status: Status;
  asked: readonly Asked[];
}

export type Fate = "right" | "wrong" | "lost" | "gained";

export function fateOf({ before, after = before }: Asked): Fate {
  if (before.correct) return after.correct ? "right" : "lost";
  return after.correct ? "gained" : "wrong";
}

/** Marks differ in shape, not in colour alone. Each fits a square from -5 to 5. */
const SHAPES: Record<Fate, string> = {
  right: "M-3,0a3,3 0 1,0 6,0a3,3 0 1,0 -6,0Z",
  wrong: "M-1.2,0a1.2,1.2 0 1,0 2.4,0a1.2,1.2 0 1,0 -2.4,0Z",
  lost: "M-4,-4L4,4M4,-4L-4,4",
  gained: "M0,-4.5V4.5M-4.5,0H4.5",
};

const WORDS: Record<Fate, string> = {
  right: "right before and after",
  wrong: "wrong before and after",
  lost: "right before, wrong after",
  gained: "wrong before, right after",
};

/** A mark with its meaning, for the legend. */
export function fateLegend(): HTMLElement {
  const items = (Object.keys(WORDS) as Fate[]).map((fate) =>
    html(
      "li",
      {},
      svg(
        "svg",
        { width: 14, height: 14, viewBox: "-6 -6 12 12", "aria-hidden": "true" },
        svg("path", { class: `fate ${fate}`, d: SHAPES[fate] }),
      ),
      ` ${WORDS[fate]}`,
    )
  );
  return html("ul", { class: "legend" }, ...items);
}

const PITCH = 12;

/** What stands in the tip of a mark. */
function linesOf(asked: Asked): string[] {
  const { fact, before, after } = asked;
  const option = (value: string, i: number) =>
    `${i === before.answer ? "✓ " : value === fact.wrong ? "✗ " : ""}${value}: ` +
    percent(before.probabilities[i]) + (after ? ` → ${percent(after.probabilities[i])}` : "");
  return [before.question, WORDS[fateOf(asked)], ...before.choices.map(option)];
}

/** The map; a click, or Enter, follows a fact. Arrow keys go from mark to mark. */
export class FactMap {
  #marks: { node: SVGElement; asked: Asked }[] = [];

  constructor(readonly host: HTMLElement, readonly onChoose: (fact: Fact) => void) {
    host.addEventListener("pointermove", (event) => {
      const asked = this.#askedAt(event.target);
      if (asked) showTip(linesOf(asked), { x: event.clientX, y: event.clientY });
      else hideTip();
    });
    host.addEventListener("pointerleave", hideTip);
    host.addEventListener("focusout", hideTip);
    host.addEventListener("click", ({ target }) => {
      const asked = this.#askedAt(target);
      if (asked) onChoose(asked.fact);
    });
    host.addEventListener("keydown", (event) => this.#onKey(event));
  }

  #askedAt(target: EventTarget | null): Asked | undefined {
    const index = (target as Element | null)?.closest("[data-mark]")?.getAttribute("data-mark");
    return index == null ? undefined : this.#marks[Number(index)]?.asked;
  }

  #onKey(event: KeyboardEvent): void {
    const from = this.#marks.findIndex(({ node }) => node === document.activeElement);
    if (from < 0) return;
    const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: 10, ArrowUp: -10 }[event.key];
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      this.onChoose(this.#marks[from].asked.fact);
    } else if (step !== undefined) {
      event.preventDefault();
      this.#focus(Math.max(0, Math.min(this.#marks.length - 1, from + step)), from);
    }
  }

  #focus(to: number, from: number): void {
    this.#marks[from].node.setAttribute("tabindex", "-1");
    const { node, asked } = this.#marks[to];
    node.setAttribute("tabindex", "0");
    node.focus();
    const { left, bottom } = node.getBoundingClientRect();
    showTip(linesOf(asked), { x: left, y: bottom });
  }

  /** @param rows names of the rows, with what stands beside them */
  draw(rows: ReadonlyMap<string, string>, statuses: ReadonlyMap<Status, string>, cells: MapCell[]) {
    const had = this.#marks.findIndex(({ node }) => node === document.activeElement);
    this.#marks = [];
    const table = html("table", { class: "map" });
    table.append(
      html(
        "tr",
        {},
        html("td"),
        ...[...statuses].map(([status, text]) =>
          html("th", { scope: "col" }, html("b", {}, status), ` ${text}`)
        ),
      ),
    );
    for (const [row, text] of rows) {
      const line = html("tr", {}, html("th", { scope: "row" }, html("b", {}, row), ` ${text}`));
      for (const status of statuses.keys()) {
        const own = cells.find((cell) => cell.row === row && cell.status === status);
        line.append(this.#cell(own?.asked ?? [], `${row}, ${status}`, status));
      }
      table.append(line);
    }
    this.host.replaceChildren(table);
    this.#marks[Math.max(0, had)]?.node.setAttribute("tabindex", "0");
    if (had >= 0) this.#marks[had]?.node.focus();
  }

  #cell(asked: readonly Asked[], name: string, status: string): HTMLElement {
    const count = (fate: Fate) => asked.filter((one) => fateOf(one) === fate).length;
    const lost = count("lost"), gained = count("gained");
    const right = lost + count("right"), wrong = gained + count("wrong");
    const trained = asked.some(({ after }) => after);
    const text = trained
      ? `lost ${lost} of ${right}, gained ${gained} of ${wrong}`
      : `right ${right} of ${asked.length}`;
    const marks = html("div", { class: "marks", role: "group", "aria-label": `${name}: ${text}` });
    for (const one of asked) {
      const fate = fateOf(one), index = this.#marks.length;
      const node = svg(
        "svg",
        {
          ...{ width: PITCH, height: PITCH, viewBox: "-6 -6 12 12", role: "img", tabindex: "-1" },
          ...{ "data-mark": index, "aria-label": `${one.before.question}: ${WORDS[fate]}` },
        },
        svg("rect", { x: -6, y: -6, width: 12, height: 12, fill: "transparent" }),
        svg("path", { class: `fate ${fate}`, d: SHAPES[fate] }),
      );
      this.#marks.push({ node, asked: one });
      marks.append(node);
    }
    const caption = html("span", { class: lost ? "count hurt" : "count" }, text);
    return html("td", { "data-status": status }, caption, marks);
  }
}
