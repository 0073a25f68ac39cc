/** A small line chart over the steps of a run, with a cursor that all charts share. */
import { html, nothing, render, svg } from "./dom.ts";

export interface Line {
  points: readonly (readonly [step: number, value: number])[];
  /** Classes of the style sheet, which give colour and dash. */
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
  /** Told of the step under the pointer; undefined when it leaves. */
  onCursor?: (step: number | undefined) => void;
  /** Of the picture, px, and its room for the lines' labels. */
  height: number;
  right?: number;
  /** What stands below the first and the last step. Default: their numbers. */
  ends?: readonly [string, string];
  /** A value to compare with, and its name. */
  reference?: readonly [value: number, name: string];
  /** What is shown, for those who can't see it. */
  description: string;
}

const [LEFT, TOP, BOTTOM] = [38, 8, 18]; // px

/** Draws as wide as the host is now. */
export function drawLines(host: HTMLElement, content: ChartContent): void {
  const { lines, steps, top, bottom = 0, format, cursor, onCursor } = content;
  const { height, right = 44, ends = ["0", String(steps)], reference, description } = content;
  const width = host.clientWidth, to = width - right, floor = height - BOTTOM;
  const x = (step: number) => LEFT + (to - LEFT) * step / Math.max(1, steps);
  const y = (value: number) => {
    const share = Math.max(0, Math.min(1, (value - bottom) / (top - bottom)));
    return floor - (floor - TOP) * share;
  };
  const level = (value: number, text: string, look: string) =>
    svg`
      <line class=${look} x1=${LEFT} x2=${to} y1=${y(value)} y2=${y(value)} />
      <text class="tick end" x=${LEFT - 5} y=${y(value) + 3.5}>${text}</text>
    `;
  const end = (text: string, i: number) => {
    const look = ends[1].length < 5 ? "mid" : i === 0 ? "" : "end";
    return svg`<text class="tick ${look}" x=${x(i * steps)} y=${height - 4}>${text}</text>`;
  };
  const drawn = ({ points, look }: Line) => {
    const places = points.map(([step, value]) => `${x(step)},${y(value)}`);
    if (places.length === 0) return [];
    const [cx, cy] = places.at(-1)!.split(",");
    return svg`
      <path class="line ${look}" d="M${places.join("L")}" />
      <circle class="dot ${look}" cx=${cx} cy=${cy} r="2.6" />
    `;
  };
  // Labels keep a line's distance from each other.
  let last = Infinity;
  const labels = lines.filter(({ label, points }) => label && points.length)
    .map(({ points, ...line }) => ({ ...line, end: points.at(-1)! }))
    .sort((a, b) => a.end[1] - b.end[1])
    .map(({ label, look, end: [step, value] }) => {
      last = Math.min(y(value) + 3.5, last - 11);
      return svg`<text class="label ${look}" x=${x(step) + 5} y=${last}>${label}</text>`;
    });
  const at = cursor === undefined ? undefined : x(Math.min(cursor, steps));
  const onMove = ({ clientX }: PointerEvent) => {
    const share = (clientX - host.getBoundingClientRect().left - LEFT) / (to - LEFT);
    onCursor?.(Math.max(0, Math.min(steps, Math.round(share * steps))));
  };
  render(
    html`
      <svg width=${width} height=${height} role="img" aria-label=${description}
        @pointermove=${onMove} @pointerleave=${() => onCursor?.(undefined)}>
            ${[bottom, (bottom + top) / 2, top].map((value) => level(value, format(value), "grid"))}
            ${ends.map(end)} ${reference && level(...reference, "reference")} ${lines.map(drawn)}
            ${at === undefined
              ? nothing
              : svg`<line class="cursor" x1=${at} x2=${at} y1=${TOP} y2=${floor} />`}
      ${labels}
          </svg>
    `,
    host,
  );
}
