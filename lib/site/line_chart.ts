/** A small line chart over the steps of a run, with a cursor that all charts share. */
import { svg } from "./dom.ts";

export interface Line {
  name: string;
  points: readonly (readonly [step: number, value: number])[];
  /** A class of the style sheet, which gives colour and dash. */
  look: string;
  /** Written at its end. */
  label?: string;
}

export interface ChartContent {
  lines: readonly Line[];
  steps: number;
  /** The largest value of the axis, and the smallest. Default: 0. */
  top: number;
  bottom?: number;
  format: (value: number) => string;
  cursor?: number;
  /** What stands below the first and the last step. Default: their numbers. */
  ends?: readonly [string, string];
  /** A value to compare with. */
  reference?: { value: number; label: string };
  /** What is shown, for those who can't see it. */
  description: string;
}

const EDGE = { left: 34, top: 8, bottom: 18 };

export class LineChart {
  #content?: ChartContent;
  readonly #right: number;

  /** @param onCursor told of the step under the pointer; undefined when it leaves */
  constructor(
    readonly host: HTMLElement,
    { height, right = 44, onCursor }: {
      height: number;
      /** Room for the lines' labels, px. */
      right?: number;
      onCursor?: (step: number | undefined) => void;
    },
  ) {
    this.#right = right;
    host.style.height = `${height}px`;
    if (onCursor) this.#listen(onCursor);
    new ResizeObserver(() => this.#content && this.draw(this.#content)).observe(host);
  }

  #listen(onCursor: (step: number | undefined) => void): void {
    const { host } = this;
    host.addEventListener("pointermove", ({ clientX }) => {
      if (!this.#content) return;
      const { left, width } = host.getBoundingClientRect();
      const share = (clientX - left - EDGE.left) / (width - EDGE.left - this.#right);
      const { steps } = this.#content;
      onCursor(Math.max(0, Math.min(steps, Math.round(share * steps))));
    });
    host.addEventListener("pointerleave", () => onCursor(undefined));
  }

  draw(content: ChartContent): void {
    this.#content = content;
    const { lines, steps, top, bottom = 0, format, cursor, reference, description } = content;
    const { ends = ["0", String(steps)] } = content;
    const width = this.host.clientWidth, height = this.host.clientHeight;
    if (width === 0) return;
    const x = (step: number) =>
      EDGE.left + (width - EDGE.left - this.#right) * step / Math.max(1, steps);
    const y = (value: number) =>
      EDGE.top +
      (height - EDGE.top - EDGE.bottom) *
        (1 - Math.max(0, Math.min(1, (value - bottom) / (top - bottom))));
    const picture = svg("svg", { width, height, role: "img", "aria-label": description });
    for (const value of [bottom, (bottom + top) / 2, top]) {
      picture.append(
        svg("line", { class: "grid", x1: x(0), x2: x(steps), y1: y(value), y2: y(value) }),
        svg("text", { class: "tick end", x: EDGE.left - 5, y: y(value) + 3.5 }, format(value)),
      );
    }
    ends.forEach((text, i) => {
      const look = ends[1].length < 5 ? "mid" : i === 0 ? "" : "end";
      picture.append(svg("text", { class: `tick ${look}`, x: x(i * steps), y: height - 4 }, text));
    });
    if (reference) {
      const at = y(reference.value);
      picture.append(
        svg("line", { class: "reference", x1: x(0), x2: x(steps), y1: at, y2: at }),
        svg("text", { class: "tick end", x: EDGE.left - 5, y: at + 3.5 }, reference.label),
      );
    }
    for (const { points, look } of lines) {
      const d = points.map(([step, value], i) => `${i ? "L" : "M"}${x(step)},${y(value)}`).join("");
      picture.append(svg("path", { class: `line ${look}`, d }));
      const [step, value] = points.at(-1) ?? [];
      if (step !== undefined) {
        picture.append(svg("circle", { class: `dot ${look}`, cx: x(step), cy: y(value!), r: 2.6 }));
      }
    }
    if (cursor !== undefined) {
      const at = x(Math.min(cursor, steps));
      picture.append(
        svg("line", { class: "cursor", x1: at, x2: at, y1: EDGE.top, y2: height - EDGE.bottom }),
      );
    }
    // Labels keep a line's distance from each other.
    let last = Infinity;
    const labelled = lines.filter(({ label, points }) => label && points.length)
      .map((line) => ({ ...line, at: y(line.points.at(-1)![1]) + 3.5 }))
      .sort((a, b) => b.at - a.at);
    for (const { label, look, points, at } of labelled) {
      last = Math.min(at, last - 11);
      const from = x(points.at(-1)![0]) + 5;
      picture.append(svg("text", { class: `label ${look}`, x: from, y: last }, label!));
    }
    this.host.replaceChildren(picture);
  }
}
